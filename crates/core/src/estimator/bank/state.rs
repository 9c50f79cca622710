//! What a hypothesis knows: a normal distribution of offset, frequency, drift and base delay.
//!
//! The Kalman filter's two steps, with observations as *sites*: a factor exp(ν u − τ u²/2) of the one
//! number u = ±θ + m that a one-way delay shows. τ may be 0, which says nothing.

use super::lanes::Lanes;
use super::motion::{Kind, Motion, Strength};

/// Of what is taken from a variance this share stays, so that rounding never takes more than there is: a
/// matrix that is none of covariances any more is soon full of nonsense.
const EPSILON: f64 = 2e-15;

/// One-way delays show ±θ + m (s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the server: T2 − T1 = θ + m + time in queues.
    Outbound,
    /// Back: T4 − T3 = −θ + m + time in queues.
    Inbound,
}

impl Way {
    /// As they come in a measurement.
    pub(super) const BOTH: [Self; 2] = [Self::Outbound, Self::Inbound];

    /// That of θ.
    #[inline(always)]
    pub(super) const fn sign(self) -> f64 {
        match self {
            Self::Outbound => 1.0,
            Self::Inbound => -1.0,
        }
    }

    /// Its place in pairs.
    #[inline(always)]
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Outbound => 0,
            Self::Inbound => 1,
        }
    }
}

/// What one one-way delay says of u, as a normal factor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Site {
    /// τ: 1/variance (1/s²); 0 says nothing.
    pub(super) precision: Lanes,
    /// ν: mean/variance (1/s).
    pub(super) weighted: Lanes,
}

/// Mean and variance of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Normal {
    pub(super) mean: Lanes,
    pub(super) variance: Lanes,
}

/// By how much variances grow between two measurements because something happened (s², (s/s)²).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Jump {
    /// Of the offset.
    pub(super) offset: f64,
    /// Of the frequency.
    pub(super) frequency: f64,
    /// Covariance of the two (s·s/s): a frequency that changed a while ago has moved the offset since.
    pub(super) both: f64,
    /// Of the base delay.
    pub(super) base: f64,
}

/// The distribution, with `N` components as [`Kind`] says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct State<const N: usize> {
    pub(super) mean: [Lanes; N],
    /// Symmetric.
    pub(super) covariance: [[Lanes; N]; N],
}

/// How u stands to the state, and what follows for the gain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<const N: usize> {
    /// P c (s²…): covariance of the state with u.
    pub(super) gain: [Lanes; N],
    /// u as predicted: c·x, cᵀP c.
    pub(super) predicted: Normal,
}

impl<const N: usize> State<N> {
    pub(super) const ZERO: Self =
        Self { mean: [Lanes::ZERO; N], covariance: [[Lanes::ZERO; N]; N] };

    /// x ← F x, P ← F P Fᵀ + Q.
    #[inline(always)]
    pub(super) fn predict(&mut self, motion: &Motion, kind: Kind, strength: &Strength) {
        motion.carry(&mut self.mean, kind);
        let p = &mut self.covariance;
        // F P = (P Fᵀ)ᵀ for a symmetric P: carry the rows, then the columns of that.
        for row in p.iter_mut() {
            motion.carry(row, kind);
        }
        for column in 0..N {
            let mut entries: [Lanes; N] = std::array::from_fn(|row| p[row][column]);
            motion.carry(&mut entries, kind);
            for (row, entry) in p.iter_mut().zip(entries) {
                row[column] = entry;
            }
        }
        let noise = motion.noise(strength);
        p[0][0] += noise.tt;
        p[0][1] += noise.tf;
        p[1][0] += noise.tf;
        p[1][1] += noise.ff;
        if kind == Kind::Drift {
            p[0][2] += noise.td;
            p[2][0] += noise.td;
            p[1][2] += noise.fd;
            p[2][1] += noise.fd;
            p[2][2] += noise.dd;
        }
        p[N - 1][N - 1] += noise.base;
    }

    /// Something happened.
    #[inline(always)]
    pub(super) fn jump(&mut self, jump: &Jump) {
        let p = &mut self.covariance;
        p[0][0] = p[0][0] + jump.offset;
        p[1][1] = p[1][1] + jump.frequency;
        p[0][1] = p[0][1] + jump.both;
        p[1][0] = p[1][0] + jump.both;
        p[N - 1][N - 1] = p[N - 1][N - 1] + jump.base;
    }

