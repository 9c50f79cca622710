//! The hypotheses, side by side.

use super::lanes::{LANES, Lanes};
use super::motion::{Kind, Motion};
use super::queues::Shape;
use super::sample::{Sample, Window};
use super::smoothers::{Oscillators, Scratch, Smoothers};
use super::state::Jump;
use crate::estimator::Frequency;

/// log₁₀ of the smallest walk of a frequency that is considered (s/s/√s), and of what comes next.
const WALK: (f64, f64) = (-11.5, 0.5);
/// What is expected of the walk before anything is measured, log₁₀, and its standard deviation.
const TYPICAL_WALK: (f64, f64) = (-9.0, 1.5);
/// log₁₀ of the smallest drift of a frequency that is considered (s/s²/√s), and of what comes next.
const DRIFT: (f64, f64) = (-13.0, 0.5);
/// An oscillator that drifts walks, too: q as a multiple of q_d (s).
const DRIFTING_WALK: f64 = 5.0;
/// ln of how probable a drift is before anything is measured, against the most typical walk.
const DRIFT_PRIOR: f64 = -1.0;
/// Groups of hypotheses.
const WALKS: usize = 6;
const DRIFTS: usize = 4;
const GROUPS: usize = WALKS + DRIFTS;
/// Weights before anything is measured.
const EQUAL: [Lanes; GROUPS] = [Lanes::all(1.0 / (GROUPS * LANES) as f64); GROUPS];

/// A measurement makes no hypothesis less probable than this (ln) against the one that foresaw it best.
pub(super) const MOST_EVIDENCE: f64 = 30.0;
/// One that is not believed as a whole, than this.
pub(super) const MOST_OF_A_HINT: f64 = 8.0;
/// Of few measurements, than so many times their number: how noisy the path is, is a guess then, as in
/// Student's distribution, and a restless oscillator would explain whatever the guess does not.
const EVIDENCE_OF_EACH: f64 = 1.0;
/// Nor do all measurements together, so that one can still show that the best so far was wrong
/// (Herbster and Warmuth 1998, tracking the best expert).
const MOST_LEAD: f64 = 20.0;
/// Hypotheses that together are less probable than this are swept once at most.
const HARDLY: f64 = 1e-4;

/// The hypotheses and their weights.
#[derive(Clone, Debug)]
pub(super) struct Hypotheses {
    /// Frequencies that walk.
    pub(super) walks: [Smoothers<3>; WALKS],
    /// Frequencies that drift.
    pub(super) drifts: [Smoothers<4>; DRIFTS],
    /// Probability of each: of the walks, then of the drifts.
    pub(super) weights: [Lanes; GROUPS],
    walk_scratch: Scratch<3>,
    drift_scratch: Scratch<4>,
}

/// Does the same to every group.
macro_rules! each {
    ($hypotheses:expr, $smoothers:ident => $do:expr) => {{
        $hypotheses.walks.iter_mut().for_each(|$smoothers| $do);
        $hypotheses.drifts.iter_mut().for_each(|$smoothers| $do);
    }};
}

impl Hypotheses {
    pub(super) fn new() -> Self {
        Self {
            walks: std::array::from_fn(walk),
            drifts: std::array::from_fn(drift),
            weights: EQUAL,
            walk_scratch: Scratch::new(),
            drift_scratch: Scratch::new(),
        }
    }

    /// Nothing was measured; the frequency is believed to be this, and the typical time in queues (s).
    pub(super) fn begin(&mut self, frequency: Frequency, scale: f64) {
        self.weights = EQUAL;
        each!(self, smoothers => smoothers.begin(frequency, scale));
    }

    /// Time passes without measurements.
    pub(super) fn pass(&mut self, motion: &Motion, jump: &Jump) {
        each!(self, smoothers => smoothers.pass(motion, jump));
    }

    /// Back to where the window began.
    pub(super) fn rewind(&mut self) {
        each!(self, smoothers => smoothers.rewind());
    }

    /// The offset is about this (s) and nothing was known of it before; nor is of the path, but for its
    /// one-way delay without queues (s) if that is `known`.
    pub(super) fn lose_phase(&mut self, offset: f64, delay: f64, known: Option<f64>) {
        each!(self, smoothers => smoothers.lose_phase(offset, delay, known));
    }

