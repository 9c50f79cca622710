//! Why a file is no list of leap seconds.

use std::io;

use thiserror::Error;

/// The first thing that is wrong with a file.
#[derive(Debug, Error)]
pub enum LeapSecondsError {
    /// The system does not let us read it.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It has a megabyte and more.
    #[error("it is longer than 1 MiB: this is no leap-seconds.list")]
    TooLong,
    /// There are bytes that are no text.
    #[error("line {line} is not text: this is no leap-seconds.list")]
    NotText {
        /// From 1.
        line: usize,
    },
    /// A line ends too early.
    #[error("line {line} is incomplete")]
    MissingField {
        /// From 1.
        line: usize,
    },
    /// A line goes on where it should end.
    #[error("line {line} has `{found}` where it should end or have a # comment")]
    ExtraField {
        /// From 1.
        line: usize,
        /// The beginning of it.
        found: String,
    },
    /// A word is no number.
    #[error("line {line} has `{found}` where a number should be")]
    NotANumber {
        /// From 1.
        line: usize,
        /// The beginning of it.
        found: String,
    },
    /// A number cannot be what it should be.
    #[error("line {line}: {found} is too large")]
    OutOfRange {
        /// From 1.
        line: usize,
        /// The beginning of it.
        found: String,
    },
    /// A line there should be one of.
    #[error("line {line} is the second that begins with {marker}")]
    Repeated {
        /// From 1.
        line: usize,
        /// What it begins with.
        marker: &'static str,
    },
    /// Time goes back, or stands still.
    #[error("the time in line {line} is not after that of the line before")]
    NotAscending {
        /// From 1.
        line: usize,
    },
    /// UTC has its leap seconds at the end of a day.
    #[error("the time in line {line} is not a midnight")]
    NotMidnight {
        /// From 1.
        line: usize,
    },
    /// TAI − UTC changes by something else than a second.
    #[error("TAI − UTC jumps from {from} s to {to} s in line {line}: a leap second is 1 s")]
    NotALeapSecond {
        /// From 1.
        line: usize,
        /// TAI − UTC (s) before.
        from: i32,
        /// TAI − UTC (s) after.
        to: i32,
    },
    /// The line of the hash is not one.
    #[error("line {line} should have the five hexadecimal words of a hash")]
    BadHash {
        /// From 1.
        line: usize,
    },
    /// The file has been changed after its hash was made.
    #[error("its numbers do not have the hash that it says: it is damaged")]
    WrongHash,
    /// It has no hash, and no end of its last line.
    #[error("it ends in the middle of a line, and without a hash")]
    CutOff,
    /// Nothing says how long it is good for.
    #[error("there is no line `#@` with its expiry")]
    NoExpiry,
    /// It has no leap seconds.
    #[error("there are no leap seconds in it")]
    Empty,
}
