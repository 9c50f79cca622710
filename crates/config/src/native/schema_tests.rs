//! What must hold of every key, whoever adds it.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use proptest::prelude::*;
use timeball_core::discipline::MaxChange;
use timeball_core::server::Smoothing;
use timeball_core::settings::{Local, SourceKind, SourceSettings};

use super::keys::{SOURCES, SourceTable};
use super::schema::{Field, Kind, Rows, Section, Table, Visitor};
use super::{PEER, POOL, SERVER, every_table, read, to_native};
use crate::config::{ClientPort, Config, DriftFile};
use crate::document::Document;

/// The numbers that a random configuration is made of.
struct Dice(std::vec::IntoIter<u64>);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0.next().unwrap_or_default()
    }

    fn below(&mut self, count: usize) -> usize {
        (self.roll() % count.max(1) as u64) as usize
    }

    /// Any magnitude within the range is as likely as any other.
    fn within(&mut self, least: f64, most: f64) -> f64 {
        if least < 0.0 {
            let magnitude = self.within(0.0, most);
            return if self.below(2) == 0 { magnitude } else { -magnitude };
        }
        let (low, high) = (least.max(1e-12).ln(), most.min(1e12).ln());
        let fraction = self.roll() as f64 / u64::MAX as f64;
        (low + (high - low) * fraction).exp().clamp(least, most)
    }

    fn integer(&mut self, least: i64, most: i64) -> i64 {
        least + self.below((most - least + 1) as usize) as i64
    }

    fn address(&mut self) -> IpAddr {
        if self.below(2) == 0 {
            IpAddr::from((10 << 24 | self.below(1 << 24) as u32).to_be_bytes())
        } else {
            IpAddr::from((0x2001_0db8 << 96 | u128::from(self.roll())).to_be_bytes())
        }
    }

    fn network(&mut self) -> IpNet {
        let address = self.address();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = self.below(longest + 1) as u8;
        IpNet::new(address, length).unwrap().trunc()
    }

    fn text(&mut self) -> String {
        const LETTERS: &[char] = &['a', 'Z', '0', '-', '_', '"', '\'', '\\', ' ', 'ü', '#', '\t'];
        (0..=self.below(12)).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    /// Sets about half of the keys.
    fn fill<S>(&mut self, section: &'static Section<S>, settings: &mut S) {
        for key in section.keys() {
            if self.roll().is_multiple_of(2) {
                self.set(&key.kind, settings);
            }
        }
    }

    fn set<S>(&mut self, kind: &Kind<S>, settings: &mut S) {
        fn put<S, T>(field: &Field<S, T>, settings: &mut S, value: T) {
            (field.set)(settings, value);
        }
        match kind {
            Kind::Switch(field) => put(field, settings, self.below(2) == 0),
            Kind::Integer { range, field, .. } => {
                put(field, settings, self.integer(*range.start(), *range.end()));
            }
            Kind::IntegerOr { range, field, .. } => {
                let number = self.integer(*range.start(), *range.end());
                put(field, settings, (self.below(2) == 0).then_some(number));
            }
            Kind::Number { range, field, .. }
            | Kind::Duration { range, field }
            | Kind::Frequency { range, field } => {
                put(field, settings, self.within(*range.start(), *range.end()));
            }
            Kind::DurationOr { range, field, .. } => {
                let value = self.within(*range.start(), *range.end());
                put(field, settings, (self.below(2) == 0).then_some(value));
            }
            Kind::Word { words, field } => {
                put(field, settings, words()[self.below(words().len())]);
            }
            Kind::Words { words, field } => {
                let words = words();
                let chosen = (0..self.below(5)).map(|_| words[self.below(words.len())]).collect();
                put(field, settings, chosen);
            }
            Kind::Text { field, .. } => {
                put(field, settings, format!("right/UTC \"{}\"", self.roll()))
            }
            Kind::Host(field) => put(field, settings, self.host()),
            Kind::Hosts(field) => {
                let hosts = (0..self.below(4)).map(|_| self.host()).collect();
                put(field, settings, hosts);
            }
            Kind::ReferenceId(field) => {
                let text = format!("GPS{}", self.below(10));
                put(field, settings, super::reference_id(&text).unwrap());
            }
            Kind::Device(field) => put(field, settings, format!("eth{}", self.below(1000))),
            Kind::Address(field) | Kind::Destination(field) => {
                put(field, settings, self.address());
            }
            Kind::Addresses(field) => {
                let addresses = (0..self.below(4)).map(|_| self.address()).collect();
                put(field, settings, addresses);
            }
            Kind::Networks(field) => {
                let networks = (0..self.below(4)).map(|_| self.network()).collect();
                put(field, settings, networks);
            }
            Kind::Path { field, .. } => put(field, settings, self.path()),
            Kind::OptionalPath { field, .. } => {
                let path = self.path();
                put(field, settings, (self.below(2) == 0).then_some(path));
            }
            Kind::Paths { field, .. } => {
                let paths = (0..self.below(4)).map(|_| self.path()).collect();
                put(field, settings, paths);
            }
        }
    }

    fn host(&mut self) -> String {
        format!("ntp{}.example.net", self.roll())
    }

    fn path(&mut self) -> PathBuf {
        let text = self.text();
        if self.below(4) == 0 { text.into() } else { format!("/{text}").into() }
    }

    /// A table of which about half of the keys are set, and all that must be.
    fn rows<S>(&mut self, section: &'static Section<S>, fresh: fn() -> S) -> S {
        let mut settings = fresh();
        for (name, _) in section.required {
            self.set(&section.key(name).unwrap().kind, &mut settings);
        }
        self.fill(section, &mut settings);
        settings
    }

    fn config(&mut self) -> Config {
        let mut config = Config::default();
        for _ in 0..self.below(5) {
            let table = SOURCES[self.below(SOURCES.len())];
            let mut source = SourceSettings { name: self.host(), ..table.fresh() };
            self.fill(&table.section, &mut source);
            config.engine.sources.push(source);
        }
        every_table(&mut Filling { dice: self, config: &mut config });
        config
    }
}

