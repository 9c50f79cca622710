//! What all hypotheses together say: each counts as much as its predictions were good.

use super::hypotheses::Hypotheses;
use super::lanes::{LANES, Lanes};
use super::motion::Motion;
use super::queues::{Queue, Shape};
use super::smoothers::Smoothers;

/// A hypothesis less probable than this changes nothing that anybody could see.
const NEGLIGIBLE: f64 = 1e-7;

/// Mean and variance of θ (s, s²), without the origin, and of f (s/s, (s/s)²).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Prediction {
    pub(super) offset: f64,
    pub(super) offset_variance: f64,
    pub(super) frequency: f64,
    pub(super) frequency_variance: f64,
}

/// What is believed of the path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Path {
    /// One-way delay without queues (s).
    pub(super) base: f64,
    /// Variance of that (s²).
    pub(super) base_variance: f64,
    /// Variances of what remains of a one-way delay when it was not in a queue (s²), added up for both
    /// ways.
    pub(super) blur: f64,
    /// Typical time in queues on one way (s), the mean of both, of squares in the normal shape: what an
    /// event is held against. How far the base delay walks follows from the smaller one
    /// ([`Queues::scale`](super::queues::Queues::scale)).
    pub(super) scale: f64,
}

/// A sum of numbers by their weights: of θ (s, s²) or of f (s/s, (s/s)²).
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    weight: f64,
    mean: f64,
    square: f64,
}

impl Moments {
    /// Relative to a number that is near all of them, so that nothing cancels.
    fn add(&mut self, weight: f64, mean: f64, variance: f64) {
        self.weight += weight;
        self.mean += weight * mean;
        self.square += weight * (variance + mean * mean);
    }

    /// Mean and total variance: within the hypotheses and between them.
    fn total(&self) -> (f64, f64) {
        let mean = self.mean / self.weight;
        (mean, (self.square / self.weight - mean * mean).max(0.0))
    }
}

impl Hypotheses {
    /// Probabilities from log weights: exp(l − max)/Σ.
    pub(super) fn weigh(&mut self) {
        let Self { walks, drifts, weights, .. } = self;
        let logs =
            walks.iter().map(Smoothers::log_weight).chain(drifts.iter().map(Smoothers::log_weight));
        for (weights, logs) in weights.iter_mut().zip(logs) {
            *weights = logs;
        }
        let all = || weights.iter().flat_map(|lanes| lanes.0);
        let best = all().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = all().map(|log| (log - best).exp()).sum();
        for lanes in weights.iter_mut() {
            *lanes = lanes.map(|log| (log - best).exp() / total);
        }
    }

    /// What they say of the oscillator, a while after the newest measurement.
    pub(super) fn predict(&self, motion: &Motion) -> Prediction {
        let (mut offset, mut frequency) = (Moments::default(), Moments::default());
        let mut near = None;
        let mut add = |weights: &Lanes, means: [Lanes; 2], variances: [Lanes; 2]| {
            for lane in (0..LANES).filter(|lane| weights.0[*lane] > NEGLIGIBLE) {
                let [theta, f] = means.map(|of| of.0[lane]);
                let (near_theta, near_f) = *near.get_or_insert((theta, f));
                offset.add(weights.0[lane], theta - near_theta, variances[0].0[lane]);
                frequency.add(weights.0[lane], f - near_f, variances[1].0[lane]);
            }
        };
        let (walks, drifts) = self.weights.split_at(self.walks.len());
        for (smoothers, weights) in self.walks.iter().zip(walks) {
            let (mean, variance) = carried(smoothers, motion);
            add(weights, mean, variance);
        }
        for (smoothers, weights) in self.drifts.iter().zip(drifts) {
            let (mean, variance) = carried(smoothers, motion);
            add(weights, mean, variance);
        }
        let (near_theta, near_f) = near.unwrap_or_default();
        let ((theta, offset_variance), (f, frequency_variance)) =
            (offset.total(), frequency.total());
        Prediction {
            offset: near_theta + theta,
            offset_variance,
            frequency: near_f + f,
            frequency_variance,
        }
    }

    /// The path as the most probable hypothesis has it.
    pub(super) fn path(&self) -> Path {
        let all = self.weights.iter().flat_map(|lanes| lanes.0).enumerate();
        let best = all.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(index, _)| index);
        let (group, lane) = (best / LANES, best % LANES);
        match group.checked_sub(self.walks.len()) {
            None => path(&self.walks[group], lane),
            Some(drift) => path(&self.drifts[drift], lane),
        }
    }

    /// Mean over the hypotheses of something that follows from the queues they believe in.
    pub(super) fn mean_of_queues(&self, of: impl Fn(Shape, [&Queue; 2], usize) -> f64) -> f64 {
        let queues = self
            .walks
            .iter()
            .map(Smoothers::queues)
            .chain(self.drifts.iter().map(Smoothers::queues));
        let terms = self.weights.iter().zip(queues).flat_map(|(weights, queues)| {
            let of = &of;
            let ways = [queues.way(0), queues.way(1)];
            (0..LANES).map(move |lane| weights.0[lane] * of(queues.shape(), ways, lane))
        });
        terms.sum()
    }

    /// Mean over the hypotheses of something that follows from the oscillator they believe in: strength
    /// of walk (s/s/√s) and of drift (s/s²/√s).
    pub(super) fn mean_of_oscillators(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        let oscillators = self.walks.iter().map(Smoothers::oscillators);
        let oscillators = oscillators.chain(self.drifts.iter().map(Smoothers::oscillators));
        let terms = self.weights.iter().zip(oscillators).flat_map(|(weights, oscillators)| {
            let of = &of;
            (0..LANES).map(move |lane| {
                weights.0[lane] * of(oscillators.walk.0[lane], oscillators.drift.0[lane])
            })
        });
        terms.sum()
    }
}

/// Means and variances of θ and f.
fn carried<const N: usize>(smoothers: &Smoothers<N>, motion: &Motion) -> ([Lanes; 2], [Lanes; 2]) {
    let mut state = smoothers.now;
    state.predict(motion, smoothers.oscillators().kind, &smoothers.strength());
    let variances = [state.covariance[0][0], state.covariance[1][1]];
    ([state.mean[0], state.mean[1]], variances)
}

fn path<const N: usize>(smoothers: &Smoothers<N>, lane: usize) -> Path {
    let queues = smoothers.queues();
    let variances = [0, 1].map(|way| queues.way(way).variance.0[lane]);
    let scale = match queues.shape() {
        Shape::Normal => ((variances[0] + variances[1]) / 2.0).sqrt(),
        Shape::Queueing => (queues.way(0).narrow.0[lane] + queues.way(1).narrow.0[lane]) / 2.0,
    };
    Path {
        base: smoothers.now.mean[N - 1].0[lane],
        base_variance: smoothers.now.covariance[N - 1][N - 1].0[lane],
        blur: variances[0] + variances[1],
        scale,
    }
}
