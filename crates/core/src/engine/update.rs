//! From measurements to the clock: selection, and what follows from its decision.

use std::collections::BTreeMap;

use timeball_wire::Span;

use super::Engine;
use crate::estimator::Estimate;
use crate::event::{Cause, Event};
use crate::now::Now;
use crate::selection::{Candidate, Decision, Outcome, SourceId, State, Verdict, View};

impl Engine {
    pub(super) fn select(&mut self, now: Now) {
        let candidates: Vec<Candidate> = self.candidates();
        let outcome = self.selection.select(&candidates);
        let fresh: Vec<SourceId> =
            candidates.iter().filter(|c| c.updated).map(|c| c.source).collect();
        self.note_verdicts(&outcome);
        match outcome.decision {
            Decision::Synchronise(combination) => {
                self.reason = "synchronised".to_owned();
                self.note_system_peer(combination.system_peer);
                // Without a new measurement behind it there is nothing new to follow.
                if fresh.iter().any(|source| combination.sources.contains(source)) {
                    let offset = combination.offset;
                    let foreseen = self.discipline.offset(&self.timeline).unwrap_or(0.0);
                    self.outbox.event(Event::Updated { offset, unforeseen: offset - foreseen });
                    self.discipline.update(now, &self.timeline, &combination, &mut self.outbox);
                    self.publish(now);
                }
            }
            decision => {
                let reason = decision.to_string();
                if matches!(decision, Decision::NoMajority { .. }) {
                    self.discipline.desynchronise(now, &self.timeline, &mut self.outbox);
                }
                if self.system_peer.take().is_some()
                    || (self.reason != reason && matches!(decision, Decision::NoMajority { .. }))
                {
                    let cause = cause(&decision, &outcome.verdicts);
                    self.outbox.event(Event::Unsynchronised { reason: reason.clone(), cause });
                }
                self.reason = reason;
                self.publish(now);
            }
        }
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let at = self.timeline.now();
        let correction = self.timeline.correction();
        self.sources
            .iter()
            .flat_map(|source| source.members.iter().map(move |member| (source, member)))
            .map(|(source, member)| {
                let association = &member.association;
                Candidate {
                    source: member.id,
                    options: source.settings.options,
                    reachable: association.reachability().is_reachable()
                        && association.dismissed().is_none(),
                    updated: member.updated,
                    leap: association.leap().unwrap_or_default(),
                    stratum: association.stratum(),
                    view: association.estimator().estimate(at).map(|e| view(&e, correction)),
                }
            })
            .collect()
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
                member.judged(verdict);
            }
        }
    }

    pub(super) fn note_system_peer(&mut self, peer: SourceId) {
        if self.system_peer.replace(peer) == Some(peer) {
            return;
        }
        let label = self.members().find(|member| member.id == peer).map(|m| m.label.clone());
        if let Some(name) = label {
            self.outbox.event(Event::SystemPeer { name });
        }
    }
}

/// Why there is no time to follow.
fn cause(decision: &Decision, verdicts: &[(SourceId, Verdict)]) -> Cause {
    match *decision {
        Decision::NoneSelectable if verdicts.is_empty() => Cause::NoSources,
        Decision::NoneSelectable => {
            let unreachable =
                |(_, verdict): &&(SourceId, Verdict)| verdict.state == State::Unreachable;
            Cause::NoneSelectable { unreachable: verdicts.iter().filter(unreachable).count() }
        }
        Decision::NoMajority { agreeing, candidates } => Cause::NoMajority { agreeing, candidates },
        Decision::TooFew { .. } => Cause::TooFew,
        Decision::RequiredMissing(_) => Cause::RequiredMissing,
        Decision::Waiting | Decision::Synchronise(_) => Cause::Waiting,
    }
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
    }
}
