//! A few engines on drifting clocks, and a server that is right, in virtual time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use timeball_core::discipline::ClockCommand;
use timeball_core::engine::{Answer, ExchangeId, PeerDatagram, Port, StampQuality};
use timeball_core::{Engine, Event, Input, Now, Output, Settings};
use timeball_wire::{
    Header, Instant, LeapIndicator, Mode, NtpShort, NtpTimestamp, ReferenceId, Span, Timestamp,
};

/// The server that is right.
pub(crate) const SERVER: &str = "203.0.113.1";
/// On the way, either way (s), and up to as much again.
const DELAY: f64 = 100e-6;

/// Is a packet from the first address to the second lost, at this time (s)?
pub(crate) type Loss = fn(&str, &str, f64, &mut ChaCha8Rng) -> bool;

/// Nodes, network and time.
pub(crate) struct World {
    /// True time since the start (ns).
    at: i64,
    pub(crate) nodes: Vec<Node>,
    packets: BTreeMap<(i64, u64), Packet>,
    sent: u64,
    loss: Loss,
    rng: ChaCha8Rng,
}

/// An engine and its clock.
pub(crate) struct Node {
    pub(crate) address: IpAddr,
    pub(crate) engine: Engine,
    pub(crate) events: Vec<Event>,
    clock: Clock,
}

struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    /// On whose socket the answer arrives.
    exchange: ExchangeId,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Clock {
    /// The oscillator runs so much too fast (s/s).
    drift: f64,
    /// The correction in force.
    frequency: f64,
    /// True time of the last change (ns), and what the clocks showed then.
    changed: i64,
    system: Timestamp,
    monotonic: Instant,
}

const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

impl Clock {
    fn new(at: i64, offset: f64, drift: f64) -> Self {
        Self {
            drift,
            frequency: 0.0,
            changed: at,
            system: START + Span::from_nanos(at) + Span::from_seconds(offset),
            monotonic: Instant::from_nanos(5_000_000_000),
        }
    }

    fn now(&self, at: i64) -> Now {
        let passed = at - self.changed;
        let rate = (1.0 + self.drift) * (1.0 + self.frequency) - 1.0;
        let span = Span::from_nanos(passed) + Span::from_seconds(passed as f64 * 1e-9 * rate);
        Now {
            monotonic: self.monotonic + span,
            system: self.system + span,
            raw: None,
            asleep: Span::ZERO,
            frequency: self.frequency,
            uncertainty: Span::ZERO,
        }
    }

    fn obey(&mut self, at: i64, command: ClockCommand) {
        let now = self.now(at);
        (self.changed, self.system, self.monotonic) = (at, now.system, now.monotonic);
        match command {
            ClockCommand::SetFrequency(frequency) => self.frequency = frequency,
            ClockCommand::Step(by) => self.system += by,
            ClockCommand::SetStatus(_) => {}
        }
    }
}

impl World {
    pub(crate) fn new(loss: Loss, seed: u64) -> Self {
        println!("seed {seed}");
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { at: 0, nodes: Vec::new(), packets: BTreeMap::new(), sent: 0, loss, rng }
    }

    /// A node whose clock is off by `offset` (s) and `drift` (s/s).
    pub(crate) fn add(&mut self, address: &str, settings: Settings, offset: f64, drift: f64) {
        let clock = Clock::new(self.at, offset, drift);
        let seed = [self.nodes.len() as u8 + 1; 32];
        let engine = Engine::new(clock.now(self.at), settings, None, 1e-7, seed);
        let address = address.parse().expect("an address");
        self.nodes.push(Node { address, engine, events: Vec::new(), clock });
        self.settle(self.nodes.len() - 1);
    }

    /// An engine anew on the clock of this node, as if the program had been restarted.
    pub(crate) fn restart(&mut self, node: usize, settings: Settings) {
        let now = self.now(node);
        self.nodes[node].engine = Engine::new(now, settings, None, 1e-7, [77; 32]);
        self.settle(node);
    }

    pub(crate) fn now(&self, node: usize) -> Now {
        self.nodes[node].clock.now(self.at)
    }

    /// The node's clock minus true time (s).
    pub(crate) fn error(&self, node: usize) -> f64 {
        (self.now(node).system - (START + Span::from_nanos(self.at))).seconds()
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.at as f64 * 1e-9
    }

