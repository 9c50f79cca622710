//! System clock readings ⇄ the free-running oscillator.
//!
//! The oscillator is what the system clock would show had nobody ever adjusted it. Between two
//! adjustments the system clock runs at a known rate against it, so the whole history is a short
//! list of linear segments: one begins with every adjustment of ours, every adjustment somebody
//! else makes, and every leap second. Timestamps become [`Oscillator`] readings when they arrive and
//! stay valid for ever; nothing that is kept is ever rewritten.
//!
//! Steps are seen by `system − monotonic`, which is constant but for them: the kernel slews both
//! clocks alike. Frequency changes are seen because every [`Now`] carries the frequency in force.
//! See `docs/adr/0003-the-oscillator-time-scale.md`.

use std::collections::VecDeque;

use timeball_wire::{Oscillator, Span, Timestamp};

use crate::now::Now;

/// Segments kept; a timestamp is seconds old when it arrives, so a few would do.
const SEGMENTS: usize = 32;

/// Changes of `system − monotonic` below this are the noise of reading two clocks in turn, unless the
/// readings say that theirs may be more.
const STEP_NOISE: Span = Span::from_nanos(50_000);

/// A sleep shorter than this is no suspend but noise.
const SLEEP_NOISE: Span = Span::from_millis(10);

/// A timestamp this much ahead of the clock was taken before a backward step.
const READING_NOISE: Span = Span::from_nanos(20_000);

/// A stretch of time in which nobody adjusted the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    /// System clock at its begin.
    system: Timestamp,
    /// Oscillator at its begin.
    oscillator: Oscillator,
    /// The system clock advances `1 + frequency` per second of the oscillator.
    frequency: f64,
}

impl Segment {
    fn oscillator_at(&self, system: Timestamp) -> Oscillator {
        let elapsed = system - self.system;
        // The exact difference first, then the small correction: nanoseconds survive for weeks.
        let gained = elapsed.seconds() * self.frequency / (1.0 + self.frequency);
        self.oscillator + elapsed - Span::from_seconds(gained)
    }

    fn system_at(&self, oscillator: Oscillator) -> Timestamp {
        let elapsed = oscillator - self.oscillator;
        self.system + elapsed + Span::from_seconds(elapsed.seconds() * self.frequency)
    }
}

/// What has befallen the clock since it was last observed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Disturbance {
    /// It was stepped by this.
    pub step: Option<Span>,
    /// Its frequency (s/s) changed from the first to the second value.
    pub frequency: Option<(f64, f64)>,
    /// Nobody knows when that was: by so much (s) the clock may show something else than is thought.
    pub doubt: f64,
    /// The machine slept for this long; nobody can say exactly how long, so offsets known before
    /// are worth little after.
    pub suspend: Option<Span>,
}

/// The history of the system clock's adjustments.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Oldest first, never empty.
    segments: VecDeque<Segment>,
    last: Now,
    /// `system − monotonic` since the last step.
    base: Span,
    /// How far off that may be.
    base_uncertainty: Span,
    /// Leap seconds inserted (positive) or deleted since the start. UTC repeats them, the
    /// oscillator doesn't: `UTC + leap` is continuous.
    leap: Span,
    /// What is known of the oscillator's own changes (s/s): it is read as if it did not make them.
    compensation: f64,
}

fn system_minus_monotonic(now: &Now) -> Span {
    Span::from_nanos(now.system.nanos().saturating_sub(now.monotonic.nanos()))
}

fn middle(a: Timestamp, b: Timestamp) -> Timestamp {
    a + (b - a).half()
}

impl Timeline {
    /// A time line on which the oscillator starts with the reading of the system clock.
    pub fn new(now: Now) -> Self {
        let segment = Segment {
            system: now.system,
            oscillator: Oscillator::from_nanos(now.system.nanos()),
            frequency: now.frequency,
        };
        Self {
            segments: VecDeque::from([segment]),
            last: now,
            base: system_minus_monotonic(&now),
            base_uncertainty: now.uncertainty,
            leap: Span::ZERO,
            compensation: 0.0,
        }
    }

    fn current(&self) -> &Segment {
        &self.segments[self.segments.len() - 1]
    }

    fn begin(&mut self, segment: Segment) {
        if self.segments.len() == SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(segment);
    }

    /// Looks at the clock, extends the time line by what has happened to it since the last look, and
    /// says what that was.
    pub fn observe(&mut self, now: Now) -> Disturbance {
        let mut disturbance = Disturbance::default();
        let slept = now.asleep - self.last.asleep;
        let jump = system_minus_monotonic(&now) - self.base;
        let mut at = now.system;
        // How long ago the frequency may have changed.
        let elapsed = (now.monotonic - self.last.monotonic).seconds();
        let mut unseen = elapsed;

        if slept > self.sleep_noise(&now) {
            // The monotonic clock stood still, the oscillator did not: it follows the system clock
            // across the gap.
            disturbance.suspend = Some(slept);
            self.base += jump;
            self.base_uncertainty = now.uncertainty;
        } else if jump.abs() > self.step_noise(&now) {
            disturbance.step = Some(jump);
            self.begin_after_step(now.system, jump);
            self.base_uncertainty = now.uncertainty;
        } else {
            // An unnoticed change of frequency happened at some time since the last look.
            at = middle(self.last.system, now.system);
            unseen = elapsed / 2.0;
            self.tighten_base(&now, jump);
        }

        let before = self.last.frequency;
        self.last = now;
        if now.frequency != before {
            disturbance.frequency = Some((before, now.frequency));
            disturbance.doubt = (now.frequency - before).abs() * unseen;
            self.bend(at);
        }
        disturbance
    }

