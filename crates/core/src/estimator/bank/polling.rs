//! How often to measure.
//!
//! What the oscillator may do in the time T between two measurements grows with T; what a measurement
//! tells does not. T is chosen so that the first reaches a share of the second: the variance that
//! walk and drift add to θ in T, v(T), is κ² σ h, with σ the standard deviation of an offset that
//! waited in no unusual queue, and h half the round trip; on good paths, κ² √(σ h s). Of v(T) the
//! geometric mean over the hypotheses counts, since they are spread over many powers of ten.
//!
//! ln v = ln(q²/3) + 3 ln T of a walk, ln(c q_d²τ/8) + 4 ln T of a drift that has its stationary
//! variance q_d²τ/2 (T ≪ τ) and counts c times.

use super::hypotheses::Hypotheses;
use super::motion::DRIFT_TIME;
use super::queues::Shape;

/// Measurements before which nothing is known of the oscillator.
pub(super) const FEWEST: usize = 4;
/// κ.
const SHARE: f64 = 0.0445;
/// c: what a drift adds to v counts so many times. It goes on, and one measurement does not end it.
const DRIFT_COST: f64 = 4.0;
/// s (s²): a path is good if σ h is less. An offset to 40 µs, from a millisecond away.
const GOOD_PATH: f64 = 4e-8;
/// An interval longer than this (s) becomes longer still, by the one power, and a shorter one is drawn
/// to it by the other. Both were found by experiment, as were κ, s, the cost of a drift and the form of
/// σ h: with them no more packets are spent than other clients spend.
const TYPICAL: f64 = 205.0;
const POWER_ABOVE: f64 = 1.24;
const POWER_BELOW: f64 = 0.45;
/// Very short ones become no more than this many times longer: there is something to be seen.
const MOST_LONGER: f64 = 2.0;
/// Shortest and longest interval (s) that is thought of.
const LIMITS: (f64, f64) = (1.0 / 128.0, 131_072.0);
/// A path has this share of unusually long times in queues before they cost anything: by the
/// power 1.5 of what is left, since who waited long tells little and has to be told from who did not.
const USUAL: f64 = 0.05;
/// How fast the typical delay is forgotten.
const FORGETTING: f64 = 0.05;

/// A mean that follows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Running {
    pub(super) mean: f64,
    count: f64,
}

impl Running {
    pub(super) fn add(&mut self, value: f64) {
        self.count = (self.count + 1.0).min(1.0 / FORGETTING);
        self.mean += (value - self.mean) / self.count;
    }
}

impl Hypotheses {
    /// The interval (s) that is best spent, on a path with this half of the round trip (s).
    pub(super) fn interval(&self, half_delay: f64) -> f64 {
        let sigma = self.mean_of_queues(|shape, ways, lane| {
            let variance = ways.iter().map(|queue| match shape {
                Shape::Normal => queue.variance.0[lane],
                Shape::Queueing => queue.variance.0[lane] + queue.narrow.0[lane].powi(2),
            });
            let useful = ways.iter().map(|queue| match shape {
                Shape::Normal => 1.0,
                Shape::Queueing => (1.0 - (queue.wide_share.0[lane] - USUAL).max(0.0)).powf(1.5),
            });
            variance.sum::<f64>().sqrt() / 2.0 / useful.product::<f64>()
        });
        // The mean of ln v is linear in ln T.
        let drifts = self.mean_of_oscillators(|_, drift| f64::from(u8::from(drift > 0.0)));
        let constant = self.mean_of_oscillators(|walk, drift| match drift > 0.0 {
            true => (DRIFT_COST * drift * drift * DRIFT_TIME / 8.0).ln(),
            false => (walk * walk / 3.0).ln(),
        });
        let path = sigma * half_delay;
        let path = (path * (path + GOOD_PATH)).sqrt();
        let allowed = (SHARE * SHARE * path).max(f64::MIN_POSITIVE).ln();
        let interval = ((allowed - constant) / (3.0 + drifts)).exp();
        let share = interval / TYPICAL;
        let drawn = match share > 1.0 {
            true => share.powf(POWER_ABOVE),
            false => share.powf(POWER_BELOW).min(MOST_LONGER * share),
        };
        (TYPICAL * drawn).clamp(LIMITS.0, LIMITS.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_and_distance_lengthen_the_interval() {
        let mut hypotheses = Hypotheses::new();
        let mut interval = |scale: f64, half_delay: f64| {
            let frequency = crate::estimator::Frequency { value: 0.0, sd: 1e-4 };
            hypotheses.walks.iter_mut().for_each(|smoothers| smoothers.begin(frequency, scale));
            hypotheses.drifts.iter_mut().for_each(|smoothers| smoothers.begin(frequency, scale));
            hypotheses.weigh();
            hypotheses.interval(half_delay)
        };
        let near = interval(1e-6, 1e-4);
        let noisy = interval(1e-3, 1e-4);
        let far = interval(1e-6, 1e-1);
        assert!(noisy > 2.0 * near && far > 2.0 * near, "{near} {noisy} {far}");
        for odd in [0.0, 1e9] {
            assert!((1e-3..=131_072.0).contains(&interval(odd, odd)));
        }
    }

    #[test]
    fn a_running_mean_follows() {
        let mut running = Running::default();
        running.add(3.0);
        assert_eq!(running.mean, 3.0);
        (0..200).for_each(|_| running.add(1.0));
        assert!((running.mean - 1.0).abs() < 1e-3);
    }
}
