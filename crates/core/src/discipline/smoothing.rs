//! Serving time that changes more smoothly than the clock.
//!
//! An update moves the time that we believe in at once, by an offset and in frequency. A server that
//! smooths keeps what it serves where it was and lets it approach the new time with a bounded
//! frequency, which itself changes at a bounded rate: away from the old frequency, along at the largest
//! one, and back. The offset between both is then made of three parabolas.

use serde::{Deserialize, Serialize};
use timeball_wire::Instant;

use crate::server::Smoothing;

/// Smoothing starts by itself once what is not known of the frequency (s/s) is less than what the
/// served frequency may change by in this time (s): before, every update would be a big one.
const SETTLED: f64 = 10_000.0;

/// Less than this (s/s²) would take for ever.
const SMALLEST_WANDER: f64 = 1e-15;

/// A stretch of time in which the frequency changes evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stage {
    /// Change of the frequency (s/s²).
    wander: f64,
    /// Length (s).
    length: f64,
}

/// A way to an offset of zero and a frequency of zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Approach {
    /// Offset (s) at the start.
    offset: f64,
    /// Its change (s/s) at the start.
    frequency: f64,
    stages: [Stage; 3],
}

/// Offset (s), frequency (s/s) and wander (s/s²) at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Motion {
    offset: f64,
    frequency: f64,
    wander: f64,
}

impl Approach {
    /// There is nothing to approach.
    const DONE: Self =
        Self { offset: 0.0, frequency: 0.0, stages: [Stage { wander: 0.0, length: 0.0 }; 3] };

    /// The shortest way within the limits.
    fn plan(offset: f64, frequency: f64, limits: &Smoothing) -> Self {
        let wander = limits.max_wander.max(SMALLEST_WANDER);
        // Where an immediate return to a frequency of zero would end; the other way round is the
        // same in a mirror.
        let end = offset + frequency * frequency.abs() / (2.0 * wander);
        let towards = if end > 0.0 { -1.0 } else { 1.0 };
        let (distance, start) = (-towards * offset, towards * frequency);
        let unlimited = (wander * distance + start * start / 2.0).max(0.0).sqrt();
        let peak = unlimited.min(limits.max_frequency);
        // A start beyond the limit has to come down to it, and covers ground meanwhile.
        let change =
            if start > peak { start * start - peak * peak } else { peak * peak - start * start };
        let covered = (change + peak * peak) / (2.0 * wander);
        let cruise = if peak > 0.0 { ((distance - covered) / peak).max(0.0) } else { 0.0 };
        let first = if start > peak { -wander } else { wander };
        Self {
            offset,
            frequency,
            stages: [
                Stage { wander: towards * first, length: (peak - start).abs() / wander },
                Stage { wander: 0.0, length: cruise },
                Stage { wander: -towards * wander, length: peak / wander },
            ],
        }
    }

    fn after(&self, seconds: f64) -> Motion {
        let mut motion = Motion { offset: self.offset, frequency: self.frequency, wander: 0.0 };
        let mut left = seconds.max(0.0);
        for stage in self.stages {
            if left <= 0.0 {
                break;
            }
            let length = stage.length.min(left);
            motion.offset += length * (motion.frequency + stage.wander * length / 2.0);
            motion.frequency += stage.wander * length;
            motion.wander = stage.wander;
            left -= length;
        }
        // Nothing shall remain of what rounding has left.
        if left > 0.0 { Motion { offset: 0.0, frequency: 0.0, wander: 0.0 } } else { motion }
    }

    fn length(&self) -> f64 {
        self.stages.iter().map(|stage| stage.length).sum()
    }
}

/// What is added to the system clock to make the served time: what the clock has still to be slewed
/// by, which clients need not see, and the rest of the approach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedOffset {
    unslewed: Unslewed,
    approach: Approach,
    since: Instant,
}

/// How far the system clock is from the time that we believe in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Unslewed {
    /// When.
    pub(super) as_of: Instant,
    /// Believed time minus system clock (s).
    pub(super) offset: f64,
    /// Its change (s/s).
    pub(super) rate: f64,
}

impl Unslewed {
    fn offset_at(&self, now: Instant) -> f64 {
        self.offset + self.rate * (now - self.as_of).seconds()
    }
}

impl ServedOffset {
    pub(super) const fn unsmoothed(unslewed: Unslewed) -> Self {
        Self { unslewed, approach: Approach::DONE, since: unslewed.as_of }
    }

    /// The served time is on its way to the time that we believe in.
    pub fn is_smoothing_at(&self, now: Instant) -> bool {
        (now - self.since).seconds() < self.approach.length()
    }

