//! The normal distribution cut off at zero, accurate however little of it is left.
//!
//! A time in a queue is never negative. What is known of one, normal but for that, leads to
//! G(t) = t²/2 + ln Φ(t), with Φ the cumulative normal distribution: of a normal variable with mean t
//! and unit variance, cut off at zero, G′(t) is the mean and G″(t) the variance (Johnson, Kotz,
//! Balakrishnan, *Continuous Univariate Distributions*, §13.10.1). Computed from Φ and its density
//! they would cancel to nothing for t ≪ 0, where a clock is that is much less known than the queues.
//! As derivatives of one smooth function they do not.

use std::sync::LazyLock;

/// G is tabulated between these…
const FIRST: f64 = -24.0;
const LAST: f64 = 8.0;
/// …in intervals of this length, with a polynomial in each.
const STEP: f64 = 0.125;
const INTERVALS: usize = ((LAST - FIRST) / STEP) as usize;
const COEFFICIENTS: usize = 8;
/// √(2π)
const SQRT_TAU: f64 = 2.506_628_274_631_000_7;

/// What is left of a unit normal variable with mean t that cannot be negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    /// G(t) = t²/2 + ln Φ(t).
    pub(super) log_mass: f64,
    /// G′(t): its mean, > 0.
    pub(super) mean: f64,
    /// G″(t): its variance, in (0, 1].
    pub(super) variance: f64,
}

/// The unit normal variable with mean `t`, cut off at zero.
#[inline]
pub(super) fn cut(t: f64) -> Cut {
    if t >= LAST {
        // Nothing is cut off, to the last digit.
        return Cut { log_mass: t * t / 2.0, mean: t, variance: 1.0 };
    }
    let place = (t - FIRST) / STEP;
    if t < FIRST || t.is_nan() {
        return far_below(if t.is_nan() { FIRST } else { t.max(-1e150) }, 12);
    }
    let index = (place as usize).min(INTERVALS - 1);
    let u = place - index as f64;
    let (mut value, mut slope, mut bend) = (0.0, 0.0, 0.0);
    for coefficient in TABLE[index].iter().rev() {
        bend = bend * u + slope;
        slope = slope * u + value;
        value = value * u + coefficient;
    }
    Cut { log_mass: value, mean: slope / STEP, variance: 2.0 * bend / (STEP * STEP) }
}

/// By the continued fraction of Mills' ratio (Abramowitz and Stegun 26.2.14), evaluated from its
/// `depth`-th level; nothing in it cancels.
fn far_below(t: f64, depth: u32) -> Cut {
    let y = -t;
    let second = (2..=depth).rev().fold(0.0, |rest, level| f64::from(level) / (y + rest));
    let mean = 1.0 / (y + second);
    Cut { log_mass: -(SQRT_TAU * (y + mean)).ln(), mean, variance: mean * (second - mean) }
}

/// By the series of Φ (Abramowitz and Stegun 26.2.11), for t that is not far below zero.
fn near(t: f64) -> Cut {
    let (mut term, mut sum, mut odd) = (t.abs(), t.abs(), 1.0);
    while term > sum * 1e-18 {
        odd += 2.0;
        term *= t * t / odd;
        sum += term;
    }
    let density = (-t * t / 2.0).exp() / SQRT_TAU;
    let cumulative = 0.5 + (density * sum).copysign(t);
    let hazard = density / cumulative;
    let mean = t + hazard;
    Cut { log_mass: t * t / 2.0 + cumulative.ln(), mean, variance: 1.0 - hazard * mean }
}

/// In each interval the polynomial that has the value and three derivatives of G at both ends.
static TABLE: LazyLock<Box<[[f64; COEFFICIENTS]]>> = LazyLock::new(|| {
    let at = |index: usize| {
        let t = FIRST + STEP * index as f64;
        let Cut { log_mass, mean, variance } = if t < -2.0 { far_below(t, 400) } else { near(t) };
        // G‴ = (G′ − t)(G′² − G″)
        let third = (mean - t) * (mean * mean - variance);
        [log_mass, mean * STEP, variance * STEP * STEP / 2.0, third * STEP.powi(3) / 6.0]
    };
    (0..INTERVALS)
        .map(|index| {
            let (from, to) = (at(index), at(index + 1));
            let [p, q, r, s] = from;
            let (a, b) = (to[0] - (p + q + r + s), to[1] - (q + 2.0 * r + 3.0 * s));
            let (c, d) = (to[2] - (r + 3.0 * s), to[3] - s);
            [
                p,
                q,
                r,
                s,
                35.0 * a - 15.0 * b + 5.0 * c - d,
                -84.0 * a + 39.0 * b - 14.0 * c + 3.0 * d,
                70.0 * a - 34.0 * b + 13.0 * c - 3.0 * d,
                -20.0 * a + 10.0 * b - 4.0 * c + d,
            ]
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::super::tests::simpson;
    use super::*;

    /// ∫₀^∞ of eᵗ and its moments, by Simpson's rule, scaled by the largest value of the integrand.
    fn by_quadrature(t: f64) -> Cut {
        let (low, high) =
            ((t - 12.0).max(0.0), t.max(0.0) + 12.0_f64.min(40.0 / (1.0 - t.min(0.0))));
        let peak = (t.max(0.0) - t).powi(2) / 2.0;
        let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
        for (e, weight) in simpson::nodes(low, high, 40_000) {
            let p = weight * (peak - (e - t).powi(2) / 2.0).exp();
            mass += p;
            first += p * e;
            second += p * e * e;
        }
        let mean = first / mass;
        let log_mass = t * t / 2.0 + (mass / SQRT_TAU).ln() - peak;
        Cut { log_mass, mean, variance: second / mass - mean * mean }
    }

    #[test]
    fn moments_are_those_of_the_integral() {
        for step in -120..=40 {
            let t = 0.25 * f64::from(step) + 0.0371;
            let (cut, truth) = (cut(t), by_quadrature(t));
            assert!((cut.log_mass - truth.log_mass).abs() < 1e-9, "{t}: {cut:?} {truth:?}");
            assert!((cut.mean / truth.mean - 1.0).abs() < 1e-8, "{t}: {cut:?} {truth:?}");
            assert!((cut.variance / truth.variance - 1.0).abs() < 1e-6, "{t}: {cut:?} {truth:?}");
        }
    }

    #[test]
    fn far_out_they_are_the_limits() {
        for y in [1e2f64, 1e4, 1e8, 1e100] {
            let below = cut(-y);
            assert!((below.mean * y - 1.0).abs() < 3.0 / (y * y), "{below:?}");
            assert!((below.variance * y * y - 1.0).abs() < 7.0 / (y * y) + 1e-12, "{below:?}");
            assert_eq!(cut(y).variance, 1.0);
            assert_eq!(cut(y).mean, y);
        }
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let cut = cut(odd);
            assert!(!cut.mean.is_nan() && !cut.variance.is_nan(), "{odd}: {cut:?}");
        }
    }

    #[test]
    fn there_is_no_seam() {
        for seam in [FIRST, LAST, 0.0, -2.0, 1.0] {
            let (below, above) = (cut(seam - 1e-9), cut(seam + 1e-9));
            assert!((below.mean / above.mean - 1.0).abs() < 1e-7, "{seam}: {below:?} {above:?}");
            assert!((below.variance - above.variance).abs() < 1e-7 * above.variance.max(1e-3));
        }
    }
}