struct Filling<'a> {
    dice: &'a mut Dice,
    config: &'a mut Config,
}

impl Visitor for Filling<'_> {
    fn visit<S: 'static>(&mut self, table: &'static Table<S>) {
        match &table.rows {
            Rows::One { get_mut, .. } => self.dice.fill(&table.section, get_mut(self.config)),
            Rows::Optional(field) => {
                if self.dice.below(2) == 0 {
                    let settings = self.dice.rows(&table.section, table.fresh);
                    (field.set)(self.config, settings);
                }
            }
            Rows::Many { get_mut, .. } => {
                for _ in 0..self.dice.below(4) {
                    let settings = self.dice.rows(&table.section, table.fresh);
                    get_mut(self.config).push(settings);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(entropy in prop::collection::vec(any::<u64>(), 1000)) {
        let config = Dice(entropy.into_iter()).config();
        let text = to_native(&config);
        let reading = read(&Document::new("written", &text));
        prop_assert_eq!(reading.diagnostics, vec![], "{}", text);
        prop_assert_eq!(reading.config, config, "{}", text);
    }
}

#[test]
fn what_no_table_can_hold_by_accident_is_written_too() {
    let mut config = Config::default();
    config.engine.discipline.panic_threshold = f64::INFINITY;
    config.engine.discipline.max_change =
        Some(MaxChange { threshold: 1.024e-3, start: 0, ignore: Some(2) });
    config.engine.discipline.max_update_skew = 0.1 + 0.2;
    config.engine.server.client_log = None;
    config.engine.server.smoothing =
        Some(Smoothing { max_frequency: 1e-6 * 400.0, max_wander: 1e-6 * 0.001, leap_only: true });
    config.engine.local = Some(Local::default());
    config.network.client_port = ClientPort::Shared;
    config.files.drift_file = DriftFile::At { path: "drift".into(), interval: 1.024e-3 };
    config.chronyc.open_commands.clear();
    config.engine.sources.push(SourceSettings { name: "peer.example".into(), ..PEER.fresh() });
    let text = to_native(&config);
    assert_eq!(
        text,
        "[[peer]]\n\
         address = \"peer.example\"\n\
         \n\
         [clock]\n\
         panic-threshold = \"never\"\n\
         max-update-skew = \"300000.00000000004 ppm\"\n\
         \n\
         [clock.max-change]\n\
         threshold = \"1.024 ms\"\n\
         start = 0\n\
         ignore = 2\n\
         \n\
         [serve]\n\
         client-log = \"none\"\n\
         \n\
         [serve.local]\n\
         \n\
         [serve.smoothing]\n\
         max-frequency = \"399.99999999999996 ppm\"\n\
         leap-only = true\n\
         \n\
         [network]\n\
         client-port = 0\n\
         \n\
         [files]\n\
         drift-file = \"./drift\"\n\
         drift-interval = \"1.024 ms\"\n\
         \n\
         [chronyc]\n\
         open-commands = []\n"
    );
    let reading = read(&Document::new("written", &text));
    assert_eq!(reading.diagnostics, vec![]);
    assert_eq!(reading.config, config);
}

/// What must hold of a table, be it of sources or another.
trait Check {
    fn check<S: 'static>(&mut self, section: &'static Section<S>, fresh: fn() -> S);
}

struct Each<C>(C);

impl<C: Check> Visitor for Each<C> {
    fn visit<S: 'static>(&mut self, table: &'static Table<S>) {
        self.0.check(&table.section, table.fresh);
    }
}

fn check_every_table(mut check: impl Check) {
    for kind in [SourceKind::Server, SourceKind::Pool { count: 1 }, SourceKind::Peer] {
        let table = SourceTable::of(kind);
        let fresh: fn() -> SourceSettings = match kind {
            SourceKind::Server => || SERVER.fresh(),
            SourceKind::Pool { .. } => || POOL.fresh(),
            SourceKind::Peer => || PEER.fresh(),
        };
        check.check(&table.section, fresh);
    }
    every_table(&mut Each(check));
}

#[test]
fn integers_survive_at_both_ends_of_their_range() {
    fn after_setting<S>(kind: &Kind<S>, settings: &mut S, value: i64) -> Option<i64> {
        match kind {
            Kind::Integer { field, .. } => {
                (field.set)(settings, value);
                (field.get)(settings)
            }
            Kind::IntegerOr { field, .. } => {
                (field.set)(settings, Some(value));
                (field.get)(settings).flatten()
            }
            _ => None,
        }
    }
    struct BothEnds;
    impl Check for BothEnds {
        fn check<S: 'static>(&mut self, section: &'static Section<S>, fresh: fn() -> S) {
            for key in section.keys() {
                if let Kind::Integer { range, .. } | Kind::IntegerOr { range, .. } = &key.kind {
                    for end in [*range.start(), *range.end()] {
                        let kept = after_setting(&key.kind, &mut fresh(), end);
                        assert_eq!(kept, Some(end), "{} {}", section.header, key.name);
                    }
                }
            }
        }
    }
    check_every_table(BothEnds);
}