    /// Served time minus system clock (s) at `now`.
    pub fn offset_at(&self, now: Instant) -> f64 {
        self.approach.after((now - self.since).seconds()).offset + self.unslewed.offset_at(now)
    }
}

/// How far the smoothing is, for operators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Offsets are being smoothed; else they are passed on as they come.
    pub active: bool,
    /// Only leap seconds are smoothed.
    pub leap_only: bool,
    /// Served time minus the time that we believe in (s).
    pub offset: f64,
    /// How fast it changes (s/s).
    pub frequency: f64,
    /// How fast that changes (s/s²).
    pub wander: f64,
    /// Time since something new was to be smoothed (s).
    pub age: f64,
    /// Time until nothing is left (s).
    pub remaining: f64,
}

/// The smoothing of a server's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smoother {
    settings: Smoothing,
    active: bool,
    since: Instant,
    approach: Approach,
}

impl Smoother {
    pub(super) fn new(settings: Smoothing, now: Instant) -> Self {
        let active = settings.leap_only;
        Self { settings, active, since: now, approach: Approach::DONE }
    }

    /// Works within other limits from now on.
    pub(super) fn configure(&mut self, settings: Smoothing, now: Instant) {
        if settings != self.settings {
            let Motion { offset, frequency, .. } = self.motion(now);
            *self = Self { settings, ..*self };
            self.start(offset, frequency, now);
        }
    }

    /// Smooths from now on, though the frequency is not yet certain enough to start by itself.
    pub(super) const fn activate(&mut self) {
        self.active = true;
    }

    /// Forgets what is left to smooth.
    pub(super) const fn reset(&mut self, now: Instant) {
        self.since = now;
        self.approach = Approach::DONE;
    }

    /// The time that we believe in has moved by `offset` (s) and runs faster by `frequency` (s/s)
    /// than before; its frequency is known to within `skew` (s/s).
    pub(super) fn moved(&mut self, offset: f64, frequency: f64, skew: f64, now: Instant) {
        if self.settings.leap_only {
            return;
        }
        if !self.active {
            self.active = skew < self.settings.max_wander * SETTLED;
            return;
        }
        let motion = self.motion(now);
        self.start(motion.offset - offset, motion.frequency - frequency, now);
    }

    /// A leap second has moved the time that we believe in by `offset` (s).
    pub(super) fn leapt(&mut self, offset: f64, now: Instant) {
        if self.active {
            let motion = self.motion(now);
            self.start(motion.offset - offset, motion.frequency, now);
        }
    }

    fn start(&mut self, offset: f64, frequency: f64, now: Instant) {
        self.since = now;
        self.approach = Approach::plan(offset, frequency, &self.settings);
    }

    fn motion(&self, now: Instant) -> Motion {
        self.approach.after((now - self.since).seconds())
    }

    /// What the server side has to add to a clock that is `unslewed`.
    pub(super) const fn served(&self, unslewed: Unslewed) -> ServedOffset {
        ServedOffset { unslewed, approach: self.approach, since: self.since }
    }

