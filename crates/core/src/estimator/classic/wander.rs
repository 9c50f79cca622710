//! How fast does the oscillator's frequency walk?

/// log₁₀ of the smallest q² ((s/s)²/s), q = 3·10⁻¹¹: better than any crystal in a computer. It is the
/// floor of every growth of uncertainty.
const SLOWEST: f64 = -21.0;
/// log₁₀ of the distance between two neighbouring hypotheses.
const STEP: f64 = 0.5;
const HYPOTHESES: usize = 17;
/// The same of what is expected before anything is measured: q = 10⁻⁹, give or take a factor of ten.
const TYPICAL: f64 = -18.0;
const TYPICAL_SD: f64 = 2.0;
/// How much of what was learnt is kept with each new measurement: oscillators change with the season
/// and the fan.
const MEMORY: f64 = 0.99;
/// Degrees of freedom of the Student distribution that surprises are held against: a single wild
/// one must not teach much.
const FREEDOM: f64 = 4.0;
/// The squared scale at which that distribution comes closest to a normal one of unit variance.
const SCALE: f64 = 0.7;

/// The belief about the walk, as weights of a few hypotheses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wander {
    log_likelihood: [f64; HYPOTHESES],
    mean: f64,
}

impl Wander {
    pub(super) fn new() -> Self {
        let mut wander = Self { log_likelihood: [0.0; HYPOTHESES], mean: 0.0 };
        wander.mean = wander.weigh();
        wander
    }

    /// Learns from a prediction that missed by `error` (s): `noise` is the variance (s²) that
    /// measurements alone explain, `gain` what one unit of wander would add (s³).
    pub(super) fn learn(&mut self, error: f64, noise: f64, gain: f64) {
        for (index, log_likelihood) in self.log_likelihood.iter_mut().enumerate() {
            let variance = SCALE * (noise + hypothesis(index) * gain);
            let tail = (1.0 + error * error / (variance * FREEDOM)).ln();
            *log_likelihood =
                MEMORY * *log_likelihood - 0.5 * (FREEDOM + 1.0) * tail - 0.5 * variance.ln();
        }
        // Only differences matter; this keeps the numbers small over years.
        let best = self.log_likelihood.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for log_likelihood in &mut self.log_likelihood {
            *log_likelihood -= best;
        }
        self.mean = self.weigh();
    }

    /// Expected variance that the frequency gains per second ((s/s)²/s).
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    fn weigh(&self) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (index, log_likelihood) in self.log_likelihood.iter().enumerate() {
            let departure = (SLOWEST + STEP * index as f64 - TYPICAL) / TYPICAL_SD;
            let weight = (log_likelihood - 0.5 * departure * departure).exp();
            total += weight;
            sum += weight * hypothesis(index);
        }
        sum / total
    }
}

/// q² ((s/s)²/s).
fn hypothesis(index: usize) -> f64 {
    10f64.powf(SLOWEST + STEP * index as f64)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    /// What is learnt, as the deviation gained in a second, from surprises of an oscillator with
    /// `walk` that is predicted over 100 seconds.
    fn learnt(walk: f64, noise: f64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let mut normal =
            || (0..12).map(|_| rng.next_u32() as f64 / 2f64.powi(32)).sum::<f64>() - 6.0;
        let gain = 1e6;
        let mut wander = Wander::new();
        for _ in 0..300 {
            let error = (noise + walk * walk * gain).sqrt() * normal();
            wander.learn(error, noise, gain);
        }
        wander.mean().sqrt()
    }

    #[test]
    fn what_dominates_the_surprises_is_learnt() {
        for walk in [1e-9, 1e-8, 1e-7] {
            let learnt = learnt(walk, (walk * 100.0).powi(2));
            assert!((0.5 * walk..2.0 * walk).contains(&learnt), "{learnt:e} is not {walk:e}");
        }
    }

    #[test]
    fn what_noise_hides_is_bounded() {
        let learnt = learnt(1e-12, 1e-10);
        assert!(learnt < 1e-8, "{learnt:e}");
        assert!(learnt >= 10f64.powf(SLOWEST / 2.0), "{learnt:e}");
    }

    #[test]
    fn a_single_wild_surprise_teaches_little() {
        let mut wander = Wander::new();
        for _ in 0..100 {
            wander.learn(1e-7, 1e-14, 1e6);
        }
        let before = wander.mean();
        wander.learn(1.0, 1e-14, 1e6);
        assert!(wander.mean() < 300.0 * before, "{:e} after {before:e}", wander.mean());
        assert!(wander.mean() > before);
    }
}
