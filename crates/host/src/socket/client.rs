//! The socket of one request: connected to its server, from a port nobody can guess (RFC 9109).

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::address::{RawAddress, domain};
use super::control::ControlBuffer;
use super::message::{self, Envelope};
use super::stamping::{Counting, SendCounter, Stamping, TransmitStamps, Transmitted, daemon_time};
use super::{Received, Unreachable};
use crate::os::{check, open_socket, set_option, set_option_bytes};
use crate::poll::Readiness;

/// How a client socket is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientOptions {
    /// Send from this local address.
    pub bind_address: Option<IpAddr>,
    /// Send from this local port, which other sockets may use too; 0 for one that nobody can guess.
    pub port: u16,
    /// Send through this interface.
    pub bind_device: Option<String>,
    /// The differentiated services code point (RFC 2474), 0 to 63.
    pub dscp: u8,
    /// The best timestamps to ask for.
    pub stamping: Stamping,
}

/// Something came in at a client socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// A datagram from the server.
    Datagram(Received),
    /// A request has left.
    Transmitted(Transmitted),
    /// The network says that a request did not arrive. Anybody who can guess the port can make it
    /// say so: a hint, not a fact.
    Unreachable(Unreachable),
}

/// A socket that talks to one server only.
pub struct ClientSocket {
    socket: OwnedFd,
    peer: SocketAddr,
    stamping: Stamping,
    counting: Counting,
    envelope: Box<Envelope>,
}

impl std::fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSocket")
            .field("socket", &self.socket)
            .field("peer", &self.peer)
            .field("stamping", &self.stamping)
            .finish_non_exhaustive()
    }
}

/// Any address of the server's family.
fn unspecified(server: &SocketAddr) -> IpAddr {
    match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

impl ClientSocket {
    /// A fresh socket, connected to `server`.
    ///
    /// # Errors
    ///
    /// When the kernel has no such protocol, address or interface, or no way to the server
    /// ([`Unreachable::from_error`] knows). Refused timestamps and code points are no error.
    pub fn open(server: SocketAddr, options: &ClientOptions) -> io::Result<Self> {
        let socket = open_socket(domain(&server), libc::SOCK_DGRAM)?;
        if let Some(device) = &options.bind_device {
            bind_to_device(socket.as_fd(), device)?;
        }
        if options.port != 0 {
            // Each socket gets only what comes from its own server.
            set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        }
        if options.bind_address.is_some() || options.port != 0 {
            let address = options.bind_address.unwrap_or_else(|| unspecified(&server));
            bind(socket.as_fd(), SocketAddr::new(address, options.port))?;
        }
        prefer(socket.as_fd(), &server, options.dscp);
        let stamping = options.stamping.enable(socket.as_fd(), TransmitStamps::Always);
        tell_destinations(socket.as_fd(), &server);
        let address = RawAddress::from(server);
        // SAFETY: the pointer and length describe `address`, which is only read.
        check(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr(), address.length()) })?;
        Ok(Self {
            socket,
            peer: server,
            stamping,
            counting: Counting::default(),
            envelope: Box::new(Envelope::new()),
        })
    }

    /// The server.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Who stamps the datagrams of this socket.
    pub fn stamping(&self) -> Stamping {
        self.stamping
    }

    /// The local address and port, as routing has chosen them.
    ///
    /// # Errors
    ///
    /// When the kernel does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        local_address(self.socket.as_fd())
    }

    /// Sends a datagram to the server. Its transmit timestamp follows as
    /// [`Incoming::Transmitted`] with the same number, unless [`ClientSocket::stamping`] says that
    /// there will be none.
    ///
    /// # Errors
    ///
    /// The kernel's, including what the network said of an *earlier* datagram
    /// ([`Unreachable::from_error`] knows).
    pub fn send(&mut self, datagram: &[u8]) -> io::Result<SendCounter> {
        message::send(self.socket.as_fd(), datagram, None, &ControlBuffer::new())?;
        Ok(self.counting.sent())
    }

    /// Takes what `readiness` announced, the report of a transmission first. Call it until it
    /// answers `None`: `readiness` is used up on the way, and no call is made that it does not
    /// justify.
    ///
    /// # Errors
    ///
    /// When the socket is broken. What the network says is not an error but
    /// [`Incoming::Unreachable`].
    pub fn incoming(
        &mut self,
        readiness: &mut Readiness,
        buffer: &mut [u8],
    ) -> io::Result<Option<Incoming>> {
        if std::mem::take(&mut readiness.error_queue) {
            if let Some(transmitted) = self.recv_transmit_stamp()? {
                return Ok(Some(Incoming::Transmitted(transmitted)));
            }
            // No report: then it is a pending error, which receiving takes.
            readiness.readable = true;
        }
        if std::mem::take(&mut readiness.readable) {
            return self.recv(buffer);
        }
        Ok(None)
    }

    /// Receives one datagram, or what the network says, without waiting.
    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<Incoming>> {
        let received = message::receive(self.socket.as_fd(), buffer, &mut self.envelope, 0);
        match received {
            Ok(None) => Ok(None),
            Ok(Some(written)) => {
                let received = self.envelope.received(written, daemon_time()?);
                Ok(received.map(Incoming::Datagram))
            }
            Err(error) => match Unreachable::from_error(&error) {
                Some(unreachable) => Ok(Some(Incoming::Unreachable(unreachable))),
                None => Err(error),
            },
        }
    }

    fn recv_transmit_stamp(&mut self) -> io::Result<Option<Transmitted>> {
        self.counting.receive_report(self.socket.as_fd(), &mut self.envelope)
    }
}

