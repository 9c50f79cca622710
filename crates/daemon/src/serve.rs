//! The server's side of the loop: its sockets, and the walk of a request through the responder.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use timeball_config::{Config, Network};
use timeball_core::server::{Arrival, Counters, Responder, ServerView, Verdict};
use timeball_host::poll::{Interest, PollSet, Slot};
use timeball_host::socket::{ReceiveBatch, ServerOptions, ServerSocket, Unreachable};
use timeball_wire::Header;

use crate::exchanges::{quality, stamping};
use crate::machine_clock::MachineClock;

/// Requests taken from one socket before anything else gets its turn: a flood of requests must not
/// keep the loop from its own servers' answers.
const BATCH: usize = 64;
/// An Ethernet frame's worth. Longer requests are cut, and refused as malformed.
const MAX_DATAGRAM: usize = 1500;

/// Answers clients.
#[derive(Debug)]
pub(crate) struct Server {
    responder: Responder,
    network: Network,
    sockets: Vec<ServerSocket>,
    /// Where it should listen but could not so far.
    missing: Vec<SocketAddr>,
    batch: ReceiveBatch,
    slots: Vec<Slot>,
}

impl Server {
    /// A server that says `view`. It listens only if `config` allows somebody to ask.
    pub(crate) fn new(config: &Config, view: ServerView, hash_key: [u8; 16]) -> Self {
        let mut server = Self {
            responder: Responder::new(&config.engine.server, view, hash_key),
            network: config.network.clone(),
            sockets: Vec::new(),
            missing: Vec::new(),
            batch: ReceiveBatch::new(BATCH, MAX_DATAGRAM),
            slots: Vec::new(),
        };
        server.listen(config);
        server
    }

    /// Serves by another configuration from now on. Sockets that are still wanted stay open, and
    /// clients keep the debt they have with the rate limit.
    pub(crate) fn configure(&mut self, config: &Config) {
        self.responder.configure(&config.engine.server);
        self.listen(config);
    }

    /// Says this from now on.
    pub(crate) fn publish(&mut self, view: ServerView) {
        self.responder.publish(view);
    }

    /// What became of every request.
    pub(crate) fn counters(&self) -> &Counters {
        self.responder.counters()
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(ServerSocket::local_address)
    }

    fn listen(&mut self, config: &Config) {
        let wanted = wanted_addresses(config);
        if self.network != config.network {
            self.sockets.clear();
            self.network = config.network.clone();
        }
        self.sockets.retain(|socket| wanted.contains(&socket.local_address()));
        let open: Vec<SocketAddr> = self.addresses().collect();
        let before = open.len();
        self.missing = wanted.into_iter().filter(|address| !open.contains(address)).collect();
        for (address, error) in self.open_missing() {
            // One address family is enough to serve everywhere.
            if address.ip().is_unspecified() && !self.sockets.is_empty() {
                tracing::info!("not serving on {address}: {error}");
            } else {
                tracing::warn!(
                    "cannot serve on {address}: {error}; trying again from time to time"
                );
            }
        }
        self.announce_from(before);
    }

    /// Tries again what did not work: an address may have come since, or its other user gone.
    pub(crate) fn retry(&mut self) {
        let before = self.sockets.len();
        self.open_missing();
        self.announce_from(before);
    }

    /// Says where it listens, but for the first `known` sockets.
    fn announce_from(&self, known: usize) {
        for socket in self.sockets.iter().skip(known) {
            tracing::info!("serving on {}", socket.local_address());
            tracing::debug!("{}: {:?} timestamps", socket.local_address(), socket.stamping());
        }
    }

    fn open_missing(&mut self) -> Vec<(SocketAddr, io::Error)> {
        let mut failures = Vec::new();
        for listen in std::mem::take(&mut self.missing) {
            let options = ServerOptions {
                dscp: self.network.dscp,
                stamping: stamping(self.network.timestamping),
                ..ServerOptions::new(listen)
            };
            match ServerSocket::open(&options) {
                Ok(socket) => self.sockets.push(socket),
                Err(error) => {
                    self.missing.push(listen);
                    failures.push((listen, error));
                }
            }
        }
        failures
    }

    /// Adds every socket to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        self.slots.clear();
        self.slots.extend(self.sockets.iter().map(|socket| poll.add(socket, Interest::Read)));
    }

    /// Answers a batch of requests on each socket where the last wait found some.
    ///
    /// # Errors
    /// When this machine's clock cannot be read.
    pub(crate) fn answer(&mut self, poll: &PollSet, clock: &MachineClock) -> io::Result<()> {
        let mut broken = Vec::new();
        for (index, (socket, slot)) in self.sockets.iter_mut().zip(&self.slots).enumerate() {
            if !poll.readiness(*slot).any() {
                continue;
            }
            match socket.receive(&mut self.batch) {
                Ok(_) => answer_batch(&mut self.responder, &self.batch, socket, clock)?,
                // What became of some earlier answer.
                Err(error) if Unreachable::from_error(&error).is_some() => {}
                Err(error) => broken.push((index, error)),
            }
        }
        for (index, error) in broken.into_iter().rev() {
            let address = self.sockets.remove(index).local_address();
            tracing::warn!("the socket on {address} is broken ({error}) and will be opened anew");
            self.missing.push(address);
        }
        Ok(())
    }
}

fn answer_batch(
    responder: &mut Responder,
    batch: &ReceiveBatch,
    socket: &mut ServerSocket,
    clock: &MachineClock,
) -> io::Result<()> {
    let monotonic = clock.monotonic()?;
    let mut reply = [0; Header::LEN];
    for (received, request) in batch.iter() {
        let arrival = Arrival {
            received: received.stamp.at,
            quality: quality(received.stamp.source),
            transmit: clock.system()?,
            monotonic,
            from: received.from,
        };
        let verdict = responder.respond(request, &arrival, &mut reply);
        let length = match verdict {
            Verdict::Answer(length) | Verdict::Kiss(length) => length,
            Verdict::Silence(_) => continue,
        };
        let reply = reply.get(..length).unwrap_or(&reply);
        if let Err(error) = socket.reply(reply, received.from, received.to) {
            tracing::trace!("no answer to {}: {error}", received.from);
        }
    }
    Ok(())
}

fn wanted_addresses(config: &Config) -> Vec<SocketAddr> {
    if !config.serves() {
        return Vec::new();
    }
    let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let addresses: &[IpAddr] = match config.serve.bind_addresses.as_slice() {
        [] => &everywhere,
        some => some,
    };
    addresses.iter().map(|address| SocketAddr::new(*address, config.serve.port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(allow: &[&str], bind: &[&str]) -> Config {
        let mut config = Config::default();
        config.engine.server.allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        config.serve.bind_addresses = bind.iter().map(|address| address.parse().unwrap()).collect();
        config
    }

    #[test]
    fn nobody_allowed_means_no_socket() {
        assert_eq!(wanted_addresses(&config(&[], &["127.0.0.1"])), []);
    }

    #[test]
    fn it_listens_everywhere_or_where_it_is_told() {
        let everywhere = ["0.0.0.0:123", "[::]:123"].map(|address| address.parse().unwrap());
        assert_eq!(wanted_addresses(&config(&["10.0.0.0/8"], &[])), everywhere);
        let mut one = config(&["10.0.0.0/8"], &["10.0.0.1"]);
        one.serve.port = 1123;
        assert_eq!(wanted_addresses(&one), ["10.0.0.1:1123".parse().unwrap()]);
    }
}
