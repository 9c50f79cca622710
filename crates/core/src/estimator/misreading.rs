//! What the next measurement may find changed, because the oscillator was misread.

use timeball_wire::Oscillator;

use super::limited;

/// By how much the oscillator may be misread since the newest measurement, if by anything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Misreading {
    since: Option<Oscillator>,
    /// So much (s) at most.
    by: f64,
}

impl Misreading {
    /// From `since` on it may be misread by this much (s) more.
    pub(super) fn add(&mut self, since: Oscillator, by: f64) {
        *self = Self { since: Some(since), by: limited(self.by + limited(by)) };
    }

    /// How much of it (s) a measurement of this moment may find.
    pub(super) fn seen_at(&self, at: Oscillator) -> f64 {
        if self.since.is_some_and(|since| at > since) { self.by } else { 0.0 }
    }

    /// A measurement of this moment was made: what it could find, it has found.
    pub(super) fn measured(&mut self, at: Oscillator) {
        if self.since.is_some_and(|since| at > since) {
            *self = Self::default();
        }
    }
}
