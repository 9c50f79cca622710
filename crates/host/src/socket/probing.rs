//! A socket that asks many: unconnected, and told by the network which of its datagrams did not
//! arrive.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::address::domain;
use super::client::{bind, bind_to_device};
use super::control::ControlBuffer;
use super::message::{self, Envelope};
use super::stamping::{Stamping, TransmitStamps, daemon_time};
use super::{Received, Unreachable};
use crate::os::{open_socket, set_option, set_option_bytes};

/// A socket for one family of addresses that asks many hosts.
pub struct ProbeSocket {
    socket: OwnedFd,
    envelope: Box<Envelope>,
}

/// Something came in at a probe socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// A datagram from anybody.
    Datagram(Received),
    /// The network says that a datagram did not arrive. A hint: anybody on the way can say so.
    Unreachable {
        /// Where it was sent.
        to: SocketAddr,
        /// Why it did not arrive.
        reason: Unreachable,
        /// How many bytes of the buffer are filled with the start of that datagram.
        quoted: usize,
    },
}

/// Room for answers that come all at once.
const RECEIVE_BUFFER: i32 = 4 << 20;

impl ProbeSocket {
    /// A fresh socket from a random port, for the family of `address`.
    ///
    /// # Errors
    ///
    /// When the kernel has no such protocol.
    pub fn open(address: IpAddr) -> io::Result<Self> {
        let (any, level, report): (IpAddr, _, _) = match address {
            IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), libc::IPPROTO_IP, libc::IP_RECVERR),
            IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
        };
        let local = SocketAddr::new(any, 0);
        let socket = open_socket(domain(&local), libc::SOCK_DGRAM)?;
        // A kernel that refuses these leaves us with timeouts and a smaller buffer.
        let _ = set_option(socket.as_fd(), level, report, 1);
        let _ = set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER);
        Stamping::KernelReceive.enable(socket.as_fd(), TransmitStamps::OnRequest);
        bind(socket.as_fd(), local)?;
        Ok(Self { socket, envelope: Box::new(Envelope::new()) })
    }

    /// The same at one network interface, also for what is sent to everybody there: broadcasts and
    /// multicasts, which go no further.
    ///
    /// # Errors
    ///
    /// When there is no such interface.
    pub fn open_on_link(address: IpAddr, interface: &str) -> io::Result<Self> {
        let socket = Self::open(address)?;
        bind_to_device(socket.as_fd(), interface)?;
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_BROADCAST, 1)?;
        Ok(socket)
    }

    /// Hears at this port of one network interface what is sent there: to it, to everybody of the
    /// family of `group`, and to that multicast group. Nobody else may listen at that port.
    ///
    /// # Errors
    ///
    /// When there is no such interface or group, or the port is taken.
    pub fn hear_on_link(group: IpAddr, port: u16, interface: &str) -> io::Result<Self> {
        let any: IpAddr = match group {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = SocketAddr::new(any, port);
        let socket = open_socket(domain(&local), libc::SOCK_DGRAM)?;
        let handle = socket.as_fd();
        let index = crate::network_card::interface_index(&socket, interface)?;
        match group {
            IpAddr::V4(group) => {
                // struct ip_mreqn: group, local address (any), interface.
                let mut request = [0; 12];
                request[..4].copy_from_slice(&group.octets());
                request[8..].copy_from_slice(&index.to_ne_bytes());
                set_option_bytes(handle, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &request)?;
            }
            IpAddr::V6(group) => {
                // struct ipv6_mreq: group, interface.
                let mut request = [0; 20];
                request[..16].copy_from_slice(&group.octets());
                request[16..].copy_from_slice(&index.to_ne_bytes());
                set_option(handle, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
                set_option_bytes(handle, libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP, &request)?;
            }
        }
        bind_to_device(handle, interface)?;
        Stamping::KernelReceive.enable(handle, TransmitStamps::OnRequest);
        bind(handle, local)?;
        Ok(Self { socket, envelope: Box::new(Envelope::new()) })
    }

    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// The kernel's; what the network said of an *earlier* datagram is none, it comes by
    /// [`ProbeSocket::receive`].
    pub fn send(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let send = || message::send(self.socket.as_fd(), datagram, Some(to), &ControlBuffer::new());
        match send() {
            // That may be an earlier datagram's; having been told, the kernel forgets it.
            Err(error) if Unreachable::from_error(&error).is_some() => send(),
            sent => sent,
        }
    }

    /// Receives a datagram, or what the network says, without waiting; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// When the socket is broken.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Probed>> {
        match message::receive(self.socket.as_fd(), buffer, &mut self.envelope, 0) {
            Ok(Some(written)) => {
                let received = self.envelope.received(written, daemon_time()?);
                Ok(received.map(Probed::Datagram))
            }
            Ok(None) => self.receive_error(buffer),
            Err(error) if Unreachable::from_error(&error).is_some() => self.receive_error(buffer),
            Err(error) => Err(error),
        }
    }

    /// Takes one entry of the error queue.
    fn receive_error(&mut self, buffer: &mut [u8]) -> io::Result<Option<Probed>> {
        let flags = libc::MSG_ERRQUEUE;
        let written = message::receive(self.socket.as_fd(), buffer, &mut self.envelope, flags)?;
        let Some(written) = written else { return Ok(None) };
        let errno = self.envelope.ancillary(written).error;
        let reason = errno.map(io::Error::from_raw_os_error);
        let reason = reason.as_ref().and_then(Unreachable::from_error);
        // In the error queue the address is the one that the datagram was sent to.
        let to = self.envelope.received(written, daemon_time()?).map(|received| received.from);
        Ok(match (to, reason) {
            (Some(to), Some(reason)) => {
                Some(Probed::Unreachable { to, reason, quoted: written.length })
            }
            _ => None,
        })
    }
}

impl AsFd for ProbeSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl std::fmt::Debug for ProbeSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}
