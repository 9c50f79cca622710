//! UDP as a time service needs it: every datagram knows when it came and which of our addresses it
//! was sent to, and every datagram we send can tell when it left.
//!
//! | file | what it is about |
//! |---|---|
//! | [`client`](ClientSocket) | one connected socket per server, from a random port (RFC 9109) |
//! | [`server`](ServerSocket) | one bound socket that answers from the address it was asked at |
//! | [`probing`](ProbeSocket) | one socket that asks many hosts |
//! | [`tcp`](TcpListener) | one socket that clients of key establishment connect to |
//! | [`stream`](StreamSocket) | a TCP connection, for what goes before the first datagram |
//! | `batch` | many datagrams in one call |
//! | `stamping` | timestamps: what to ask the kernel for, and what it answered |
//! | `message` | one datagram with its address and ancillary data, in and out |
//! | `control` | ancillary data ⇄ types |
//! | `address` | socket addresses ⇄ what the kernel calls so |
//!
//! A socket is read **once per readiness** that [`crate::poll::PollSet`] reported.

mod address;
mod batch;
mod client;
mod control;
mod message;
mod probing;
mod server;
mod stamping;
mod stream;
mod tcp;

use std::io;
use std::net::{IpAddr, SocketAddr};

pub use self::batch::ReceiveBatch;
pub(crate) use self::client::local_address;
pub use self::client::{ClientOptions, ClientSocket, Incoming};
pub use self::probing::{ProbeSocket, Probed};
pub use self::server::{PortSharing, ServerOptions, ServerSocket};
pub use self::stamping::{
    HardwareStamp, SendCounter, Stamp, StampKeeper, StampSource, Stamping, Transmitted,
};
pub use self::stream::{Arrived, StreamSocket};
pub use self::tcp::TcpListener;

/// A datagram that arrived. Its bytes are in the buffer that was given to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// True if it was longer than the buffer; the rest is lost.
    pub truncated: bool,
    /// Where it came from.
    pub from: SocketAddr,
    /// Which of our addresses it was sent to, where the kernel says so; if it was sent to everybody,
    /// the one to answer from.
    pub to: Option<IpAddr>,
    /// Whether it was sent to a broadcast or multicast address. False where the kernel does not say.
    pub to_everybody: bool,
    /// The index of the interface it came through, where the kernel says so.
    pub interface: Option<u32>,
    /// When it arrived, by the system clock.
    pub stamp: Stamp,
    /// When it arrived by the clock of the network card, if that has one. It is not system time
    /// and not part of `stamp`; something that follows that clock must convert it.
    pub hardware: Option<HardwareStamp>,
}

/// Why a datagram does not reach its destination, as the network reports it (ICMP, or no route).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreachable {
    /// Nobody listens at that port.
    #[error("nobody listens at that port")]
    Port,
    /// The host cannot be reached, or a firewall says so.
    #[error("host unreachable")]
    Host,
    /// There is no way to that network.
    #[error("network unreachable")]
    Network,
    /// The host does not speak UDP.
    #[error("the host does not speak UDP")]
    Protocol,
    /// This machine's own firewall does not let it out.
    #[error("this machine's own firewall forbids sending there")]
    Forbidden,
}

impl Unreachable {
    /// What the network says in `error`; `None` if it is another kind of error.
    pub fn from_error(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            libc::ECONNREFUSED => Some(Self::Port),
            libc::EHOSTUNREACH | libc::EHOSTDOWN => Some(Self::Host),
            libc::ENETUNREACH | libc::ENETDOWN => Some(Self::Network),
            libc::EPROTO | libc::ENOPROTOOPT => Some(Self::Protocol),
            libc::EPERM | libc::EACCES => Some(Self::Forbidden),
            _ => None,
        }
    }
}
