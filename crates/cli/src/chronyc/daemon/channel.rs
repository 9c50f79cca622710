//! One way to the daemon: a socket that is connected to it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use timeball_host::poll::{Interest, PollSet, Woken};
use timeball_host::signals::Signals;
use timeball_host::socket::{ClientOptions, ClientSocket, Incoming, Stamping};
use timeball_wire::Instant;

use super::unix::UnixChannel;

/// Where a daemon may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Udp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A socket that is connected to the daemon.
#[derive(Debug)]
pub(super) enum Channel {
    Udp(Box<ClientSocket>),
    Unix(UnixChannel),
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A datagram of this length.
    Datagram(usize),
    /// The network says that nobody is there.
    Nobody,
    /// Nothing in time.
    Nothing,
    /// A signal asks for the end.
    Interrupted,
}

impl Channel {
    pub(super) fn open(destination: &Destination) -> io::Result<Self> {
        match destination {
            Destination::Udp(address) => {
                let options =
                    ClientOptions { stamping: Stamping::Daemon, ..ClientOptions::default() };
                ClientSocket::open(*address, &options).map(|socket| Self::Udp(Box::new(socket)))
            }
            Destination::Unix(path) => UnixChannel::open(Path::new(path)).map(Self::Unix),
        }
    }

    pub(super) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(request).map(|_| ()),
            Self::Unix(channel) => channel.send(request),
        }
    }

    /// Waits for a datagram until the deadline.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        deadline: Instant,
        signals: &Signals,
    ) -> io::Result<Heard> {
        let mut set = PollSet::new();
        let slot = set.add(self.as_fd(), Interest::Read);
        if let Some(descriptor) = signals.descriptor() {
            set.add(descriptor, Interest::Read);
        }
        let woken = set.wait(Some(deadline))?;
        if signals.take().next().is_some() {
            return Ok(Heard::Interrupted);
        }
        let mut readiness = set.readiness(slot);
        if woken == Woken::Deadline {
            return Ok(Heard::Nothing);
        }
        // A wake-up for nothing: the caller looks at the clock and waits again.
        if !readiness.any() {
            return Ok(Heard::Datagram(0));
        }
        match self {
            Self::Udp(socket) => Ok(match socket.incoming(&mut readiness, buffer)? {
                Some(Incoming::Datagram(received)) => Heard::Datagram(received.length),
                Some(Incoming::Unreachable(_)) => Heard::Nobody,
                Some(Incoming::Transmitted(_)) | None => Heard::Datagram(0),
            }),
            Self::Unix(channel) => channel.receive(buffer).map(Heard::Datagram),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket) => socket.as_fd(),
            Self::Unix(channel) => channel.as_fd(),
        }
    }
}
