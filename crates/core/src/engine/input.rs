//! Everything the engine can be told.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use timeball_auth::Keys;
use timeball_wire::Timestamp;

use super::output::{ExchangeId, ResolveId};
use crate::association::{Connectivity, KeyFailure, NtsSession, PollInterval};
use crate::discipline::ClockCommand;
use crate::now::Now;
use crate::reference_clock::RawSample;
use crate::selection::{Options, SourceId};
use crate::settings::{Local, Settings, SourceSettings};

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The deadline may have passed.
    Timeout,
    /// A datagram arrived on the socket of an exchange.
    Datagram(Answer<'a>),
    /// A packet arrived on the server's port for which [`Engine::expects`](super::Engine::expects) is
    /// true.
    PeerDatagram(PeerDatagram<'a>),
    /// A request left: its transmit timestamp. May come several times, better and better.
    Sent {
        /// Whose request.
        exchange: ExchangeId,
        /// When it left, by the system clock.
        at: Timestamp,
        /// How the moment is known.
        quality: StampQuality,
    },
    /// A request could not be sent, or the network said that nobody listens there.
    SendFailed {
        /// Whose request.
        exchange: ExchangeId,
        /// What was said.
        reason: String,
    },
    /// A name has been resolved.
    Resolved {
        /// Which question.
        id: ResolveId,
        /// The addresses, in the resolver's order.
        addresses: Result<&'a [IpAddr], ResolveError>,
    },
    /// A clock command was carried out, or refused. Comes with a reading taken right after; `before`
    /// was taken right before, so that the moment of the change is known.
    ClockAdjusted {
        /// The command.
        command: ClockCommand,
        /// All clocks just before.
        before: Now,
        /// How it went.
        result: Result<(), ClockError>,
    },
    /// This machine's own addresses, at start and whenever they change; a server that is one of them
    /// is no source.
    OwnAddresses(&'a [IpAddr]),
    /// All keys that this machine shares with others, at the start and whenever they were read again.
    /// Associations go on as they are; one whose key is gone asks no more until it is back.
    Keys(Arc<Keys>),
    /// Keys were established, or why not.
    KeysEstablished {
        /// For whom.
        source: SourceId,
        /// The keys, or why there are none.
        result: Result<Box<NtsSession>, KeyFailure>,
    },
    /// The correction (s/s) that the oscillator needs at its present temperature, known otherwise
    /// than by measuring time.
    Compensation(f64),
    /// A reference clock has been read, as [`Output::ReadClock`](super::Output::ReadClock) wanted.
    ClockRead {
        /// Which.
        clock: SourceId,
        /// What came of it.
        reading: ClockReading<'a>,
    },
}

/// What reading a reference clock has brought.
#[derive(Clone, Copy, Debug)]
pub enum ClockReading<'a> {
    /// It could be read.
    Samples {
        /// What it has told since the last reading, oldest first; nothing is no error.
        samples: &'a [RawSample],
        /// How often it told what makes no sense.
        malformed: u64,
    },
    /// It could not, for this reason.
    Failed(&'a str),
}

/// A datagram that arrived on the socket of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Whose socket.
    pub exchange: ExchangeId,
    /// Sender.
    pub from: SocketAddr,
    /// The address it was sent to, if the socket knows; the server's reference ID may name it.
    pub to: Option<IpAddr>,
    /// The payload, cut at the size of the receive buffer.
    pub bytes: &'a [u8],
    /// When it arrived, by the system clock.
    pub received: Timestamp,
    /// How the moment is known.
    pub quality: StampQuality,
}

/// A packet of a peer, which arrived on the server's port.
#[derive(Clone, Copy, Debug)]
pub struct PeerDatagram<'a> {
    /// Sender.
    pub from: SocketAddr,
    /// The address it was sent to, if the socket knows.
    pub to: Option<IpAddr>,
    /// The payload, cut at the size of the receive buffer.
    pub bytes: &'a [u8],
    /// When it arrived, by the system clock.
    pub received: Timestamp,
    /// How the moment is known.
    pub quality: StampQuality,
}

/// How a timestamp was taken, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StampQuality {
    /// The program read the clock.
    Daemon,
    /// The kernel did, in the network stack.
    Kernel,
    /// The network interface did.
    Hardware,
}

impl StampQuality {
    /// Error (s) to assume of such a timestamp beyond the clock's precision and what the round trip
    /// shows: a datagram that is stamped too early when it leaves, or too late when it comes, has
    /// seemingly been under way for longer.
    pub const fn error(self) -> f64 {
        match self {
            Self::Daemon | Self::Kernel => 0.0,
            Self::Hardware => 50e-9,
        }
    }
}

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist or has no address of the wanted family.
    #[error("no such name")]
    NotFound,
    /// The resolver could not be asked; trying again may help.
    #[error("{0}")]
    Temporary(String),
}

