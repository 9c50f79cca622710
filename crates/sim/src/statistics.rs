//! Samples of one node, and what they come to.

use std::collections::BTreeMap;

use crate::outcome::{BoundStatistics, ErrorStatistics, Point};

/// Points of a plot.
const POINTS: usize = 500;

/// One look at a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// When (s).
    pub(crate) at: f64,
    /// System clock minus true time (s).
    pub(crate) error: f64,
    /// The bound (s) the engine claims, if it says that the clock is synchronised.
    pub(crate) bound: Option<f64>,
    /// The kernel's `maxerror` (s), if it says that the clock is synchronised.
    pub(crate) kernel_bound: Option<f64>,
}

/// Collects samples.
#[derive(Debug)]
pub(crate) struct Recorder {
    duration: f64,
    settled_after: f64,
    converged: f64,
    /// Errors after settling.
    errors: Vec<f64>,
    last: Option<Sample>,
    last_above: f64,
    samples: u64,
    bound: BoundRecorder,
    kernel_bound: BoundRecorder,
    liars_followed: BTreeMap<String, u64>,
    series: Vec<Point>,
    series_index: Option<usize>,
}

#[derive(Debug, Default)]
struct BoundRecorder {
    claims: u64,
    true_claims: u64,
    sum: f64,
    worst_excess: f64,
}

impl BoundRecorder {
    fn add(&mut self, error: f64, bound: Option<f64>) {
        let Some(bound) = bound else { return };
        self.claims += 1;
        self.sum += bound;
        if error.abs() <= bound {
            self.true_claims += 1;
        } else {
            self.worst_excess = self.worst_excess.max(error.abs() - bound);
        }
    }

    fn statistics(&self, samples: u64) -> BoundStatistics {
        let share = |part: u64, whole: u64, none: f64| {
            if whole == 0 { none } else { part as f64 / whole as f64 }
        };
        BoundStatistics {
            claimed: share(self.claims, samples, 0.0),
            covered: share(self.true_claims, self.claims, 1.0),
            mean: if self.claims == 0 { 0.0 } else { self.sum / self.claims as f64 },
            worst_excess: self.worst_excess,
        }
    }
}

impl Recorder {
    /// A recorder for a run of `duration` (s).
    pub(crate) fn new(duration: f64, settled_after: f64, converged: f64) -> Self {
        Self {
            duration,
            settled_after,
            converged,
            errors: Vec::new(),
            last: None,
            last_above: 0.0,
            samples: 0,
            bound: BoundRecorder::default(),
            kernel_bound: BoundRecorder::default(),
            liars_followed: BTreeMap::new(),
            series: Vec::new(),
            series_index: None,
        }
    }

    /// Takes in a sample; they come in order.
    pub(crate) fn add(&mut self, sample: Sample) {
        let Sample { at, error, bound, kernel_bound } = sample;
        self.samples += 1;
        self.last = Some(sample);
        if at >= self.settled_after {
            self.errors.push(error);
        }
        // Not-a-number has not converged either.
        if error.is_nan() || error.abs() > self.converged {
            self.last_above = at;
        }
        self.bound.add(error, bound);
        self.kernel_bound.add(error, kernel_bound);
        self.add_point(sample);
    }

    /// Notes that a liar is being followed.
    pub(crate) fn followed_liar(&mut self, address: String) {
        *self.liars_followed.entry(address).or_default() += 1;
    }

    fn add_point(&mut self, sample: Sample) {
        let Sample { at, error, bound, .. } = sample;
        let index = (at / self.duration * POINTS as f64) as usize;
        match self.series.last_mut() {
            Some(point) if self.series_index == Some(index) => {
                point.least = point.least.min(error);
                point.greatest = point.greatest.max(error);
                point.bound = point.bound.zip(bound).map(|(a, b)| a.min(b));
            }
            _ => self.series.push(Point { at, least: error, greatest: error, bound }),
        }
        self.series_index = Some(index);
    }

