//! Measurements that the prediction cannot explain, until it is clear what they mean.
//!
//! One of them is a popcorn spike and is forgotten when the next measurement agrees with the
//! prediction again. Several in a row mean that the source's clock was stepped, that one way of the
//! path became shorter, that the oscillator's frequency changed at a stroke or the source slews its
//! clock, or that the source is noisier than thought.

use std::ops::RangeInclusive;

use arrayvec::ArrayVec;
use timeball_wire::Span;

use super::window::Point;

/// How many in a row make a change.
const CONFIRMATIONS: usize = 3;
/// A change of frequency beyond this (s/s) is none: no oscillator does that at a stroke, and no server
/// slews its clock faster.
const FREQUENCY_LIMIT: f64 = 1000e-6;
/// How fast errors that come from a change of frequency grow, as a share of the growth from nothing.
const GROWTH: RangeInclusive<f64> = 0.4..=2.5;
/// An explanation holds if it leaves no more than this many standard deviations of the errors…
const GOOD: f64 = 3.0;
/// …or this share of them: next to a step of a second, nobody minds a millisecond.
const ALIKE: f64 = 0.2;

/// A measurement that missed the prediction by far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) point: Point,
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
    /// The frequency changed by this much (s/s).
    Frequency(f64),
    /// They do not agree with each other either: this is their variance (s²).
    Noise(f64),
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

    pub(super) fn shift(&mut self, by: Span) {
        self.0.iter_mut().for_each(|suspect| suspect.point.offset += by);
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
        let [first, middle, last] = self.0.as_slice() else { return Change::Noise(0.0) };
        let step = self.mean(|s| s.point.error);
        let scatter = self.mean(|s| (s.point.error - step).powi(2)).sqrt();
        let tolerance = GOOD * self.mean(|s| s.point.expected.powi(2)).sqrt();
        // Errors that grow with time, from nothing at the last measurement that was believed or from
        // what had passed for noise until then.
        let from_nothing = self.mean(|s| s.point.error * s.since) / self.mean(|s| s.since.powi(2));
        let frequency = (last.point.error - first.point.error) / (last.since - first.since);
        let on_line = first.point.error + frequency * (middle.since - first.since);
        if frequency.abs() <= FREQUENCY_LIMIT
            && GROWTH.contains(&(frequency / from_nothing))
            && (middle.point.error - on_line).abs() <= tolerance.max(ALIKE * step.abs())
        {
            Change::Frequency(frequency)
        } else if scatter > tolerance.max(ALIKE * step.abs()) {
            Change::Noise(scatter.powi(2))
        } else if step.abs() <= self.mean(|s| s.shorter) {
            // Half of it if one way alone is shorter; what is more than that is noise.
            Change::Route
        } else {
            Change::Step(step)
        }
    }

    fn mean(&self, of: impl Fn(&Suspect) -> f64) -> f64 {
        self.0.iter().map(of).sum::<f64>() / self.0.len() as f64
    }
}
