//! From measurements to the clock: selection, and what follows from its decision.

use std::collections::BTreeMap;

use timeball_wire::{Oscillator, ReferenceId, Span};

use super::Engine;
use crate::association::{Association, Authentication, Reachability};
use crate::discipline::local::LocalReference;
use crate::estimator::{Estimate, Estimator};
use crate::event::{Cause, Event};
use crate::now::Now;
use crate::selection::{
    Candidate, Decision, Orphan, Outcome, Proof, Reach, SourceId, State, Verdict, View,
};

impl Engine {
    pub(super) fn select(&mut self, now: Now) {
        self.selected_at = Some(now.monotonic);
        let candidates: Vec<Candidate> = self.candidates();
        let outcome = self.selection.select(&candidates, self.orphan().as_ref());
        let fresh: Vec<SourceId> =
            candidates.iter().filter(|c| c.updated).map(|c| c.source).collect();
        self.note_verdicts(&outcome);
        if !fresh.is_empty() {
            self.record_selection(now);
        }
        match outcome.decision {
            Decision::Synchronise(combination) => {
                self.reason = "synchronised".to_owned();
                self.contradiction_told = false;
                self.note_system_peer(combination.system_peer);
                // Who follows somebody needs a new measurement of theirs to learn something; who follows
                // nobody yet learns it by the decision, whosever measurement brought that about.
                let known = self.discipline.offset(&self.timeline);
                let news = fresh.iter().any(|source| combination.sources.contains(source));
                if news || known.is_none() {
                    let offset = combination.offset;
                    let foreseen = known.unwrap_or(0.0);
                    let bound = self.discipline.bound(now, &self.timeline);
                    self.outbox.event(Event::Updated { offset, unforeseen: offset - foreseen });
                    self.discipline.update(now, &self.timeline, &combination, &mut self.outbox);
                    self.publish(now);
                    self.record_update(now, &combination, foreseen, bound);
                }
            }
            decision => {
                let reason = decision.to_string();
                let contradiction = matches!(decision, Decision::NoMajority { .. });
                if contradiction {
                    self.discipline.desynchronise(now, &self.timeline, &mut self.outbox);
                }
                if self.system_peer.take().is_some()
                    || self.runs_out_of_patience()
                    || (contradiction && !self.contradiction_told)
                {
                    self.selection_told = true;
                    self.contradiction_told = contradiction;
                    let cause = cause(&decision, &outcome.verdicts);
                    self.outbox.event(Event::Unsynchronised { reason: reason.clone(), cause });
                }
                self.reason = reason;
                self.publish(now);
            }
        }
    }

    /// Since the start some source has been asked often enough, and there is none to follow yet.
    fn runs_out_of_patience(&self) -> bool {
        let clocks = self.reference_clocks.iter().map(|clock| clock.clock.reachability());
        let members = self.members().map(|member| member.association.reachability());
        !self.selection_told && members.chain(clocks).any(Reachability::is_full)
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let at = self.timeline.now();
        let correction = self.timeline.correction();
        let members = self
            .sources
            .iter()
            .flat_map(|source| source.members.iter().map(move |member| (source, member)));
        let members = members.map(|(source, member)| {
            let association = &member.association;
            Candidate {
                source: member.id,
                options: source.settings.options,
                proof: match source.settings.association.authentication {
                    Authentication::Key(_) | Authentication::Nts(_) => Proof::Key,
                    Authentication::None => Proof::None,
                },
                reach: reach(association),
                updated: member.updated,
                leap: association.leap().unwrap_or_default(),
                stratum: association.stratum(),
                reference_id: association.reference_id(),
                view: view_by(association.estimator(), at, correction),
            }
        });
        let clocks = self.reference_clocks.iter().map(|clock| {
            let settings = clock.clock.settings();
            Candidate {
                source: clock.id,
                options: settings.options,
                proof: Proof::Local,
                reach: clock.reach(),
                updated: clock.updated,
                leap: clock.clock.leap().unwrap_or_default(),
                stratum: settings.stratum,
                reference_id: settings.reference_id,
                view: view_by(clock.clock.estimator(), at, correction),
            }
        });
        members.chain(clocks).collect()
    }

