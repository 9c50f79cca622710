//! Whom a majority has found to be wrong, and who was in it.
//!
//! A liar does not become honest when those fall silent who contradict it. As long as they may come
//! back, nobody is followed whom they have found wrong and nobody else has found right since.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::{Candidate, Contender, Reach, SourceId};
use super::verdict::{State, Verdict, Verdicts};
use super::wording::Others;

/// The majority has lost its say when all of it have been silent for this many polls: 18 hours at
/// 1024 s.
const PATIENCE: u32 = 64;

/// Falsetickers of former rounds, and the majority that said so.
#[derive(Clone, Debug, Default)]
pub(super) struct Convictions(BTreeMap<SourceId, BTreeSet<SourceId>>);

impl Convictions {
    /// Forgets those of a majority that will not come back.
    pub(super) fn expire(&mut self, candidates: &[Candidate]) {
        let may_speak = |source: &SourceId| {
            candidates.iter().any(|candidate| {
                candidate.source == *source
                    && match candidate.reach {
                        Reach::Reachable => true,
                        Reach::Silent { polls } => polls < PATIENCE,
                        Reach::GivenUp => false,
                    }
            })
        };
        self.0.retain(|_, majority| {
            majority.retain(&may_speak);
            !majority.is_empty()
        });
    }

    /// Takes note of a majority that found somebody wrong, and of those it found right.
    pub(super) fn note(
        &mut self,
        truechimers: &[Contender],
        contenders: &[Contender],
        verdicts: &Verdicts,
    ) {
        let majority: BTreeSet<SourceId> = truechimers.iter().map(|t| t.source).collect();
        self.0.retain(|source, _| !majority.contains(source));
        if majority.len() < 2 {
            return;
        }
        for contender in contenders {
            if verdicts.state(contender.source) == Some(State::Falseticker) {
                self.0.insert(contender.source, majority.clone());
            }
        }
    }

    /// True if there is nobody among the truechimers but those found wrong before, by no fewer than
    /// they are; says so.
    pub(super) fn forbid(&self, truechimers: &[Contender], verdicts: &mut Verdicts) -> bool {
        let majority = |truechimer: &Contender| {
            self.0.get(&truechimer.source).filter(|m| m.len() >= truechimers.len())
        };
        let majorities: Option<Vec<_>> = truechimers.iter().map(majority).collect();
        let Some(majorities) = majorities else { return false };
        for (truechimer, majority) in truechimers.iter().zip(majorities) {
            let reason = format!("{} that do not answer found it wrong", Others(majority.len()));
            verdicts.settle(truechimer.source, Verdict::new(State::Falseticker, reason));
        }
        true
    }
}
