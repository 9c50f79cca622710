//! The server's side of the loop: its sockets, and the walk of a request through the responder.
//!
//! Peers of symmetric associations talk through the same sockets, and so do the engine's requests if
//! they are configured to leave from the server's port; what is sent in answer is the engine's.

mod leaving;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use arrayvec::ArrayVec;
use ipnet::IpNet;
use timeball_auth::Keys;
use timeball_config::{ClientPort, Config, Network, Serve};
use timeball_core::engine::{Answer, ExchangeId, PeerDatagram, StampQuality};
use timeball_core::server::{
    Access, Arrival, Counters, Extent, MAX_ANSWER_LEN, Responder, ServerView, Verdict,
};
use timeball_core::settings::SourceKind;
use timeball_host::poll::{Interest, PollSet, Readiness, Slot};
use timeball_host::socket::{ReceiveBatch, Received, ServerOptions, ServerSocket, Unreachable};
use timeball_wire::{Header, Instant, Timestamp};

use crate::exchanges::{quality, stamping};
use crate::machine_clock::MachineClock;
use leaving::{Leaving, Purpose};

/// Requests taken from one socket before anything else gets its turn: a flood of requests must not
/// keep the loop from its own servers' answers.
const BATCH: usize = 64;
/// An Ethernet frame's worth. Longer requests are cut, and refused as malformed.
const MAX_DATAGRAM: usize = 1500;

/// Answers clients.
#[derive(Debug)]
pub(crate) struct Server {
    responder: Responder,
    serve: Serve,
    network: Network,
    /// The configuration has the time sent, or exchanged with peers, through these sockets.
    talks: bool,
    /// Hosts whose datagrams are the engine's, unless they are requests of clients.
    peers: BTreeSet<IpAddr>,
    /// Requests that left from here, by where their answers come from.
    awaited: BTreeMap<SocketAddr, ExchangeId>,
    sockets: Vec<Listening>,
    /// Where it should listen but could not so far.
    missing: Vec<SocketAddr>,
    batch: ReceiveBatch,
    slots: Vec<Slot>,
    for_engine: Vec<ForEngine>,
}

#[derive(Debug)]
struct Listening {
    socket: ServerSocket,
    leaving: Leaving,
}

impl Listening {
    fn serves_family_of(&self, address: SocketAddr) -> bool {
        self.socket.local_address().is_ipv4() == address.is_ipv4()
    }
}

/// What came to a server's socket and is the engine's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ForEngine {
    /// A peer says something.
    Said(Letter),
    /// The answer to a [request](Server::ask).
    Answered(ExchangeId, Letter),
    /// What the engine [sent](Server::send) has left.
    Sent {
        /// Whose request.
        exchange: ExchangeId,
        /// When, by the system clock.
        at: Timestamp,
        /// How that moment is known.
        quality: StampQuality,
    },
}

/// A datagram that outlives the buffer it came in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    from: SocketAddr,
    /// To which of our addresses, where the kernel says so.
    to: Option<IpAddr>,
    bytes: Vec<u8>,
    /// When it arrived, by the system clock.
    received: Timestamp,
    quality: StampQuality,
}

impl Letter {
    fn new(received: &Received, bytes: &[u8]) -> Self {
        Self {
            from: received.from,
            to: received.to,
            bytes: bytes.to_vec(),
            received: received.stamp.at,
            quality: quality(received.stamp.source),
        }
    }

    /// As a peer's.
    pub(crate) fn as_peers(&self) -> PeerDatagram<'_> {
        let &Self { from, to, ref bytes, received, quality } = self;
        PeerDatagram { from, to, bytes, received, quality }
    }

    /// As an answer to a request.
    pub(crate) fn as_answer(&self, exchange: ExchangeId) -> Answer<'_> {
        let &Self { from, to, ref bytes, received, quality } = self;
        Answer { exchange, from, to, bytes, received, quality }
    }
}

