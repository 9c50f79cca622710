//! What a driver hands over, and the rules that it has to keep.

use std::fmt;

use serde::{Deserialize, Serialize};
use timeball_wire::{LeapIndicator, Timestamp};

/// The clock and the system clock, read at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSample {
    /// What the system clock showed.
    pub received: Timestamp,
    /// What the clock showed, on its own time scale.
    pub reference: Timestamp,
    /// Its leap warning.
    pub leap: LeapIndicator,
}

/// Why a sample says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleReject {
    /// The clock says that it has no time.
    Unsynchronised,
    /// It was taken before the poll before this, or by a system clock that was stepped since.
    Stale,
    /// The system clock has not shown its time yet: it was stepped back since.
    Future,
    /// It is not newer than the one before.
    NotNewer,
    /// So close to a leap second that nobody knows which second was meant.
    NearLeapSecond,
    /// It is in TAI, and there is no table of leap seconds that makes UTC of it.
    NoTaiOffset,
}

impl SampleReject {
    /// A short name, for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsynchronised => "clock-unsynchronised",
            Self::Stale => "clock-sample-stale",
            Self::Future => "clock-sample-from-the-future",
            Self::NotNewer => "clock-sample-not-newer",
            Self::NearLeapSecond => "clock-sample-near-leap-second",
            Self::NoTaiOffset => "clock-tai-offset-unknown",
        }
    }
}

impl fmt::Display for SampleReject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsynchronised => "the clock says that it has no time",
            Self::Stale => "the sample is too old",
            Self::Future => "the sample is from the future",
            Self::NotNewer => "the sample is not newer than the one before",
            Self::NearLeapSecond => "the sample is too close to a leap second",
            Self::NoTaiOffset => "no list of leap seconds tells UTC from TAI",
        })
    }
}