/// Why the kernel did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// The right to set the clock (`CAP_SYS_TIME`) is missing.
    #[error("no permission to set the clock (CAP_SYS_TIME)")]
    Permission,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What an operator can ask of a running engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Step the clock now, whatever the step policy says; also ends a panic.
    Step,
    /// Resolve all names anew.
    Refresh,
    /// Leave the clock as it should run without us: no slew, no armed leap second. The last outputs
    /// of an engine.
    Stop,
    /// Work with other settings from now on; unchanged sources keep their history.
    Configure(Box<Settings>),
    /// Send a volley of requests to the sources that are meant.
    Burst {
        /// Which.
        sources: Sources,
        /// As many good answers end it; `None` as at the start.
        good: Option<u32>,
        /// No more requests than this; `None` as at the start.
        total: Option<u32>,
    },
    /// Ask, or do not ask, the sources that are meant.
    Connect {
        /// Which.
        sources: Sources,
        /// Whether.
        connectivity: Connectivity,
    },
    /// Change one source.
    Modify {
        /// The address in use.
        address: IpAddr,
        /// What about it.
        change: SourceChange,
    },
    /// One source more.
    Add(Box<SourceSettings>),
    /// One source less.
    Delete(IpAddr),
    /// The same, of a source that may not have an address yet, by its name as configured.
    DeleteNamed(String),
    /// Other sources in place of some; those that are in both keep their history.
    Exchange {
        /// Sources to remove.
        gone: Vec<SourceSettings>,
        /// Sources to add.
        new: Vec<SourceSettings>,
    },
    /// Forget whom selection had chosen, and choose anew.
    Reselect,
    /// Forget every measurement.
    ResetSources,
    /// Other limits of steps.
    StepPolicy {
        /// Step if further off than this (s).
        threshold: f64,
        /// In so many updates to come; `None` for all.
        limit: Option<u32>,
    },
    /// Distance (s) by which another source must be better to become the system peer.
    ReselectDistance(f64),
    /// A frequency less certain than this (s/s) is not used.
    MaxUpdateSkew(f64),
    /// Adds to the frequency correction (s/s), as a test of what follows.
    AdjustFrequency(f64),
    /// Slews the clock by this (s), as a test of what follows.
    AdjustOffset(f64),
    /// This machine's clock as a reference, or no more.
    Local(Option<Local>),
    /// Start to smooth the served time, which waits for that with nothing to smooth.
    ActivateSmoothing,
    /// Forget what is left to smooth.
    ResetSmoothing,
}

/// Which sources an operator means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// All.
    All,
    /// Those with an address in this network.
    Within(IpNet),
}

impl Sources {
    /// True if a source at this address is meant.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Within(network) => network.contains(&address.to_canonical()),
        }
    }
}

/// What about a source an operator changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SourceChange {
    /// Shortest poll interval.
    MinPoll(PollInterval),
    /// Longest poll interval.
    MaxPoll(PollInterval),
    /// Longest delay (s).
    MaxDelay(f64),
    /// Longest delay, as a multiple of the smallest.
    MaxDelayRatio(f64),
    /// Longest delay, as a multiple of the standard deviation.
    MaxDelayDevRatio(f64),
    /// Least stratum.
    MinStratum(u8),
    /// Measurements that the poll interval aims at.
    PollTarget(usize),
    /// Known error (s).
    Offset(f64),
    /// What selection may do with it.
    Options(Options),
}

impl fmt::Display for SourceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinPoll(poll) => write!(f, "shortest poll interval 2^{} s", poll.exponent()),
            Self::MaxPoll(poll) => write!(f, "longest poll interval 2^{} s", poll.exponent()),
            Self::MaxDelay(delay) => write!(f, "longest delay {delay} s"),
            Self::MaxDelayRatio(ratio) => write!(f, "longest delay {ratio} times the smallest"),
            Self::MaxDelayDevRatio(ratio) => {
                write!(f, "longest delay {ratio} standard deviations above the smallest")
            }
            Self::MinStratum(stratum) => write!(f, "least stratum {stratum}"),
            Self::PollTarget(target) => write!(f, "{target} measurements aimed at"),
            Self::Offset(offset) => write!(f, "known error {offset} s"),
            Self::Options(_) => write!(f, "what selection may do with it has changed"),
        }
    }
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no source with this address.
    #[error("no such source")]
    NoSuchSource,
    /// There is one already.
    #[error("source already present")]
    SourceExists,
    /// The settings do not provide for it.
    #[error("not enabled")]
    NotEnabled,
    /// There is nothing to follow yet.
    #[error("the time is not known yet")]
    NotSynchronised,
}
