//! The smoothers of a few hypotheses of the same kind, computed side by side.
//!
//! Each holds what it believes of the oscillator (strengths of walk and drift) and learns what it
//! needs to know of the queues. Of the measurements in the window it keeps the sites, and it revises
//! each of them, given all the others (expectation propagation; Minka 2001), in *sweeps*: a Kalman
//! filter forward in time, and backward the modified Bryson-Frazier smoother (Bierman 1973), which
//! inverts no matrix.

use arrayvec::ArrayVec;

use super::lanes::Lanes;
use super::local;
use super::motion::{DRIFT_TIME, Kind, Motion, Strength};
use super::queues::{Queues, Shape, Sums, Tilted};
use super::sample::{Sample, WINDOW, Window};
use super::state::{Jump, Normal, Sight, Site, State, Way};
use crate::estimator::Frequency;

/// How far a site moves towards its new value: all the way, some never settle.
const DAMPING: f64 = 0.8;
/// A cavity's variance is at least this share of the filter's.
const LEAST_CAVITY: f64 = 1e-9;
/// How much of what was learnt of a hypothesis's worth is kept with each new measurement: oscillators
/// change with the season and the fan.
const MEMORY: f64 = 0.995;
/// Walk of the base delay (s/√s) as a share (1/√s) of the typical time in queues (s).
const BASE_WALK: f64 = 3e-4;

/// What each site saw of the state before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<const N: usize> {
    sight: Sight<N>,
    /// How wide its neighbours before it were; see [`local`].
    past: Lanes,
}

/// Room for a sweep, which all groups share.
#[derive(Clone, Debug)]
pub(super) struct Scratch<const N: usize>(Box<[[Before<N>; 2]]>);

impl<const N: usize> Scratch<N> {
    pub(super) fn new() -> Self {
        let sight = Sight {
            gain: [Lanes::ZERO; N],
            predicted: Normal { mean: Lanes::ZERO, variance: Lanes::ZERO },
        };
        let before = Before { sight, past: Lanes::ZERO };
        Self(vec![[before; 2]; WINDOW].into_boxed_slice())
    }
}

/// How the oscillators of a few hypotheses move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Oscillators {
    pub(super) kind: Kind,
    /// q: the standard deviation that the frequency gains in a second (s/s/√s).
    pub(super) walk: Lanes,
    /// q_d (s/s²/√s): the same of its drift.
    pub(super) drift: Lanes,
}

/// The smoothers of a few hypotheses.
#[derive(Clone, Debug)]
pub(super) struct Smoothers<const N: usize> {
    oscillators: Oscillators,
    queues: Queues,
    /// ln of how probable each is before anything is measured.
    log_prior: Lanes,
    /// ln of how well each predicted, older measurements counting less and less.
    log_likelihood: Lanes,
    /// ln of how well each predicted the newest measurement.
    newest: Lanes,
    /// Before the window's first site.
    prior: State<N>,
    /// log_likelihood when there was none.
    log_likelihood_then: Lanes,
    /// After its last.
    pub(super) now: State<N>,
    sites: ArrayVec<[Site; 2], WINDOW>,
    /// How probable it is that each one-way delay was wide.
    wide: ArrayVec<[Lanes; 2], WINDOW>,
}

impl<const N: usize> Smoothers<N> {
    pub(super) fn new(shape: Shape, oscillators: Oscillators, log_prior: Lanes) -> Self {
        Self {
            oscillators,
            queues: Queues::guessed(shape, 0.0),
            log_prior,
            log_likelihood: Lanes::ZERO,
            newest: Lanes::ZERO,
            prior: State::ZERO,
            log_likelihood_then: Lanes::ZERO,
            now: State::ZERO,
            sites: ArrayVec::new(),
            wide: ArrayVec::new(),
        }
    }

    pub(super) const fn queues(&self) -> &Queues {
        &self.queues
    }

    /// ln of how much each is to be believed, up to a common term.
    pub(super) fn log_weight(&self) -> Lanes {
        self.log_likelihood + self.log_prior
    }

