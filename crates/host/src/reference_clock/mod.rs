//! Reference clocks of this machine: programs that have the time from a receiver and hand it on.
//!
//! What they write may be anything; a sample that makes no sense is counted and left.

pub mod shared_memory;
pub mod socket;

use timeball_wire::{LeapIndicator, Timestamp};

/// The clock and the system clock, read at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSample {
    /// What the system clock showed.
    pub received: Timestamp,
    /// What the clock showed.
    pub reference: Timestamp,
    /// The clock's leap warning.
    pub leap: LeapIndicator,
}

/// Why what was found is no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The writer was at work while it was read.
    #[error("it changed while it was read")]
    Torn,
    /// It is of a kind that does not exist.
    #[error("its mode is neither 0 nor 1")]
    Mode,
    /// A time that no clock shows: a fraction of a second or more, before 1970 or after 2262.
    #[error("a time in it is none")]
    Time,
    /// A leap warning that does not exist.
    #[error("its leap warning is none")]
    Leap,
    /// It has another length.
    #[error("its length is wrong")]
    Length,
    /// It does not begin or end as it should.
    #[error("its magic number is wrong")]
    Magic,
    /// A pulse tells where a second begins and not which.
    #[error("it is a pulse, which does not tell the second")]
    Pulse,
}

/// A time of seconds and nanoseconds; `None` if no clock shows it.
fn timestamp(seconds: i64, nanos: i64) -> Option<Timestamp> {
    if seconds < 0 || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let nanos = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some(Timestamp::from_nanos(nanos))
}

/// A leap warning by its number (RFC 5905 §7.3).
fn leap(number: i32) -> Result<LeapIndicator, Malformed> {
    match number {
        0 => Ok(LeapIndicator::NoWarning),
        1 => Ok(LeapIndicator::Insert),
        2 => Ok(LeapIndicator::Delete),
        3 => Ok(LeapIndicator::Unsynchronised),
        _ => Err(Malformed::Leap),
    }
}
