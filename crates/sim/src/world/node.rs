//! A machine that runs the engine: what the daemon and its kernel do around it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use timeball_core::association::KeyFailure;
use timeball_core::discipline::{ClockCommand, Drift};
use timeball_core::engine::{
    Answer, ClockError, Command, ExchangeId, Input, Output, PeerDatagram, Port, ResolveError,
    ResolveId, Sources, StampQuality,
};
use timeball_core::event::Severity;
use timeball_core::report::Report;
use timeball_core::server::{Arrival, MAX_ANSWER_LEN, Responder, ServerView, Verdict};
use timeball_core::{Engine, Settings};
use timeball_wire::{NTP_PORT, Span, Timestamp};

use super::queue::{Datagram, HostId, Occurrence, Queue};
use crate::clock::Clock;
use crate::noise::Stream;
use crate::oscillator::Oscillator;
use crate::outcome::{LogLine, Packets};
use crate::scenario::node::{Node, StealTime};
use crate::scenario::{self, Action};
use crate::spells::Spells;
use crate::truth::{Calendar, Moment};

/// Ports of requests: Linux's range.
const FIRST_PORT: u64 = 32_768;
const PORTS: u64 = 28_232;
/// Mean times (s) that a busy little machine takes.
const WAKE_LATENCY: f64 = 50e-6;
const SEND_LATENCY: f64 = 15e-6;
const READ_LATENCY: f64 = 20e-6;
const RESOLVE_LATENCY: f64 = 10e-3;
/// More than this often in a second nobody with work to do wakes up.
const MAX_WAKES_PER_SECOND: u32 = 20_000;
/// More outputs than this at once, and the engine talks to itself.
const MAX_OUTPUTS: u32 = 20_000;
/// Lines of the log that are kept.
const MAX_LOG: usize = 10_000;

/// Kernels start long before daemons.
const UPTIME: Span = Span::from_secs(30);

/// The engine wants attention without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runaway;

/// Who uses the processor.
#[derive(Debug)]
struct Processor {
    steal: Option<StealTime>,
    spells: Spells,
}

impl Processor {
    /// How long it takes until the machine has its processor back.
    fn busy_with_others(&mut self, at: Moment) -> Span {
        let Some(StealTime { every, lasts }) = self.steal else { return Span::ZERO };
        let left = self.spells.left(at.seconds(), every, lasts);
        // Rounded up: then it is back.
        left.map_or(Span::ZERO, |left| Span::from_seconds(left) + Span::from_nanos(1))
    }
}

/// A machine that runs the engine.
#[derive(Debug)]
pub(super) struct EngineNode {
    id: HostId,
    pub(super) address: IpAddr,
    pub(super) clock: Clock,
    settings: Settings,
    may_set_clock: bool,
    engine: Option<Engine>,
    responder: Responder,
    sockets: BTreeMap<u16, ExchangeId>,
    quality: StampQuality,
    processor: Processor,
    stream: Stream,
    drift: Option<Drift>,
    generation: u64,
    deadline: Option<timeball_wire::Instant>,
    suspended: bool,
    wakes: (i64, u32),
    precision: f64,
    pub(super) packets: Packets,
    pub(super) log: Vec<LogLine>,
}

impl EngineNode {
    pub(super) fn new(
        id: HostId,
        node: &Node,
        address: IpAddr,
        calendar: &Calendar,
        seed: u64,
    ) -> Self {
        let name = node.name.get_ref();
        let stream = |what: &str| Stream::new(seed, &format!("node/{name}/{what}"));
        let mut own = stream("daemon");
        let mut clock = Clock::new(
            Oscillator::new(node.oscillator.clone(), stream("oscillator")),
            stream("reading"),
            node.reading(),
            calendar.utc(Moment::START) + Span::from_seconds(node.offset),
            UPTIME,
        );
        let settings = node.settings();
        let view = ServerView::unsynchronised(-24, clock.now(Moment::START).monotonic);
        Self {
            id,
            address,
            responder: Responder::new(&settings.server, view, own.bytes()),
            clock,
            settings,
            may_set_clock: node.may_set_clock,
            engine: None,
            sockets: BTreeMap::new(),
            quality: node.timestamping,
            processor: Processor { steal: node.steal, spells: Spells::new(stream("processor")) },
            stream: own,
            drift: node.drift.map(Drift::from),
            generation: 0,
            deadline: None,
            suspended: false,
            wakes: (0, 0),
            precision: node.resolution.max(node.reading_noise),
            packets: Packets::default(),
            log: Vec::new(),
        }
    }

