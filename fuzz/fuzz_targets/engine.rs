//! A client among hostile servers on a hostile clock: whatever arrives and whatever the clock does,
//! the engine neither panics nor says things that are no numbers.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use timeball_core::engine::{Answer, Command, PeerDatagram, Port, Sources, StampQuality, Transmit};
use timeball_core::settings::{SourceKind, SourceSettings};
use timeball_core::{Engine, Input, Now, Output, Settings};
use timeball_wire::{Instant, Span, Timestamp};

const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    /// Time passes (ns).
    Pass(u32),
    /// A lot of it (s).
    PassLong(u16),
    /// The clock jumps (ns).
    Jump(i64),
    /// Somebody sets its frequency (ppm).
    Frequency(i16),
    /// The machine sleeps (ms).
    Sleep(u32),
    /// Any datagram for the last request.
    Datagram(&'a [u8]),
    /// A datagram with the right origin, as from a server that saw the request.
    Answer {
        head: [u8; 24],
        receive: i32,
        transmit: i32,
    },
    /// Any datagram from the peer.
    Peer(&'a [u8]),
    /// A packet of the peer that answers our last to it, in basic or interleaved mode.
    PeerAnswer {
        head: [u8; 24],
        receive: i32,
        transmit: i32,
        interleaved: bool,
    },
    /// The network refuses.
    Refuse,
    Step,
    Burst,
    Stop,
}

struct World {
    now: Now,
    engine: Engine,
    last: Option<Transmit>,
    /// Our last packet to the peer.
    last_to_peer: Option<Transmit>,
}

impl World {
    fn settle(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(transmit) => match transmit.from {
                    Port::Fresh => self.last = Some(transmit),
                    Port::Server => self.last_to_peer = Some(transmit),
                },
                Output::Resolve { id, name, .. } => {
                    let named = name.parse().ok().into_iter();
                    let others = [1, 2, 3].map(|n| IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)));
                    let addresses: Vec<IpAddr> = named.chain(others).collect();
                    let addresses = Ok(&addresses[..]);
                    self.engine.handle(self.now, Input::Resolved { id, addresses });
                }
                Output::Clock(command) => {
                    let (before, result) = (self.now, Ok(()));
                    self.obey(command);
                    self.engine.handle(self.now, Input::ClockAdjusted { command, before, result });
                }
                _ => {}
            }
        }
    }

    fn obey(&mut self, command: timeball_core::discipline::ClockCommand) {
        use timeball_core::discipline::ClockCommand;
        match command {
            ClockCommand::SetFrequency(frequency) => {
                assert!(frequency.is_finite() && frequency.abs() < 0.1, "{frequency}");
                self.now.frequency = frequency;
            }
            ClockCommand::Step(by) => self.now.system += by,
            ClockCommand::SetStatus(status) => assert!(!status.max_error.is_negative()),
        }
    }

    fn pass(&mut self, span: Span) {
        self.now.monotonic += span;
        self.now.system += span;
        self.engine.handle(self.now, Input::Timeout);
    }

    fn receive(&mut self, bytes: &[u8]) {
        let Some(last) = &self.last else { return };
        let answer = Answer {
            exchange: last.exchange,
            from: last.destination,
            to: None,
            bytes,
            received: self.now.system,
            quality: StampQuality::Kernel,
        };
        self.engine.handle(self.now, Input::Datagram(answer));
    }

    fn hear_peer(&mut self, bytes: &[u8]) {
        let from = SocketAddr::from((PEER, 123));
        if self.engine.expects(from, bytes) {
            let (received, quality) = (self.now.system, StampQuality::Kernel);
            let datagram = PeerDatagram { from, to: None, bytes, received, quality };
            self.engine.handle(self.now, Input::PeerDatagram(datagram));
        }
    }

    /// So many microseconds from now, as it goes into a packet.
    fn stamp(&self, micros: i32) -> [u8; 8] {
        let at = self.now.system + Span::from_nanos(i64::from(micros) * 1000);
        timeball_wire::NtpTimestamp::from(at).to_bits().to_be_bytes()
    }

    fn act(&mut self, act: &Act<'_>) {
        match act {
            Act::Pass(nanos) => self.pass(Span::from_nanos(i64::from(*nanos))),
            Act::PassLong(secs) => self.pass(Span::from_secs(i64::from(*secs))),
            Act::Jump(nanos) => self.now.system += Span::from_nanos(*nanos),
            Act::Frequency(ppm) => self.now.frequency = f64::from(*ppm) * 1e-6,
            Act::Sleep(millis) => {
                let span = Span::from_millis(i64::from(*millis));
                self.now.asleep += span;
                self.now.system += span;
            }
            Act::Datagram(bytes) => self.receive(bytes),
            Act::Answer { head, receive, transmit } => self.answer(head, *receive, *transmit),
            Act::Peer(bytes) => self.hear_peer(bytes),
            Act::PeerAnswer { head, receive, transmit, interleaved } => {
                let Some(last) = &self.last_to_peer else { return };
                let origin = if *interleaved { 32..40 } else { 40..48 };
                let mut bytes = [0; 48];
                bytes[..24].copy_from_slice(head);
                bytes[0] = bytes[0] & 0b1100_0000 | 0b0010_0001;
                bytes[24..32].copy_from_slice(&last.datagram[origin]);
                bytes[32..40].copy_from_slice(&self.stamp(*receive));
                bytes[40..48].copy_from_slice(&self.stamp(*transmit));
                self.hear_peer(&bytes);
            }
            Act::Refuse => {
                if let Some(exchange) = self.last.as_ref().map(|last| last.exchange) {
                    let reason = "refused".to_owned();
                    self.engine.handle(self.now, Input::SendFailed { exchange, reason });
                }
            }
            Act::Step => self.command(Command::Step),
            Act::Burst => {
                self.command(Command::Burst { sources: Sources::All, good: None, total: None })
            }
            Act::Stop => self.command(Command::Stop),
        }
    }

    fn command(&mut self, command: Command) {
        // What it cannot do it refuses; that must not be a panic.
        let _refused = self.engine.command(self.now, command);
    }

    fn answer(&mut self, head: &[u8; 24], receive: i32, transmit: i32) {
        let Some(last) = &self.last else { return };
        let mut bytes = [0; 48];
        bytes[..24].copy_from_slice(head);
        bytes[0] = bytes[0] & 0b1100_0000 | 0b0010_0100;
        bytes[24..32].copy_from_slice(&last.datagram[40..48]);
        bytes[32..40].copy_from_slice(&self.stamp(receive));
        bytes[40..48].copy_from_slice(&self.stamp(transmit));
        self.receive(&bytes);
    }
}