impl Server {
    /// A server that says `view`. It listens only if `config` gives it somebody to talk to.
    pub(crate) fn new(config: &Config, view: ServerView, hash_key: [u8; 16]) -> Self {
        let mut server = Self {
            responder: Responder::new(&config.engine.server, view, hash_key),
            serve: config.serve.clone(),
            network: config.network.clone(),
            talks: talks(config),
            peers: BTreeSet::new(),
            awaited: BTreeMap::new(),
            sockets: Vec::new(),
            missing: Vec::new(),
            batch: ReceiveBatch::new(BATCH, MAX_DATAGRAM),
            slots: Vec::new(),
            for_engine: Vec::new(),
        };
        server.listen();
        server
    }

    /// Serves by another configuration from now on. Sockets that are still wanted stay open, and
    /// clients keep the debt they have with the rate limit.
    pub(crate) fn configure(&mut self, config: &Config) {
        self.responder.configure(&config.engine.server);
        if self.network != config.network || self.serve.bind_device != config.serve.bind_device {
            self.sockets.clear();
        }
        self.network = config.network.clone();
        self.serve = config.serve.clone();
        self.talks = talks(config);
        self.listen();
    }

    /// Knows these keys from now on.
    pub(crate) fn take_keys(&mut self, keys: Arc<Keys>) {
        self.responder.take_keys(keys);
    }

    /// Serves, or does not serve, these clients from now on.
    pub(crate) fn change_access(&mut self, net: IpNet, access: Access, extent: Extent) {
        self.responder.change_access(net, access, extent);
        self.listen();
    }

    /// Who is served, who asked, and what became of it.
    pub(crate) fn responder(&self) -> &Responder {
        &self.responder
    }

    /// The same, to take note of other requests and to count anew.
    pub(crate) fn responder_mut(&mut self) -> &mut Responder {
        &mut self.responder
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
        self.sockets.iter().map(|listening| listening.socket.local_address())
    }

    /// The system clock was stepped.
    pub(crate) fn clock_stepped(&mut self) {
        self.responder.clock_stepped();
        self.sockets.iter_mut().for_each(|listening| listening.leaving.clear());
    }

    // Sockets.

    fn listen(&mut self) {
        let wanted = self.wanted_addresses();
        self.sockets.retain(|listening| wanted.contains(&listening.socket.local_address()));
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

    fn wanted_addresses(&self) -> Vec<SocketAddr> {
        let somebody = self.responder.access().allow_anybody();
        if !somebody && !self.talks && self.peers.is_empty() {
            return Vec::new();
        }
        let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let addresses: &[IpAddr] = match self.serve.bind_addresses.as_slice() {
            [] => &everywhere,
            some => some,
        };
        addresses.iter().map(|address| SocketAddr::new(*address, self.serve.port)).collect()
    }

    /// Tries again what did not work: an address may have come since, or its other user gone.
    pub(crate) fn retry(&mut self) {
        let before = self.sockets.len();
        self.open_missing();
        self.announce_from(before);
    }

    /// Says where it listens, but for the first `known` sockets.
    fn announce_from(&self, known: usize) {
        for Listening { socket, .. } in self.sockets.iter().skip(known) {
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
                bind_device: self.serve.bind_device.clone(),
                ..ServerOptions::new(listen)
            };
            match ServerSocket::open(&options) {
                Ok(socket) => self.sockets.push(Listening { socket, leaving: Leaving::default() }),
                Err(error) => {
                    self.missing.push(listen);
                    failures.push((listen, error));
                }
            }
        }
        failures
    }

    // What comes in.

