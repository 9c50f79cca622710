//! Why a command came to nothing, in the words that scripts look for.

use std::fmt;
use std::io;

use serde_json::{Value, json};
use timeball_wire::cmdmon::Status;

/// Why a command came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The command makes no sense; the text says what is wrong with it.
    Usage(String),
    /// None of the daemon's addresses answers.
    Unreachable,
    /// The daemon says no.
    Refused(Status),
    /// The daemon answered something else.
    BadReply,
    /// The clock is not as well as was asked for; that has been shown.
    NotSynchronised,
    /// A signal asked for the end.
    Interrupted,
    /// The system refused something.
    System(io::Error),
}

pub(super) type Outcome<T = ()> = Result<T, Trouble>;

impl Trouble {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::System(error) => error.fmt(f),
            Self::NotSynchronised => f.write_str("not synchronised"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Unreachable | Self::BadReply | Self::Refused(_) => {
                let (number, words) = self.status().unwrap_or(BAD_REPLY);
                write!(f, "{number} {words}")
            }
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// The number and the words of a status.
pub(super) fn words(status: Status) -> (u16, &'static str) {
    match status {
        Status::Success => (200, "OK"),
        Status::AccessAllowed => (208, "Access allowed"),
        Status::AccessDenied => (209, "Access denied"),
        Status::Failed => (500, "Failure"),
        Status::Unauthorised => (501, "Not authorised"),
        Status::Invalid => (502, "Invalid command"),
        Status::NoSuchSource => (503, "No such source"),
        Status::InvalidTimestamp => (504, "Duplicate or stale logon detected"),
        Status::NotEnabled => (505, "Facility not enabled in daemon"),
        Status::BadSubnet => (507, "Bad subnet"),
        Status::NoHostAccess => (510, "No command access from this host"),
        Status::SourceAlreadyKnown => (511, "Source already present"),
        Status::TooManySources => (512, "Too many sources present"),
        Status::NoRtc => (513, "RTC driver not running"),
        Status::BadRtcFile => (514, "Can't write RTC parameters"),
        Status::InvalidAddressFamily => (515, "Invalid address family"),
        Status::BadSample => (516, "Sample index out of range"),
        Status::BadPacketVersion => (517, "Protocol version mismatch"),
        Status::BadPacketLength => (518, "Packet length mismatch"),
        Status::Inactive => (519, "Client logging is not active in the daemon"),
        Status::InvalidName => (521, "Invalid name"),
        Status::Other(_) => (520, "Got unexpected error from daemon"),
    }
}

const UNREACHABLE: (u16, &str) = (506, "Cannot talk to daemon");
const BAD_REPLY: (u16, &str) = (508, "Bad reply from daemon");

impl Trouble {
    /// The number and the words of what is said in place of an answer; `None` for a complaint to
    /// the person who asked.
    pub(super) fn status(&self) -> Option<(u16, &'static str)> {
        match self {
            Self::Unreachable => Some(UNREACHABLE),
            Self::BadReply => Some(BAD_REPLY),
            Self::Refused(status) => Some(words(*status)),
            Self::Usage(_) | Self::NotSynchronised | Self::Interrupted | Self::System(_) => None,
        }
    }
}

/// The line that says it, and what JSON has instead.
pub(super) fn status_line((number, words): (u16, &str)) -> (String, Value) {
    (format!("{number} {words}"), json!({ "status": number, "message": words }))
}