fn finite(value: Option<f64>) -> bool {
    value.is_none_or(f64::is_finite)
}

fuzz_target!(|acts: Vec<Act<'_>>| {
    let mut pool = SourceSettings::server("pool.example");
    pool.kind = SourceKind::Pool { count: 2 };
    let mut peer = SourceSettings::server("192.0.2.77");
    peer.kind = SourceKind::Peer;
    let mut sources = vec![SourceSettings::server("192.0.2.9"), pool, peer];
    for source in &mut sources {
        source.association.interleaved = true;
        source.association.filter = 2;
        source.association.max_delay_ratio = Some(3.0);
        source.association.max_delay_dev_ratio = Some(10.0);
    }
    let settings = Settings { sources, ..Settings::default() };
    let now = Now {
        monotonic: Instant::from_nanos(1_000_000_000),
        system: Timestamp::from_nanos(1_700_000_000_000_000_000),
        raw: None,
        asleep: Span::ZERO,
        frequency: 0.0,
        uncertainty: Span::ZERO,
    };
    let engine = Engine::new(now, settings, None, 1e-7, [3; 32]);
    let mut world = World { now, engine, last: None, last_to_peer: None };
    world.settle();
    for act in acts.iter().take(500) {
        world.act(act);
        world.settle();
    }
    let report = world.engine.report(world.now);
    let tracking = &report.tracking;
    assert!(finite(tracking.offset) && finite(tracking.offset_bound));
    assert!(tracking.frequency_ppm.is_finite() && tracking.root_dispersion.is_finite());
    for source in &report.sources {
        assert!(finite(source.offset) && finite(source.offset_bound) && finite(source.jitter));
    }
});