impl AsFd for ClientSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sets what is nice to have: a kernel that refuses it still carries the datagrams.
pub(super) fn prefer(socket: BorrowedFd<'_>, address: &SocketAddr, dscp: u8) {
    let traffic_class = c_int::from(dscp & 0x3f) << 2;
    // Datagrams are short. The interface's size is used as the limit, so that nobody can have them
    // cut in pieces, and replaced in part, by forged "too big" messages.
    let (level, discovery, class) = match address {
        SocketAddr::V4(_) => {
            (libc::IPPROTO_IP, (libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_INTERFACE), libc::IP_TOS)
        }
        SocketAddr::V6(_) => (
            libc::IPPROTO_IPV6,
            (libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_INTERFACE),
            libc::IPV6_TCLASS,
        ),
    };
    let _ = set_option(socket, level, discovery.0, discovery.1);
    if traffic_class != 0 {
        let _ = set_option(socket, level, class, traffic_class);
    }
}

/// Has the kernel tell through which interface a datagram came, whose card it is that could stamp,
/// and to which of our addresses. Refusal shows as [`Received::interface`] and [`Received::to`] being
/// absent.
fn tell_destinations(socket: BorrowedFd<'_>, address: &SocketAddr) {
    let (level, name) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let _ = set_option(socket, level, name, 1);
}

pub(super) fn bind(socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    let address = RawAddress::from(address);
    // SAFETY: the pointer and length describe `address`, which is only read.
    check(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr(), address.length()) })?;
    Ok(())
}

pub(super) fn bind_to_device(socket: BorrowedFd<'_>, device: &str) -> io::Result<()> {
    // The kernel wants a C string; a name with a zero inside would be another name.
    let name = std::ffi::CString::new(device)?;
    set_option_bytes(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_bytes_with_nul())
}

pub(crate) fn local_address(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let mut address = RawAddress::empty();
    let length = address.length_mut();
    // SAFETY: both pointers are valid and describe `address`, which the kernel fills.
    check(unsafe { libc::getsockname(socket.as_raw_fd(), address.as_mut_ptr(), length) })?;
    address.to_socket_addr().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}
