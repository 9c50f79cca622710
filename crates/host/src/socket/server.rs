//! The socket that serves: bound to a port, and answering from the address it was asked at.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::address::domain;
use super::batch::ReceiveBatch;
use super::client::{bind, bind_to_device, local_address, prefer};
use super::control::ControlBuffer;
use super::message::{self, Envelope};
use super::stamping::{Counting, SendCounter, Stamping, TransmitStamps, Transmitted};
use crate::inherited;
use crate::os::{open_socket, set_option};

/// How a server socket is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// Where to listen: the port, and an address or the unspecified one of a family. An IPv6 socket
    /// never takes IPv4.
    pub listen: SocketAddr,
    /// Listen on this interface only.
    pub bind_device: Option<String>,
    /// The differentiated services code point (RFC 2474) of answers, 0 to 63.
    pub dscp: u8,
    /// The best timestamps to ask for.
    pub stamping: Stamping,
    /// Whether others may listen at the same place.
    pub sharing: PortSharing,
}

impl ServerOptions {
    /// Listens at `listen`, alone, with the best timestamps.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            bind_device: None,
            dscp: 0,
            stamping: Stamping::default(),
            sharing: PortSharing::Exclusive,
        }
    }
}

/// Whether others may listen at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortSharing {
    /// Nobody else.
    Exclusive,
    /// Other sockets of this user that say so too; the kernel spreads clients over them by their
    /// address (`SO_REUSEPORT`).
    Workers,
}

/// A socket that clients send their requests to.
pub struct ServerSocket {
    socket: OwnedFd,
    local: SocketAddr,
    stamping: Stamping,
    counting: Counting,
    envelope: Box<Envelope>,
}

impl std::fmt::Debug for ServerSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerSocket")
            .field("socket", &self.socket)
            .field("local", &self.local)
            .field("stamping", &self.stamping)
            .finish_non_exhaustive()
    }
}

impl ServerSocket {
    /// Starts to listen, on the socket that the service manager has passed for that if there is one.
    ///
    /// # Errors
    ///
    /// When the kernel has no such protocol, address or interface, somebody else listens there, or
    /// the port is reserved. Refused timestamps, code points and destination addresses are no
    /// error: [`ServerSocket::stamping`] and [`super::Received::to`] show what is missing.
    pub fn open(options: &ServerOptions) -> io::Result<Self> {
        let listen = options.listen;
        let inherited = inherited::take_udp(listen);
        let bound = inherited.is_some();
        let socket = match inherited {
            Some(socket) => socket,
            None => open_socket(domain(&listen), libc::SOCK_DGRAM)?,
        };
        let handle = socket.as_fd();
        match listen {
            SocketAddr::V4(_) => {
                // Refusal shows as `Received::to` being absent.
                let _ = set_option(handle, libc::IPPROTO_IP, libc::IP_PKTINFO, 1);
                // Refusal shows when something is broadcast.
                let _ = set_option(handle, libc::SOL_SOCKET, libc::SO_BROADCAST, 1);
            }
            SocketAddr::V6(_) => {
                if !bound {
                    set_option(handle, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
                }
                let _ = set_option(handle, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1);
            }
        }
        match options.sharing {
            PortSharing::Exclusive => {}
            PortSharing::Workers => {
                set_option(handle, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
            }
        }
        if let Some(device) = &options.bind_device {
            bind_to_device(handle, device)?;
        }
        prefer(handle, &listen, options.dscp);
        let stamping = options.stamping.enable(handle, TransmitStamps::OnRequest);
        if !bound {
            bind(handle, listen)?;
        }
        // Only a port that the kernel has chosen is news.
        let local = if listen.port() == 0 { local_address(handle)? } else { listen };
        Ok(Self {
            socket,
            local,
            stamping,
            counting: Counting::default(),
            envelope: Box::new(Envelope::new()),
        })
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Who stamps the datagrams of this socket.
    pub fn stamping(&self) -> Stamping {
        self.stamping
    }

    /// Receives as many datagrams as are waiting and `batch` has room for, without waiting for
    /// more. Answers how many.
    ///
    /// # Errors
    ///
    /// When the socket is broken.
    pub fn receive(&mut self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        batch.fill(self.socket.as_fd())
    }

    /// Answers a request: to whom it came from, from the address it was sent to.
    ///
    /// # Errors
    ///
    /// The kernel's. A client that cannot be reached is one ([`super::Unreachable::from_error`]
    /// knows), and no reason to stop.
    pub fn reply(
        &mut self,
        datagram: &[u8],
        to: SocketAddr,
        from: Option<IpAddr>,
    ) -> io::Result<()> {
        message::send(self.socket.as_fd(), datagram, Some(to), &source(from))
    }

    /// Like [`ServerSocket::reply`], and asks when the answer will have left; the number comes back
    /// from [`ServerSocket::recv_transmit_stamp`]. `None` if the kernel does not stamp.
    ///
    /// # Errors
    ///
    /// As [`ServerSocket::reply`].
    pub fn reply_stamped(
        &mut self,
        datagram: &[u8],
        to: SocketAddr,
        from: Option<IpAddr>,
    ) -> io::Result<Option<SendCounter>> {
        let flags = self.stamping.transmit_flags();
        if flags == 0 {
            return self.reply(datagram, to, from).map(|()| None);
        }
        let control = source(from).stamps(flags);
        match message::send(self.socket.as_fd(), datagram, Some(to), &control) {
            Ok(()) => Ok(Some(self.counting.sent())),
            Err(error) => {
                self.counting.refused(self.socket.as_fd(), self.stamping);
                Err(error)
            }
        }
    }

    /// Takes one transmit timestamp. To be called once when the socket's error queue is ready.
    ///
    /// # Errors
    ///
    /// When the socket is broken.
    pub fn recv_transmit_stamp(&mut self) -> io::Result<Option<Transmitted>> {
        self.counting.receive_report(self.socket.as_fd(), &mut self.envelope)
    }
}

impl AsFd for ServerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn source(from: Option<IpAddr>) -> ControlBuffer {
    match from {
        Some(address) => ControlBuffer::new().source(address),
        None => ControlBuffer::new(),
    }
}
