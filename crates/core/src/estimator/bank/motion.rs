//! How the oscillator and the path move from one measurement to the next.
//!
//! A hypothesis says that the frequency f walks at random, gaining √t·q of standard deviation in t
//! seconds; some say that it also drifts, at a rate d that itself changes and is forgotten with the
//! time constant τ (an Ornstein-Uhlenbeck process of strength q_d): warm-up, day and night, air
//! conditioning. The offset θ is the integral of the frequency.
//!
//! dθ = f dt, df = d dt + q dW, dd = −d/τ dt + q_d dW
//!
//! (Zucca and Tavella 2005 for the walk; Singer 1970 for what a rate does that is correlated
//! exponentially.)

use std::ops::{AddAssign, Mul};

use super::lanes::Lanes;

/// τ (s): how long a drift of the frequency lasts.
pub(super) const DRIFT_TIME: f64 = 3000.0;
/// Noise of a drift over longer than this (s) is added up from that of shorter times, in which it is
/// taken for white.
const WHITE: f64 = DRIFT_TIME / 16.0;
/// Longest time (s) over which a motion is computed: ten years, after which nothing is known anyway.
const LONGEST: f64 = 3e8;

/// Variances and covariances of θ, f, d.
type Covariance = [[f64; 3]; 3];

/// What a stretch of time does to the state, but for the strengths of the noises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Motion {
    /// Its length (s).
    pub(super) dt: f64,
    /// ∂θ/∂d (s²), ∂f/∂d (s) and ∂d/∂d over it.
    drift: [f64; 3],
    /// Covariance that a walk of unit strength adds to θ and f: t³/3 (s³), t²/2 (s²) and t (s).
    walk_noise: [f64; 3],
    /// Covariance that a drift of unit strength adds (s⁵ to s).
    drift_noise: Covariance,
}

impl Motion {
    /// Over `dt` seconds.
    pub(super) fn over(dt: f64) -> Self {
        let dt = if dt.is_nan() { 0.0 } else { dt.clamp(0.0, LONGEST) };
        let mut halvings = 0;
        let mut short = dt;
        while short > WHITE {
            short /= 2.0;
            halvings += 1;
        }
        let mut noise = white(short);
        for _ in 0..halvings {
            noise = doubled(&noise, short);
            short *= 2.0;
        }
        Self {
            dt,
            drift: drift(dt),
            walk_noise: [dt.powi(3) / 3.0, dt.powi(2) / 2.0, dt],
            drift_noise: noise,
        }
    }

    /// No time at all.
    pub(super) fn none() -> Self {
        Self::over(0.0)
    }

    /// F v: where the vector is after it.
    #[inline(always)]
    pub(super) fn carry(&self, v: &mut [Lanes], kind: Kind) {
        carry(v, self.dt, &self.drift, kind);
    }

    /// Fᵀ v: what the vector was before it, if it is an adjoint.
    #[inline(always)]
    pub(super) fn carry_back(&self, v: &mut [Lanes], kind: Kind) {
        if kind == Kind::Drift {
            v[2] = v[0] * self.drift[0] + v[1] * self.drift[1] + v[2] * self.drift[2];
        }
        v[1] += v[0] * self.dt;
    }

    /// Q: what noise of these strengths adds.
    #[inline(always)]
    pub(super) fn noise(&self, strength: &Strength) -> Noise {
        let [tt, tf, ff] = self.walk_noise.map(|unit| strength.walk * unit);
        let d = |row: usize, column: usize| strength.drift * self.drift_noise[row][column];
        Noise {
            tt: tt + d(0, 0),
            tf: tf + d(0, 1),
            ff: ff + d(1, 1),
            td: d(0, 2),
            fd: d(1, 2),
            dd: d(2, 2),
            base: strength.base * self.dt,
        }
    }
}

/// What the state is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// θ, f, m: the frequency walks.
    Walk,
    /// θ, f, d, m: it also drifts.
    Drift,
}

/// Power of the noises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Strength {
    /// q² ((s/s)²/s).
    pub(super) walk: Lanes,
    /// q_d² ((s/s²)²/s).
    pub(super) drift: Lanes,
    /// Of the base delay (s²/s).
    pub(super) base: Lanes,
}

/// What a motion adds to the covariance of θ (t, in s), f (s/s), d (s/s²) and the base delay (s).
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    pub(super) tt: Lanes,
    pub(super) tf: Lanes,
    pub(super) ff: Lanes,
    pub(super) td: Lanes,
    pub(super) fd: Lanes,
    pub(super) dd: Lanes,
    pub(super) base: Lanes,
}

