//! Serving time that changes more smoothly than the clock.
//!
//! An update moves the time that we believe in at once, by an offset and in frequency. A server that
//! smooths keeps what it serves where it was and lets it approach the new time with a bounded
//! frequency, which itself changes at a bounded rate: away from the old frequency, along at the largest
//! one, and back. The offset between both is then made of three parabolas.

use serde::{Deserialize, Serialize};
use timeball_wire::Instant;

use crate::server::Smoothing;

/// Smoothing starts by itself once one standard deviation of the frequency (s/s) is less than what
/// the served frequency may change by in this time (s): before, every update would be a big one.
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

/// What is added to the system clock to make the served time: the approach, and what the clock itself
/// has still to be slewed by, which clients shall not see either.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedOffset {
    since: Instant,
    approach: Approach,
    slew_since: Instant,
    slew: Remaining,
}

/// What is left of a slew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remaining {
    /// To be slewed (s).
    pub offset: f64,
    /// How fast it becomes less (s/s of the monotonic clock).
    pub rate: f64,
    /// For so long (s).
    pub duration: f64,
}

impl Remaining {
    fn after(&self, seconds: f64) -> f64 {
        self.offset - self.rate * seconds.clamp(0.0, self.duration)
    }
}

impl ServedOffset {
    /// The served time is on its way to the time that we believe in.
    pub fn is_smoothing_at(&self, now: Instant) -> bool {
        (now - self.since).seconds() < self.approach.length()
    }

    /// Served time minus system clock (s) at `now`.
    pub fn offset_at(&self, now: Instant) -> f64 {
        self.approach.after((now - self.since).seconds()).offset
            + self.slew.after((now - self.slew_since).seconds())
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
    /// than before; its frequency is known with the standard deviation `skew` (s/s).
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

    /// What the server side has to add to the clock, of which `slew` is left to make.
    pub(super) fn served(&self, slew: Remaining, now: Instant) -> Option<ServedOffset> {
        let busy = (now - self.since).seconds() < self.approach.length();
        (self.active && (busy || !self.settings.leap_only)).then_some(ServedOffset {
            since: self.since,
            approach: self.approach,
            slew_since: now,
            slew,
        })
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