    /// The clock's error after settling.
    pub(crate) fn error(&self) -> ErrorStatistics {
        let count = self.errors.len();
        if count == 0 {
            return ErrorStatistics::default();
        }
        let mut magnitudes: Vec<f64> = self.errors.iter().map(|error| error.abs()).collect();
        magnitudes.sort_by(f64::total_cmp);
        let rank = (count * 99).div_ceil(100).saturating_sub(1);
        let of_all = |sum: f64| sum / count as f64;
        ErrorStatistics {
            samples: count as u64,
            rms: of_all(self.errors.iter().map(|error| error * error).sum()).sqrt(),
            mean: of_all(self.errors.iter().sum()),
            max: magnitudes.last().copied().unwrap_or(0.0),
            p99: magnitudes.get(rank).copied().unwrap_or(0.0),
            last: self.last.map_or(0.0, |sample| sample.error),
        }
    }

    /// When the error was last above the threshold, unless it still is.
    pub(crate) fn converged_after(&self) -> Option<f64> {
        let last = self.last?;
        (self.last_above < last.at).then_some(self.last_above)
    }

    /// The engine's bound.
    pub(crate) fn bound(&self) -> BoundStatistics {
        self.bound.statistics(self.samples)
    }

    /// The kernel's bound.
    pub(crate) fn kernel_bound(&self) -> BoundStatistics {
        self.kernel_bound.statistics(self.samples)
    }

    /// Samples at which liars were followed, by address.
    pub(crate) fn liars_followed(&self) -> &BTreeMap<String, u64> {
        &self.liars_followed
    }

    /// The plot.
    pub(crate) fn into_series(self) -> Vec<Point> {
        self.series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(errors: &[f64]) -> Recorder {
        let mut recorder = Recorder::new(errors.len() as f64, 2.0, 0.5);
        for (second, error) in errors.iter().enumerate() {
            let bound = (second >= 3).then_some(0.15);
            recorder.add(Sample {
                at: second as f64,
                error: *error,
                bound,
                kernel_bound: Some(1.0),
            });
        }
        recorder
    }

    #[test]
    fn errors_count_after_settling() {
        let error = recorder(&[9.0, -9.0, 0.3, -0.4, 0.0]).error();
        assert_eq!(error.samples, 3);
        assert!((error.rms - (0.25_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((error.mean - -0.1 / 3.0).abs() < 1e-12);
        assert_eq!((error.max, error.p99, error.last), (0.4, 0.4, 0.0));
    }

    #[test]
    fn p99_is_exceeded_by_one_in_a_hundred() {
        let errors: Vec<f64> = (0..1002).map(|i| f64::from(i - 1)).collect();
        // 0 to 1000 ahead of it: 1000 samples after settling, 10 of them above.
        let error = recorder(&errors).error();
        assert_eq!((error.samples, error.p99, error.max), (1000, 990.0, 1000.0));
    }

    #[test]
    fn convergence_is_the_last_time_above_the_threshold() {
        assert_eq!(recorder(&[9.0, 0.1, 0.6, 0.1, 0.1]).converged_after(), Some(2.0));
        assert_eq!(recorder(&[0.1, 0.1, 0.1]).converged_after(), Some(0.0));
        assert_eq!(recorder(&[0.1, 0.1, 0.6]).converged_after(), None);
        assert_eq!(recorder(&[0.1, 0.1, f64::NAN]).converged_after(), None);
    }

    #[test]
    fn bounds_are_judged_where_they_are_claimed() {
        let recorder = recorder(&[9.0, 9.0, 9.0, 0.1, -0.25]);
        let bound = recorder.bound();
        assert_eq!((bound.claimed, bound.covered, bound.mean), (0.4, 0.5, 0.15));
        assert!((bound.worst_excess - 0.1).abs() < 1e-12);
        let kernel = recorder.kernel_bound();
        assert_eq!((kernel.claimed, kernel.covered), (1.0, 0.4));
    }

    #[test]
    fn plots_keep_the_extremes_and_the_smallest_bound() {
        let errors: Vec<f64> = (0..5000).map(|i| if i % 10 == 7 { -1.0 } else { 0.5 }).collect();
        let series = recorder(&errors).into_series();
        assert_eq!(series.len(), POINTS);
        assert!(series.iter().all(|point| (point.least, point.greatest) == (-1.0, 0.5)));
        assert_eq!(series.first().unwrap().bound, None);
        assert_eq!(series.last().unwrap().bound, Some(0.15));
    }
}
