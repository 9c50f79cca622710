//! What an operator, or a thermometer, wants of the clock.

use super::Discipline;
use super::target::Target;
use crate::engine::Outbox;
use crate::now::Now;
use crate::timeline::Timeline;

impl Discipline {
    /// An operator wants the clock right now, however far it is off.
    pub fn step_now(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        let Some(offset) = self.offset(timeline).filter(|_| !self.stepping) else { return };
        self.panicked = false;
        self.step(now, offset, timeline, out);
    }

    /// Other limits of steps from now on: beyond `threshold` (s), in the next `limit` updates.
    pub fn set_step_policy(&mut self, threshold: f64, limit: Option<u32>) {
        self.settings.step_threshold = threshold;
        self.settings.step_limit = limit;
        self.steps = super::StepPolicy::new(&self.settings);
    }

    /// A frequency less certain than this (s/s) is not used from now on.
    pub const fn set_max_update_skew(&mut self, skew: f64) {
        self.settings.max_update_skew = skew;
    }

    /// Runs the clock faster by `by` (s/s) than measurements say, as a test of what follows.
    pub fn adjust_frequency(&mut self, by: f64, timeline: &Timeline, out: &mut Outbox) {
        self.frequency.value += by;
        let offset = self.offset(timeline).unwrap_or(0.0);
        self.target = self.target.map(|_| Target::new(timeline, offset, self.frequency.value));
        self.run(self.slew_rate, timeline, out);
    }

    /// Slews the clock forward by `by` (s), as a test of what follows.
    pub fn adjust_offset(&mut self, now: Now, by: f64, timeline: &Timeline, out: &mut Outbox) {
        let offset = self.offset(timeline).unwrap_or(0.0) + by;
        self.corrections.moved(by);
        self.target = Some(Target::new(timeline, offset, self.frequency.value));
        self.slew(now, offset, self.haste, timeline, out);
    }

    /// The time line's oscillator is compensated in another way than before.
    pub fn compensated(&mut self, timeline: &Timeline, out: &mut Outbox) {
        self.run(self.slew_rate, timeline, out);
    }
}
