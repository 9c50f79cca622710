//! Everything the engine wants done.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use timeball_wire::Header;

use crate::discipline::{ClockCommand, Drift};
use crate::event::Event;
use crate::record::Record;
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
    pub datagram: [u8; Header::LEN],
}