    /// Adds every socket to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        self.slots.clear();
        let sockets = self.sockets.iter().map(|listening| &listening.socket);
        self.slots.extend(sockets.map(|socket| poll.add(socket, Interest::Read)));
    }

    /// Answers a batch of requests on each socket where the last wait found some.
    ///
    /// # Errors
    /// When this machine's clock cannot be read.
    pub(crate) fn answer(&mut self, poll: &PollSet, clock: &MachineClock) -> io::Result<()> {
        let mut broken = Vec::new();
        for index in 0..self.sockets.len().min(self.slots.len()) {
            let readiness = poll.readiness(self.slots[index]);
            match self.take(index, readiness, clock.monotonic()?) {
                Ok(0) => {}
                Ok(_) => self.answer_batch(index, clock)?,
                // What became of some earlier answer.
                Err(error) if Unreachable::from_error(&error).is_some() => {}
                Err(error) => broken.push((index, error)),
            }
        }
        for (index, error) in broken.into_iter().rev() {
            let address = self.sockets.remove(index).socket.local_address();
            tracing::warn!("the socket on {address} is broken ({error}) and will be opened anew");
            self.missing.push(address);
        }
        Ok(())
    }

    /// Takes what is there on one socket, reports of transmissions first. Answers how many datagrams
    /// there were.
    fn take(&mut self, index: usize, readiness: Readiness, now: Instant) -> io::Result<usize> {
        let Some(listening) = self.sockets.get_mut(index) else { return Ok(0) };
        let mut readable = readiness.readable || readiness.closed;
        if readiness.error_queue {
            match listening.socket.recv_transmit_stamp()? {
                // No report: then it is a pending error, which receiving takes.
                None => readable = true,
                Some(first) => {
                    let mut next = Some(first);
                    while let Some(transmitted) = next {
                        // A report of no use may stand before others: a card makes one of its own.
                        if let Some((purpose, stamp)) = listening.leaving.reported(transmitted) {
                            let (at, quality) = (stamp.at, quality(stamp.source));
                            match purpose {
                                Purpose::Answer(receive) => {
                                    self.responder.transmitted(receive, at, quality, now);
                                }
                                Purpose::Request(exchange) => {
                                    self.for_engine.push(ForEngine::Sent { exchange, at, quality });
                                }
                            }
                        }
                        // No call is made that nothing can come of.
                        if listening.leaving.is_empty() {
                            break;
                        }
                        next = listening.socket.recv_transmit_stamp()?;
                    }
                }
            }
        }
        if readable { listening.socket.receive(&mut self.batch) } else { Ok(0) }
    }

    /// All are judged before the first answer leaves. So each leaves soon after its transmit timestamp,
    /// and one soon after the other: the kernel need not wake a reader on this machine for each.
    fn answer_batch(&mut self, index: usize, clock: &MachineClock) -> io::Result<()> {
        let Some(Listening { socket, leaving }) = self.sockets.get_mut(index) else {
            return Ok(());
        };
        let monotonic = clock.monotonic()?;
        let mut accepted = ArrayVec::<_, BATCH>::new();
        for (received, request) in self.batch.iter() {
            let exchange = self.awaited.get(&received.from).copied();
            let peer = self.peers.contains(&received.from.ip().to_canonical());
            if let Some(letter) = for_engine(&received, request, exchange, peer) {
                self.for_engine.push(letter);
                continue;
            }
            let arrival = Arrival {
                received: received.stamp.at,
                quality: quality(received.stamp.source),
                monotonic,
                from: received.from,
                to_everybody: received.to_everybody,
            };
            let judged = self.responder.judge(request, &arrival);
            accepted.extend(judged.ok().map(|request| (request, received.from, received.to)));
        }
        let mut reply = [0; MAX_ANSWER_LEN];
        for (request, from, to) in &accepted {
            let transmit = clock.system()?;
            let length = match self.responder.answer(request, transmit, &mut reply) {
                Verdict::Answer(length) | Verdict::Kiss(length) => length,
                Verdict::Silence(_) => continue,
            };
            let reply = reply.get(..length).unwrap_or(&reply);
            let sent = match self.responder.pending() {
                None => socket.reply(reply, *from, *to),
                Some(receive) => socket.reply_stamped(reply, *from, *to).map(|counter| {
                    if let Some(counter) = counter {
                        leaving.sent(counter, Purpose::Answer(receive), transmit);
                    }
                }),
            };
            if let Err(error) = sent {
                tracing::trace!("no answer to {from}: {error}");
            }
        }
        Ok(())
    }

    // Broadcasts.

    /// When [`broadcast`](Self::broadcast) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.responder.next_broadcast()
    }

    /// Sends the broadcasts that are due.
    ///
    /// # Errors
    /// When this machine's clock cannot be read.
    pub(crate) fn broadcast(&mut self, clock: &MachineClock) -> io::Result<()> {
        let mut datagram = [0; Header::LEN];
        let now = clock.monotonic()?;
        while self.responder.next_broadcast().is_some_and(|due| due <= now) {
            let destination = self.responder.broadcast(now, clock.system()?, &mut datagram);
            let Some(destination) = destination else { break };
            let sent = match self.socket_to(destination) {
                Some(listening) => listening.socket.reply(&datagram, destination, None),
                None => Err(io::ErrorKind::NotConnected.into()),
            };
            if let Err(error) = sent {
                tracing::debug!("no broadcast to {destination}: {error}");
            }
        }
        Ok(())
    }

    fn socket_to(&mut self, destination: SocketAddr) -> Option<&mut Listening> {
        self.sockets.iter_mut().find(|listening| listening.serves_family_of(destination))
    }

    // Peers, and servers that are asked from here.

    /// Whether requests to `to` leave from here: they are configured to have the server's port, which
    /// only one socket can have.
    pub(crate) fn is_asking(&self, to: SocketAddr) -> bool {
        self.network.client_port == ClientPort::Fixed(self.serve.port)
            && self.sockets.iter().any(|listening| listening.serves_family_of(to))
    }

    /// Sends a request to a server, whose answer follows as [`ForEngine::Answered`]; the rest is as
    /// in [`send`](Self::send).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) fn ask(
        &mut self,
        exchange: ExchangeId,
        datagram: &[u8],
        server: SocketAddr,
        now: Timestamp,
    ) -> io::Result<()> {
        self.send(exchange, datagram, server, now)?;
        self.awaited.insert(server, exchange);
        Ok(())
    }

    /// No answer to this request is awaited any more.
    pub(crate) fn close(&mut self, exchange: ExchangeId) {
        self.awaited.retain(|_, awaited| *awaited != exchange);
    }

    /// What these hosts send is the engine's from now on, unless it is a client's request.
    pub(crate) fn set_peers(&mut self, peers: BTreeSet<IpAddr>) {
        if self.peers != peers {
            self.peers = peers;
            self.listen();
        }
    }

    /// Sends a datagram of the engine to a peer, when the clock says `now`. When it left follows as
    /// [`ForEngine::Sent`], unless the kernel does not stamp.
    ///
    /// # Errors
    /// The kernel's, and if there is no socket of the peer's address family.
    pub(crate) fn send(
        &mut self,
        exchange: ExchangeId,
        datagram: &[u8],
        to: SocketAddr,
        now: Timestamp,
    ) -> io::Result<()> {
        let Some(listening) = self.socket_to(to) else {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "no server socket is open"));
        };
        if let Some(counter) = listening.socket.reply_stamped(datagram, to, None)? {
            listening.leaving.sent(counter, Purpose::Request(exchange), now);
        }
        Ok(())
    }

    /// What has come for the engine since the last call.
    pub(crate) fn taken_for_engine(&mut self) -> Vec<ForEngine> {
        std::mem::take(&mut self.for_engine)
    }
}

