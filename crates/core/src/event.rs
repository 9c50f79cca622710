//! What happened, for the log.

use std::fmt;
use std::net::SocketAddr;

use timeball_auth::{KeyId, Weakness};
use timeball_wire::{KissCode, Span, Timestamp};

use crate::association::{Connectivity, Reject};
use crate::engine::SourceChange;
use crate::reference_clock::SampleReject;
use crate::selection::State;
use crate::settings::SourceKind;

/// Something worth a line in the log. `Display` is that line.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A source became the system peer.
    SystemPeer {
        /// What the log calls it.
        name: String,
    },
    /// There is no time to follow any more, or not yet.
    Unsynchronised {
        /// Why, in words.
        reason: String,
        /// Why.
        cause: Cause,
    },
    /// The clock was compared with the sources, and is about to be corrected.
    Updated {
        /// True time minus system clock (s).
        offset: f64,
        /// The part of it that no earlier update had seen (s).
        unforeseen: f64,
    },
    /// A source was added by an operator.
    Added {
        /// Its name.
        name: String,
        /// What kind of source it is.
        kind: SourceKind,
        /// Its place among all sources, from 1. While it has no address this stands for it.
        place: usize,
    },
    /// A source was removed by an operator.
    Removed {
        /// Its name.
        name: String,
        /// What kind of source it is.
        kind: SourceKind,
    },
    /// A source is asked from now on, or not any more.
    Connectivity {
        /// Its name.
        name: String,
        /// Whether.
        connectivity: Connectivity,
    },
    /// An operator has changed something about a source.
    Modified {
        /// Its name.
        name: String,
        /// What.
        change: SourceChange,
    },
    /// A source's state changed.
    SourceState {
        /// Its name.
        name: String,
        /// The new state.
        state: State,
        /// Why.
        reason: String,
    },
    /// A source answers again, or no more.
    Reachability {
        /// Its name.
        name: String,
        /// It answers.
        reachable: bool,
    },
    /// A datagram was not believed.
    Rejected {
        /// The source's name.
        name: String,
        /// The rule it broke.
        reject: Reject,
    },
    /// A sample of a reference clock was not believed.
    SampleRejected {
        /// The clock's name.
        name: String,
        /// The rule it broke.
        reject: SampleReject,
    },
    /// A reference clock cannot be read.
    ClockUnreadable {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A server asked us to slow down or stop.
    Kiss {
        /// The source's name.
        name: String,
        /// The code.
        code: KissCode,
    },
    /// Something is wrong with the key of a source.
    KeyTrouble {
        /// The source's name.
        name: String,
        /// Its key.
        key: KeyId,
        /// What.
        trouble: KeyTrouble,
    },
    /// Keys were established with a source's server.
    KeysEstablished {
        /// The source's name.
        name: String,
        /// How many cookies came with them.
        cookies: usize,
        /// The NTP server that the keys are for, if that has changed.
        server: Option<SocketAddr>,
    },
    /// No keys could be established with a source's server.
    KeyEstablishmentFailed {
        /// The source's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A source was given another address.
    Replaced {
        /// Its name.
        name: String,
        /// The address it had.
        old: SocketAddr,
        /// The address it has now, if any.
        new: Option<SocketAddr>,
        /// Why.
        reason: String,
    },
    /// A source's own clock jumped.
    SourceStepped {
        /// Its name.
        name: String,
        /// By how much (s).
        by: f64,
    },
    /// A name could not be resolved.
    ResolveFailed {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// We stepped the clock.
    Stepped {
        /// By how much.
        by: Span,
    },
    /// Somebody else stepped the clock.
    ForeignStep {
        /// By how much.
        by: Span,
    },
    /// Somebody else changed the clock's frequency.
    ForeignFrequency {
        /// From (s/s).
        from: f64,
        /// To (s/s).
        to: f64,
    },
    /// This machine was suspended.
    Resumed {
        /// For how long.
        after: Span,
    },
    /// The clock is further off than may be stepped; it is slewed.
    StepRefused {
        /// How far it is off (s).
        offset: f64,
    },
    /// An offset that cannot be true is ignored.
    OffsetIgnored {
        /// How far the clock would be off (s).
        offset: f64,
        /// The largest change that is believed (s).
        limit: f64,
    },
    /// Offsets that cannot be true have been ignored as often as an operator wanted: we end.
    OffsetFatal {
        /// How far the clock would be off (s).
        offset: f64,
        /// The largest change that is believed (s).
        limit: f64,
    },
    /// All sources together are beyond the panic bound: nothing is adjusted until an operator says.
    Panic {
        /// How far they are off (s).
        offset: f64,
        /// The bound (s).
        bound: f64,
    },
    /// A leap second has been armed, or disarmed.
    LeapArmed {
        /// +1 inserted, −1 deleted, 0 disarmed.
        direction: i8,
    },
    /// The leap second has passed.
    LeapDone,
    /// The table of leap seconds knows nothing of the time to come any more.
    LeapTableExpired {
        /// Since when.
        expiry: Timestamp,
    },
    /// The kernel refused a clock command.
    ClockError {
        /// What it said.
        reason: String,
    },
    /// The settings were replaced.
    Reconfigured {
        /// Sources kept with their history.
        kept: usize,
        /// Sources added.
        added: usize,
        /// Sources removed.
        removed: usize,
    },
}

/// What is wrong with the key of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTrouble {
    /// There is no such key; nothing is sent without.
    Missing,
    /// It is for hosts of other addresses; no answer will be believed.
    ForOthers,
    /// It works, but had better be replaced.
    Weak(Weakness),
}

/// Why there is no time to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There are no sources at all.
    NoSources,
    /// No source may be selected.
    NoneSelectable {
        /// So many do not answer.
        unreachable: usize,
    },
    /// No majority of the candidates agrees.
    NoMajority {
        /// The most that agree.
        agreeing: usize,
        /// All of them.
        candidates: usize,
    },
    /// Fewer agree than are required.
    TooFew,
    /// A required source does not agree.
    RequiredMissing,
    /// The candidates need more measurements.
    Waiting,
    /// The last update is too long ago.
    Aged,
}

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For whoever is looking.
    Debug,
    /// Normal operation.
    Info,
    /// An operator should know.
    Warning,
    /// An operator must act.
    Error,
}