    /// True if [`observe`](Self::observe) would find that something has befallen the clock.
    pub fn is_disturbed(&self, now: Now) -> bool {
        now.asleep - self.last.asleep > self.sleep_noise(&now)
            || (system_minus_monotonic(&now) - self.base).abs() > self.step_noise(&now)
            || now.frequency != self.last.frequency
    }

    /// What `system − monotonic` may seem to change by where nothing has happened.
    fn step_noise(&self, now: &Now) -> Span {
        STEP_NOISE.max(self.base_uncertainty + now.uncertainty)
    }

    /// What the machine may seem to have slept for where it has not.
    fn sleep_noise(&self, now: &Now) -> Span {
        SLEEP_NOISE.max(self.last.uncertainty + now.uncertainty)
    }

    /// An interrupted reading says that there was a step, but not how large it was, and as a base it
    /// would hide small ones for ever: the next better reading puts right the `jump` it was off by.
    fn tighten_base(&mut self, now: &Now, jump: Span) {
        if self.base_uncertainty > STEP_NOISE.half() && now.uncertainty < self.base_uncertainty {
            self.begin_after_step(now.system, jump);
            self.base_uncertainty = now.uncertainty;
        }
    }

    /// Like [`observe`](Self::observe), after the kernel was told to step the clock by `by`: such a step
    /// is known better than any two clocks that are read in turn can tell.
    pub fn observe_step(&mut self, now: Now, by: Span) -> Disturbance {
        let jump = system_minus_monotonic(&now) - self.base;
        if (jump - by).abs() > self.step_noise(&now) {
            return self.observe(now);
        }
        self.begin_after_step(now.system, by);
        Disturbance { step: Some(by), ..self.observe(now) }
    }

    /// The system clock was stepped by `by` and shows `system` since.
    fn begin_after_step(&mut self, system: Timestamp, by: Span) {
        let oscillator = self.current().oscillator_at(system - by);
        self.begin(Segment { system, oscillator, ..*self.current() });
        self.base += by;
    }

    /// The frequency is another one since the system clock showed `at`.
    fn bend(&mut self, at: Timestamp) {
        let oscillator = self.current().oscillator_at(at);
        self.begin(Segment { system: at, oscillator, frequency: self.rate() });
    }

    /// From the last observation on, something other than measurements of time (a thermometer) says
    /// that the oscillator needs this correction (s/s). What is called the oscillator has it already:
    /// frequencies are those of a compensated one.
    pub fn compensate(&mut self, compensation: f64) {
        self.compensation = compensation;
        self.bend(self.last.system);
    }

    /// What to tell the kernel so that the system clock runs at `rate` (s/s) against the oscillator.
    pub fn kernel_frequency(&self, rate: f64) -> f64 {
        rate + self.compensation + rate * self.compensation
    }

    /// Declares the step just observed a leap second: UTC repeated (`step` negative) or skipped a
    /// second, and so did every server.
    pub fn leap(&mut self, step: Span) {
        self.leap -= step;
    }

    /// The oscillator's reading when the system clock showed `system`, a moment before the last
    /// observation. Of two such moments (the clock was stepped back), the later one.
    pub fn oscillator_at(&self, system: Timestamp) -> Oscillator {
        for (index, segment) in self.segments.iter().enumerate().rev() {
            let end = match self.segments.get(index + 1) {
                Some(next) => segment.system_at(next.oscillator),
                None => self.last.system,
            };
            if segment.system <= system && system <= end + READING_NOISE {
                return segment.oscillator_at(system);
            }
        }
        // Before all history, or a reading that a forward step has skipped.
        let nearest = self.segments.front().filter(|oldest| system < oldest.system);
        nearest.unwrap_or(self.current()).oscillator_at(system)
    }

    /// The oscillator now, that is at the last observation.
    pub fn now(&self) -> Oscillator {
        self.current().oscillator_at(self.last.system)
    }

    /// System clock at the last observation, with the leap seconds since the start counted on, minus
    /// oscillator: the correction in force.
    pub fn correction(&self) -> Span {
        let system = self.last.system + self.leap;
        Span::from_nanos(system.nanos().saturating_sub(self.now().nanos()))
    }

    /// A server's UTC reading with the leap seconds since the start counted on, so that differences
    /// to the oscillator are continuous.
    pub fn continuous(&self, utc: Timestamp) -> Timestamp {
        utc + self.leap
    }

    /// Frequency correction (s/s) in force, as the kernel has it.
    pub const fn frequency(&self) -> f64 {
        self.last.frequency
    }

    /// How fast the system clock runs against the oscillator (s/s).
    pub fn rate(&self) -> f64 {
        (self.last.frequency - self.compensation) / (1.0 + self.compensation)
    }
}

#[cfg(test)]
mod tests;