    pub(super) const fn oscillators(&self) -> &Oscillators {
        &self.oscillators
    }

    /// Power of the noises.
    pub(super) fn strength(&self) -> Strength {
        let base = self.queues.scale() * BASE_WALK;
        let Oscillators { walk, drift, .. } = self.oscillators;
        Strength { walk: walk * walk, drift: drift * drift, base: base * base }
    }

    /// Knows a frequency, and the queues of the path only by a guess (s).
    pub(super) fn begin(&mut self, frequency: Frequency, scale: f64) {
        self.queues = Queues::guessed(self.queues.shape(), scale);
        self.log_likelihood = Lanes::ZERO;
        self.now = State::ZERO;
        self.now.mean[1] = Lanes::all(frequency.value);
        self.now.covariance[1][1] = Lanes::all(frequency.sd * frequency.sd);
        if self.oscillators.kind == Kind::Drift {
            let drift = self.oscillators.drift;
            self.now.covariance[2][2] = drift * drift * (DRIFT_TIME / 2.0);
        }
        self.forget_window();
    }

    /// Forgets the phase and the path, of which only `delay` (s) is known now, with this as the offset
    /// (s). The base delay is `base` if somebody knows it.
    pub(super) fn lose_phase(&mut self, offset: f64, delay: f64, base: Option<f64>) {
        self.lose(0, offset, delay * delay);
        match base {
            Some(base) => self.lose(N - 1, base, (1e-3 * base).powi(2)),
            None => self.lose(N - 1, delay / 2.0, delay * delay),
        }
        self.forget_window();
    }

    fn lose(&mut self, component: usize, mean: f64, variance: f64) {
        self.now.mean[component] = Lanes::all(mean);
        for other in 0..N {
            self.now.covariance[component][other] = Lanes::ZERO;
            self.now.covariance[other][component] = Lanes::ZERO;
        }
        self.now.covariance[component][component] = Lanes::all(variance);
    }

    /// What is known now is where the next window begins.
    pub(super) fn forget_window(&mut self) {
        self.sites.clear();
        self.wide.clear();
    }

    /// Time passes, in which this happens.
    pub(super) fn pass(&mut self, motion: &Motion, jump: &Jump) {
        self.now.predict(motion, self.oscillators.kind, &self.strength());
        self.now.jump(jump);
    }

    /// Knows of the oscillator what it did before the first measurement in the window. There must be one,
    /// and none that has left it.
    pub(super) fn rewind(&mut self) {
        self.now = self.prior;
        self.log_likelihood = self.log_likelihood_then;
        self.forget_window();
    }

    /// θ was counted from an origin that was smaller by this (s).
    pub(super) fn move_origin(&mut self, by: f64) {
        for state in [&mut self.prior, &mut self.now] {
            state.mean[0] = state.mean[0] + -by;
        }
        for sites in &mut self.sites {
            for way in Way::BOTH {
                let site = &mut sites[way.index()];
                site.weighted -= site.precision * (by * way.sign());
            }
        }
    }

    /// All its numbers are.
    pub(super) fn is_finite(&self) -> bool {
        self.now.is_finite() && self.log_likelihood.is_finite()
    }

    /// A measurement: predicts, and takes in what its two one-way delays say, one after the other
    /// (assumed-density filtering).
    pub(super) fn observe(&mut self, sample: &Sample) {
        self.queues.read_to(sample.reading);
        let first = self.sites.is_empty();
        self.pass(&sample.motion, &sample.jump);
        if first {
            self.prior = self.now;
            self.log_likelihood_then = self.log_likelihood;
        }
        let mut sites = [Site::default(); 2];
        let mut wide = [Lanes::ZERO; 2];
        let mut log_likelihood = Lanes::ZERO;
        for way in Way::BOTH {
            let sight = self.now.sight(way);
            let odds = self.odds_of_next(way, wide[0]);
            let tilted =
                self.queues.tilt(way.index(), sample.believed_on(way), &sight.predicted, &odds);
            self.now.observe(&sight, &tilted.site);
            sites[way.index()] = tilted.site;
            wide[way.index()] = tilted.shares[1];
            log_likelihood += tilted.log_likelihood;
        }
        self.newest = log_likelihood;
        // The window made room.
        let _ = self.sites.try_push(sites);
        let _ = self.wide.try_push(wide);
    }