    /// What this machine is among servers that have only each other.
    fn orphan(&self) -> Option<Orphan> {
        let local = self.local.as_ref().map(LocalReference::settings).filter(|l| l.orphan)?;
        let ids = self.own_addresses.iter().map(|address| ReferenceId::of_address(*address));
        let reference_id = ids.min_by_key(|id| id.to_bytes()).unwrap_or(ReferenceId::NONE);
        Some(Orphan { stratum: local.stratum, reference_id })
    }

    pub(super) fn note_verdicts(&mut self, outcome: &Outcome) {
        let mut verdicts: BTreeMap<SourceId, _> = outcome.verdicts.iter().cloned().collect();
        for source in &mut self.sources {
            for member in &mut source.members {
                let Some(verdict) = verdicts.remove(&member.id) else { continue };
                if verdict.state != member.verdict.state {
                    self.outbox.event(Event::SourceState {
                        name: member.label.clone(),
                        state: verdict.state,
                        reason: verdict.reason.clone(),
                    });
                }
                member.standing = outcome.standings.get(&member.id).copied();
                member.judged(verdict, &outcome.decision);
            }
        }
        for clock in &mut self.reference_clocks {
            let Some(verdict) = verdicts.remove(&clock.id) else { continue };
            if verdict.state != clock.verdict.state {
                self.outbox.event(Event::SourceState {
                    name: clock.label.clone(),
                    state: verdict.state,
                    reason: verdict.reason.clone(),
                });
            }
            clock.standing = outcome.standings.get(&clock.id).copied();
            clock.verdict = verdict;
            clock.updated = false;
        }
    }

    pub(super) fn note_system_peer(&mut self, peer: SourceId) {
        self.selection_told = true;
        if self.system_peer.replace(peer) == Some(peer) {
            return;
        }
        if let Some(name) = self.label_of(peer) {
            self.outbox.event(Event::SystemPeer { name });
        }
    }

    /// What the log calls a source.
    fn label_of(&self, source: SourceId) -> Option<String> {
        let members = self.members().map(|member| (member.id, &member.label));
        let clocks = self.reference_clocks.iter().map(|clock| (clock.id, &clock.label));
        let mut labels = members.chain(clocks);
        labels.find(|(id, _)| *id == source).map(|(_, label)| label.clone())
    }
}

/// Whether a source answers.
fn reach(association: &Association) -> Reach {
    let reachability = association.reachability();
    if association.dismissed().is_some() || association.is_given_up() {
        Reach::GivenUp
    } else if reachability.is_reachable() {
        Reach::Reachable
    } else {
        Reach::Silent { polls: reachability.unanswered() }
    }
}

/// Why there is no time to follow.
fn cause(decision: &Decision, verdicts: &[(SourceId, Verdict)]) -> Cause {
    let ready = |(_, verdict): &(SourceId, Verdict)| verdict.state == State::Waiting;
    match *decision {
        Decision::NoneSelectable if verdicts.is_empty() => Cause::NoSources,
        Decision::Waiting if verdicts.iter().any(ready) => Cause::Waiting,
        Decision::NoneSelectable | Decision::Waiting => {
            let unreachable =
                |(_, verdict): &&(SourceId, Verdict)| verdict.state == State::Unreachable;
            Cause::NoneSelectable { unreachable: verdicts.iter().filter(unreachable).count() }
        }
        Decision::NoMajority { agreeing, candidates } => Cause::NoMajority { agreeing, candidates },
        Decision::TooFew { .. } => Cause::TooFew,
        Decision::RequiredMissing(_) => Cause::RequiredMissing,
        Decision::Synchronise(_) => Cause::Waiting,
    }
}

/// What a source's measurements say of the system clock at the moment `at`.
fn view_by(estimator: &Estimator, at: Oscillator, correction: Span) -> Option<View> {
    let view = view(&estimator.estimate(at)?, correction);
    let memory = estimator.statistics().map_or(0.0, |statistics| statistics.memory);
    Some(View { oldest: view.newest + memory, ..view })
}

/// A source's estimate as a statement about the system clock.
pub(super) fn view(estimate: &Estimate, correction: Span) -> View {
    View {
        offset: (estimate.offset - correction).seconds(),
        offset_sd: estimate.offset_sd,
        frequency: estimate.frequency,
        jitter: estimate.jitter,
        root_delay: estimate.root_delay,
        root_dispersion: estimate.root_dispersion,
        samples: estimate.samples,
        newest: estimate.age.seconds(),
        oldest: estimate.age.seconds(),
    }
}
