//! Everything the engine wants done.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::discipline::{ClockCommand, Drift};
use crate::event::Event;
use crate::record::Record;
use crate::reference_clock::Driver;
use crate::selection::SourceId;
use crate::server::ServerView;
use crate::settings::Family;

/// One request and the socket it went out on. Never used twice in the life of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExchangeId(pub u64);

/// One question to the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResolveId(pub u64);

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a request.
    Transmit(Transmit),
    /// Close the socket of this exchange; nothing more is expected on it.
    Close(ExchangeId),
    /// Look up a name; answer with [`Input::Resolved`](super::Input::Resolved).
    Resolve {
        /// Which question.
        id: ResolveId,
        /// The name, which may be a literal address.
        name: String,
        /// Only addresses of this family.
        family: Option<Family>,
    },
    /// Read a reference clock, once; answer with [`Input::ClockRead`](super::Input::ClockRead).
    ReadClock {
        /// Which.
        clock: SourceId,
        /// Where its samples come from.
        driver: Driver,
    },
    /// Establish keys with a server; answer with
    /// [`Input::KeysEstablished`](super::Input::KeysEstablished).
    EstablishKeys(KeyEstablishment),
    /// Adjust the clock; answer with [`Input::ClockAdjusted`](super::Input::ClockAdjusted).
    Clock(ClockCommand),
    /// What the server side says from now on.
    Publish(ServerView),
    /// Write the drift file.
    SaveDrift(Drift),
    /// Something for the log.
    Event(Event),
    /// Something that somebody wants a record of.
    Record(Record),
    /// End, with an error as the exit status: the clock must not follow its sources any more. The
    /// event before this says why.
    Exit,
}

/// Keys to establish by NTS (RFC 8915 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEstablishment {
    /// For whom.
    pub source: SourceId,
    /// The name, or address, that the server's certificate has to be for.
    pub name: String,
    /// Where it listens (TCP).
    pub address: SocketAddr,
    /// Ask from this local address.
    pub bind_address: Option<IpAddr>,
    /// Ask through this interface.
    pub bind_device: Option<String>,
    /// Whose certificates are trusted: the number of a set of them.
    pub certificate_set: u32,
    /// Resolve the name of another NTP server to this address family only.
    pub family: Option<Family>,
    /// If such a name has several addresses: not this one, which does not answer or is another
    /// source's.
    pub unwanted: Option<SocketAddr>,
}

/// The port that a packet leaves from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// A fresh socket's (RFC 9109), on which to listen until [`Output::Close`].
    Fresh,
    /// The server's, where peers expect it to come from and send theirs to. No socket is opened for
    /// it and none is closed.
    Server,
}

/// A request to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Transmit {
    /// Whose request.
    pub exchange: ExchangeId,
    /// Where to.
    pub destination: SocketAddr,
    /// Where from.
    pub from: Port,
    /// Send from this local address.
    pub bind_address: Option<IpAddr>,
    /// Send through this interface.
    pub bind_device: Option<String>,
    /// The whole datagram.
    pub datagram: Vec<u8>,
}