/// True if the configuration has the time sent, or exchanged with peers.
fn talks(config: &Config) -> bool {
    let peer = |kind: &SourceKind| matches!(kind, SourceKind::Peer);
    !config.engine.server.broadcasts.is_empty()
        || config.engine.sources.iter().any(|source| peer(&source.kind))
}

/// The datagram, if it is an association's by its mode (RFC 5905 §3): an answer that is awaited, or
/// what a peer says.
fn for_engine(
    received: &Received,
    bytes: &[u8],
    awaited: Option<ExchangeId>,
    peer: bool,
) -> Option<ForEngine> {
    const MODE: u8 = 0x07;
    let letter = || Letter::new(received, bytes);
    match (bytes.first()? & MODE, awaited) {
        (4, Some(exchange)) => Some(ForEngine::Answered(exchange, letter())),
        (1 | 2 | 4, _) if peer => Some(ForEngine::Said(letter())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;
    use timeball_core::server::Broadcast;
    use timeball_core::settings::SourceSettings;
    use timeball_host::socket::Stamping;
    use timeball_wire::{Mode, NtpTimestamp, Span};

    fn server(config: &Config) -> Server {
        let view = ServerView::unsynchronised(-24, Instant::from_nanos(0));
        // Ports that the kernel chooses: nothing is opened where others may listen.
        let mut config = config.clone();
        config.serve.port = 0;
        config.serve.bind_addresses = vec![Ipv4Addr::LOCALHOST.into()];
        Server::new(&config, view, [1; 16])
    }

    fn allowing(allow: &[&str]) -> Config {
        let mut config = Config::default();
        config.engine.server.allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        config
    }

    fn wanted(config: &Config) -> Vec<SocketAddr> {
        let mut server = server(config);
        server.serve = config.serve.clone();
        server.wanted_addresses()
    }

    #[test]
    fn nobody_to_talk_to_means_no_socket() {
        assert_eq!(wanted(&allowing(&[])), []);
        let mut denied = allowing(&["10.0.0.0/8"]);
        denied.engine.server.deny = vec!["10.0.0.0/8".parse().unwrap()];
        assert_eq!(wanted(&denied), []);
    }

    #[test]
    fn it_listens_everywhere_or_where_it_is_told() {
        let everywhere = ["0.0.0.0:123", "[::]:123"].map(|address| address.parse().unwrap());
        assert_eq!(wanted(&allowing(&["10.0.0.0/8"])), everywhere);
        let mut one = allowing(&["10.0.0.0/8"]);
        one.serve.bind_addresses = vec!["10.0.0.1".parse().unwrap()];
        one.serve.port = 1123;
        assert_eq!(wanted(&one), ["10.0.0.1:1123".parse().unwrap()]);
    }

    #[test]
    fn peers_and_broadcasts_need_a_socket_too() {
        let mut peering = Config::default();
        peering.engine.sources =
            vec![SourceSettings { kind: SourceKind::Peer, ..SourceSettings::server("192.0.2.1") }];
        assert_eq!(wanted(&peering).len(), 2);
        let mut telling = Config::default();
        let destination = "192.0.2.255:123".parse().unwrap();
        telling.engine.server.broadcasts = vec![Broadcast { interval: 64.0, destination }];
        assert_eq!(wanted(&telling).len(), 2);
    }

    /// Lets the server answer what is there to answer, and take the reports of what left.
    fn attend(server: &mut Server, clock: &MachineClock, poll: &mut PollSet) {
        poll.clear();
        server.watch(poll);
        let patience = clock.monotonic().unwrap() + Span::from_secs(5);
        poll.wait(Some(patience)).unwrap();
        server.answer(poll, clock).unwrap();
    }

    #[test]
    fn an_interleaved_answer_tells_when_the_kernel_sent_the_one_before() {
        let mut server = server(&allowing(&["127.0.0.0/8"]));
        let clock = MachineClock::open().unwrap();
        let mut poll = PollSet::new();
        let kernel_stamps = server.sockets[0].socket.stamping() >= Stamping::Kernel;
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        client.connect(server.addresses().next().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (mut origin, mut receive) = (NtpTimestamp::ZERO, NtpTimestamp::ZERO);
        let mut answers = Vec::new();
        for count in 1..=4 {
            let request = Header {
                version: 4,
                mode: Mode::Client,
                origin_timestamp: origin,
                receive_timestamp: receive,
                transmit_timestamp: NtpTimestamp::from_bits(count),
                ..Header::from_bytes(&[0; Header::LEN])
            };
            let before = clock.system().unwrap();
            client.send(&request.to_bytes()).unwrap();
            let mut bytes = [0; Header::LEN];
            let answers_before = server.counters().answered;
            while server.counters().answered == answers_before {
                attend(&mut server, &clock, &mut poll);
            }
            assert_eq!(client.recv(&mut bytes).unwrap(), Header::LEN);
            let after = clock.system().unwrap();
            while kernel_stamps && !server.sockets[0].leaving.is_empty() {
                attend(&mut server, &clock, &mut poll);
            }
            let answer = Header::from_bytes(&bytes);
            (origin, receive) = (answer.receive_timestamp, NtpTimestamp::from_bits(count << 32));
            answers.push((request, answer, before, after));
        }
        for pair in answers.windows(2).skip(1) {
            let [(_, _, before, after), (request, answer, ..)] = pair else { unreachable!() };
            assert_eq!(answer.origin_timestamp, request.receive_timestamp);
            let left = answer.transmit_timestamp.unfold(*before);
            assert!((*before..=*after).contains(&left), "{before:?} {left:?} {after:?}");
        }
        let counters = server.counters();
        assert_eq!((counters.answered, counters.interleaved), (4, 2));
        if kernel_stamps {
            assert_eq!(counters.transmitted_by.kernel, 2);
        } else {
            println!("this kernel stamps nothing that is sent: our own stamps were tested alone");
        }
    }

    #[test]
    fn what_is_asked_from_the_servers_port_is_answered_there() {
        let mut config = allowing(&["127.0.0.0/8"]);
        config.network.client_port = ClientPort::Fixed(0);
        let mut server = server(&config);
        let clock = MachineClock::open().unwrap();
        let mut poll = PollSet::new();
        let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = other.local_addr().unwrap();
        assert!(server.is_asking(address));
        let exchange = ExchangeId(7);
        server.ask(exchange, &[0x23; Header::LEN], address, clock.system().unwrap()).unwrap();
        // The other side asks us at the same time, by its own request.
        let ours = server.addresses().next().unwrap();
        for first in [0x23, 0x24, 0x24] {
            let mut datagram = [0; Header::LEN];
            datagram[0] = first;
            other.send_to(&datagram, ours).unwrap();
        }
        let mut answers = Vec::new();
        while answers.len() < 2 || server.counters().answered == 0 {
            attend(&mut server, &clock, &mut poll);
            answers.extend(server.taken_for_engine().into_iter().filter_map(|came| match came {
                ForEngine::Answered(exchange, letter) => Some((exchange, letter.from)),
                ForEngine::Said(_) => panic!("{came:?}"),
                ForEngine::Sent { .. } => None,
            }));
        }
        assert_eq!(answers, [(exchange, address); 2]);
        server.close(exchange);
        other.send_to(&[0x24; Header::LEN], ours).unwrap();
        attend(&mut server, &clock, &mut poll);
        assert_eq!(server.taken_for_engine(), []);
    }

    #[test]
    fn access_granted_opens_the_socket_and_access_denied_closes_it() {
        let mut server = server(&Config::default());
        assert_eq!(server.addresses().count(), 0);
        server.change_access("127.0.0.0/8".parse().unwrap(), Access::Allow, Extent::Default);
        assert_eq!(server.addresses().count(), 1);
        server.change_access("0.0.0.0/0".parse().unwrap(), Access::Deny, Extent::All);
        assert_eq!(server.addresses().count(), 0);
        server.set_peers([IpAddr::from([127, 0, 0, 1])].into());
        assert_eq!(server.addresses().count(), 1);
    }
}