    /// What the engine says of itself; `None` while the machine sleeps or no daemon runs.
    pub(super) fn report(&mut self, at: Moment) -> Option<Report> {
        if self.suspended {
            return None;
        }
        let now = self.clock.now(at);
        self.engine.as_ref().map(|engine| engine.report(now))
    }

    pub(super) const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// The daemon starts.
    pub(super) fn start(&mut self, at: Moment, queue: &mut Queue) -> Result<(), Runaway> {
        if self.suspended {
            queue.plan(at + Span::from_secs(1), Occurrence::Start { host: self.id });
            return Ok(());
        }
        let now = self.clock.now(at);
        let seed = self.stream.bytes();
        let settings = self.settings.clone();
        self.engine = Some(Engine::new(now, settings, self.drift, self.precision, seed));
        let own = [self.address];
        self.handle(at, Input::OwnAddresses(&own), queue)
    }

    /// Something happens to the machine.
    pub(super) fn act(
        &mut self,
        at: Moment,
        action: Action,
        queue: &mut Queue,
    ) -> Result<(), Runaway> {
        if self.suspended {
            // Nobody does anything to a machine that sleeps.
            queue.plan(at + Span::from_secs(1), Occurrence::Act { host: self.id, action });
            return Ok(());
        }
        match action {
            Action::Step(by) => self.clock.set_by_hand(at, Span::from_seconds(by)),
            Action::Frequency(frequency) => self.clock.set_frequency(at, frequency),
            Action::Suspend { duration, rtc_error } => {
                self.clock.suspend(at);
                self.suspended = true;
                self.generation += 1;
                self.deadline = None;
                let rtc_error = Span::from_seconds(rtc_error);
                let resumes = at + Span::from_seconds(duration);
                queue.plan(resumes, Occurrence::Resume { host: self.id, rtc_error });
            }
            Action::Restart(after) => {
                self.engine = None;
                self.sockets.clear();
                self.generation += 1;
                self.deadline = None;
                let starts = at + Span::from_seconds(after);
                queue.plan(starts, Occurrence::Start { host: self.id });
            }
            Action::Command(command) => {
                let command = match command {
                    scenario::Command::Step => Command::Step,
                    scenario::Command::Burst => {
                        Command::Burst { sources: Sources::All, good: None, total: None }
                    }
                    scenario::Command::Refresh => Command::Refresh,
                };
                return self.command(at, command, queue);
            }
        }
        Ok(())
    }

    /// The machine wakes up.
    pub(super) fn resume(&mut self, at: Moment, rtc_error: Span, queue: &mut Queue) {
        self.clock.resume(at, rtc_error);
        self.suspended = false;
        self.set_timer(at, queue);
    }

    /// The timer fires.
    pub(super) fn wake(
        &mut self,
        at: Moment,
        generation: u64,
        queue: &mut Queue,
    ) -> Result<(), Runaway> {
        if generation != self.generation || self.suspended {
            return Ok(());
        }
        let second = at.nanos() / 1_000_000_000;
        self.wakes = if self.wakes.0 == second { (second, self.wakes.1 + 1) } else { (second, 1) };
        if self.wakes.1 > MAX_WAKES_PER_SECOND {
            return Err(Runaway);
        }
        let stolen = self.processor.busy_with_others(at);
        if stolen > Span::ZERO {
            queue.plan(at + stolen, Occurrence::Wake { host: self.id, generation });
            return Ok(());
        }
        self.deadline = None;
        let now = self.clock.now(at);
        let due = self.engine.as_ref().and_then(Engine::next_timeout);
        if due.is_some_and(|due| due <= now.monotonic) {
            return self.handle(at, Input::Timeout, queue);
        }
        // The clock was slowed down meanwhile.
        self.set_timer(at, queue);
        Ok(())
    }

    /// A datagram leaves: the moment is noted.
    pub(super) fn departed(&mut self, at: Moment, exchange: ExchangeId, queue: &mut Queue) {
        let early = self.stamp_error();
        let stamp = self.clock.system(at) - Span::from_seconds(early);
        let told = at + Span::from_seconds(self.stream.exponential(READ_LATENCY));
        queue.plan(told, Occurrence::Sent { host: self.id, exchange, at: stamp });
    }

