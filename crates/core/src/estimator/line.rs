//! A weighted line through the measurements, and how wrong it may be at any time.
//!
//! Two things make it wrong. The noise of the measurements is what every text on regression treats.
//! The other is the oscillator: its frequency is no constant but a random walk, so the truth is not
//! a line. The value that the line has at `t` is a weighted sum of measurements, `Σ cᵢ yᵢ`; a change
//! of frequency `dW` at the time `s` moves the truth at `t` by `(t − s) dW` and each later
//! measurement by `(tᵢ − s) dW`. What the sum does not follow is `g(s) dW` with
//! `g(s) = (t − s) − Σ cᵢ (tᵢ − s)` over `tᵢ > s`, and its variance is `q ∫ g² ds` if the walk
//! gains the variance `q` per second. Between measurements `g` is linear, so the integral is exact.

use super::Frequency;
use super::window::Point;

/// Value and slope of the line, and what is needed to tell their uncertainty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Weighted mean of the times (s); there the line goes through the weighted mean of the offsets
    /// whatever its slope.
    centre: f64,
    /// The line's value there (s).
    value: f64,
    /// Its slope (s/s).
    slope: f64,
    /// Variance of the value (s²), from noise.
    value_variance: f64,
    /// Variance of the slope, from noise and prior.
    slope_variance: f64,
    /// ∫ g² at the newest measurement (s³): what wander makes of the value,
    value_gain: f64,
    /// ∫ g h (s²): of value and slope together,
    mixed_gain: f64,
    /// ∫ h² (s): and of the slope.
    slope_gain: f64,
}

impl Line {
    /// Fits a line to `points`, oldest first and not empty, their variances set. `prior` counts as
    /// one more observation, of the slope.
    pub(super) fn fit(points: &[Point], prior: Frequency) -> Self {
        let weight: f64 = points.iter().map(|p| 1.0 / p.variance).sum();
        let centre = points.iter().map(|p| p.t / p.variance).sum::<f64>() / weight;
        let value = points.iter().map(|p| p.y / p.variance).sum::<f64>() / weight;
        let (mut leverage, mut moment) = (0.0, 0.0);
        for p in points {
            leverage += (p.t - centre).powi(2) / p.variance;
            moment += (p.t - centre) * (p.y - value) / p.variance;
        }
        let confidence = prior.sd.powi(-2);
        moment += confidence * prior.value;
        leverage += confidence;
        let mut line = Self {
            centre,
            value,
            slope: moment / leverage,
            value_variance: 1.0 / weight,
            slope_variance: 1.0 / leverage,
            value_gain: 0.0,
            mixed_gain: 0.0,
            slope_gain: 0.0,
        };
        line.follow_wander(points);
        line
    }

    /// Integrates `g` for the value at the newest measurement and `h` for the slope, from the newest
    /// measurement back to the oldest. Before that the line follows any frequency exactly.
    fn follow_wander(&mut self, points: &[Point]) {
        // Σ c, Σ c t, Σ d and Σ d t over the measurements after s, where c makes the value and d the
        // slope.
        let (mut c, mut ct, mut d, mut dt) = (0.0, 0.0, 0.0, 0.0);
        for pair in points.windows(2).rev() {
            let [earlier, later] = pair else { continue };
            let slope_share = (later.t - self.centre) / later.variance * self.slope_variance;
            let value_share = self.value_variance / later.variance - self.centre * slope_share;
            c += value_share;
            ct += value_share * later.t;
            d += slope_share;
            dt += slope_share * later.t;
            let missed = |s: f64| (-s - (ct - c * s), 1.0 - (dt - d * s));
            let (length, (g0, h0), (g1, h1)) =
                (later.t - earlier.t, missed(earlier.t), missed(later.t));
            let integral = |a0: f64, a1: f64, b0: f64, b1: f64| {
                length / 6.0 * (2.0 * (a0 * b0 + a1 * b1) + a0 * b1 + a1 * b0)
            };
            self.value_gain += integral(g0, g1, g0, g1);
            self.mixed_gain += integral(g0, g1, h0, h1);
            self.slope_gain += integral(h0, h1, h0, h1);
        }
    }

    /// The line's value (s) at `t` seconds after the newest measurement.
    pub(super) fn at(&self, t: f64) -> f64 {
        self.value + self.slope * (t - self.centre)
    }

    /// Its slope (s/s).
    pub(super) fn slope(&self) -> f64 {
        self.slope
    }

    /// Variance of the value at `t` (s²), from noise and from an oscillator with this wander.
    pub(super) fn variance(&self, t: f64, wander: f64) -> f64 {
        self.noise_variance(t) + wander * self.wander_gain(t)
    }

    /// Variance of the value at `t` (s²) that the measurements' noise makes.
    pub(super) fn noise_variance(&self, t: f64) -> f64 {
        self.value_variance + self.slope_variance * (t - self.centre).powi(2)
    }

    /// Variance of the true frequency at `t` about the slope, from noise and wander.
    pub(super) fn slope_variance(&self, t: f64, wander: f64) -> f64 {
        self.slope_variance + wander * (self.slope_gain + t.abs())
    }

    /// Variance of the value at `t` per unit of wander (s³).
    pub(super) fn wander_gain(&self, t: f64) -> f64 {
        // Before the newest measurement this is too much, but no one steers by the past.
        let mixed = if t < 0.0 { self.mixed_gain.abs() } else { self.mixed_gain };
        let t = t.abs();
        let gain =
            self.value_gain + 2.0 * t * mixed + t.powi(2) * self.slope_gain + t.powi(3) / 3.0;
        gain.max(0.0)
    }
}
