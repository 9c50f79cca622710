//! What selection knows of a source.

use serde::{Deserialize, Serialize};
use timeball_wire::{LeapIndicator, ReferenceId};

use crate::estimator::Frequency;

/// Identifies a source for as long as it exists.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
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
    /// Unless this one, or another required one, agrees, nothing is selected.
    pub require: bool,
}

/// One source as selection sees it, everything predicted to the same moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which source.
    pub source: SourceId,
    /// What may be done with it.
    pub options: Options,
    /// Why its word is its own.
    pub proof: Proof,
    /// Whether it answers.
    pub reach: Reach,
    /// Has a measurement that the last selection did not have.
    pub updated: bool,
    /// Its server's last leap indicator.
    pub leap: LeapIndicator,
    /// Its server's stratum.
    pub stratum: u8,
    /// What a server that follows it has as its reference ID.
    pub reference_id: ReferenceId,
    /// Its measurements' view of the clock; `None` before the first.
    pub view: Option<View>,
}

/// Why the word of a source is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing proves it.
    None,
    /// A key that it shares with us.
    Key,
    /// It is a part of this machine.
    Local,
}

/// Whether a source answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answered at least one of the last eight polls.
    Reachable,
    /// It did not, but what it said before may be as good as what others say now.
    Silent {
        /// Polls since its last answer.
        polls: u32,
    },
    /// It did not for longer than it is patiently waited for, or refuses to serve us.
    GivenUp,
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
    /// Age of the newest of them (s).
    pub newest: f64,
    /// Age of the oldest of them (s).
    pub oldest: f64,
}

impl View {
    /// Half-width (s) of the interval that contains true time if the source is right.
    pub fn root_distance(&self) -> f64 {
        self.root_delay / 2.0 + self.root_dispersion
    }

    /// The interval that contains true time minus system clock (s) if the source is right.
    pub fn interval(&self) -> (f64, f64) {
        let distance = self.root_distance();
        (self.offset - distance, self.offset + distance)
    }

    /// True if one can compute with it.
    pub(crate) fn is_sane(&self) -> bool {
        /// No number of seconds in a view makes sense beyond this (30 000 years).
        const LARGEST: f64 = 1e12;
        let magnitudes =
            [self.offset_sd, self.frequency.sd, self.jitter, self.root_delay, self.root_dispersion];
        // Comparisons with what is not a number are false.
        magnitudes.iter().all(|m| (0.0..LARGEST).contains(m))
            && self.offset.abs() < LARGEST
            && self.frequency.value.abs() < LARGEST
    }
}

/// A candidate that takes part in the selection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) source: SourceId,
    pub(crate) options: Options,
    pub(crate) reach: Reach,
    pub(crate) updated: bool,
    pub(crate) leap: LeapIndicator,
    pub(crate) stratum: u8,
    pub(crate) reference_id: ReferenceId,
    pub(crate) view: View,
    /// Has measurements enough to be followed. Its vote counts from the first one: an interval is
    /// honest however few measurements are behind it, and whoever measures fastest shall not
    /// outvote those that are slower.
    pub(crate) seasoned: bool,
}

impl Contender {
    /// The interval that contains true time minus system clock if the source is right (s).
    pub(crate) fn interval(&self) -> (f64, f64) {
        self.view.interval()
    }

    /// True if both may be right.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let ((low, high), (other_low, other_high)) = (self.interval(), other.interval());
        low <= other_high && other_low <= high
    }
}
