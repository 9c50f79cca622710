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

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};
    use timeball_wire::{Oscillator, Span};

    use super::*;
    use crate::measurement::Measurement;

    const UNKNOWN: Frequency = Frequency { value: 0.0, sd: 1.0 };

    fn point(t: f64, y: f64, variance: f64) -> Point {
        let measurement = Measurement {
            at: Oscillator::from_nanos(0) + Span::from_seconds(t),
            outbound: Span::ZERO,
            inbound: Span::ZERO,
            dispersion: 0.0,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
        };
        Point { t, y, variance, ..Point::new(&measurement) }
    }

    fn assert_close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1e-30), "{a} is not {b}");
    }

    #[test]
    fn points_on_a_line_give_that_line() {
        let points = [-300.0, -200.0, -50.0, 0.0].map(|t| point(t, 3e-3 + 2e-6 * t, 1e-8));
        let line = Line::fit(&points, UNKNOWN);
        assert_close(line.at(100.0), 3.2e-3, 1e-6);
        assert_close(line.slope(), 2e-6, 1e-6);
    }

    #[test]
    fn a_bad_point_counts_for_less() {
        let points = [point(-100.0, 0.0, 1e-8), point(0.0, 1e-3, 3e-8)];
        let line = Line::fit(&points, Frequency { value: 0.0, sd: 1e-12 });
        // With the slope known the line goes through the weighted mean.
        assert_close(line.at(0.0), 0.25e-3, 1e-6);
        assert_close(line.noise_variance(0.0), 0.75e-8, 1e-6);
    }

    #[test]
    fn the_prior_is_one_more_observation_of_the_slope() {
        // The points alone say 10 ppm, with this standard deviation.
        let points = [point(-100.0, 0.0, 1e-6), point(0.0, 1e-3, 1e-6)];
        let sd = 1e-3 * 2f64.sqrt() / 100.0;
        let line = Line::fit(&points, Frequency { value: 3e-5, sd });
        assert_close(line.slope(), 2e-5, 1e-9);
        assert_close(line.slope_variance(0.0, 0.0), sd * sd / 2.0, 1e-9);
    }

    #[test]
    fn wander_of_a_line_through_two_points_is_as_computed_by_hand() {
        // g(s) = t (1 + s/T) between the points, t − s after them.
        let (t, length) = (500.0, 200.0);
        let points = [point(-length, 0.0, 1e-12), point(0.0, 0.0, 1e-12)];
        let line = Line::fit(&points, UNKNOWN);
        assert_close(line.wander_gain(t), t * t * length / 3.0 + t * t * t / 3.0, 1e-6);
        // The slope is the mean frequency between them.
        assert_close(line.slope_variance(0.0, 1.0), length / 3.0, 1e-6);
    }

    #[test]
    fn one_point_follows_the_prior() {
        let line = Line::fit(&[point(0.0, 0.0, 1e-6)], Frequency { value: 1e-5, sd: 1e-6 });
        assert_close(line.at(100.0), 1e-3, 1e-9);
        assert_close(line.noise_variance(100.0), 1e-6 + 1e-8, 1e-9);
        assert_close(line.wander_gain(100.0), 1e6 / 3.0, 1e-9);
    }

    /// Noise and wander are simulated many times over; what the line says of its uncertainty must be
    /// what comes out.
    #[test]
    fn the_variance_is_that_of_simulated_oscillators() {
        const SEED: u64 = 11;
        println!("seed {SEED}");
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        // The sum of twelve uniform variables is normal enough.
        let mut normal =
            || (0..12).map(|_| rng.next_u32() as f64 / 2f64.powi(32)).sum::<f64>() - 6.0;
        let (wander, ahead, runs) = (1e-16f64, 600, 4000);
        let times = [-4000, -3900, -3000, -2500, -1000, -990, -400, 0];
        let sds = [1e-4, 3e-4, 1e-4, 2e-4, 1e-4, 1e-4, 5e-4, 2e-4];
        let prior = Frequency { value: 5e-6, sd: 2e-7 };
        let (mut offset_squares, mut slope_squares) = (0.0, 0.0);
        let mut predicted = (0.0, 0.0);
        for _ in 0..runs {
            let mut frequency = prior.value + prior.sd * normal();
            let (mut offset, mut truth) = (0.0, Vec::new());
            for second in (times[0]..=ahead).step_by(10) {
                truth.push((second, offset));
                offset += 10.0 * frequency;
                frequency += (10.0 * wander).sqrt() * normal();
            }
            let at = |time| truth[((time - times[0]) / 10) as usize].1;
            let points: Vec<Point> = std::iter::zip(times, sds)
                .map(|(time, sd)| point(f64::from(time), at(time) + sd * normal(), sd * sd))
                .collect();
            let line = Line::fit(&points, prior);
            let later = f64::from(ahead);
            offset_squares += (line.at(later) - at(ahead)).powi(2);
            slope_squares += (line.slope() - frequency).powi(2);
            predicted = (line.variance(later, wander), line.slope_variance(later, wander));
        }
        assert_close(offset_squares / f64::from(runs), predicted.0, 0.1);
        assert_close(slope_squares / f64::from(runs), predicted.1, 0.1);
    }
}