impl Event {
    /// How loud this event is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Rejected { .. } | Self::SampleRejected { .. } | Self::Updated { .. } => {
                Severity::Debug
            }
            Self::SystemPeer { .. }
            | Self::Added { .. }
            | Self::Removed { .. }
            | Self::Connectivity { .. }
            | Self::Modified { .. }
            | Self::KeysEstablished { .. }
            | Self::Replaced { .. }
            | Self::Resumed { .. }
            | Self::LeapArmed { .. }
            | Self::LeapDone
            | Self::Reconfigured { .. } => Severity::Info,
            Self::SourceState { state, .. } => match state {
                State::Falseticker | State::Untrusted => Severity::Warning,
                _ => Severity::Debug,
            },
            Self::Reachability { reachable, .. } => {
                if *reachable {
                    Severity::Info
                } else {
                    Severity::Warning
                }
            }
            Self::Unsynchronised { .. }
            | Self::KeyTrouble { .. }
            | Self::KeyEstablishmentFailed { .. }
            | Self::Kiss { .. }
            | Self::SourceStepped { .. }
            | Self::ResolveFailed { .. }
            | Self::ClockUnreadable { .. }
            | Self::Stepped { .. }
            | Self::ForeignStep { .. }
            | Self::ForeignFrequency { .. }
            | Self::StepRefused { .. }
            | Self::OffsetIgnored { .. }
            | Self::LeapTableExpired { .. } => Severity::Warning,
            Self::Panic { .. } | Self::OffsetFatal { .. } | Self::ClockError { .. } => {
                Severity::Error
            }
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemPeer { name } => write!(f, "selected source {name}"),
            Self::Unsynchronised { reason, .. } => write!(f, "not synchronised: {reason}"),
            Self::Updated { offset, .. } => write!(f, "the clock is {offset:+.9} s off"),
            Self::Added { name, .. } => write!(f, "source {name} added"),
            Self::Removed { name, .. } => write!(f, "source {name} removed"),
            Self::Connectivity { name, connectivity } => match connectivity {
                Connectivity::Online => write!(f, "source {name} is asked"),
                Connectivity::Offline => write!(f, "source {name} is not asked any more"),
                Connectivity::AutoOffline => {
                    write!(f, "source {name} is asked for as long as it can be reached")
                }
            },
            Self::Modified { name, change } => write!(f, "source {name}: {change}"),
            Self::SourceState { name, state, reason } => {
                write!(f, "source {name}: {state}: {reason}")
            }
            Self::Reachability { name, reachable: true } => write!(f, "source {name} answers"),
            Self::Reachability { name, reachable: false } => {
                write!(f, "source {name} does not answer")
            }
            Self::Rejected { name, reject } => {
                write!(f, "datagram for source {name} rejected: {reject}")
            }
            Self::SampleRejected { name, reject } => {
                write!(f, "sample of {name} rejected: {reject}")
            }
            Self::ClockUnreadable { name, reason } => {
                write!(f, "reference clock {name} cannot be read: {reason}")
            }
            Self::Kiss { name, code } => match code {
                KissCode::Rate => write!(f, "source {name} says RATE: polling more slowly"),
                KissCode::Deny => write!(f, "source {name} says DENY: not asking it any more"),
                KissCode::Restrict => write!(f, "source {name} says RSTR: not asking it any more"),
                KissCode::Other(code) => {
                    write!(f, "source {name} says {}: no meaning to us", code.escape_ascii())
                }
            },
            Self::KeyTrouble { name, key, trouble } => match trouble {
                KeyTrouble::Missing => write!(
                    f,
                    "source {name} is not asked: there is no key {key}; write it into the key file \
                     and have the keys read again"
                ),
                KeyTrouble::ForOthers => {
                    write!(
                        f,
                        "source {name} will not be believed: key {key} is for other addresses"
                    )
                }
                KeyTrouble::Weak(why) => {
                    write!(f, "key {key} of source {name} should be replaced: {why}")
                }
            },
            Self::KeysEstablished { name, cookies, server: None } => {
                write!(f, "keys established with source {name}, {cookies} cookies")
            }
            Self::KeysEstablished { name, cookies, server: Some(server) } => {
                write!(f, "keys established with source {name} for {server}, {cookies} cookies")
            }
            Self::KeyEstablishmentFailed { name, reason } => {
                write!(f, "no keys could be established with source {name}: {reason}")
            }
            Self::Replaced { name, old, new: Some(new), reason } => {
                write!(f, "source {name}: {} replaced by {}: {reason}", old.ip(), new.ip())
            }
            Self::Replaced { name, old, new: None, reason } => {
                write!(f, "source {name}: {} given up: {reason}", old.ip())
            }
            Self::SourceStepped { name, by } => {
                write!(f, "the clock of source {name} jumped by {by:+.6} s")
            }
            Self::ResolveFailed { name, reason } => write!(f, "cannot resolve {name}: {reason}"),
            Self::Stepped { by } => write!(f, "system clock was stepped by {:+.6} s", by.seconds()),
            Self::ForeignStep { by } => {
                write!(f, "somebody else stepped the system clock by {:+.6} s", by.seconds())
            }
            Self::ForeignFrequency { from, to } => write!(
                f,
                "somebody else changed the clock's frequency from {:+.3} to {:+.3} ppm",
                from * 1e6,
                to * 1e6
            ),
            Self::Resumed { after } => {
                write!(f, "resumed after {:.1} s of suspend", after.seconds())
            }
            Self::StepRefused { offset } => {
                write!(
                    f,
                    "the clock is {offset:+.3} s off and may not be stepped any more: slewing"
                )
            }
            Self::OffsetIgnored { offset, limit } => write!(
                f,
                "adjustment of {offset:.3} seconds exceeds the allowed maximum of {limit:.3} \
                 seconds: ignored"
            ),
            Self::OffsetFatal { offset, limit } => write!(
                f,
                "adjustment of {offset:.3} seconds exceeds the allowed maximum of {limit:.3} \
                 seconds once too often: exiting; check the sources"
            ),
            Self::Panic { offset, bound } => write!(
                f,
                "all sources are {offset:+.3} s away from the clock, beyond the panic bound of \
                 {bound} s: nothing is adjusted; check the sources, then `timeball step`"
            ),
            Self::LeapArmed { direction: 1 } => {
                write!(f, "a leap second will be inserted at the end of this UTC day")
            }
            Self::LeapArmed { direction: -1 } => {
                write!(f, "a leap second will be deleted at the end of this UTC day")
            }
            Self::LeapArmed { .. } => write!(f, "the leap second is called off"),
            Self::LeapDone => write!(f, "the leap second has passed"),
            Self::LeapTableExpired { expiry } => write!(
                f,
                "the list of leap seconds expired on {expiry:.0}: TAI − UTC is taken to be unchanged, \
                 and leap seconds are those that most sources announce; install a newer list and \
                 reload"
            ),
            Self::ClockError { reason } => {
                write!(f, "the kernel refused to adjust the clock: {reason}")
            }
            Self::Reconfigured { kept, added, removed } => {
                write!(
                    f,
                    "configuration reloaded: {kept} sources kept, {added} added, {removed} removed"
                )
            }
        }
    }
}
