//! Where requests come from: UDP, and a Unix socket.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use timeball_config::Chronyc;
use timeball_host::poll::{Interest, PollSet, Slot};
use timeball_host::process::User;
use timeball_host::socket::{
    PortSharing, ReceiveBatch, ServerOptions, ServerSocket, Stamping, Unreachable,
};
use timeball_host::unix_datagram::{UnixDatagramOptions, UnixDatagramSocket};
use timeball_wire::cmdmon::MAX_REQUEST_LEN;

use crate::directories;

/// Requests taken from one socket before anything else gets its turn.
const BATCH: usize = 8;
/// Longer datagrams are no requests, so one byte more is enough to see that.
const ROOM: usize = MAX_REQUEST_LEN + 1;
/// The daemon's user and group may write to the Unix socket; its directory keeps out everybody else.
const SOCKET_MODE: u32 = 0o660;
const DIRECTORY_MODE: u32 = 0o770;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Requester {
    /// Somebody over UDP.
    Network {
        /// Which of our sockets was asked.
        socket: usize,
        /// From where.
        from: SocketAddr,
        /// At which of our addresses.
        to: Option<IpAddr>,
    },
    /// Somebody over the Unix socket, who waits at this path.
    Local(PathBuf),
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { from, .. } => fmt::Display::fmt(from, f),
            Self::Local(path) => fmt::Display::fmt(&path.display(), f),
        }
    }
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) from: Requester,
    pub(super) bytes: Vec<u8>,
}

/// The sockets of the control plane.
#[derive(Debug)]
pub(crate) struct Sockets {
    network: Vec<(ServerSocket, Option<String>)>,
    local: Option<UnixDatagramSocket>,
    batch: ReceiveBatch,
    slots: Vec<Slot>,
    local_slot: Option<Slot>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            network: Vec::new(),
            local: None,
            batch: ReceiveBatch::new(BATCH, ROOM),
            slots: Vec::new(),
            local_slot: None,
        }
    }
}

impl Sockets {
    /// Opens what the settings want, closes what they do not, and keeps the rest. What cannot be
    /// opened is a warning.
    ///
    /// The Unix socket and a directory that is made for it belong to `owner`, if the daemon will go
    /// on as another user.
    pub(crate) fn open(&mut self, settings: &Chronyc, owner: Option<User>) {
        self.open_local(settings.socket.as_deref(), owner);
        self.open_network(settings);
    }

