//! What is measured and decided, step by step, for logs that people and programs look at later.
//!
//! A record is a piece of the read model ([`report`](crate::report)) at the moment at which
//! something happened. None is made that nobody [wants](Wanted).

use serde::{Deserialize, Serialize};
use timeball_wire::{LeapIndicator, ReferenceId, Timestamp};

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
    /// [`Content::ClockSample`].
    pub clock_samples: bool,
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
    /// A reference clock told the time.
    ClockSample(ClockSample),
}

/// What a reference clock told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockSample {
    /// Which clock.
    pub reference_id: ReferenceId,
    /// When, by the system clock.
    pub at: Timestamp,
    /// How far it has been worked on.
    pub stage: Stage,
    /// The clock's leap warning.
    pub leap: LeapIndicator,
    /// True time minus system clock (s), by the clock and its settings.
    pub offset: f64,
    /// Its dispersion (s).
    pub dispersion: f64,
}

/// How far a sample has been worked on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// As the clock told it.
    Raw {
        /// The reading within its poll that it came with, from 0.
        reading: usize,
        /// Clock minus system clock (s).
        told: f64,
    },
    /// A measurement, made of all samples of a poll.
    Filtered,
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