    /// The engine learns when its request left.
    pub(super) fn sent(
        &mut self,
        at: Moment,
        exchange: ExchangeId,
        stamp: Timestamp,
        queue: &mut Queue,
    ) -> Result<(), Runaway> {
        let quality = self.quality;
        self.handle(at, Input::Sent { exchange, at: stamp, quality }, queue)
    }

    /// A datagram arrives.
    pub(super) fn arrive(&mut self, at: Moment, datagram: Datagram, queue: &mut Queue) {
        if self.suspended || self.engine.is_none() {
            return;
        }
        let late = Span::from_seconds(self.stamp_error()) + self.processor.busy_with_others(at);
        let received = self.clock.system(at) + late;
        let read = at + late + Span::from_seconds(self.stream.exponential(READ_LATENCY));
        let host = self.id;
        if datagram.to.port() == NTP_PORT {
            queue.plan(read, Occurrence::Answer { host, request: datagram, received });
        } else if let Some(&exchange) = self.sockets.get(&datagram.to.port()) {
            queue.plan(read, Occurrence::Deliver { host, exchange, datagram, received });
        }
    }

    /// The engine reads a datagram.
    pub(super) fn deliver(
        &mut self,
        at: Moment,
        exchange: ExchangeId,
        datagram: &Datagram,
        received: Timestamp,
        queue: &mut Queue,
    ) -> Result<(), Runaway> {
        if self.sockets.get(&datagram.to.port()) != Some(&exchange) {
            return Ok(());
        }
        self.packets.received += 1;
        let answer = Answer {
            exchange,
            from: datagram.from,
            to: Some(datagram.to.ip()),
            bytes: &datagram.bytes,
            received,
            quality: self.quality,
        };
        self.handle(at, Input::Datagram(answer), queue)
    }

    /// The engine reads a peer's packet, or the server side answers a request, or not.
    pub(super) fn answer(
        &mut self,
        at: Moment,
        request: Datagram,
        received: Timestamp,
        queue: &mut Queue,
    ) -> Result<(), Runaway> {
        let Some(engine) = self.engine.as_ref().filter(|_| !self.suspended) else {
            return Ok(());
        };
        if engine.expects(request.from, &request.bytes) {
            let datagram = PeerDatagram {
                from: request.from,
                to: Some(request.to.ip()),
                bytes: &request.bytes,
                received,
                quality: self.quality,
            };
            return self.handle(at, Input::PeerDatagram(datagram), queue);
        }
        let now = self.clock.now(at);
        let arrival = Arrival {
            received,
            quality: self.quality,
            monotonic: now.monotonic,
            from: request.from,
            to_everybody: false,
        };
        let mut out = [0; MAX_ANSWER_LEN];
        match self.responder.respond(&request.bytes, &arrival, now.system, &mut out) {
            Verdict::Answer(len) | Verdict::Kiss(len) => {
                self.packets.served += 1;
                let bytes = out.get(..len).unwrap_or(&out).to_vec();
                let datagram = Datagram { from: request.to, to: request.from, bytes };
                let leaves = at + Span::from_seconds(self.stamp_error());
                queue.plan(leaves, Occurrence::Depart { host: self.id, datagram, exchange: None });
            }
            Verdict::Silence(_) => {}
        }
        Ok(())
    }

    /// The resolver answers.
    pub(super) fn resolved(
        &mut self,
        at: Moment,
        id: ResolveId,
        addresses: Result<&[IpAddr], ResolveError>,
        queue: &mut Queue,
    ) -> Result<(), Runaway> {
        self.handle(at, Input::Resolved { id, addresses }, queue)
    }

    fn handle(&mut self, at: Moment, input: Input<'_>, queue: &mut Queue) -> Result<(), Runaway> {
        if self.suspended {
            return Ok(());
        }
        let now = self.clock.now(at);
        let Some(engine) = &mut self.engine else { return Ok(()) };
        engine.handle(now, input);
        self.carry_out_outputs(at, queue)
    }