    /// ln of how well each predicted the newest measurement.
    pub(super) const fn newest_log_likelihood(&self) -> Lanes {
        self.newest
    }

    /// How well the newest measurement was predicted says something of the hypotheses, but no more
    /// than that one predicted it with this ln.
    pub(super) fn judge(&mut self, least: f64) {
        self.log_likelihood = self.log_likelihood * MEMORY + self.newest.max(Lanes::all(least));
    }

    /// ln of how well each predicted all measurements.
    pub(super) const fn log_likelihood(&self) -> Lanes {
        self.log_likelihood
    }

    /// None predicted worse than this (ln).
    pub(super) fn keep_up(&mut self, least: f64) {
        self.log_likelihood = self.log_likelihood.max(Lanes::all(least));
    }

    /// Of the outbound way this is known already when it comes to the inbound one.
    fn odds_of_next(&self, way: Way, outbound: Lanes) -> Lanes {
        match self.queues.shape() {
            Shape::Normal => Lanes::ZERO,
            Shape::Queueing => {
                let past = local::of_next(self.wide.iter().map(|wide| wide[way.index()]));
                let near = match way {
                    Way::Outbound => past,
                    Way::Inbound => past.and_other_way(outbound),
                };
                local::odds(self.queues.way(way.index()).wide_share, near)
            }
        }
    }

    /// The oldest measurement leaves the window: what it says becomes part of the prior.
    pub(super) fn absorb(&mut self, oldest: &Sample, next: Option<&Sample>) {
        let Some(sites) = self.sites.pop_at(0) else { return };
        self.wide.pop_at(0);
        for way in Way::BOTH {
            let sight = self.prior.sight(way);
            self.remember(way, oldest, &sight);
            self.prior.observe(&sight, &sites[way.index()]);
        }
        if let Some(next) = next {
            self.prior.predict(&next.motion, self.oscillators.kind, &self.strength());
            self.prior.jump(&next.jump);
        }
    }

    fn remember(&mut self, way: Way, sample: &Sample, sight: &Sight<N>) {
        let odds = local::odds_alone(self.queues.way(way.index()).wide_share);
        let tilted =
            self.queues.tilt(way.index(), sample.believed_on(way), &sight.predicted, &odds);
        self.queues.remember(way.index(), &tilted, sample.believed_delay());
    }

    /// Nothing is known of what the measurements from `first` on say.
    pub(super) fn doubt_from(&mut self, first: usize) {
        for sites in self.sites.iter_mut().skip(first) {
            *sites = [Site::default(); 2];
        }
    }

    /// Revises every site, given all the others, and learns the queues from that.
    pub(super) fn sweep(&mut self, window: &Window, scratch: &mut Scratch<N>) {
        self.forward(window, scratch);
        let sums = self.backward(window, scratch);
        self.queues.learn(&sums);
    }

    fn forward(&mut self, window: &Window, scratch: &mut Scratch<N>) {
        let mut past = [local::Neighbours::NONE; 2];
        self.now = self.filtered(window, |index, way, sight| {
            // Only what is before it yet; the way back adds what is after it.
            scratch.0[index][way] = Before { sight: *sight, past: past[way].sum };
            past[way].pass(self.wide[index][way]);
        });
    }

