//! What the measurements in the window say, and how sure that is at any time.

use timeball_wire::{Oscillator, Span};

use super::fit::Fit;
use super::noise::Noise;
use super::window::{Point, Window};
use super::{Estimate, Frequency};
use crate::estimator::{UNTESTED, wandered};

/// Where a prediction reaches further than any that was ever put to the test, wander is taken for so
/// many times what was learnt, and for [`UNTESTED`] at least.
const UNTESTED_FACTOR: f64 = 3.0;
/// What was learnt of noise and wander is itself uncertain, and a window that was chosen for its
/// small variance is likely to understate it. Variances are reported this many times larger…
const LEARNING: f64 = 1.8;
/// …and by this much more, divided by the number of measurements in use, while there are few.
const LEARNING_FEW: f64 = 4.0;
/// Standard deviations from an estimate to the edge of the interval that is reported.
const COVERAGE: f64 = 3.0;

/// What the measurements in the window say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Findings {
    pub(super) fit: Fit,
    pub(super) noise: Noise,
    /// Time of the newest measurement.
    pub(super) at: Oscillator,
    /// Its offset, to which the line is relative.
    offset: Span,
    /// Wander of the oscillator ((s/s)²/s).
    wander: f64,
    /// Longest time between two successive measurements (s).
    tested: f64,
}

impl Findings {
    /// What `newest`, the last in `window`, says together with the others.
    pub(super) fn new(
        fit: Fit,
        noise: Noise,
        wander: f64,
        newest: &Point,
        window: &Window,
    ) -> Self {
        let tested = window.longest_gap();
        Self { fit, noise, at: newest.at, offset: newest.offset, wander, tested }
    }

    /// Moves the offset by so much.
    pub(super) fn shift(&mut self, by: Span) {
        self.offset += by;
    }

    /// Seconds from the newest measurement to `at`.
    pub(super) fn since(&self, at: Oscillator) -> f64 {
        (at - self.at).seconds()
    }

    /// By how much (s) `offset`, measured at `at`, misses the prediction.
    pub(super) fn error(&self, at: Oscillator, offset: Span) -> f64 {
        (offset - self.offset).seconds() - self.fit.line.at(self.since(at))
    }

    /// Variance of the offset (s²) that the line predicts for `t` seconds after the newest
    /// measurement.
    pub(super) fn offset_variance(&self, t: f64) -> f64 {
        let untested = UNTESTED.max(UNTESTED_FACTOR * self.wander) - self.wander;
        let beyond = (t - self.tested).max(0.0);
        self.fit.line.variance(t, self.wander) * self.learning() + wandered(untested, beyond)
    }

    /// The frequency `t` seconds after the newest measurement.
    pub(super) fn frequency(&self, t: f64) -> Frequency {
        let variance = self.fit.line.slope_variance(t, self.wander) * self.learning();
        Frequency { value: self.fit.line.slope(), sd: variance.sqrt() }
    }

    /// The estimate for `at`, by the measurements in `window`. `doubt` (s) is by how much it may be
    /// wrong for reasons that they do not show.
    pub(super) fn estimate(&self, at: Oscillator, window: &Window, doubt: f64) -> Option<Estimate> {
        let t = self.since(at);
        let offset_variance = self.offset_variance(t);
        let used = window.latest(self.fit.samples);
        let (best, dispersion) = used
            .iter()
            .map(|point| (point, self.dispersion(point, offset_variance)))
            .min_by(|(a, dispersion_a), (b, dispersion_b)| {
                let distances =
                    (a.root_delay / 2.0 + dispersion_a, b.root_delay / 2.0 + dispersion_b);
                distances.0.total_cmp(&distances.1)
            })?;
        Some(Estimate {
            at,
            offset: self.offset + Span::from_seconds(self.fit.line.at(t)),
            offset_sd: offset_variance.sqrt(),
            frequency: self.frequency(t),
            jitter: self.fit.residual_variance.sqrt(),
            delay: used.iter().map(|point| point.delay).fold(f64::INFINITY, f64::min),
            root_delay: best.root_delay,
            root_dispersion: dispersion + doubt,
            samples: self.fit.samples,
            age: at - self.at,
        })
    }

    /// Dispersion to the reference clock (s) through one measurement, carried to a moment for which
    /// the line predicts the offset with this variance (s²).
    ///
    /// The measurement's own interval contained the truth, if its server was right. It is carried
    /// along the line, which may be wrong on the way from there to the newest measurement and from
    /// that to the moment; and the estimate does not stand in its middle.
    fn dispersion(&self, point: &Point, offset_variance: f64) -> f64 {
        let carrying =
            self.frequency(0.0).sd.powi(2) * point.t.powi(2) + wandered(self.wander, point.t.abs());
        let aside = (point.y + point.queued - self.fit.line.at(point.t)).abs();
        point.root_dispersion + aside + COVERAGE * (carrying + offset_variance).sqrt()
    }

    /// How much larger than computed a variance should be taken.
    fn learning(&self) -> f64 {
        LEARNING + LEARNING_FEW / self.fit.samples as f64
    }
}
