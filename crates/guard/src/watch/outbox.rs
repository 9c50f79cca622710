//! Alerts on their way to somebody who may not take them at once: in order, one at a time, with longer
//! and longer pauses. No I/O.

use std::collections::VecDeque;

use timeball_wire::{Instant, Span};

use super::alert::Alert;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Taken,
    /// It was not.
    Failed,
}

/// Alerts that wait, the oldest first.
#[derive(Debug)]
pub struct Outbox {
    waiting: VecDeque<Alert>,
    /// Attempts that have failed since one succeeded.
    failures: u32,
    /// No attempt before this.
    not_before: Option<Instant>,
    is_under_way: bool,
    /// Alerts that nobody took in time, and that had to make room.
    lost: u64,
}

/// Longer queues are of no use to anybody.
const CAPACITY: usize = 1000;
/// The first pause.
const FIRST_PAUSE: Span = Span::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Span = Span::from_secs(300);

impl Outbox {
    /// With these to begin with.
    pub fn new(waiting: Vec<Alert>) -> Self {
        let mut outbox = Self {
            waiting: VecDeque::new(),
            failures: 0,
            not_before: None,
            is_under_way: false,
            lost: 0,
        };
        for alert in waiting {
            outbox.push(alert);
        }
        outbox
    }

    /// Whether an attempt has begun and not ended.
    pub fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Adds an alert. In a full box it takes the place of the oldest that is not under way.
    pub fn push(&mut self, alert: Alert) {
        if self.waiting.len() >= CAPACITY {
            let oldest = usize::from(self.is_under_way);
            self.waiting.remove(oldest);
            self.lost = self.lost.saturating_add(1);
        }
        self.waiting.push_back(alert);
    }

    /// What to deliver now, if anything. It is under way until [`Outbox::handle`] is called.
    pub fn poll(&mut self, now: Instant) -> Option<&Alert> {
        if self.is_under_way || self.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let alert = self.waiting.front()?;
        self.is_under_way = true;
        Some(alert)
    }

    /// Takes what became of the one under way.
    pub fn handle(&mut self, now: Instant, delivery: Delivery) {
        self.is_under_way = false;
        match delivery {
            Delivery::Taken => {
                self.waiting.pop_front();
                self.failures = 0;
                self.not_before = None;
            }
            Delivery::Failed => {
                let doublings = self.failures.min(16);
                let pause = FIRST_PAUSE.nanos().saturating_mul(1_i64 << doublings);
                self.failures = self.failures.saturating_add(1);
                self.not_before = Some(now + Span::from_nanos(pause).min(LONGEST_PAUSE));
            }
        }
    }

    /// When the next attempt is due; `None` if one is under way, or there is nothing to deliver.
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let is_waiting = !self.is_under_way && !self.waiting.is_empty();
        is_waiting.then(|| self.not_before.unwrap_or(now))
    }

    /// Those that have not been taken yet, the oldest first.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &Alert> {
        self.waiting.iter()
    }

    /// Whether all that there was has been taken.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many had to make room for newer ones.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::alert::Event;
    use crate::watch::standing::Time;

    fn alert(number: usize) -> Alert {
        Alert {
            event: Event::Violated,
            endpoint: number.to_string(),
            expected: String::new(),
            condition: String::new(),
            was: None,
            detail: String::new(),
            since: Time::UNIX_EPOCH,
            at: Time::UNIX_EPOCH,
            listeners: Vec::new(),
        }
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_nanos(0) + Span::from_secs(seconds)
    }

    #[test]
    fn one_after_the_other_and_each_until_it_is_taken() {
        let mut outbox = Outbox::new(vec![alert(0), alert(1)]);
        assert_eq!(outbox.poll(at(0)).unwrap().endpoint, "0");
        assert_eq!(outbox.poll(at(0)), None, "one at a time");
        assert_eq!(outbox.next_timeout(at(0)), None);
        outbox.handle(at(0), Delivery::Failed);
        assert_eq!(outbox.next_timeout(at(0)), Some(at(1)));
        assert_eq!(outbox.poll(at(0)), None);
        assert_eq!(outbox.poll(at(1)).unwrap().endpoint, "0");
        outbox.handle(at(1), Delivery::Taken);
        assert_eq!(outbox.poll(at(1)).unwrap().endpoint, "1");
        outbox.handle(at(1), Delivery::Taken);
        assert!(outbox.is_empty());
        assert_eq!(outbox.next_timeout(at(1)), None);
    }

    #[test]
    fn pauses_double_up_to_five_minutes_and_begin_anew() {
        let mut outbox = Outbox::new(vec![alert(0)]);
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            assert!(outbox.poll(now).is_some());
            outbox.handle(now, Delivery::Failed);
            let next = outbox.next_timeout(now).unwrap();
            pauses.push((next - now).nanos() / 1_000_000_000);
            now = next;
        }
        assert_eq!(pauses[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert!(pauses[10..].iter().all(|pause| *pause == 300));
        outbox.poll(now);
        outbox.handle(now, Delivery::Taken);
        outbox.push(alert(1));
        assert!(outbox.poll(now).is_some());
        outbox.handle(now, Delivery::Failed);
        assert_eq!(outbox.next_timeout(now), Some(now + Span::from_secs(1)));
    }

    #[test]
    fn a_full_box_loses_the_oldest_that_is_not_under_way() {
        let mut outbox = Outbox::new(vec![alert(0)]);
        outbox.poll(at(0));
        for number in 1..CAPACITY + 3 {
            outbox.push(alert(number));
        }
        assert_eq!((outbox.waiting().len(), outbox.lost()), (CAPACITY, 3));
        let first: Vec<&str> =
            outbox.waiting().take(2).map(|alert| alert.endpoint.as_str()).collect();
        assert_eq!(first, ["0", "4"]);
        outbox.handle(at(0), Delivery::Taken);
        outbox.push(alert(2000));
        outbox.push(alert(2001));
        assert_eq!(outbox.lost(), 4);
        assert_eq!(outbox.poll(at(0)).unwrap().endpoint, "5");
    }
}