    pub(super) fn progress(&self, now: Instant) -> Progress {
        let age = (now - self.since).seconds();
        let Motion { offset, frequency, wander } = self.motion(now);
        Progress {
            active: self.active,
            leap_only: self.settings.leap_only,
            offset,
            frequency,
            wander,
            age,
            remaining: (self.approach.length() - age).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use timeball_wire::Span;

    use super::*;

    const LIMITS: Smoothing =
        Smoothing { max_frequency: 400e-6, max_wander: 1e-9, leap_only: false };

    fn at(seconds: f64) -> Instant {
        Instant::from_nanos(1_000_000_000_000) + Span::from_seconds(seconds)
    }

    fn exact(as_of: Instant) -> Unslewed {
        Unslewed { as_of, offset: 0.0, rate: 0.0 }
    }

    proptest! {
        #[test]
        fn every_approach_arrives_within_the_limits(
            offset in -100.0f64..100.0,
            frequency in -2e-3f64..2e-3,
            max_frequency in 1e-6f64..1e-3,
            max_wander in 1e-10f64..1e-5,
        ) {
            let limits = Smoothing { max_frequency, max_wander, leap_only: false };
            let approach = Approach::plan(offset, frequency, &limits);
            let length = approach.length();
            prop_assert!(approach.stages.iter().all(|stage| stage.length >= 0.0));
            // The last moment before all is set to zero.
            let end = approach.after(length * (1.0 - 1e-12));
            prop_assert!(end.offset.abs() < 1e-6, "{:?} ends with {:?}", approach, end);
            prop_assert!(end.frequency.abs() < 1e-9, "{:?} ends with {:?}", approach, end);
            let steps = 1000;
            let mut before = approach.after(0.0);
            for step in 1..=steps {
                let motion = approach.after(length * f64::from(step) / f64::from(steps));
                prop_assert!(motion.frequency.abs() <= max_frequency.max(frequency.abs()) * 1.000_001);
                prop_assert!(motion.wander.abs() <= max_wander);
                let passed = length / f64::from(steps);
                let moved = (before.frequency + motion.frequency) / 2.0 * passed;
                // The mean of two frequencies is not quite that between them where a stage ends.
                let slack = max_wander * passed * passed + 1e-9;
                prop_assert!((motion.offset - before.offset - moved).abs() <= slack);
                before = motion;
            }
        }
    }

    #[test]
    fn a_leap_second_takes_as_long_as_documented() {
        // chrony.conf: `smoothtime 400 0.001024 leaponly` smears over 62 500 s, at 32 ppm at most.
        let limits = Smoothing { max_frequency: 400e-6, max_wander: 1.024e-9, leap_only: true };
        let mut smoother = Smoother::new(limits, at(0.0));
        smoother.moved(0.3, 1e-6, 1e-9, at(0.0));
        let served = |smoother: &Smoother| smoother.served(exact(at(0.0)));
        assert_eq!(served(&smoother).offset_at(at(0.0)), 0.0, "not a leap second");
        smoother.leapt(-1.0, at(10.0));
        let progress = smoother.progress(at(10.0));
        assert_eq!((progress.active, progress.leap_only, progress.offset), (true, true, 1.0));
        assert!((progress.remaining - 62_500.0).abs() < 1e-6, "{progress:?}");
        let half = smoother.progress(at(10.0 + 31_250.0));
        assert!((half.offset - 0.5).abs() < 1e-9 && (half.frequency + 32e-6).abs() < 1e-12);
        assert!(served(&smoother).is_smoothing_at(at(62_509.0)));
        assert!(!served(&smoother).is_smoothing_at(at(62_511.0)));
        assert_eq!(served(&smoother).offset_at(at(62_511.0)), 0.0);
    }

    #[test]
    fn the_served_time_does_not_jump_when_the_target_does() {
        let mut smoother = Smoother::new(LIMITS, at(0.0));
        smoother.activate();
        let mut served = |change: f64, now: f64| {
            // All of it is still to be slewed.
            smoother.moved(change, 0.0, 1e-9, at(now));
            smoother.served(Unslewed { as_of: at(now), offset: change, rate: -change / 10.0 })
        };
        let first = served(0.2, 0.0);
        assert!(first.offset_at(at(0.0)).abs() < 1e-12, "{first:?}");
        // The slew is over, and the clock 0.2 s further; what is served has hardly moved.
        assert!((first.offset_at(at(10.0)) + 0.2).abs() < 1e-6, "{first:?}");
        let second = served(-0.1, 100.0);
        // By then nothing of the first was left to slew.
        let before = first.offset_at(at(100.0)) - first.unslewed.offset_at(at(100.0));
        assert!((second.offset_at(at(100.0)) - before).abs() < 1e-9, "{second:?}");
        assert!(second.is_smoothing_at(at(100.0)));
        assert!(!second.is_smoothing_at(at(1e6)));
        let arrived = smoother.served(exact(at(1e6)));
        assert_eq!(arrived.offset_at(at(1e6)), 0.0);
    }

    #[test]
    fn smoothing_waits_for_a_certain_frequency_or_an_order() {
        let mut smoother = Smoother::new(LIMITS, at(0.0));
        smoother.moved(5.0, 0.0, 1e-3, at(0.0));
        assert!(!smoother.progress(at(0.0)).active);
        smoother.leapt(-1.0, at(1.0));
        assert_eq!(smoother.progress(at(1.0)).offset, 0.0);
        // 10 ppm are what 1 ns/s² change in 10 000 s.
        smoother.moved(5.0, 0.0, 0.9e-5, at(2.0));
        assert!(smoother.progress(at(2.0)).active);
        assert_eq!(smoother.progress(at(2.0)).offset, 0.0, "from the next on");
        smoother.moved(5.0, 0.0, 0.9e-5, at(3.0));
        assert_eq!(smoother.progress(at(3.0)).offset, -5.0);
        smoother.reset(at(4.0));
        let progress = smoother.progress(at(5.0));
        assert_eq!((progress.active, progress.offset, progress.remaining), (true, 0.0, 0.0));
    }
}
