//! The engine among scripted servers, in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use timeball_wire::{
    Header, LeapIndicator, Mode, NtpShort, NtpTimestamp, ReferenceId, Span, Timestamp,
};

use super::*;
use crate::association::{self, PollInterval};
use crate::discipline::ClockCommand;
use crate::event::Event;
use crate::reference_clock::{self, Driver, RawSample};
use crate::report::{Report, SourceMode};
use crate::selection::State;
use crate::settings::{SourceKind, SourceSettings};

/// One way between us and any server (s).
const DELAY: f64 = 0.002;

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    /// Its clock is this far ahead of true time (s).
    Off(f64),
    /// It never answers.
    Dead,
    /// It wants us to go away.
    Deny,
}

struct World {
    now: Now,
    /// True time minus system clock (ns).
    error: i64,
    engine: Engine,
    servers: BTreeMap<IpAddr, Server>,
    names: BTreeMap<&'static str, Vec<&'static str>>,
    resolved: Vec<String>,
    open: Vec<ExchangeId>,
    events: Vec<Event>,
    commands: Vec<ClockCommand>,
    view: Option<ServerView>,
    keys_wanted: Vec<KeyEstablishment>,
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn settings(names: &[&str]) -> Settings {
    let association = association::Settings {
        minpoll: PollInterval::new(4),
        maxpoll: PollInterval::new(6),
        ..association::Settings::default()
    };
    let source = |name: &&str| SourceSettings { association, ..SourceSettings::server(*name) };
    Settings { sources: names.iter().map(source).collect(), ..Settings::default() }
}

impl World {
    fn new(settings: Settings, error: Span, servers: &[(&str, Server)]) -> Self {
        let now = Now {
            monotonic: Instant::from_nanos(77_000_000_000),
            system: Timestamp::from_nanos(1_700_000_000_000_000_000),
            raw: None,
            asleep: Span::ZERO,
            frequency: 0.0,
            uncertainty: Span::ZERO,
        };
        Self {
            now,
            error: error.nanos(),
            engine: Engine::new(now, settings, None, 1e-7, [1; 32]),
            servers: servers.iter().map(|(address, server)| (ip(address), *server)).collect(),
            names: BTreeMap::new(),
            resolved: Vec::new(),
            keys_wanted: Vec::new(),
            open: Vec::new(),
            events: Vec::new(),
            commands: Vec::new(),
            view: None,
        }
    }

    fn pass(&mut self, seconds: f64) {
        let span = Span::from_seconds(seconds);
        self.now.monotonic += span;
        self.now.system += span;
        // The oscillator is perfect: what the clock gains by its frequency, it gains on the truth.
        self.error -= Span::from_seconds(seconds * self.now.frequency).nanos();
    }

    fn run(&mut self, seconds: f64) {
        let end = self.now.monotonic + Span::from_seconds(seconds);
        loop {
            self.settle();
            let due = self.engine.next_timeout().unwrap_or(end).max(self.now.monotonic);
            if due >= end {
                self.pass((end - self.now.monotonic).seconds());
                return;
            }
            self.pass((due - self.now.monotonic).seconds());
            self.engine.handle(self.now, Input::Timeout);
        }
    }

