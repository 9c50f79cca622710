//! What selection says.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, Contender, Options, SourceId};
use crate::combination::Combination;

/// What came of a source, in one word each. [`Verdict::reason`] has the sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not asked to take part (`noselect`).
    Unselectable,
    /// Too few measurements yet.
    #[default]
    Measuring,
    /// No answer to the last polls.
    Unreachable,
    /// The server is not synchronised.
    Unsynchronised,
    /// Stratum below the least allowed.
    StratumTooLow,
    /// Stratum above the largest allowed.
    StratumTooHigh,
    /// It has no time but its own, as we would if it were not there (`local orphan`).
    Orphan,
    /// Root distance too large.
    Distant,
    /// Jitter too large.
    Jittery,
    /// Outside the majority interval.
    Falseticker,
    /// Outside the interval of the trusted sources.
    Untrusted,
    /// Agrees, but the decision waits for something (majority, minimum, a required source).
    Waiting,
    /// Agrees, but a preferred source exists.
    Unpreferred,
    /// Agrees, but clustering found others closer together, or its distance is too large to combine.
    Outlier,
    /// Agrees and is combined.
    Combined,
    /// The system peer.
    Selected,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unselectable => "unselectable",
            Self::Measuring => "measuring",
            Self::Unreachable => "unreachable",
            Self::Unsynchronised => "unsynchronised",
            Self::StratumTooLow => "stratum-too-low",
            Self::StratumTooHigh => "stratum-too-high",
            Self::Orphan => "orphan",
            Self::Distant => "distant",
            Self::Jittery => "jittery",
            Self::Falseticker => "falseticker",
            Self::Untrusted => "untrusted",
            Self::Waiting => "waiting",
            Self::Unpreferred => "unpreferred",
            Self::Outlier => "outlier",
            Self::Combined => "combined",
            Self::Selected => "selected",
        })
    }
}

/// A source's state and why, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The word.
    pub state: State,
    /// The sentence, for example "212.0 ms off, outside the majority interval of ±80.0 µs".
    pub reason: String,
}

impl Verdict {
    pub(super) fn new(state: State, reason: impl Into<String>) -> Self {
        Self { state, reason: reason.into() }
    }
}

/// What a round of selection came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Each candidate's verdict, in the candidates' order.
    pub verdicts: Vec<(SourceId, Verdict)>,
    /// The numbers behind the verdicts of those that took part.
    pub standings: BTreeMap<SourceId, Standing>,
    /// The result.
    pub decision: Decision,
}

/// The numbers behind a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// What may be done with the source, the policy of authentication included.
    pub options: Options,
    /// The interval that contains true time minus system clock (s) if it is right; `None` without
    /// measurements.
    pub interval: Option<(f64, f64)>,
    /// How close it is to becoming the system peer: 1 not at all, 20 and it is.
    pub score: f64,
}

/// Whether there is a time to follow.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Yes, this.
    Synchronise(Combination),
    /// No source can be used at present.
    NoneSelectable,
    /// The sources contradict each other and no strict majority agrees.
    NoMajority {
        /// How many agree at most.
        agreeing: usize,
        /// Out of how many.
        candidates: usize,
    },
    /// Fewer agree than `minimum_sources`.
    TooFew {
        /// How many agree.
        agreeing: usize,
        /// How many must.
        required: usize,
    },
    /// No required source is among those that agree; this is the first of them.
    RequiredMissing(SourceId),
    /// More sources are about to answer; deciding now would be rash.
    Waiting,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synchronise(_) => write!(f, "synchronised"),
            Self::NoneSelectable => write!(f, "no selectable source"),
            Self::NoMajority { agreeing, candidates } => {
                write!(f, "no majority: at most {agreeing} of {candidates} sources agree")
            }
            Self::TooFew { agreeing, required } => {
                write!(f, "{agreeing} sources agree, {required} are required")
            }
            Self::RequiredMissing(_) => write!(f, "no required source agrees"),
            Self::Waiting => write!(f, "waiting for more measurements"),
        }
    }
}

/// The verdicts of a round, as they come.
#[derive(Debug, Default)]
pub(super) struct Verdicts(BTreeMap<SourceId, Verdict>);

impl Verdicts {
    pub(super) fn settle(&mut self, source: SourceId, verdict: Verdict) {
        self.0.insert(source, verdict);
    }

    /// The state settled for a source.
    pub(super) fn state(&self, source: SourceId) -> Option<State> {
        self.0.get(&source).map(|verdict| verdict.state)
    }

    /// Settles for all of `contenders` that they have to wait.
    pub(super) fn keep_waiting(&mut self, contenders: &[Contender], reason: &str) {
        for contender in contenders {
            self.settle(contender.source, Verdict::new(State::Waiting, reason));
        }
    }

    /// Each candidate's verdict, in the candidates' order.
    pub(super) fn in_order_of(&self, candidates: &[Candidate]) -> Vec<(SourceId, Verdict)> {
        let verdict = |source| match self.0.get(&source) {
            Some(verdict) => (source, verdict.clone()),
            None => (source, Verdict::new(State::Measuring, "not judged yet")),
        };
        candidates.iter().map(|candidate| verdict(candidate.source)).collect()
    }
}
