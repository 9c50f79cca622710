//! Which sources tell the truth?
//!
//! A [`Candidate`] passes the rules of `fitness` or gets its reason there. Those that take part claim an
//! interval each, offset ± root distance; the `intersection` of most of them separates `truechimers`
//! from falsetickers. Of the truechimers the `cluster` keeps those closest together, one becomes the
//! `system_peer`, and what they say together is the [`Combination`].

mod authentication;
mod candidate;
mod cluster;
mod convictions;
mod fitness;
mod intersection;
mod orphan;
mod system_peer;
#[cfg(test)]
mod tests;
mod truechimers;
mod verdict;
mod wording;

pub(crate) use candidate::Contender;
pub use candidate::{Candidate, Options, Proof, Reach, SourceId, View};
pub use orphan::Orphan;
pub use verdict::{Decision, Outcome, Standing, State, Verdict};

use timeball_wire::LeapIndicator;

use crate::combination::{self, Combination};
use authentication::effective_options;
use convictions::Convictions;
use system_peer::SystemPeer;
use verdict::Verdicts;
use wording::{Measured, Others, Sources};

/// Which sources to believe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Sources that must agree before the clock is touched.
    pub minimum_sources: usize,
    /// Largest root distance (s) of a usable source.
    pub maximum_distance: f64,
    /// Largest jitter (s) of a usable source.
    pub maximum_jitter: f64,
    /// Distance (s) that one stratum is worth when the system peer is chosen.
    pub stratum_weight: f64,
    /// Distance (s) by which another source must be better to become the system peer.
    pub reselect_distance: f64,
    /// A source whose distance is more than this many times the system peer's is not combined;
    /// 0 combines nothing.
    pub combine_limit: f64,
    /// Measurements a source must have to take part.
    pub minimum_samples: usize,
    /// Least and largest stratum of a usable source.
    pub minimum_stratum: u8,
    /// See there.
    pub maximum_stratum: u8,
    /// What becomes of sources that are not authenticated.
    pub authentication: AuthenticationPolicy,
}

/// What becomes of sources that are not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationPolicy {
    /// They are watched, never used.
    Require,
    /// They are used only while no source is configured with authentication.
    Prefer,
    /// With authenticated sources beside them, those are trusted and required, and so are reference
    /// clocks.
    Mix,
    /// They are sources like any other.
    Ignore,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minimum_sources: 1,
            maximum_distance: 3.0,
            maximum_jitter: 1.0,
            stratum_weight: 1e-3,
            reselect_distance: 1e-4,
            combine_limit: 3.0,
            minimum_samples: 3,
            minimum_stratum: 0,
            maximum_stratum: 15,
            authentication: AuthenticationPolicy::Mix,
        }
    }
}

/// A source that has so many measurements more than it needs is not kept waiting for others.
const PATIENCE: usize = 1;
/// The first decision waits for others in no more rounds than this for each candidate.
const WAITING_ROUNDS: usize = 4;

/// Selection, with the memory that hysteresis needs.
#[derive(Clone, Debug)]
pub struct Selection {
    settings: Settings,
    system_peer: SystemPeer,
    convictions: Convictions,
    /// Rounds in which the first decision was put off.
    waited: usize,
}

