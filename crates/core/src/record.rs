//! What is measured and decided, step by step, for logs that people and programs look at later.
//!
//! A record is a piece of the read model ([`report`](crate::report)) at the moment at which
//! something happened. None is made that nobody [wants](Wanted).

use serde::{Deserialize, Serialize};
use timeball_wire::Timestamp;

use crate::report::{SourceReport, Tracking};

/// Which records are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// [`Content::Answer`].
    pub answers: bool,
    /// [`Content::Estimate`].
    pub estimates: bool,
    /// [`Content::Selection`].
    pub selections: bool,
    /// [`Content::Update`].
    pub updates: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When, by the system clock.
    pub at: Timestamp,
    /// What.
    pub content: Content,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// A packet proved to be the answer to one of ours; the source's last exchange says what came of
    /// it.
    Answer(Box<SourceReport>),
    /// A measurement went into the estimate of this source.
    Estimate(Box<SourceReport>),
    /// After a measurement of one of them, these sources were judged.
    Selection(Vec<SourceReport>),
    /// The clock was compared with the sources, and is being corrected.
    Update(Box<Update>),
}

/// An update of the clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The clock after it.
    pub tracking: Tracking,
    /// How many sources were combined.
    pub combined: usize,
    /// True time minus system clock (s), beyond what was being corrected already.
    pub unforeseen: f64,
    /// What was being corrected already (s).
    pub remaining: f64,
    /// Bound (s) of the clock's error just before; `None` for the first update.
    pub bound: Option<f64>,
}
