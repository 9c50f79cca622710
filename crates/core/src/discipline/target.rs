//! Where the system clock should be.

use timeball_wire::{Oscillator, Span};

use crate::timeline::Timeline;

/// A line on the oscillator's time scale: true time minus oscillator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    at: Oscillator,
    offset: Span,
    frequency: f64,
}

impl Target {
    /// The line through `offset` (s) from where the system clock is now.
    pub(super) fn new(timeline: &Timeline, offset: f64, frequency: f64) -> Self {
        Self {
            at: timeline.now(),
            offset: timeline.correction() + Span::from_seconds(offset),
            frequency,
        }
    }

    /// How fast true time runs against the oscillator (s/s).
    pub(super) const fn frequency(&self) -> f64 {
        self.frequency
    }

    /// Moves the line by `by`.
    pub(super) fn shift(&mut self, by: Span) {
        self.offset += by;
    }

    /// How far the system clock is from the line now (s): line minus clock.
    pub(super) fn offset(&self, timeline: &Timeline) -> f64 {
        let elapsed = (timeline.now() - self.at).seconds();
        (self.offset - timeline.correction()).seconds() + self.frequency * elapsed
    }
}