/// ∂θ/∂d = τ(t − τ(1−φ)), ∂f/∂d = τ(1−φ), ∂d/∂d = φ with φ = e^(−t/τ).
fn drift(t: f64) -> [f64; 3] {
    let gone = -(-t / DRIFT_TIME).exp_m1();
    let frequency = DRIFT_TIME * gone;
    [(DRIFT_TIME * (t - frequency)).max(0.0), frequency, (-t / DRIFT_TIME).exp()]
}

/// Noise of unit strength over a time ≪ τ: white noise, integrated once, twice and three times.
fn white(t: f64) -> Covariance {
    let (td, fd) = (t.powi(3) / 6.0, t.powi(2) / 2.0);
    let tf = t.powi(4) / 8.0;
    [[t.powi(5) / 20.0, tf, td], [tf, t.powi(3) / 3.0, fd], [td, fd, t]]
}

/// F v over a time with this [`drift`].
#[inline(always)]
fn carry<T>(v: &mut [T], t: f64, drift: &[f64; 3], kind: Kind)
where
    T: Copy + AddAssign + Mul<f64, Output = T>,
{
    v[0] += v[1] * t;
    if kind == Kind::Drift {
        v[0] += v[2] * drift[0];
        v[1] += v[2] * drift[1];
        v[2] = v[2] * drift[2];
    }
}

/// Noise over twice the time: F Q Fᵀ + Q.
fn doubled(noise: &Covariance, t: f64) -> Covariance {
    let drift = drift(t);
    let mut moved = *noise;
    // F Q = (Q Fᵀ)ᵀ for a symmetric Q: carry the rows, then the columns of that.
    for _ in 0..2 {
        moved.iter_mut().for_each(|row| carry(row, t, &drift, Kind::Drift));
        moved = std::array::from_fn(|row| std::array::from_fn(|column| moved[column][row]));
    }
    std::array::from_fn(|row| std::array::from_fn(|column| moved[row][column] + noise[row][column]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance * a.abs().max(b.abs())
    }

    #[test]
    fn twice_half_the_time_is_the_time() {
        for dt in [1.0 / 128.0, 1.0, 64.0, 1000.0, 129_600.0, 1e6] {
            let (whole, half) = (Motion::over(dt), Motion::over(dt / 2.0));
            for component in 0..3 {
                let mut once = [Lanes::ZERO; 4];
                once[component] = Lanes::all(1.0);
                let mut twice = once;
                whole.carry(&mut once, Kind::Drift);
                half.carry(&mut twice, Kind::Drift);
                half.carry(&mut twice, Kind::Drift);
                for (a, b) in once.iter().zip(&twice) {
                    assert!(close(a.0[0], b.0[0], 1e-9), "{dt}: {once:?} {twice:?}");
                }
            }
            let twice = doubled(&half.drift_noise, dt / 2.0);
            for (a, b) in whole.drift_noise.iter().flatten().zip(twice.iter().flatten()) {
                assert!(close(*a, *b, 0.1), "{dt}: {:?} {twice:?}", whole.drift_noise);
            }
        }
    }

    #[test]
    fn a_forgotten_drift_is_a_walk() {
        // Over times ≫ τ an Ornstein-Uhlenbeck process integrates to a walk of strength q_d·τ.
        let t = 1000.0 * DRIFT_TIME;
        let noise = Motion::over(t).drift_noise;
        assert!(close(noise[1][1], DRIFT_TIME.powi(2) * t, 0.1), "{noise:?}");
        assert!(close(noise[0][0], DRIFT_TIME.powi(2) * t.powi(3) / 3.0, 0.1), "{noise:?}");
        assert!(close(noise[2][2], DRIFT_TIME / 2.0, 0.1), "{noise:?}");
    }

    #[test]
    fn carrying_back_is_the_transpose() {
        let motion = Motion::over(500.0);
        for kind in [Kind::Walk, Kind::Drift] {
            for row in 0..4 {
                for column in 0..4 {
                    let unit = |at: usize| {
                        let mut v = [Lanes::ZERO; 4];
                        v[at] = Lanes::all(1.0);
                        v
                    };
                    let (mut forward, mut back) = (unit(column), unit(row));
                    motion.carry(&mut forward, kind);
                    motion.carry_back(&mut back, kind);
                    assert_eq!(forward[row], back[column], "{kind:?} {row} {column}");
                }
            }
        }
    }

    #[test]
    fn any_time_makes_numbers() {
        for dt in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            let motion = Motion::over(dt);
            assert!(motion.drift_noise.iter().flatten().all(|entry| entry.is_finite()));
        }
    }
}