    fn settle(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(transmit) => self.exchange(&transmit),
                Output::Close(exchange) => self.open.retain(|open| *open != exchange),
                Output::Resolve { id, name, .. } => self.resolve(id, &name),
                Output::ReadClock { clock, .. } => self.read_clock(clock),
                Output::Clock(command) => self.obey(command),
                Output::Publish(view) => self.view = Some(view),
                Output::EstablishKeys(wanted) => self.keys_wanted.push(wanted),
                Output::SaveDrift(_) | Output::Record(_) | Output::Exit => {}
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// Every reference clock is right.
    fn read_clock(&mut self, clock: SourceId) {
        let received = self.now.system;
        let reference = received + Span::from_nanos(self.error);
        let sample = RawSample { received, reference, leap: LeapIndicator::NoWarning };
        let reading = ClockReading::Samples { samples: &[sample], malformed: 0 };
        self.engine.handle(self.now, Input::ClockRead { clock, reading });
    }

    fn obey(&mut self, command: ClockCommand) {
        self.commands.push(command);
        let before = self.now;
        match command {
            ClockCommand::SetFrequency(frequency) => self.now.frequency = frequency,
            ClockCommand::Step(by) => {
                self.now.system += by;
                self.error -= by.nanos();
            }
            ClockCommand::SetStatus(_) => {}
        }
        self.engine.handle(self.now, Input::ClockAdjusted { command, before, result: Ok(()) });
    }

    fn resolve(&mut self, id: ResolveId, name: &str) {
        self.resolved.push(name.to_owned());
        let addresses = match name.parse() {
            Ok(literal) => vec![literal],
            Err(_) => self.names.get(name).into_iter().flatten().map(|text| ip(text)).collect(),
        };
        let answer = if addresses.is_empty() {
            Err(ResolveError::NotFound)
        } else {
            Ok(addresses.as_slice())
        };
        self.engine.handle(self.now, Input::Resolved { id, addresses: answer });
    }

    /// Everything that becomes of a request, at once: time passes on the way.
    fn exchange(&mut self, transmit: &Transmit) {
        self.open.push(transmit.exchange);
        let Some(server) = self.servers.get(&transmit.destination.ip()).copied() else { return };
        if server == Server::Dead {
            return;
        }
        let request = Header::from_bytes(transmit.datagram.first_chunk().expect("a header"));
        self.pass(DELAY);
        let answer = self.answer(server, &request);
        self.pass(DELAY);
        self.receive(transmit.exchange, transmit.destination, &answer.to_bytes());
    }

    fn answer(&self, server: Server, request: &Header) -> Header {
        let off = if let Server::Off(off) = server { off } else { 0.0 };
        let time = self.now.system + Span::from_nanos(self.error) + Span::from_seconds(off);
        Header {
            leap: LeapIndicator::NoWarning,
            version: 4,
            mode: Mode::Server,
            stratum: if server == Server::Deny { 0 } else { 1 },
            poll: 4,
            precision: -23,
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::from_seconds_ceil(1e-4),
            reference_id: ReferenceId::from_bytes(*b"DENY"),
            reference_timestamp: NtpTimestamp::from(time - Span::from_secs(4)),
            origin_timestamp: request.transmit_timestamp,
            receive_timestamp: NtpTimestamp::from(time),
            transmit_timestamp: NtpTimestamp::from(time),
        }
    }

    fn receive(&mut self, exchange: ExchangeId, from: SocketAddr, bytes: &[u8]) {
        self.engine.handle(
            self.now,
            Input::Datagram(Answer {
                exchange,
                from,
                to: None,
                bytes,
                received: self.now.system,
                quality: StampQuality::Kernel,
            }),
        );
    }

    fn report(&self) -> Report {
        self.engine.report(self.now)
    }

    fn state(&self, name: &str) -> State {
        let report = self.report();
        report.sources.iter().find(|source| source.name == name).expect("a source").state
    }
}

#[test]
fn a_clock_an_hour_slow_is_stepped_and_then_kept() {
    let servers = [("192.0.2.1", Server::Off(0.0))];
    let mut world = World::new(settings(&["192.0.2.1"]), Span::from_secs(3600), &servers);
    world.run(20.0);
    let report = world.report();
    assert!(report.tracking.synchronised, "{}", report.tracking.reason);
    assert_eq!(report.tracking.steps, 1);
    assert_eq!(report.tracking.stratum, 2);
    assert_eq!(report.tracking.reference, "192.0.2.1");
    world.run(600.0);
    assert!(world.error.abs() < 20_000, "{} ns", world.error);
    let view = world.view.expect("published");
    assert_eq!((view.stratum, view.leap), (2, LeapIndicator::NoWarning));
}

#[test]
fn the_liar_of_three_is_named() {
    let servers = [
        ("192.0.2.1", Server::Off(0.0)),
        ("192.0.2.2", Server::Off(0.212)),
        ("192.0.2.3", Server::Off(0.0)),
    ];
    let names = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let mut world = World::new(settings(&names), Span::ZERO, &servers);
    world.run(300.0);
    assert_eq!(world.state("192.0.2.2"), State::Falseticker);
    let report = world.report();
    assert!(report.sources[1].reason.contains("212"), "{}", report.sources[1].reason);
    assert!(world.error.abs() < 50_000, "{} ns", world.error);
}

#[test]
fn without_a_majority_there_is_an_alarm_and_no_correction() {
    let servers = [("192.0.2.1", Server::Off(0.5)), ("192.0.2.2", Server::Off(-0.5))];
    let mut world = World::new(settings(&["192.0.2.1", "192.0.2.2"]), Span::ZERO, &servers);
    world.run(300.0);
    let report = world.report();
    assert!(!report.tracking.synchronised);
    assert!(report.tracking.reason.contains("no majority"), "{}", report.tracking.reason);
    assert!(world.events.iter().any(|event| matches!(event, Event::Unsynchronised { .. })));
    assert_eq!(world.error, 0);
}

#[test]
fn every_exchange_is_closed_in_the_end() {
    let servers = [("192.0.2.1", Server::Off(0.0)), ("192.0.2.2", Server::Dead)];
    let mut world = World::new(settings(&["192.0.2.1", "192.0.2.2"]), Span::ZERO, &servers);
    world.run(1000.0);
    assert!(world.open.len() <= 1, "{:?}", world.open);
    assert_eq!(world.state("192.0.2.2"), State::Unreachable);
}

#[test]
fn an_answer_to_nobody_is_counted_and_changes_nothing() {
    let servers = [("192.0.2.1", Server::Off(0.0))];
    let mut world = World::new(settings(&["192.0.2.1"]), Span::ZERO, &servers);
    world.run(100.0);
    let before = world.report();
    world.receive(ExchangeId(9999), "192.0.2.1:123".parse().expect("an address"), &[0; 48]);
    let after = world.report();
    assert_eq!(after.rejected["unsolicited"], 1);
    assert_eq!(after, Report { rejected: after.rejected.clone(), ..before });
}

#[test]
fn a_pool_keeps_as_many_good_ones_as_wanted() {
    let servers = [
        ("192.0.2.1", Server::Off(0.0)),
        ("192.0.2.2", Server::Dead),
        ("192.0.2.3", Server::Deny),
        ("192.0.2.4", Server::Off(0.0)),
        ("192.0.2.5", Server::Off(0.0)),
        ("192.0.2.6", Server::Off(0.0)),
    ];
    let mut settings = settings(&["pool.example"]);
    settings.sources[0].kind = SourceKind::Pool { count: 4 };
    let mut world = World::new(settings, Span::ZERO, &[]);
    world.servers = servers.iter().map(|(address, server)| (ip(address), *server)).collect();
    let addresses: Vec<_> = servers.iter().map(|(address, _)| *address).collect();
    world.names.insert("pool.example", addresses);
    world.run(600.0);
    let mut used: Vec<_> =
        world.report().sources.iter().filter_map(|source| source.address).collect();
    used.sort();
    let good = ["192.0.2.1", "192.0.2.4", "192.0.2.5", "192.0.2.6"].map(ip);
    assert_eq!(used, good);
}

#[test]
fn a_silent_server_is_looked_up_again() {
    let mut world = World::new(settings(&["time.example"]), Span::ZERO, &[]);
    world.names.insert("time.example", vec!["192.0.2.1"]);
    world.servers.insert(ip("192.0.2.1"), Server::Off(0.0));
    world.run(100.0);
    assert_eq!(world.resolved.len(), 1);
    world.servers.insert(ip("192.0.2.1"), Server::Dead);
    world.servers.insert(ip("192.0.2.9"), Server::Off(0.0));
    world.names.insert("time.example", vec!["192.0.2.9"]);
    world.run(1500.0);
    assert_eq!(world.report().sources[0].address, Some(ip("192.0.2.9")));
    assert!(world.report().tracking.synchronised);
}

#[test]
fn a_name_that_does_not_resolve_is_asked_for_again_and_again_but_ever_more_rarely() {
    let mut world = World::new(settings(&["nowhere.example"]), Span::ZERO, &[]);
    world.run(4000.0);
    let asked = world.resolved.len();
    assert!((8..=14).contains(&asked), "{asked} questions");
    assert_eq!(world.report().sources[0].address, None);
}

#[test]
fn a_foreign_step_is_noticed_and_undone_without_losing_sources() {
    let servers = [("192.0.2.1", Server::Off(0.0))];
    let mut world = World::new(settings(&["192.0.2.1"]), Span::ZERO, &servers);
    world.run(300.0);
    let samples = world.report().sources[0].samples;
    world.now.system += Span::from_secs(5);
    world.error -= Span::from_secs(5).nanos();
    world.run(1.0);
    assert_eq!(world.report().tracking.foreign_steps, 1);
    assert!(world.error.abs() < 100_000, "{} ns", world.error);
    assert!(world.report().tracking.synchronised);
    assert_eq!(world.report().sources[0].samples, samples);
    assert!(world.events.contains(&Event::ForeignStep { by: Span::from_secs(5) }));
}

#[test]
fn a_foreign_frequency_is_noticed_and_undone() {
    let servers = [("192.0.2.1", Server::Off(0.0))];
    let mut world = World::new(settings(&["192.0.2.1"]), Span::ZERO, &servers);
    world.run(300.0);
    let dispersion = world.report().tracking.root_dispersion;
    world.now.frequency = 400e-6;
    world.run(30.0);
    // Nobody knows since when.
    let doubt = world.report().tracking.root_dispersion - dispersion;
    assert!(doubt > 50e-6, "{doubt} s");
    assert!(world.events.iter().any(|event| matches!(event, Event::ForeignFrequency { .. })));
    world.run(300.0);
    assert!(world.now.frequency.abs() < 5e-6, "{}", world.now.frequency);
    assert!(world.error.abs() < 100_000, "{} ns", world.error);
}

#[test]
fn a_reload_keeps_the_history_of_unchanged_sources() {
    let servers = [
        ("192.0.2.1", Server::Off(0.0)),
        ("192.0.2.2", Server::Off(0.0)),
        ("192.0.2.3", Server::Off(0.0)),
    ];
    let mut world = World::new(settings(&["192.0.2.1", "192.0.2.2"]), Span::ZERO, &servers);
    world.run(300.0);
    let before = world.report();
    let mut new = settings(&["192.0.2.3", "192.0.2.1"]);
    // How often it is asked makes it no other source.
    new.sources[1].association.maxpoll = PollInterval::new(5);
    world.engine.command(world.now, Command::Configure(Box::new(new))).unwrap();
    world.settle();
    let after = world.report();
    assert!(world.events.contains(&Event::Reconfigured { kept: 1, added: 1, removed: 1 }));
    assert_eq!(after.sources[1].name, "192.0.2.1");
    assert_eq!(after.sources[1].samples, before.sources[0].samples);
    assert_eq!(after.sources[1].id, before.sources[0].id);
    assert!(after.tracking.synchronised);
    world.run(60.0);
    assert!(world.report().sources[0].samples > 0);
}

#[test]
fn a_pool_grows_with_its_settings_and_a_refresh_asks_for_healthy_names_too() {
    let mut wanted = settings(&["pool.example"]);
    wanted.sources[0].kind = SourceKind::Pool { count: 1 };
    let mut world = World::new(wanted.clone(), Span::ZERO, &[]);
    world.names.insert("pool.example", vec!["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        world.servers.insert(ip(address), Server::Off(0.0));
    }
    world.run(100.0);
    assert_eq!(world.report().sources.len(), 1);
    wanted.sources[0].kind = SourceKind::Pool { count: 3 };
    world.engine.command(world.now, Command::Configure(Box::new(wanted))).unwrap();
    world.run(100.0);
    assert_eq!(world.report().sources.len(), 3);

    let refreshed = world.resolved.len();
    world.engine.command(world.now, Command::Refresh).unwrap();
    world.run(1.0);
    assert_eq!(world.resolved.len(), refreshed + 1);
}

#[test]
fn a_server_that_sends_us_away_is_no_longer_followed() {
    let servers = [("192.0.2.1", Server::Off(0.0))];
    let mut world = World::new(settings(&["192.0.2.1"]), Span::ZERO, &servers);
    world.run(100.0);
    world.servers.insert(ip("192.0.2.1"), Server::Deny);
    world.run(100.0);
    let report = world.report();
    assert_eq!(report.sources[0].state, State::Unreachable, "{}", report.sources[0].reason);
    assert!(report.sources[0].reason.contains("DENY"), "{}", report.sources[0].reason);
    assert!(report.tracking.reason.starts_with("holding over"), "{}", report.tracking.reason);
}

#[test]
fn the_drift_file_is_where_the_clock_starts() {
    let now = World::new(settings(&[]), Span::ZERO, &[]).now;
    let drift = Drift { frequency: 42e-6, uncertainty: 1e-8 };
    let mut engine = Engine::new(now, settings(&[]), Some(drift), 1e-7, [1; 32]);
    assert_eq!(engine.poll_output(), Some(Output::Clock(ClockCommand::SetFrequency(42e-6))));
}

fn reference_clock(id: [u8; 4]) -> reference_clock::Settings {
    let driver = Driver::SharedMemory { unit: 0, permissions: 0o600 };
    reference_clock::Settings::new(driver, ReferenceId::from_bytes(id))
}

#[test]
fn a_reference_clock_alone_makes_a_primary_server() {
    let settings = Settings { reference_clocks: vec![reference_clock(*b"GPS\0")], ..settings(&[]) };
    let mut world = World::new(settings, Span::from_millis(5), &[]);
    world.run(600.0);
    assert!(world.error.abs() < 1_000, "{} ns", world.error);
    let view = world.view.expect("a view");
    assert_eq!((view.stratum, view.reference_id), (1, ReferenceId::from_bytes(*b"GPS\0")));
    let report = world.report();
    assert_eq!(report.sources[0].state, State::Selected, "{}", report.sources[0].reason);
    assert_eq!(report.sources[0].mode, SourceMode::ReferenceClock);
    assert_eq!(report.sources[0].reach, 0o377);
    assert_eq!(report.tracking.reference, "GPS");
    assert!(world.events.contains(&Event::SystemPeer { name: "GPS".to_owned() }));
}

#[test]
fn a_reference_clock_keeps_its_history_when_others_come_and_go() {
    let with = |ids: &[&[u8; 4]]| Settings {
        reference_clocks: ids.iter().map(|id| reference_clock(**id)).collect(),
        ..settings(&[])
    };
    let mut world = World::new(with(&[b"GPS1", b"GPS2"]), Span::ZERO, &[]);
    world.run(100.0);
    let before = world.report().sources[1].id;
    let wanted = Box::new(with(&[b"GPS2", b"GPS3"]));
    world.engine.command(world.now, Command::Configure(wanted)).unwrap();
    let sources = world.report().sources;
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["GPS2", "GPS3"]);
    assert_eq!(sources[0].id, before);
    assert_eq!((sources[0].samples, sources[1].samples), (6, 0));
    // What was read for one that is gone says nothing.
    world.read_clock(SourceId(0));
    world.run(100.0);
    assert!(world.report().sources.iter().all(|source| source.reach != 0));
}

#[test]
fn stopping_ends_the_slew() {
    let servers = [("192.0.2.1", Server::Off(0.0))];
    let mut world = World::new(settings(&["192.0.2.1"]), Span::from_millis(500), &servers);
    world.run(30.0);
    assert!((world.now.frequency - 1000e-6).abs() < 50e-6, "{}", world.now.frequency);
    world.engine.command(world.now, Command::Stop).unwrap();
    world.settle();
    assert!(world.now.frequency.abs() < 20e-6, "{}", world.now.frequency);
}

impl World {
    /// Answers what was asked for last: with keys for the NTP server at this address, or with none.
    fn give_keys(&mut self, server: Option<&str>) {
        let wanted = self.keys_wanted.last().expect("keys are wanted");
        let algorithm = timeball_auth::nts::AeadAlgorithm::AesSivCmac256;
        let secrets = timeball_auth::nts::SessionSecrets::new(algorithm, &[1; 32], &[2; 32]);
        let session = server.map(|server| association::NtsSession {
            secrets: secrets.expect("the length of the keys"),
            alternative: None,
            cookies: (1..=8).map(|number| vec![number; 100]).collect(),
            server: Some(SocketAddr::new(ip(server), timeball_wire::NTP_PORT)),
            validity: None,
            age: 0.0,
        });
        let result = session
            .map(Box::new)
            .ok_or_else(|| association::KeyFailure::Passing("nobody there".to_owned()));
        let source = wanted.source;
        self.engine.handle(self.now, Input::KeysEstablished { source, result });
    }