    fn backward(&mut self, window: &Window, scratch: &mut Scratch<N>) -> [Sums; 2] {
        let kind = self.oscillators.kind;
        let mut adjoint = Adjoint::<N>::ZERO;
        let mut sums = [Sums::default(); 2];
        let mut future = [local::Neighbours::NONE; 2];
        let samples = window.samples();
        for index in (0..self.sites.len().min(samples.len())).rev() {
            let sample = &samples[index];
            for way in Way::BOTH.into_iter().rev() {
                let at = way.index();
                let Before { sight, past } = &scratch.0[index][at];
                let site = &mut self.sites[index][at];
                let projection = adjoint.project(sight);
                let cavity = projection.cavity(sight, site);
                let odds = match self.queues.shape() {
                    Shape::Normal => Lanes::ZERO,
                    Shape::Queueing => {
                        let ages = (index, samples.len() - 1 - index);
                        let neighbours = local::Neighbours::around(*past, future[at].sum, ages);
                        local::odds(self.queues.way(at).wide_share, neighbours)
                    }
                };
                let tilted = self.queues.tilt(at, sample.believed_on(way), &cavity, &odds);
                sums[at].add(self.queues.shape(), &tilted, sample.believed_delay());
                adjoint.pass(way, sight, site, &projection);
                *site = match self.queues.shape() {
                    // It says the same whatever the others say.
                    Shape::Normal => tilted.site,
                    Shape::Queueing => damped(site, &tilted),
                };
                future[at].pass(self.wide[index][at]);
                self.wide[index][at] = tilted.shares[1];
            }
            if index > 0 {
                adjoint.carry_back(&sample.motion, kind);
            }
        }
        sums
    }

    /// Where all sites together lead.
    pub(super) fn filter(&mut self, window: &Window) {
        self.now = self.filtered(window, |_, _, _| ());
    }

    /// The state after all sites; `see` is shown which one (measurement and way) saw what of the state
    /// before it.
    #[inline(always)]
    fn filtered(&self, window: &Window, mut see: impl FnMut(usize, usize, &Sight<N>)) -> State<N> {
        let (kind, strength) = (self.oscillators.kind, self.strength());
        let mut state = self.prior;
        for (index, (sample, sites)) in window.samples().iter().zip(&self.sites).enumerate() {
            if index > 0 {
                state.predict(&sample.motion, kind, &strength);
                state.jump(&sample.jump);
            }
            for way in Way::BOTH {
                let sight = state.sight(way);
                see(index, way.index(), &sight);
                state.observe(&sight, &sites[way.index()]);
            }
        }
        state
    }
}

/// The new site, but for the damping; one that said nothing has nothing to be drawn to.
fn damped(old: &Site, tilted: &Tilted) -> Site {
    let new = &tilted.site;
    let blend = |old: Lanes, new: Lanes, precision: Lanes| {
        Lanes::of(|lane| {
            let share = if precision.0[lane] > 0.0 { DAMPING } else { 1.0 };
            (1.0 - share) * old.0[lane] + share * new.0[lane]
        })
    };
    Site {
        precision: blend(old.precision, new.precision, old.precision),
        weighted: blend(old.weighted, new.weighted, old.precision),
    }
}

/// What all sites after a moment say of the state at it: λ and Λ of the Bryson-Frazier smoother, by
/// which the smoothed mean is x − P λ and the smoothed covariance P − P Λ P.
#[derive(Clone, Copy, Debug)]
struct Adjoint<const N: usize> {
    /// λ, each entry in one by the unit of its component.
    vector: [Lanes; N],
    /// Λ, each entry in one by the units of its two.
    matrix: [[Lanes; N]; N],
}

/// The same, of u alone.
#[derive(Clone, Copy, Debug)]
struct Projection<const N: usize> {
    /// kᵀλ (s) with k = P c.
    mean: Lanes,
    /// kᵀΛk (s²).
    variance: Lanes,
    /// Λk (s by the unit of each component).
    gain: [Lanes; N],
}

impl<const N: usize> Projection<N> {
    /// What all sites but this one say of u: λ, Λ are those after the site, so they are first read as a
    /// likelihood of u and then put to N(μ, v). With S = v + 1/τ and e = ν/τ − μ, all times τ, so that τ
    /// may be 0: mean μ + (w e − S p)/(S + w), variance (v S − w/τ)/(S + w).
    #[inline(always)]
    fn cavity(&self, sight: &Sight<N>, site: &Site) -> Normal {
        let Normal { mean, variance } = sight.predicted;
        let (tau, sum) = (site.precision, site.precision * variance + 1.0);
        let error = site.weighted - tau * mean;
        let all = sum + tau * self.variance;
        Normal {
            mean: mean + (self.variance * error - sum * self.mean) / all,
            variance: ((variance * sum - self.variance) / all).max(variance * LEAST_CAVITY),
        }
    }
}

