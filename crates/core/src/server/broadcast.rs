//! When to send the time unasked (RFC 5905 §3, broadcast server).

use std::net::SocketAddr;

use timeball_wire::{Instant, Span};

use super::Broadcast;
use crate::association::PollInterval;

/// The destinations and when each is due.
#[derive(Clone, Debug, Default)]
pub(super) struct Broadcasts(Vec<Scheduled>);

#[derive(Clone, Copy, Debug)]
struct Scheduled {
    broadcast: Broadcast,
    /// `None` until the clock has been looked at: the first one comes after an interval.
    due: Option<Instant>,
}

/// What is to be sent now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Due {
    pub(super) destination: SocketAddr,
    /// Log₂ of the interval (s).
    pub(super) poll: i8,
}

impl Broadcasts {
    /// Nobody is sent anything more often than this.
    const SHORTEST_INTERVAL: f64 = 1.0;

    /// Changes the destinations; those that stay keep their turn.
    pub(super) fn configure(&mut self, broadcasts: &[Broadcast]) {
        let old = std::mem::take(&mut self.0);
        self.0.extend(broadcasts.iter().map(|&broadcast| {
            let kept = old.iter().find(|scheduled| scheduled.broadcast == broadcast);
            Scheduled { broadcast, due: kept.and_then(|scheduled| scheduled.due) }
        }));
    }

    /// When the next one is due; in the past if the clock was never looked at.
    pub(super) fn next(&self) -> Option<Instant> {
        let never = Instant::from_nanos(i64::MIN);
        self.0.iter().map(|scheduled| scheduled.due.unwrap_or(never)).min()
    }

    /// Takes one that is due at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due> {
        for Scheduled { broadcast, due } in &mut self.0 {
            let seconds = broadcast.interval.max(Self::SHORTEST_INTERVAL);
            let interval = Span::from_seconds(seconds);
            match *due {
                None => *due = Some(now + interval),
                Some(then) if then <= now => {
                    // Missed turns are not made up for.
                    let next = then + interval;
                    *due = Some(if next > now { next } else { now + interval });
                    let poll = PollInterval::new(seconds.log2().round() as i8).exponent();
                    return Some(Due { destination: broadcast.destination, poll });
                }
                Some(_) => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_nanos(0) + Span::from_secs(seconds)
    }

    fn to(interval: f64, destination: &str) -> Broadcast {
        Broadcast { interval, destination: destination.parse().unwrap() }
    }

    fn taken(broadcasts: &mut Broadcasts, now: Instant) -> Vec<Due> {
        std::iter::from_fn(|| broadcasts.take(now)).collect()
    }

    #[test]
    fn each_comes_once_per_interval_and_not_at_once() {
        let mut broadcasts = Broadcasts::default();
        assert_eq!(broadcasts.next(), None);
        let every_64 = to(64.0, "192.0.2.255:123");
        let every_100 = to(100.0, "[ff05::101]:123");
        broadcasts.configure(&[every_64, every_100]);
        let mut counts = [0, 0];
        for second in 0..=10_000 {
            for due in taken(&mut broadcasts, at(second)) {
                match due {
                    Due { destination, poll: 6 } if destination == every_64.destination => {
                        counts[0] += 1;
                    }
                    Due { destination, poll: 7 } if destination == every_100.destination => {
                        counts[1] += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert!(broadcasts.next().unwrap() > at(second));
        }
        assert_eq!(counts, [156, 100]);
    }

    #[test]
    fn missed_turns_are_not_made_up_for() {
        let mut broadcasts = Broadcasts::default();
        broadcasts.configure(&[to(64.0, "192.0.2.255:123")]);
        assert_eq!(taken(&mut broadcasts, at(0)), []);
        assert_eq!(taken(&mut broadcasts, at(10_000)).len(), 1);
        assert_eq!(broadcasts.next(), Some(at(10_064)));
    }

    #[test]
    fn a_reload_keeps_the_turn() {
        let mut broadcasts = Broadcasts::default();
        let one = to(64.0, "192.0.2.255:123");
        broadcasts.configure(&[one]);
        taken(&mut broadcasts, at(0));
        broadcasts.configure(&[to(10.0, "192.0.2.127:123"), one]);
        taken(&mut broadcasts, at(60));
        assert_eq!(taken(&mut broadcasts, at(64)).len(), 1);
    }
}