    fn command(&mut self, at: Moment, command: Command, queue: &mut Queue) -> Result<(), Runaway> {
        if self.suspended {
            return Ok(());
        }
        let now = self.clock.now(at);
        let Some(engine) = &mut self.engine else { return Ok(()) };
        match engine.command(now, command) {
            Ok(()) => self.carry_out_outputs(at, queue),
            Err(error) => unreachable!("a scenario's commands need nothing: {error}"),
        }
    }

    fn carry_out_outputs(&mut self, at: Moment, queue: &mut Queue) -> Result<(), Runaway> {
        for _ in 0..MAX_OUTPUTS {
            let Some(output) = self.engine.as_mut().and_then(Engine::poll_output) else {
                self.set_timer(at, queue);
                return Ok(());
            };
            self.carry_out(at, output, queue);
        }
        Err(Runaway)
    }

    fn carry_out(&mut self, at: Moment, output: Output, queue: &mut Queue) {
        match output {
            Output::Transmit(request) => {
                let port = match request.from {
                    Port::Fresh => (FIRST_PORT + request.exchange.0 % PORTS) as u16,
                    Port::Server => NTP_PORT,
                };
                if request.from == Port::Fresh {
                    self.sockets.insert(port, request.exchange);
                }
                self.packets.sent += 1;
                let datagram = Datagram {
                    from: SocketAddr::new(self.address, port),
                    to: request.destination,
                    bytes: request.datagram,
                };
                let leaves = at + Span::from_seconds(self.stream.exponential(SEND_LATENCY));
                let exchange = Some(request.exchange);
                queue.plan(leaves, Occurrence::Depart { host: self.id, datagram, exchange });
            }
            Output::Close(exchange) => self.sockets.retain(|_, open| *open != exchange),
            Output::Resolve { id, name, family } => {
                let answered = at + Span::from_seconds(self.stream.exponential(RESOLVE_LATENCY));
                queue.plan(answered, Occurrence::Resolved { host: self.id, id, name, family });
            }
            Output::Clock(command) => self.command_clock(at, command),
            Output::Publish(view) => self.responder.publish(view),
            Output::SaveDrift(drift) => self.drift = Some(drift),
            Output::EstablishKeys(wanted) => {
                let result = Err(KeyFailure::Lasting("this world has no NTS".to_owned()));
                let input = Input::KeysEstablished { source: wanted.source, result };
                let now = self.clock.now(at);
                if let Some(engine) = &mut self.engine {
                    engine.handle(now, input);
                }
            }
            // Its scenarios have no reference clocks.
            Output::Record(_) | Output::ReadClock { .. } => {}
            Output::Exit => {
                self.engine = None;
                self.sockets.clear();
            }
            Output::Event(event) => {
                if event.severity() > Severity::Debug && self.log.len() < MAX_LOG {
                    self.log.push(LogLine {
                        at: at.seconds(),
                        severity: event.severity().into(),
                        text: event.to_string(),
                    });
                }
            }
        }
    }

    fn command_clock(&mut self, at: Moment, command: ClockCommand) {
        let before = self.clock.now(at);
        let result = if self.may_set_clock {
            self.clock.command(at, command);
            Ok(())
        } else {
            Err(ClockError::Permission)
        };
        let now = self.clock.now(at);
        if let Some(engine) = &mut self.engine {
            engine.handle(now, Input::ClockAdjusted { command, before, result });
        }
    }

    /// Sets the timer to the engine's deadline, unless it is set to that already.
    fn set_timer(&mut self, at: Moment, queue: &mut Queue) {
        let Some(due) = self.engine.as_ref().and_then(Engine::next_timeout) else { return };
        if self.deadline == Some(due) {
            return;
        }
        self.deadline = Some(due);
        self.generation += 1;
        let late = Span::from_seconds(self.stream.exponential(WAKE_LATENCY));
        let left = self.clock.until(at, due);
        let wait = if left.is_negative() { late } else { left + late };
        let wake = Occurrence::Wake { host: self.id, generation: self.generation };
        queue.plan(at + wait, wake);
    }

    /// How much (s) a timestamp is too early on the way out, and too late on the way in.
    fn stamp_error(&mut self) -> f64 {
        match self.quality {
            StampQuality::Daemon => self.stream.exponential(4e-6),
            StampQuality::Kernel => self.stream.exponential(0.3e-6),
            StampQuality::Hardware => (10e-9 * self.stream.normal()).abs(),
        }
    }
}