impl<const N: usize> Adjoint<N> {
    const ZERO: Self = Self { vector: [Lanes::ZERO; N], matrix: [[Lanes::ZERO; N]; N] };

    #[inline(always)]
    fn project(&self, sight: &Sight<N>) -> Projection<N> {
        let k = &sight.gain;
        let mut gain = [Lanes::ZERO; N];
        let (mut mean, mut variance) = (Lanes::ZERO, Lanes::ZERO);
        for i in 0..N {
            for (entry, k) in self.matrix[i].iter().zip(k) {
                gain[i] += *entry * *k;
            }
            mean += k[i] * self.vector[i];
            variance += k[i] * gain[i];
        }
        Projection { mean, variance: variance.max(Lanes::ZERO), gain }
    }

    /// Past a site: λ ← λ − c (Kᵀλ + e/S), Λ ← Λ − c(ΛK)ᵀ − (ΛK)cᵀ + c cᵀ(KᵀΛK + 1/S), K = k/S.
    #[inline(always)]
    fn pass(&mut self, way: Way, sight: &Sight<N>, site: &Site, projection: &Projection<N>) {
        let Normal { mean, variance } = sight.predicted;
        let sum = site.precision * variance + 1.0;
        let inverse = site.precision / sum;
        let innovation = (site.weighted - site.precision * mean) / sum;
        let pull = projection.mean * inverse + innovation;
        let push = projection.variance * inverse * inverse + inverse;
        // c is the sign at θ, 1 at m and 0 elsewhere.
        let ends = [(0, way.sign()), (N - 1, 1.0)];
        for (i, c) in ends {
            self.vector[i] -= pull * c;
            for j in 0..N {
                let turned = projection.gain[j] * inverse * c;
                self.matrix[i][j] -= turned;
                self.matrix[j][i] -= turned;
            }
        }
        for (i, c) in ends {
            for (j, d) in ends {
                self.matrix[i][j] += push * (c * d);
            }
        }
    }

