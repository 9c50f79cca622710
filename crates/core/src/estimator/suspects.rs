//! Measurements that the prediction cannot explain, until it is clear what they mean.
//!
//! One of them is a popcorn spike and is forgotten when the next measurement agrees with the
//! prediction again. Several in a row mean that the source's clock was stepped, that one way of the
//! path became shorter, that the oscillator changed its frequency at a stroke, or that the source is
//! noisier than thought.

use arrayvec::ArrayVec;

use super::window::Point;

/// How many in a row make a change.
const CONFIRMATIONS: usize = 3;
/// A change of frequency beyond this (s/s) is none: no oscillator does that at a stroke.
const FREQUENCY_LIMIT: f64 = 50e-6;
/// An explanation holds if it leaves no more than this many standard deviations of the errors.
const GOOD: f64 = 3.0;

/// A measurement that missed the prediction by far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) point: Point,
    /// By how much one would expect it to miss (s).
    pub(super) expected: f64,
    /// Time since the newest measurement that was believed (s).
    pub(super) since: f64,
    /// By how much it was faster than any before (s).
    pub(super) shorter: f64,
}

/// What several suspects in a row turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// The source's clock was stepped by this much (s).
    Step(f64),
    /// A way became shorter: the delay shrank and the offset moved by half of that.
    Route,
    /// The oscillator's frequency changed by this much (s/s).
    Frequency(f64),
    /// They do not agree with each other either.
    Noise,
}

/// Suspects in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects(ArrayVec<Suspect, CONFIRMATIONS>);

impl Suspects {
    /// Adds one; with the last that was needed, says what they mean.
    pub(super) fn add(&mut self, suspect: Suspect) -> Option<Change> {
        // There is room: whoever gets an answer takes the suspects away.
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

    /// By how much the estimate is wrong (s) if the suspects are right.
    pub(super) fn doubt(&self) -> f64 {
        self.0.iter().map(|suspect| suspect.point.error.abs()).fold(0.0, f64::max)
    }

    fn judge(&self) -> Change {
        let mean =
            |of: fn(&Suspect) -> f64| self.0.iter().map(of).sum::<f64>() / self.0.len() as f64;
        let step = mean(|s| s.point.error);
        let frequency = mean(|s| s.point.error * s.since) / mean(|s| s.since.powi(2));
        let step_misfit = self.misfit(|_| step);
        let frequency_misfit = self.misfit(|s| frequency * s.since);
        if frequency.abs() <= FREQUENCY_LIMIT
            && frequency_misfit < step_misfit
            && frequency_misfit <= GOOD.powi(2)
        {
            Change::Frequency(frequency)
        } else if step_misfit > GOOD.powi(2) {
            Change::Noise
        } else if step.abs() <= mean(|s| s.shorter) {
            // Half of it if one way alone is shorter; what is more than that is noise.
            Change::Route
        } else {
            Change::Step(step)
        }
    }

    /// Mean square of what `explanation` of the errors leaves, in units of what is expected.
    fn misfit(&self, explanation: impl Fn(&Suspect) -> f64) -> f64 {
        let squares =
            self.0.iter().map(|s| ((s.point.error - explanation(s)) / s.expected).powi(2));
        squares.sum::<f64>() / self.0.len() as f64
    }
}