impl Selection {
    /// A selection that has selected nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            system_peer: SystemPeer::default(),
            convictions: Convictions::default(),
            waited: 0,
        }
    }

    /// Changes the rules; the memory stays.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Forgets whom it had chosen, and may wait for others again: all measurements are void, and who
    /// happens to answer first deserves no more trust than at the start.
    pub fn restart(&mut self) {
        *self = Self::new(self.settings);
    }

    /// Forgets whom it had chosen as the system peer, so that the nearest becomes it.
    pub fn reselect(&mut self) {
        self.system_peer = SystemPeer::default();
    }

    /// Judges the candidates, `orphan` being what this machine is among servers that have only each
    /// other. Their order makes no difference.
    pub fn select(&mut self, candidates: &[Candidate], orphan: Option<&Orphan>) -> Outcome {
        let mut verdicts = Verdicts::default();
        let mut contenders = Vec::with_capacity(candidates.len());
        let options = effective_options(candidates, self.settings.authentication);
        for (candidate, options) in candidates.iter().zip(&options) {
            match fitness::contender(candidate, *options, &self.settings) {
                Ok(contender) => contenders.push(contender),
                Err(verdict) => verdicts.settle(candidate.source, verdict),
            }
        }
        // Sums of floating-point numbers depend on their order.
        contenders.sort_by_key(|contender| contender.source);
        fitness::drop_stale(&mut contenders, &mut verdicts);
        if let Some(orphan) = orphan {
            orphan::drop_orphans(orphan, &mut contenders, &mut verdicts);
        }
        self.convictions.expire(candidates);
        let decision = self.decide(candidates, &options, &contenders, &mut verdicts);
        fitness::name_the_silent(&contenders, &mut verdicts);
        let standings = candidates.iter().zip(options).map(|(candidate, options)| {
            let interval = candidate.view.filter(View::is_sane).map(|view| view.interval());
            let score = self.system_peer.score(candidate.source);
            (candidate.source, Standing { options, interval, score })
        });
        let standings = standings.collect();
        Outcome { verdicts: verdicts.in_order_of(candidates), standings, decision }
    }

    fn decide(
        &mut self,
        candidates: &[Candidate],
        options: &[Options],
        contenders: &[Contender],
        verdicts: &mut Verdicts,
    ) -> Decision {
        if contenders.is_empty() {
            return Decision::NoneSelectable;
        }
        let (ready, young): (Vec<_>, Vec<_>) = contenders.iter().partition(|c| c.seasoned);
        if let Some(expected) = self.worth_waiting_for(candidates, &ready) {
            let others = Sources(expected);
            verdicts.keep_waiting(&ready, &format!("ready; waits for {others} about to be"));
            self.keep_measuring(&young, verdicts);
            return Decision::Waiting;
        }
        let truechimers = match truechimers::find(contenders, verdicts) {
            Ok(truechimers) => truechimers,
            Err(decision) => return decision,
        };
        if self.convictions.forbid(&truechimers, verdicts) {
            return Decision::NoneSelectable;
        }
        self.convictions.note(&truechimers, contenders, verdicts);
        let (truechimers, young): (Vec<_>, Vec<_>) =
            truechimers.into_iter().partition(|truechimer| truechimer.seasoned);
        self.keep_measuring(&young, verdicts);
        if truechimers.is_empty() {
            return Decision::Waiting;
        }
        let agreeing = truechimers.len();
        let required = candidates.iter().zip(options).filter(|(_, options)| options.require);
        if let Some(missing) = required.map(|(candidate, _)| candidate.source).min()
            && !truechimers.iter().any(|truechimer| truechimer.options.require)
        {
            verdicts.keep_waiting(&truechimers, "agrees, but no required source does");
            return Decision::RequiredMissing(missing);
        }
        if agreeing < self.settings.minimum_sources {
            let required = self.settings.minimum_sources;
            let reason = format!("agrees, but only {agreeing} of the {required} required do");
            verdicts.keep_waiting(&truechimers, &reason);
            return Decision::TooFew { agreeing, required };
        }
        let leap = leap(&truechimers);
        let mut survivors = preferred(truechimers, verdicts);
        for dropped in cluster::drop_outliers(&mut survivors) {
            let distance = Measured(dropped.selection_jitter);
            let reason = format!("agrees, but is {distance} from the others that do");
            verdicts.settle(dropped.source, Verdict::new(State::Outlier, reason));
        }
        match self.combine(&survivors, agreeing, leap, verdicts) {
            Some(combination) => Decision::Synchronise(combination),
            None => Decision::NoneSelectable,
        }
    }

    fn keep_measuring(&self, young: &[Contender], verdicts: &mut Verdicts) {
        for contender in young {
            let verdict = fitness::unseasoned(contender, &self.settings);
            verdicts.settle(contender.source, verdict);
        }
    }

    /// How many candidates are so close to taking part that the first decision should wait for
    /// them. Bounded twice: by the measurements of those that are ready, and by rounds.
    fn worth_waiting_for(
        &mut self,
        candidates: &[Candidate],
        contenders: &[Contender],
    ) -> Option<usize> {
        let enough = self.settings.minimum_samples.saturating_add(PATIENCE);
        if self.system_peer.is_chosen()
            || self.waited >= WAITING_ROUNDS.saturating_mul(candidates.len())
            || contenders.iter().any(|contender| contender.view.samples >= enough)
        {
            return None;
        }
        let measuring = |candidate: &&Candidate| {
            let samples = candidate.view.map_or(0, |view| view.samples);
            let few = (1..self.settings.minimum_samples).contains(&samples);
            few && candidate.reach == Reach::Reachable && !candidate.options.noselect
        };
        let expected = candidates.iter().filter(measuring).count();
        self.waited += usize::from(expected > 0);
        (expected > 0).then_some(expected)
    }

    fn combine(
        &mut self,
        survivors: &[Contender],
        agreeing: usize,
        leap: LeapIndicator,
        verdicts: &mut Verdicts,
    ) -> Option<Combination> {
        let peer = self.system_peer.choose(survivors, &self.settings)?;
        let peer = survivors.iter().find(|survivor| survivor.source == peer)?;
        let distance = peer.view.root_distance();
        let reason = match agreeing - 1 {
            0 => format!("the only one to follow; root distance {}", Measured(distance)),
            others => {
                format!("agrees with {}; root distance {}", Others(others), Measured(distance))
            }
        };
        verdicts.settle(peer.source, Verdict::new(State::Selected, reason));

        let limit = self.settings.combine_limit;
        let farthest = limit * (distance + self.settings.reselect_distance);
        let mut combined = Vec::with_capacity(survivors.len());
        for other in survivors.iter().filter(|survivor| survivor.source != peer.source) {
            let verdict = if limit <= 0.0 {
                Verdict::new(State::Outlier, "agrees, but nothing is combined (combine-limit 0)")
            } else if other.view.root_distance() <= farthest {
                combined.push(*other);
                let apart = Measured((other.view.offset - peer.view.offset).abs());
                Verdict::new(State::Combined, format!("agrees; {apart} from the system peer"))
            } else {
                let (its, peers) = (Measured(other.view.root_distance()), Measured(distance));
                let reason = format!(
                    "agrees, but its root distance {its} is more than {limit} times the system \
                     peer's {peers}"
                );
                Verdict::new(State::Outlier, reason)
            };
            verdicts.settle(other.source, verdict);
        }
        Some(Combination::of(peer, &combined, leap))
    }
}

/// If any is preferred, only those that are.
fn preferred(truechimers: Vec<Contender>, verdicts: &mut Verdicts) -> Vec<Contender> {
    let (preferred, others): (Vec<_>, Vec<_>) =
        truechimers.into_iter().partition(|truechimer| truechimer.options.prefer);
    if preferred.is_empty() {
        return others;
    }
    for other in others {
        let are = if preferred.len() == 1 { "is" } else { "are" };
        let reason = format!("agrees, but {} {are} preferred", Sources(preferred.len()));
        verdicts.settle(other.source, Verdict::new(State::Unpreferred, reason));
    }
    preferred
}

/// The leap warning of the truechimers; of the trusted ones, if there are any.
fn leap(truechimers: &[Contender]) -> LeapIndicator {
    let trusted = truechimers.iter().any(|truechimer| truechimer.options.trust);
    let voters = truechimers.iter().filter(|truechimer| truechimer.options.trust == trusted);
    let votes: Vec<_> = voters.map(|truechimer| truechimer.leap).collect();
    combination::leap_vote(&votes)
}
