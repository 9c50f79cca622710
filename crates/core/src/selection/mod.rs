//! Which sources tell the truth?

use std::fmt;

use serde::{Deserialize, Serialize};
use timeball_wire::LeapIndicator;

use crate::combination::Combination;
use crate::estimator::Frequency;

/// Identifies a source for as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub u32);

/// What selection may do with a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Watch it, never use it.
    pub noselect: bool,
    /// Use it in preference to all that are not preferred.
    pub prefer: bool,
    /// It counts as right: others must agree with the trusted ones.
    pub trust: bool,
    /// Without it (and every other required one) nothing is selected.
    pub require: bool,
}

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
        }
    }
}

/// One source as selection sees it, everything predicted to the same moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which source.
    pub source: SourceId,
    /// What may be done with it.
    pub options: Options,
    /// Answered at least one of the last eight polls.
    pub reachable: bool,
    /// Has a measurement that the last selection did not have.
    pub updated: bool,
    /// Its server's last leap indicator.
    pub leap: LeapIndicator,
    /// Its server's stratum.
    pub stratum: u8,
    /// Its measurements' view of the clock; `None` before the first.
    pub view: Option<View>,
}

/// What a source believes of the system clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// True time minus system clock (s).
    pub offset: f64,
    /// One standard deviation of the offset (s).
    pub offset_sd: f64,
    /// Frequency of the oscillator against true time.
    pub frequency: Frequency,
    /// Standard deviation of single measurements (s).
    pub jitter: f64,
    /// Round-trip delay to the reference clock (s).
    pub root_delay: f64,
    /// Dispersion to the reference clock (s).
    pub root_dispersion: f64,
    /// Measurements behind it.
    pub samples: usize,
}

impl View {
    /// Half-width (s) of the interval that contains true time if the source is right.
    pub fn root_distance(&self) -> f64 {
        self.root_delay / 2.0 + self.root_dispersion
    }
}

/// What came of a source, in one word each. [`Verdict::reason`] has the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not asked to take part (`noselect`).
    Unselectable,
    /// Too few measurements yet.
    Measuring,
    /// No answer to the last polls.
    Unreachable,
    /// The server is not synchronised.
    Unsynchronised,
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
    /// The sentence, for example "212 ms outside the majority interval".
    pub reason: String,
}

/// What a round of selection came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Each candidate's verdict, in the candidates' order.
    pub verdicts: Vec<(SourceId, Verdict)>,
    /// The result.
    pub decision: Decision,
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
    /// A required source is not among those that agree.
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
            Self::RequiredMissing(_) => write!(f, "a required source does not agree"),
            Self::Waiting => write!(f, "waiting for more measurements"),
        }
    }
}

/// Selection, with the memory that hysteresis needs.
#[derive(Clone, Debug)]
pub struct Selection {
    _settings: Settings,
}

impl Selection {
    /// A selection that has selected nothing.
    pub fn new(settings: Settings) -> Self {
        Self { _settings: settings }
    }

    /// Judges the candidates.
    pub fn select(&mut self, _candidates: &[Candidate]) -> Outcome {
        Outcome { verdicts: Vec::new(), decision: Decision::NoneSelectable }
    }

    /// Changes the rules; the memory stays.
    pub fn configure(&mut self, settings: Settings) {
        self._settings = settings;
    }
}
