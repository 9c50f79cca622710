//! What an operator says of the queues: the delay without them, and which part of the time in them is
//! on which way. Measurements are freed from that time, until their errors show that it was elsewhere.

use arrayvec::ArrayVec;
use timeball_wire::Span;

use super::sample::WINDOW;
use crate::estimator::triple::Middle;
use crate::estimator::{Settings, limited};
use crate::measurement::Measurement;

/// Nobody knows better than to this share on which way the time was spent. What is left of it shows how
/// much is to be expected of an offset.
const UNSURE: f64 = 0.005;
/// An operator who is wrong by less than this share is right enough…
const WRONG: f64 = 0.05;
/// …and so is one whose error explains less than this part of how far offsets are from a line,
const EXPLAINED: f64 = 0.7;
/// or of fewer offsets than this.
const FEWEST: f64 = 5.0;
/// The part of what was seen before that still counts after another measurement.
const MEMORY: f64 = 0.95;

/// The queues of a path, as they were stated.
#[derive(Clone, Debug)]
pub(super) struct KnownQueues {
    /// Round trip without queues (s).
    shortest: f64,
    /// The part of what is above it on the way to the server, less a half.
    share: f64,
    /// Measurements as they came, oldest first, in case that all of it is wrong.
    seen: ArrayVec<Measurement, WINDOW>,
    /// How the errors of offsets (s) depend on the time in queues (s).
    errors: Regression,
}

impl KnownQueues {
    /// None, unless the operator says both.
    pub(super) fn stated(settings: &Settings) -> Option<Self> {
        let shortest = Some(settings.min_delay).filter(|delay| *delay > 0.0)?;
        let share = settings.asymmetry?;
        let share = if share.is_finite() { share.clamp(-0.5, 0.5) } else { 0.0 };
        Some(Self { shortest, share, seen: ArrayVec::new(), errors: Regression::default() })
    }

    /// The measurement freed of them.
    pub(super) fn without(&self, measurement: &Measurement) -> Measurement {
        let queued = self.time_in(measurement);
        let there = self.share;
        Measurement {
            outbound: measurement.outbound - Span::from_seconds((0.5 + there - UNSURE) * queued),
            inbound: measurement.inbound - Span::from_seconds((0.5 - there - UNSURE) * queued),
            ..*measurement
        }
    }

    /// Time in queues on both ways together (s).
    fn time_in(&self, measurement: &Measurement) -> f64 {
        // Not `delay()`, which is at least the dispersion: what a coarse clock cannot tell is no queue.
        let delay = limited((measurement.outbound + measurement.inbound).seconds());
        (delay - self.shortest).max(0.0)
    }

    /// Compares the measurement with the two before: of three, the middle one should be on the line
    /// through the others, whatever the clocks' frequencies.
    pub(super) fn compare(&mut self, newest: &Measurement) {
        if let [.., oldest, middle] = &self.seen[..] {
            let since = |of: &Measurement| (of.at - oldest.at).seconds();
            let place = Middle::of(0.0, since(middle), since(newest));
            if place.is_between() {
                let start = self.without(oldest).offset();
                let offset = |of: &Measurement| (self.without(of).offset() - start).seconds();
                let queued = |of: &Measurement| self.time_in(of) - self.time_in(oldest);
                let queued = place.departure(0.0, queued(middle), queued(newest));
                let error = place.departure(0.0, offset(middle), offset(newest));
                // More than all of it is not the queues' doing.
                self.errors.add(queued, error.clamp(-queued.abs(), queued.abs()));
            }
        }
        if self.seen.is_full() {
            self.seen.remove(0);
        }
        self.seen.push(*newest);
    }

    /// The newest measurements as they came, oldest first.
    pub(super) const fn seen(&self) -> &ArrayVec<Measurement, WINDOW> {
        &self.seen
    }

    /// All offsets were too small by this much.
    pub(super) fn shift(&mut self, by: Span) {
        self.seen.iter_mut().for_each(|measurement| measurement.shift(by));
    }

    /// Offsets are wrong by a part of the time their packets spent in queues.
    pub(super) fn are_elsewhere(&self) -> bool {
        let errors = &self.errors;
        errors.count >= FEWEST && errors.slope().abs() > WRONG && errors.explained() > EXPLAINED
    }
}