    /// What it says of u.
    #[inline(always)]
    pub(super) fn sight(&self, way: Way) -> Sight<N> {
        let (sign, p) = (way.sign(), &self.covariance);
        let gain: [Lanes; N] = std::array::from_fn(|i| p[i][0] * sign + p[i][N - 1]);
        // Rounding may leave less than nothing of a difference of large numbers.
        let least = (p[0][0] + p[N - 1][N - 1]) * EPSILON + f64::MIN_POSITIVE;
        let variance = (gain[0] * sign + gain[N - 1]).max(least);
        let mean = self.mean[0] * sign + self.mean[N - 1];
        Sight { gain, predicted: Normal { mean, variance } }
    }

    /// Takes in what a site says: x ← x + K (ν/τ − u), P ← P − K cᵀP with K = P c/(cᵀP c + 1/τ).
    #[inline(always)]
    pub(super) fn observe(&mut self, sight: &Sight<N>, site: &Site) {
        let Normal { mean, variance } = sight.predicted;
        let sum = site.precision * variance + 1.0;
        let (inverse, innovation) =
            (site.precision / sum, (site.weighted - site.precision * mean) / sum);
        for i in 0..N {
            self.mean[i] += sight.gain[i] * innovation;
            for j in i..N {
                let learnt = sight.gain[i] * sight.gain[j] * inverse;
                let rounding = if i == j { EPSILON } else { 0.0 };
                let entry = self.covariance[i][j] - learnt + learnt * rounding;
                self.covariance[i][j] = entry;
                self.covariance[j][i] = entry;
            }
        }
    }

    pub(super) fn is_finite(&self) -> bool {
        let entries = self.mean.iter().chain(self.covariance.iter().flatten());
        entries.into_iter().all(|entry| entry.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRENGTH: Strength = Strength {
        walk: Lanes([1e-18, 1e-20, 1e-14, 1e-23]),
        drift: Lanes([1e-24, 1e-20, 1e-26, 1e-22]),
        base: Lanes([1e-12; 4]),
    };

    fn state() -> State<4> {
        let mut state = State::ZERO;
        for (i, variance) in [1e-4, 4e-8, 1e-18, 1e-6].into_iter().enumerate() {
            state.covariance[i][i] = Lanes::all(variance);
        }
        state.mean = [1e-3, 2e-5, 1e-10, 5e-3].map(Lanes::all);
        state
    }

    #[test]
    fn a_site_is_bayes_rule() {
        let mut state = state();
        state.predict(&Motion::over(64.0), Kind::Drift, &STRENGTH);
        let prior = state;
        let (y, r) = (8e-3, 1e-6);
        let site = Site { precision: Lanes::all(1.0 / r), weighted: Lanes::all(y / r) };
        let sight = state.sight(Way::Inbound);
        state.observe(&sight, &site);
        for lane in 0..4 {
            // By the textbook, in scalars.
            let c = [-1.0, 0.0, 0.0, 1.0];
            let p = |i: usize, j: usize| prior.covariance[i][j].0[lane];
            let gain: [f64; 4] = std::array::from_fn(|i| (0..4).map(|j| p(i, j) * c[j]).sum());
            let s: f64 = (0..4).map(|i| c[i] * gain[i]).sum::<f64>() + r;
            let u: f64 = (0..4).map(|i| c[i] * prior.mean[i].0[lane]).sum();
            for i in 0..4 {
                let mean = prior.mean[i].0[lane] + gain[i] / s * (y - u);
                assert!((state.mean[i].0[lane] - mean).abs() <= 1e-12 * mean.abs(), "{i}");
                for j in 0..4 {
                    let cov = p(i, j) - gain[i] * gain[j] / s;
                    let scale = (p(i, i) * p(j, j)).sqrt();
                    assert!((state.covariance[i][j].0[lane] - cov).abs() < 1e-12 * scale, "{i}{j}");
                }
            }
        }
    }

    #[test]
    fn a_site_without_precision_says_nothing() {
        let mut state = state();
        let before = state;
        let sight = state.sight(Way::Outbound);
        state.observe(&sight, &Site::default());
        assert_eq!(state, before);
    }

    #[test]
    fn variances_stay_positive_whatever_is_observed() {
        let mut state = state();
        state.covariance[0][0] = Lanes::all(1e18);
        for count in 0..100 {
            let way = Way::BOTH[count % 2];
            let site = Site { precision: Lanes::all(1e24), weighted: Lanes::all(1e24) };
            let sight = state.sight(way);
            state.observe(&sight, &site);
            state.predict(&Motion::over(129_600.0), Kind::Drift, &STRENGTH);
            assert!(state.is_finite(), "{state:?}");
            for i in 0..4 {
                assert!(state.covariance[i][i].0.iter().all(|v| *v > 0.0), "{state:?}");
            }
        }
    }
}