    /// To the measurement before this one: λ ← Fᵀλ, Λ ← Fᵀ Λ F.
    #[inline(always)]
    fn carry_back(&mut self, motion: &Motion, kind: Kind) {
        motion.carry_back(&mut self.vector, kind);
        for row in &mut self.matrix {
            motion.carry_back(row, kind);
        }
        for column in 0..N {
            let mut entries: [Lanes; N] = std::array::from_fn(|row| self.matrix[row][column]);
            motion.carry_back(&mut entries, kind);
            for (row, entry) in self.matrix.iter_mut().zip(entries) {
                row[column] = entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use timeball_wire::{Oscillator, Span};

    use super::*;
    use crate::measurement::Measurement;

    /// Smoothers for one kind of queues that know nothing of θ and m to a second, on a path of
    /// microseconds.
    fn unsure(shape: Shape) -> Smoothers<4> {
        let drift = Lanes::all(1e-12);
        let oscillators = Oscillators { kind: Kind::Drift, walk: drift, drift };
        let mut smoothers = Smoothers::new(shape, oscillators, Lanes::ZERO);
        smoothers.begin(Frequency { value: 1e-6, sd: 1e-6 }, 1e-6);
        smoothers.lose_phase(0.0, 1.0, None);
        smoothers
    }

    #[test]
    fn time_that_passes_takes_a_drift_with_it() {
        let mut smoothers = unsure(Shape::Queueing);
        smoothers.now.mean[2] = Lanes::all(1e-9);
        smoothers.pass(&Motion::over(DRIFT_TIME), &Jump::default());
        let [_, frequency, drift, _] = smoothers.now.mean.map(|lanes| lanes.0[0]);
        let left = (-1.0f64).exp();
        assert!((drift / (1e-9 * left) - 1.0).abs() < 1e-9, "{drift}");
        let gained = 1e-9 * DRIFT_TIME * (1.0 - left);
        assert!(((frequency - 1e-6) / gained - 1.0).abs() < 1e-9, "{frequency}");
    }

    #[test]
    fn what_leaves_the_window_and_told_nothing_of_its_queue_changes_nothing() {
        let mut smoothers = unsure(Shape::Queueing);
        let before = smoothers.queues.way(0).wide_share.0[0];
        let delay = Span::from_seconds(0.5);
        let sample = Sample::new(
            &Measurement {
                at: Oscillator::from_nanos(0),
                outbound: delay,
                inbound: delay,
                dispersion: 0.0,
                reading: 0.0,
                root_delay: 0.0,
                root_dispersion: 0.0,
            },
            Span::ZERO,
        );
        smoothers.observe(&sample);
        smoothers.absorb(&sample, None);
        smoothers.queues.learn(&[Sums::default(); 2]);
        let after = smoothers.queues.way(0).wide_share.0[0];
        assert!((after / before - 1.0).abs() < 1e-3, "{after}, not {before}");
    }

    /// The cavity of every site by the smoother, against Bayes' rule by hand: an oscillator that does not
    /// move leaves every one-way delay a linear function of the first state, and the others say of it
    /// what they say in any order.
    #[test]
    fn a_cavity_is_what_all_the_others_say() {
        const COUNT: usize = 5;
        const DT: f64 = 64.0;
        let still = Strength { walk: Lanes::ZERO, drift: Lanes::ZERO, base: Lanes::ZERO };
        let motion = Motion::over(DT);
        let mut prior = State::<3>::ZERO;
        for (i, variance) in [1e-4, 1e-10, 1e-4].into_iter().enumerate() {
            prior.covariance[i][i] = Lanes::all(variance);
        }
        prior.mean = [1e-3, 1e-6, 2e-3].map(Lanes::all);
        let site = |index: usize, way: usize| {
            let r = 1e-8 * (1 + index + 3 * way) as f64;
            let y = 2e-3 + 1e-4 * (index as f64 - way as f64);
            Site { precision: Lanes::all(1.0 / r), weighted: Lanes::all(y / r) }
        };

        let mut before = Vec::new();
        let mut state = prior;
        for index in 0..COUNT {
            if index > 0 {
                state.predict(&motion, Kind::Walk, &still);
            }
            for way in Way::BOTH {
                let sight = state.sight(way);
                before.push(sight);
                state.observe(&sight, &site(index, way.index()));
            }
        }
        let mut adjoint = Adjoint::<3>::ZERO;
        for index in (0..COUNT).rev() {
            for way in Way::BOTH.into_iter().rev() {
                let sight = &before[2 * index + way.index()];
                let projection = adjoint.project(sight);
                let site_here = site(index, way.index());
                let cavity = projection.cavity(sight, &site_here);
                adjoint.pass(way, sight, &site_here, &projection);

                let mut others = prior;
                for other in 0..COUNT {
                    if other > 0 {
                        others.predict(&motion, Kind::Walk, &still);
                    }
                    for other_way in Way::BOTH {
                        if (other, other_way) != (index, way) {
                            let sight = others.sight(other_way);
                            others.observe(&sight, &site(other, other_way.index()));
                        }
                    }
                }
                // Back to the moment of the site: nothing was added on the way.
                let back = DT * (COUNT - 1 - index) as f64;
                let (p, sign) = (&others.covariance, way.sign());
                let c = [sign, -back * sign, 1.0];
                let mean: f64 = (0..3).map(|i| c[i] * others.mean[i].0[0]).sum();
                let variance: f64 =
                    (0..9).map(|n| c[n / 3] * p[n / 3][n % 3].0[0] * c[n % 3]).sum();
                assert!(
                    (cavity.mean.0[0] - mean).abs() < 1e-6 * variance.sqrt(),
                    "{index} {way:?}"
                );
                assert!((cavity.variance.0[0] / variance - 1.0).abs() < 1e-6, "{index} {way:?}");
            }
            if index > 0 {
                adjoint.carry_back(&motion, Kind::Walk);
            }
        }
    }
}