/// How one number (s) is proportional to another (s), by least squares, of the newest pairs.
#[derive(Clone, Copy, Debug, Default)]
struct Regression {
    /// Pairs, the older the less,
    count: f64,
    /// and sums of their squares and products (s²).
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Regression {
    /// Another pair. A large one counts no more than the usual, since one packet makes three.
    fn add(&mut self, x: f64, y: f64) {
        let usual = if self.xx > 0.0 { (self.xx / self.count).sqrt() } else { x.abs() };
        let weight = if x.abs() > usual { (usual / x).powi(2) } else { 1.0 };
        self.count = MEMORY * self.count + 1.0;
        self.xx = MEMORY * self.xx + weight * x * x;
        self.yy = MEMORY * self.yy + weight * y * y;
        self.xy = MEMORY * self.xy + weight * x * y;
    }

    fn slope(&self) -> f64 {
        if self.xx > 0.0 { self.xy / self.xx } else { 0.0 }
    }

    /// The part of the second number's squares that follows from the first.
    fn explained(&self) -> f64 {
        if self.yy > 0.0 { self.slope() * self.xy / self.yy } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use timeball_wire::Oscillator;

    use super::*;

    /// Round trip without queues, and the time in them (s).
    const SHORTEST: f64 = 2e-3;
    const QUEUED: f64 = 4e-3;

    fn stated(min_delay: f64, asymmetry: Option<f64>) -> Option<KnownQueues> {
        KnownQueues::stated(&Settings { min_delay, asymmetry, ..Settings::default() })
    }

    /// All its queues are on the way to the server.
    fn queued_there() -> Measurement {
        Measurement {
            at: Oscillator::from_nanos(0),
            outbound: Span::from_seconds(SHORTEST / 2.0 + QUEUED),
            inbound: Span::from_seconds(SHORTEST / 2.0),
            dispersion: 0.0,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
        }
    }

    fn assert_close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-8, "{left}, not {right}");
    }

    /// After so many measurements of a clock that gains 1 ms each, whose offset is wrong by this part
    /// of the time in queues and by as much (s) besides.
    fn after(times: usize, part: f64, besides: f64) -> KnownQueues {
        let mut known = stated(SHORTEST, Some(0.5)).unwrap();
        (0..times).for_each(|time| known.compare(&late(time, part, besides)));
        known
    }

    fn late(time: usize, part: f64, besides: f64) -> Measurement {
        let queued = QUEUED * (time * time % 7) as f64;
        let error = part * queued + besides * (time % 3) as f64;
        let offset = Span::from_seconds(1e-3 * time as f64 + error);
        Measurement {
            at: Oscillator::from_nanos(0) + Span::from_seconds(64.0 * time as f64),
            outbound: Span::from_seconds(SHORTEST / 2.0 + queued) + offset,
            inbound: Span::from_seconds(SHORTEST / 2.0) - offset,
            ..queued_there()
        }
    }

    #[test]
    fn known_is_only_what_is_stated_whole() {
        assert!(stated(0.0, Some(0.5)).is_none());
        assert!(stated(SHORTEST, None).is_none());
        assert!(stated(SHORTEST, Some(0.0)).is_some());
    }

    #[test]
    fn the_time_in_queues_is_taken_from_the_way_that_had_it() {
        let left = stated(SHORTEST, Some(0.5)).unwrap().without(&queued_there());
        assert_close(left.offset().seconds(), 0.0);
        assert_close(left.delay(), SHORTEST + 2.0 * UNSURE * QUEUED);
        let left = stated(SHORTEST, Some(0.0)).unwrap().without(&queued_there());
        assert_close(left.offset().seconds(), QUEUED / 2.0);
    }

    #[test]
    fn what_a_coarse_clock_cannot_tell_is_no_queue() {
        let coarse = Measurement { dispersion: 1.0 / 64.0, ..queued_there() };
        let left = stated(SHORTEST, Some(0.5)).unwrap().without(&coarse);
        assert_close(left.offset().seconds(), 0.0);
        assert_close((left.outbound + left.inbound).seconds(), SHORTEST + 2.0 * UNSURE * QUEUED);
    }

    #[test]
    fn errors_that_follow_the_queues_show_that_they_are_elsewhere() {
        assert!(after(20, 0.5, 0.0).are_elsewhere());
        assert!(after(20, -0.1, 0.0).are_elsewhere());
        assert!(!after(7, 0.5, 0.0).are_elsewhere());
        assert!(!after(20, 0.04, 0.0).are_elsewhere());
        assert!(!after(20, 0.0, QUEUED).are_elsewhere());
        assert!(!after(20, 0.1, QUEUED).are_elsewhere());
    }

    #[test]
    fn a_step_of_the_clock_shows_nothing_of_the_queues() {
        let mut known = after(50, 0.0, 0.0);
        for time in 50..80 {
            let mut stepped = late(time, 0.0, 0.0);
            stepped.shift(Span::from_secs(1));
            known.compare(&stepped);
            assert!(!known.are_elsewhere());
        }
    }

    #[test]
    fn one_packet_that_waited_long_on_the_other_way_shows_nothing() {
        for before in 8..50 {
            let mut known = after(before, 0.001, 0.0);
            let mut late_back = late(before, 0.001, 0.0);
            late_back.inbound += Span::from_secs(1);
            known.compare(&late_back);
            for time in before + 1..before + 30 {
                known.compare(&late(time, 0.001, 0.0));
                assert!(!known.are_elsewhere(), "{before} {time} {known:?}");
            }
        }
    }

    #[test]
    fn time_that_stands_still_is_no_line() {
        let mut known = after(0, 0.0, 0.0);
        (0..50).for_each(|_| known.compare(&late(7, 0.5, 0.0)));
        assert_eq!(known.errors.count, 0.0);
    }

    #[test]
    fn one_half_is_the_most_that_can_be_stated() {
        let there = |asymmetry| stated(SHORTEST, Some(asymmetry)).unwrap().share;
        assert_eq!([there(7.0), there(-0.7), there(f64::NAN)], [0.5, -0.5, 0.0]);
    }
}
