//! Limits of the round-trip delay that depend on what other delays were: packets that waited in
//! queues may be left out altogether.

use std::collections::VecDeque;

use super::{Reject, Settings};
use crate::estimator::{Estimate, Estimator};
use crate::measurement::Measurement;

/// A limit in terms of other delays needs so many of them.
const FEWEST: usize = 6;

/// Quantiles are of so many of the last delays.
const REMEMBERED: usize = 100;

/// What the delay may exceed its limit by for every second since the last measurement (s/s), beside
/// the uncertainty of the frequency: so a limit that has become too tight cannot last.
const LOOSENING: f64 = 1e-6;

/// The limits, and the delays that they are measured by.
#[derive(Clone, Debug, Default)]
pub(super) struct DelayLimits {
    /// The last delays (s), oldest first, of good answers and of those that were too slow.
    recent: VecDeque<f64>,
}

impl DelayLimits {
    /// Takes note of a delay (s), whatever will become of its measurement.
    pub(super) fn note(&mut self, delay: f64) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(delay);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.recent.clear();
    }

    /// Was the measurement, whose delay has been [noted](Self::note), fast enough by the limits that
    /// are set?
    ///
    /// # Errors
    /// [`Reject::MaxDelayRatio`], [`Reject::MaxDelayDevRatio`] or [`Reject::MaxDelayQuantile`].
    pub(super) fn check(
        &self,
        measurement: &Measurement,
        estimator: &Estimator,
        settings: &Settings,
    ) -> Result<(), Reject> {
        let known = estimator.estimate(measurement.at).filter(|known| known.samples >= FEWEST);
        if let (Some(ratio), Some(known)) = (settings.max_delay_ratio, &known)
            && measurement.delay() > known.delay * ratio + loosening(known)
        {
            return Err(Reject::MaxDelayRatio);
        }
        match (settings.max_delay_quantile, settings.max_delay_dev_ratio) {
            (Some(part), _) if measurement.delay() > self.quantile(part) => {
                Err(Reject::MaxDelayQuantile)
            }
            (None, Some(ratio))
                if known.is_some_and(|known| waited(measurement, &known, ratio)) =>
            {
                Err(Reject::MaxDelayDevRatio)
            }
            _ => Ok(()),
        }
    }

    /// The delay (s) that this part of the recent ones does not exceed.
    fn quantile(&self, part: f64) -> f64 {
        let mut delays: Vec<f64> = self.recent.iter().copied().collect();
        // The conversion saturates; what is not a number is the first.
        let rank = (part * delays.len() as f64).ceil() as usize;
        let index = rank.clamp(1, delays.len().max(1)) - 1;
        if index >= delays.len() {
            return f64::INFINITY;
        }
        let (_, quantile, _) = delays.select_nth_unstable_by(index, f64::total_cmp);
        *quantile
    }
}

/// The delay shows that the measurement waited longer than the spread of the others allows. But if
/// it misses the prediction by more than waiting explains, it is the clock that has changed.
fn waited(measurement: &Measurement, known: &Estimate, ratio: f64) -> bool {
    let allowed = known.jitter * ratio + loosening(known);
    let excess = (measurement.delay() - known.delay) / 2.0;
    let error = (measurement.offset() - known.offset).seconds().abs();
    excess > allowed && error - excess <= allowed
}

fn loosening(known: &Estimate) -> f64 {
    known.age.seconds().max(0.0) * (known.frequency.sd + LOOSENING)
}

#[cfg(test)]
mod tests {
    use timeball_wire::{Oscillator, Span};

    use super::*;
    use crate::estimator::{self, Frequency};

    fn measurement(second: i64, delay: f64, error: f64) -> Measurement {
        let one_way = |sign: f64| Span::from_seconds(delay / 2.0 + sign * error);
        Measurement {
            at: Oscillator::from_nanos(0) + Span::from_secs(second),
            outbound: one_way(1.0),
            inbound: one_way(-1.0),
            dispersion: 1e-7,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
        }
    }

    /// An estimator that has seen twenty minutes of delays of 10 to 11 ms.
    fn experienced() -> Estimator {
        let frequency = Frequency { value: 0.0, sd: 1e-6 };
        let mut estimator = Estimator::new(estimator::Settings::default(), frequency);
        for minute in 0..20 {
            let excess = 1e-3 * f64::from(minute % 5) / 4.0;
            let error = if minute % 2 == 0 { excess / 2.0 } else { -excess / 2.0 };
            estimator.add(&measurement(i64::from(minute) * 60, 10e-3 + excess, error));
        }
        estimator
    }

    fn check(settings: Settings, delay: f64, error: f64) -> Result<(), Reject> {
        let mut limits = DelayLimits::default();
        limits.note(delay);
        limits.check(&measurement(1200, delay, error), &experienced(), &settings)
    }

    #[test]
    fn without_limits_everything_is_fast_enough() {
        assert_eq!(check(Settings::default(), 2.0, 0.0), Ok(()));
    }

    #[test]
    fn a_delay_many_times_the_smallest_is_rejected() {
        let settings = Settings { max_delay_ratio: Some(1.5), ..Settings::default() };
        assert_eq!(check(settings, 14.9e-3, 0.0), Ok(()));
        assert_eq!(check(settings, 16e-3, 0.0), Err(Reject::MaxDelayRatio));
    }

    #[test]
    fn a_delay_far_beyond_the_spread_is_rejected() {
        let settings = Settings { max_delay_dev_ratio: Some(5.0), ..Settings::default() };
        assert_eq!(check(settings, 11e-3, 0.5e-3), Ok(()));
        assert_eq!(check(settings, 50e-3, 20e-3), Err(Reject::MaxDelayDevRatio));
    }

    #[test]
    fn a_step_of_the_clock_is_seen_through_a_slow_packet() {
        let settings = Settings { max_delay_dev_ratio: Some(5.0), ..Settings::default() };
        assert_eq!(check(settings, 50e-3, 1.0), Ok(()));
    }

    #[test]
    fn few_measurements_set_no_limit() {
        let frequency = Frequency { value: 0.0, sd: 1e-6 };
        let mut estimator = Estimator::new(estimator::Settings::default(), frequency);
        estimator.add(&measurement(0, 1e-3, 0.0));
        let settings = Settings {
            max_delay_ratio: Some(1.1),
            max_delay_dev_ratio: Some(1.0),
            ..Settings::default()
        };
        let limits = DelayLimits::default();
        assert_eq!(limits.check(&measurement(60, 1.0, 0.0), &estimator, &settings), Ok(()));
    }

    #[test]
    fn the_fastest_tenth_is_a_tenth() {
        let settings = Settings { max_delay_quantile: Some(0.1), ..Settings::default() };
        let frequency = Frequency { value: 0.0, sd: 1e-6 };
        let estimator = Estimator::new(estimator::Settings::default(), frequency);
        let mut limits = DelayLimits::default();
        let mut accepted = 0;
        for round in 0..1000_i64 {
            // A permutation of 0..=1008, so all delays differ.
            let delay = 1e-3 + 1e-6 * (round * 463 % 1009) as f64;
            limits.note(delay);
            match limits.check(&measurement(round, delay, 0.0), &estimator, &settings) {
                Ok(()) => accepted += 1,
                Err(reject) => assert_eq!(reject, Reject::MaxDelayQuantile),
            }
        }
        assert!((80..=140).contains(&accepted), "{accepted}");
    }
}