    /// Takes in the next measurement.
    pub(super) fn observe(&mut self, sample: &Sample) {
        each!(self, smoothers => smoothers.observe(sample));
    }

    /// The oldest measurement leaves the window.
    pub(super) fn absorb(&mut self, oldest: &Sample, next: Option<&Sample>) {
        each!(self, smoothers => smoothers.absorb(oldest, next));
    }

    /// Nothing is known of what the measurements from `first` on say.
    pub(super) fn doubt_from(&mut self, first: usize) {
        each!(self, smoothers => smoothers.doubt_from(first));
    }

    /// The window is empty.
    pub(super) fn forget_window(&mut self) {
        each!(self, smoothers => smoothers.forget_window());
    }

    /// θ is counted from a place further on (s).
    pub(super) fn move_origin(&mut self, by: f64) {
        each!(self, smoothers => smoothers.move_origin(by));
    }

    /// Revises what the measurements in the window say, so many times.
    pub(super) fn sweep(&mut self, window: &Window, times: usize) {
        let weight = |lanes: &Lanes| lanes.0.iter().sum::<f64>();
        let (walks, drifts) = self.weights.split_at(WALKS);
        for round in 0..times {
            let due = |lanes: &Lanes| round == 0 || weight(lanes) > HARDLY;
            for (smoothers, _) in self.walks.iter_mut().zip(walks).filter(|(_, w)| due(w)) {
                smoothers.sweep(window, &mut self.walk_scratch);
            }
            for (smoothers, _) in self.drifts.iter_mut().zip(drifts).filter(|(_, w)| due(w)) {
                smoothers.sweep(window, &mut self.drift_scratch);
            }
        }
        each!(self, smoothers => smoothers.filter(window));
    }

    /// The newest of so many measurements counts for those that predicted it, at `most` by so much (ln).
    /// It rules nobody out: a hypothesis that was misled by the measurement before is often right after
    /// this one.
    pub(super) fn judge(&mut self, measurements: usize, most: f64) {
        let most = (EVIDENCE_OF_EACH * measurements as f64).min(most);
        let best = self.best(Smoothers::newest_log_likelihood, Smoothers::newest_log_likelihood);
        each!(self, smoothers => smoothers.judge(best - most));
        let best = self.best(Smoothers::log_likelihood, Smoothers::log_likelihood);
        each!(self, smoothers => smoothers.keep_up(best - MOST_LEAD));
    }

    /// The largest of what all hypotheses have.
    fn best(&self, walk: fn(&Smoothers<3>) -> Lanes, drift: fn(&Smoothers<4>) -> Lanes) -> f64 {
        let all = self.walks.iter().map(walk).chain(self.drifts.iter().map(drift));
        all.flat_map(|lanes| lanes.0).fold(f64::NEG_INFINITY, f64::max)
    }

    pub(super) fn is_finite(&self) -> bool {
        self.walks.iter().all(Smoothers::is_finite) && self.drifts.iter().all(Smoothers::is_finite)
    }
}

/// The first half of the groups has the one shape, the second the other.
fn shape(index: usize, groups: usize) -> (Shape, usize) {
    match index.checked_sub(groups / 2) {
        None => (Shape::Normal, index),
        Some(index) => (Shape::Queueing, index),
    }
}

fn walk(index: usize) -> Smoothers<3> {
    let (shape, index) = shape(index, WALKS);
    let log = Lanes::of(|lane| WALK.0 + WALK.1 * (index * LANES + lane) as f64);
    let oscillators =
        Oscillators { kind: Kind::Walk, walk: log.map(|log| 10f64.powf(log)), drift: Lanes::ZERO };
    let prior = log.map(|log| -0.5 * ((log - TYPICAL_WALK.0) / TYPICAL_WALK.1).powi(2));
    Smoothers::new(shape, oscillators, prior)
}

fn drift(index: usize) -> Smoothers<4> {
    let (shape, index) = shape(index, DRIFTS);
    let drift = Lanes::of(|lane| 10f64.powf(DRIFT.0 + DRIFT.1 * (index * LANES + lane) as f64));
    let oscillators = Oscillators { kind: Kind::Drift, walk: drift * DRIFTING_WALK, drift };
    Smoothers::new(shape, oscillators, Lanes::all(DRIFT_PRIOR))
}
