//! Randomness that is the same on every run: each thing in the world draws from a stream of its
//! own, so that what one of them does never changes another's luck.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: ChaCha8Rng,
    spare_normal: Option<f64>,
}

impl Stream {
    /// The stream of the thing called `label` in the world of `seed`.
    pub fn new(seed: u64, label: &str) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&fnv1a(label).to_le_bytes());
        Self { generator: ChaCha8Rng::from_seed(key), spare_normal: None }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.generator.fill_bytes(&mut bytes);
        bytes
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        // 53 bits are all that a double can tell apart.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [`low`, `high`).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number in `0..below`; 0 if there is none.
    pub fn below(&mut self, below: u64) -> u64 {
        self.bits().checked_rem(below).unwrap_or(0)
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Standard normal (polar method, which yields two at a time).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let (x, y) = (self.uniform(-1.0, 1.0), self.uniform(-1.0, 1.0));
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare_normal = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// Pareto excess (Lomax): 0 at least, with mean `scale / (shape − 1)` for shapes above 1.
    pub fn pareto(&mut self, scale: f64, shape: f64) -> f64 {
        scale * ((1.0 - self.unit()).powf(-1.0 / shape) - 1.0)
    }
}

/// 64-bit FNV-1a: spreads labels over streams.
fn fnv1a(label: &str) -> u64 {
    label.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 200_000;

    fn mean_and_variance(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / DRAWS as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / DRAWS as f64;
        (mean, variance)
    }

    #[track_caller]
    fn close(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() < tolerance, "{value} is not {expected} ± {tolerance}");
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut stream = Stream::new(7, "moments");
        let (mean, variance) = mean_and_variance(|| stream.unit());
        close(mean, 0.5, 0.004);
        close(variance, 1.0 / 12.0, 0.001);
        let (mean, variance) = mean_and_variance(|| stream.normal());
        close(mean, 0.0, 0.01);
        close(variance, 1.0, 0.02);
        let (mean, variance) = mean_and_variance(|| stream.exponential(3.0));
        close(mean, 3.0, 0.04);
        close(variance, 9.0, 0.3);
        let (mean, _) = mean_and_variance(|| stream.pareto(2.0, 3.0));
        close(mean, 1.0, 0.03);
    }

    #[test]
    fn normal_has_the_right_tails() {
        let mut stream = Stream::new(8, "tails");
        let beyond = (0..DRAWS).filter(|_| stream.normal().abs() > 1.959_964).count();
        close(beyond as f64 / DRAWS as f64, 0.05, 0.0025);
    }

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, label| Stream::new(seed, label).bits();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }
}