#[test]
fn every_default_is_allowed_when_it_is_written_out() {
    struct WrittenOut(usize);
    impl Check for WrittenOut {
        fn check<S: 'static>(&mut self, section: &'static Section<S>, fresh: fn() -> S) {
            let lines = |with_defaults: bool| {
                let mut text = format!("{}\n", section.header);
                for key in section.keys() {
                    let required = section.required.iter().find(|(name, _)| *name == key.name);
                    if let Some((name, example)) = required {
                        text += &format!("{name} = '{example}'\n");
                    } else if let Some(value) = key.kind.write(&fresh()).filter(|_| with_defaults) {
                        text += &format!("{} = {value}\n", key.name);
                        self.0 += 1;
                    }
                }
                text
            };
            let [short, long] = [false, true].map(lines);
            let [without, with] =
                [&short, &long].map(|text| read(&Document::new("defaults", text)));
            assert_eq!(with.diagnostics, vec![], "{long}");
            assert_eq!(with.config, without.config, "{long}");
        }
    }
    check_every_table(WrittenOut(0));
}

#[test]
fn a_missing_key_that_is_required_is_reported() {
    struct Missing;
    impl Check for Missing {
        fn check<S: 'static>(&mut self, section: &'static Section<S>, _: fn() -> S) {
            let reading = read(&Document::new("missing", section.header));
            let messages: Vec<_> = reading.diagnostics.iter().map(|d| d.message.clone()).collect();
            let expected: Vec<_> = section
                .required
                .iter()
                .map(|(name, _)| format!("this {} has no `{name}`", section.header))
                .collect();
            assert_eq!(messages, expected);
        }
    }
    check_every_table(Missing);
}

#[test]
fn names_and_descriptions_are_in_order() {
    struct InOrder;
    impl Check for InOrder {
        fn check<S: 'static>(&mut self, section: &'static Section<S>, _: fn() -> S) {
            assert!(section.doc.ends_with('.'), "{}: {}", section.header, section.doc);
            assert_eq!(section.header.trim_matches(['[', ']']), section.name);
            for (name, _) in section.required {
                assert!(section.key(name).is_some(), "{} {name}", section.header);
            }
            for key in section.keys() {
                let kebab = key.name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                assert!(kebab, "{} {}", section.header, key.name);
                assert!(key.doc.ends_with('.'), "{} {}: {}", section.header, key.name, key.doc);
                assert!(!key.doc.contains(['\n', '|']), "breaks the reference page: {}", key.doc);
                let alike = section.keys().filter(|other| other.name == key.name).count();
                assert_eq!(alike, 1, "{} has {} twice", section.header, key.name);
            }
        }
    }
    check_every_table(InOrder);
}