    /// Lets so much time pass (s).
    pub(crate) fn run(&mut self, seconds: f64) {
        let end = self.at + (seconds * 1e9) as i64;
        loop {
            let due = (0..self.nodes.len()).filter_map(|node| Some((self.due(node)?, node))).min();
            let packet = self.packets.first_key_value().map(|(key, _)| *key);
            let timer_first =
                due.is_some_and(|(at, _)| packet.is_none_or(|(arrives, _)| at <= arrives));
            match (due, packet) {
                (Some((at, node)), _) if timer_first && at <= end => {
                    self.at = self.at.max(at);
                    let now = self.now(node);
                    self.nodes[node].engine.handle(now, Input::Timeout);
                    self.settle(node);
                }
                (_, Some(key)) if !timer_first && key.0 <= end => {
                    self.at = self.at.max(key.0);
                    let packet = self.packets.remove(&key).expect("it was there");
                    self.arrive(&packet);
                }
                _ => break,
            }
        }
        self.at = end;
    }

    /// True time (ns) of the node's next timeout.
    fn due(&self, node: usize) -> Option<i64> {
        let Node { engine, clock, .. } = &self.nodes[node];
        let left = engine.next_timeout()? - clock.now(self.at).monotonic;
        let rate = (1.0 + clock.drift) * (1.0 + clock.frequency);
        Some(self.at + (left.seconds().max(0.0) / rate * 1e9).ceil() as i64 + 1)
    }

    /// Does what the node's engine wants done.
    pub(crate) fn settle(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].engine.poll_output() {
            let before = self.now(node);
            match output {
                Output::Transmit(request) => {
                    let port = match request.from {
                        Port::Fresh => 40_000,
                        Port::Server => 123,
                    };
                    let from = SocketAddr::new(self.nodes[node].address, port);
                    let (exchange, bytes) = (request.exchange, request.datagram.to_vec());
                    self.send(Packet { from, to: request.destination, exchange, bytes });
                    let quality = StampQuality::Hardware;
                    let sent = Input::Sent { exchange, at: before.system, quality };
                    self.nodes[node].engine.handle(before, sent);
                }
                Output::Resolve { id, name, .. } => {
                    let address: IpAddr = name.parse().expect("names are addresses here");
                    let addresses = Ok(&[address][..]);
                    self.nodes[node].engine.handle(before, Input::Resolved { id, addresses });
                }
                Output::Clock(command) => {
                    self.nodes[node].clock.obey(self.at, command);
                    let done = Input::ClockAdjusted { command, before, result: Ok(()) };
                    let after = self.now(node);
                    self.nodes[node].engine.handle(after, done);
                }
                Output::Event(event) => self.nodes[node].events.push(event),
                // For those who serve, write files and keep logs.
                _ => {}
            }
        }
    }

    fn send(&mut self, packet: Packet) {
        let (from, to) = (packet.from.ip().to_string(), packet.to.ip().to_string());
        if (self.loss)(&from, &to, self.seconds(), &mut self.rng) {
            return;
        }
        let queue = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
        let arrives = self.at + (DELAY * (1.0 + queue) * 1e9) as i64;
        self.sent += 1;
        self.packets.insert((arrives, self.sent), packet);
    }

    fn arrive(&mut self, packet: &Packet) {
        if packet.to.ip().to_string() == SERVER {
            self.serve(packet);
            return;
        }
        let Some(node) = self.nodes.iter().position(|node| node.address == packet.to.ip()) else {
            return;
        };
        let now = self.now(node);
        let (from, to, bytes) = (packet.from, Some(packet.to.ip()), packet.bytes.as_slice());
        let (received, quality) = (now.system, StampQuality::Hardware);
        let engine = &mut self.nodes[node].engine;
        if packet.to.port() == 123 {
            if engine.expects(from, bytes) {
                let datagram = PeerDatagram { from, to, bytes, received, quality };
                engine.handle(now, Input::PeerDatagram(datagram));
            }
        } else {
            let exchange = packet.exchange;
            let answer = Answer { exchange, from, to, bytes, received, quality };
            engine.handle(now, Input::Datagram(answer));
        }
        self.settle(node);
    }

    fn serve(&mut self, request: &Packet) {
        let bytes = request.bytes.as_slice().try_into().expect("a header");
        let asked = Header::from_bytes(bytes);
        let at = START + Span::from_nanos(self.at);
        let answer = Header {
            leap: LeapIndicator::NoWarning,
            version: asked.version,
            mode: Mode::Server,
            stratum: 1,
            poll: asked.poll,
            precision: -24,
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::from_seconds_ceil(1e-5),
            reference_id: ReferenceId::from_bytes(*b"GPS\0"),
            reference_timestamp: NtpTimestamp::from(at - Span::from_secs(1)),
            origin_timestamp: asked.transmit_timestamp,
            receive_timestamp: at.into(),
            transmit_timestamp: at.into(),
        };
        let (from, to, exchange) = (request.to, request.from, request.exchange);
        self.send(Packet { from, to, exchange, bytes: answer.to_bytes().to_vec() });
    }
}