    /// Where it listens over UDP.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.network.iter().map(|(socket, _)| socket.local_address())
    }

    fn open_local(&mut self, path: Option<&Path>, owner: Option<User>) {
        if self.local.as_ref().map(UnixDatagramSocket::path) == path {
            return;
        }
        self.local = None;
        let Some(path) = path else { return };
        make_directory_of(path, owner);
        let options = UnixDatagramOptions { path: path.into(), owner: owner.map(|owner| owner.id) };
        match UnixDatagramSocket::bind(&options) {
            Ok(socket) => {
                let owned = owner.map_or(Ok(()), |owner| give(path, owner));
                if let Err(error) = owned.and_then(|()| socket.set_mode(SOCKET_MODE)) {
                    tracing::warn!("cannot set the permissions of {}: {error}", path.display());
                }
                self.local = Some(socket);
            }
            Err(error) => tracing::warn!(
                "no command socket: {error}; chronyc will see only what is open to the network"
            ),
        }
    }

    fn open_network(&mut self, settings: &Chronyc) {
        let wanted = wanted_addresses(settings);
        let device = settings.bind_device.clone();
        self.network.retain(|(socket, bound_to)| {
            wanted.contains(&socket.local_address()) && *bound_to == device
        });
        for listen in wanted {
            if self.addresses().any(|address| address == listen) {
                continue;
            }
            let options = ServerOptions {
                listen,
                bind_device: device.clone(),
                dscp: 0,
                stamping: Stamping::Daemon,
                sharing: PortSharing::Exclusive,
            };
            match ServerSocket::open(&options) {
                Ok(socket) => self.network.push((socket, device.clone())),
                Err(error) => tracing::warn!("cannot be asked by chronyc on {listen}: {error}"),
            }
        }
    }

    /// Adds every socket to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        self.slots.clear();
        self.slots.extend(self.network.iter().map(|(socket, _)| poll.add(socket, Interest::Read)));
        self.local_slot = self.local.as_ref().map(|socket| poll.add(socket, Interest::Read));
    }

    /// A few datagrams of each socket where the last wait found some.
    pub(super) fn receive(&mut self, poll: &PollSet) -> Vec<Datagram> {
        let mut datagrams = Vec::new();
        for (index, ((socket, _), slot)) in self.network.iter_mut().zip(&self.slots).enumerate() {
            if !poll.readiness(*slot).any() {
                continue;
            }
            match socket.receive(&mut self.batch) {
                Ok(_) => {
                    // What is sent to everybody would have every daemon of a network reply to one host.
                    let to_us = self.batch.iter().filter(|(received, _)| !received.to_everybody);
                    datagrams.extend(to_us.map(|(received, bytes)| Datagram {
                        from: Requester::Network {
                            socket: index,
                            from: received.from,
                            to: received.to,
                        },
                        bytes: bytes.to_vec(),
                    }));
                }
                // What became of some earlier reply.
                Err(error) if Unreachable::from_error(&error).is_some() => {}
                Err(error) => tracing::warn!("{}: {error}", socket.local_address()),
            }
        }
        let ready = self.local_slot.is_some_and(|slot| poll.readiness(slot).any());
        if let Some(socket) = self.local.as_ref().filter(|_| ready) {
            datagrams.extend(receive_local(socket));
        }
        datagrams
    }

    /// Replies to whom a datagram came from. Who does not take the reply goes without.
    pub(super) fn reply(&mut self, to: &Datagram, reply: &[u8]) {
        let sent = match &to.from {
            Requester::Network { socket, from, to } => match self.network.get_mut(*socket) {
                Some((socket, _)) => socket.reply(reply, *from, *to),
                None => Ok(()),
            },
            Requester::Local(path) => match &self.local {
                Some(socket) => socket.send(reply, path),
                None => Ok(()),
            },
        };
        if let Err(error) = sent {
            tracing::debug!("no reply to {}: {error}", to.from);
        }
    }
}

/// One datagram: sockets are read once per readiness.
fn receive_local(socket: &UnixDatagramSocket) -> Option<Datagram> {
    let mut buffer = [0; ROOM];
    match socket.receive(&mut buffer) {
        Ok(Some(received)) => {
            let bytes = buffer.get(..received.length).unwrap_or_default().to_vec();
            Some(Datagram { from: Requester::Local(received.from?), bytes })
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!("{}: {error}", socket.path().display());
            None
        }
    }
}

/// Makes the directory of the Unix socket, closed to others, where there is none. Failure is no more
/// than a hint: whoever binds the socket will say what is wrong.
fn make_directory_of(path: &Path, owner: Option<User>) {
    let Some(directory) = path.parent() else { return };
    if let Err(error) = directories::make(directory, DIRECTORY_MODE, owner) {
        tracing::debug!("cannot make the directory {}: {error}", directory.display());
    }
}

fn give(path: &Path, owner: User) -> io::Result<()> {
    lchown(path, Some(owner.id), Some(owner.group))
}

fn wanted_addresses(settings: &Chronyc) -> Vec<SocketAddr> {
    let Some(port) = settings.port else { return Vec::new() };
    let this_machine = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let addresses: &[IpAddr] = match settings.bind_addresses.as_slice() {
        [] => &this_machine,
        some => some,
    };
    addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_loopback_or_where_it_is_told_or_not_at_all() {
        let mut settings = Chronyc::default();
        assert_eq!(wanted_addresses(&settings), []);
        settings.port = Some(323);
        let loopback = ["127.0.0.1:323", "[::1]:323"].map(|address| address.parse().unwrap());
        assert_eq!(wanted_addresses(&settings), loopback);
        settings.bind_addresses = vec!["192.0.2.1".parse().unwrap()];
        assert_eq!(wanted_addresses(&settings), ["192.0.2.1:323".parse().unwrap()]);
    }
}
