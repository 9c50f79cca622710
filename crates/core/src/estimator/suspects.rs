//! Measurements that the prediction cannot explain, until it is clear what they mean.
//!
//! One of them is a popcorn spike and is forgotten when the next measurement agrees with the
//! prediction again. Several in a row mean that the source's clock was stepped, or that the
//! oscillator changed its frequency at a stroke, or that the source is noisier than thought.

use arrayvec::ArrayVec;

use super::window::Point;

/// How many in a row make a change.
pub(super) const CONFIRMATIONS: usize = 3;
/// A change of frequency beyond this (s/s) is none: no oscillator does that at a stroke.
const FREQUENCY_JUMP_LIMIT: f64 = 50e-6;

/// A measurement and by how much it missed the prediction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) point: Point,
    /// Measured minus predicted (s).
    pub(super) error: f64,
    /// What one would expect of it (s).
    pub(super) expected: f64,
    /// Time from the newest measurement that was believed (s).
    pub(super) since: f64,
}

/// What several suspects in a row turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// The source is now ahead by this much (s).
    Step(f64),
    /// The oscillator's frequency changed by this much (s/s).
    Frequency(f64),
    /// They do not agree with each other either: the source is noisy.
    Noise,
}

/// Suspects in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects(ArrayVec<Suspect, CONFIRMATIONS>);

impl Suspects {
    /// Adds one; with the last that was needed, says what they mean.
    pub(super) fn add(&mut self, suspect: Suspect) -> Option<Change> {
        // There is room: whoever gets an answer clears the row.
        let _ = self.0.try_push(suspect);
        self.0.is_full().then(|| self.judge())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn newest(&self) -> Option<&Suspect> {
        self.0.last()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Suspect> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn judge(&self) -> Change {
        let count = self.0.len() as f64;
        let step = self.0.iter().map(|s| s.error).sum::<f64>() / count;
        let jump = self.0.iter().map(|s| s.error * s.since).sum::<f64>()
            / self.0.iter().map(|s| s.since * s.since).sum::<f64>().max(f64::MIN_POSITIVE);
        let step_misfit = self.misfit(|_| step);
        let jump_misfit = self.misfit(|since| jump * since);
        let possible = jump.abs() <= FREQUENCY_JUMP_LIMIT;
        if possible && jump_misfit < step_misfit && jump_misfit <= 9.0 {
            Change::Frequency(jump)
        } else if step_misfit <= 9.0 || self.same_sign() {
            Change::Step(step)
        } else {
            Change::Noise
        }
    }

    /// Mean square of what `explanation` of the errors leaves, in units of what is expected.
    fn misfit(&self, explanation: impl Fn(f64) -> f64) -> f64 {
        let sum: f64 = self
            .0
            .iter()
            .map(|s| ((s.error - explanation(s.since)) / s.expected.max(f64::MIN_POSITIVE)).powi(2))
            .sum();
        sum / self.0.len() as f64
    }

    fn same_sign(&self) -> bool {
        self.0.iter().all(|s| s.error > 0.0) || self.0.iter().all(|s| s.error < 0.0)
    }
}