    /// Runs until keys are wanted once more, this long (s) at most, and answers of whom and rather for
    /// another NTP server than which.
    fn next_wish_for_keys(&mut self, seconds: f64) -> Option<(IpAddr, Option<IpAddr>)> {
        let (before, mut waited) = (self.keys_wanted.len(), 0.0);
        while self.keys_wanted.len() == before && waited < seconds {
            self.run(1.0);
            waited += 1.0;
        }
        let wanted = self.keys_wanted.get(before)?;
        Some((wanted.address.ip(), wanted.unwanted.map(|server| server.ip())))
    }
}

fn with_nts(mut settings: Settings) -> Settings {
    for source in &mut settings.sources {
        source.association.authentication = association::Authentication::Nts(Default::default());
    }
    settings
}

/// Nobody waits for a host to come back that has others beside it.
#[test]
fn keys_are_asked_of_the_next_host_of_a_name_when_one_has_none() {
    let mut world = World::new(with_nts(settings(&["nts.example"])), Span::ZERO, &[]);
    world.names.insert("nts.example", vec!["192.0.2.1", "192.0.2.2"]);
    for attempt in 0..3 {
        let asked = world.next_wish_for_keys(60.0);
        assert_eq!(asked, Some((ip("192.0.2.1"), None)), "{attempt}");
        world.give_keys(None);
    }
    assert_eq!(world.next_wish_for_keys(30.0), Some((ip("192.0.2.2"), None)));
    let replaced = |event: &Event| matches!(event, Event::Replaced { reason, .. } if reason == "it gives no keys");
    assert_eq!(world.events.iter().filter(|event| replaced(event)).count(), 1);
}

/// Neither one that is silent nor one that another source has.
#[test]
fn keys_are_wanted_for_another_ntp_server_than_one_of_no_use() {
    let names = ["192.0.2.1", "192.0.2.2"];
    let mut world = World::new(with_nts(settings(&names)), Span::ZERO, &[]);
    // The second source has an NTP server of its own.
    assert!(world.next_wish_for_keys(5.0).is_some());
    while world.keys_wanted.len() < 2 {
        world.run(1.0);
    }
    world.give_keys(Some("198.51.100.7"));
    let first = world.keys_wanted.remove(0);
    world.keys_wanted.push(first);
    world.give_keys(Some("198.51.100.7"));
    world.settle();
    let failed = |event: &Event| matches!(event, Event::KeyEstablishmentFailed { reason, .. } if reason.contains("another source's"));
    assert!(world.events.iter().any(failed), "{:?}", world.events);
    let again = world.next_wish_for_keys(30.0);
    assert_eq!(again, Some((ip("192.0.2.1"), Some(ip("198.51.100.7")))));
    world.give_keys(Some("198.51.100.8"));
    // Neither of them answers.
    let silent = world.next_wish_for_keys(3600.0).expect("all cookies are used up");
    assert!([Some(ip("198.51.100.7")), Some(ip("198.51.100.8"))].contains(&silent.1), "{silent:?}");
}
