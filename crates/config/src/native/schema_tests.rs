//! What must hold of every key, whoever adds it.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use timeball_core::server::RateLimit;
use timeball_core::settings::{SourceKind, SourceSettings};

use super::schema::{Field, Kind, Section};
use super::{
    DEFAULT_POOL_COUNT, POOL, RATE_LIMIT, SECTIONS, SERVER, read, source_defaults, to_native,
};
use crate::config::Config;
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
        let (low, high) = (least.max(1e-12).ln(), most.ln());
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
            Kind::Number { range, field }
            | Kind::Duration { range, field }
            | Kind::Frequency { range, field } => {
                put(field, settings, self.within(*range.start(), *range.end()));
            }
            Kind::Word { words, field } => {
                put(field, settings, words()[self.below(words().len())]);
            }
            Kind::Host(field) => put(field, settings, format!("ntp{}.example.net", self.roll())),
            Kind::Device(field) => put(field, settings, format!("eth{}", self.below(1000))),
            Kind::Address(field) => put(field, settings, self.address()),
            Kind::Addresses(field) => {
                let addresses = (0..self.below(4)).map(|_| self.address()).collect();
                put(field, settings, addresses);
            }
            Kind::Networks(field) => {
                let networks = (0..self.below(4)).map(|_| self.network()).collect();
                put(field, settings, networks);
            }
            Kind::Path { field, .. } => put(field, settings, format!("/{}", self.text()).into()),
            Kind::OptionalPath { field, .. } => {
                let path = format!("/{}", self.text());
                put(field, settings, (self.below(2) == 0).then(|| path.into()));
            }
        }
    }

    fn config(&mut self) -> Config {
        let mut config = Config::default();
        for section in SECTIONS {
            self.fill(section, &mut config);
        }
        if self.below(2) == 0 {
            let mut limit = RateLimit::default();
            self.fill(&RATE_LIMIT, &mut limit);
            config.engine.server.rate_limit = Some(limit);
        }
        for _ in 0..self.below(4) {
            let (section, kind) = match self.below(2) {
                0 => (&SERVER, SourceKind::Server),
                _ => (&POOL, SourceKind::Pool { count: DEFAULT_POOL_COUNT }),
            };
            let name = format!("ntp{}.example.net", self.roll());
            let mut source = SourceSettings { name, ..source_defaults(kind) };
            self.fill(section, &mut source);
            config.engine.sources.push(source);
        }
        config
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(entropy in prop::collection::vec(any::<u64>(), 500)) {
        let config = Dice(entropy.into_iter()).config();
        let text = to_native(&config);
        let reading = read(&Document::new("written", &text));
        prop_assert_eq!(reading.diagnostics, vec![], "{}", text);
        prop_assert_eq!(reading.config, config, "{}", text);
    }
}

/// Calls the function for every table with its defaults.
macro_rules! for_every_table {
    ($check:ident) => {
        for section in SECTIONS {
            $check(section, &Config::default());
        }
        $check(&RATE_LIMIT, &RateLimit::default());
        $check(&SERVER, &source_defaults(SourceKind::Server));
        $check(&POOL, &source_defaults(SourceKind::Pool { count: DEFAULT_POOL_COUNT }));
    };
}

#[test]
fn integers_survive_at_both_ends_of_their_range() {
    fn after_setting<S: Clone>(kind: &Kind<S>, defaults: &S, value: i64) -> Option<i64> {
        let mut settings = defaults.clone();
        match kind {
            Kind::Integer { field, .. } => {
                (field.set)(&mut settings, value);
                (field.get)(&settings)
            }
            Kind::IntegerOr { field, .. } => {
                (field.set)(&mut settings, Some(value));
                (field.get)(&settings).flatten()
            }
            _ => None,
        }
    }
    fn check<S: Clone>(section: &'static Section<S>, defaults: &S) {
        for key in section.keys() {
            if let Kind::Integer { range, .. } | Kind::IntegerOr { range, .. } = &key.kind {
                for end in [*range.start(), *range.end()] {
                    let kept = after_setting(&key.kind, defaults, end);
                    assert_eq!(kept, Some(end), "{} {}", section.header, key.name);
                }
            }
        }
    }
    for_every_table!(check);
}

#[test]
fn every_default_is_allowed_when_it_is_written_out() {
    fn check<S: Clone>(section: &'static Section<S>, defaults: &S) {
        let mut text = format!("{}\n", section.header);
        for key in section.keys() {
            if let Some(value) = key.kind.write(defaults) {
                text += &format!("{} = {value}\n", key.name);
            }
        }
        if section.key("address").is_some() {
            text += "address = 'ntp.example.net'\n";
        }
        let reading = read(&Document::new("defaults", &text));
        assert_eq!(reading.diagnostics, vec![], "{text}");
        let mut config = reading.config;
        let sources = std::mem::take(&mut config.engine.sources);
        let rate_limit = config.engine.server.rate_limit.take();
        assert_eq!(config, Config::default(), "{text}");
        if section.name == RATE_LIMIT.name {
            assert_eq!(rate_limit, Some(RateLimit::default()));
        }
        for source in sources {
            assert_eq!(
                source,
                SourceSettings { name: source.name.clone(), ..source_defaults(source.kind) }
            );
        }
    }
    for_every_table!(check);
}

#[test]
fn names_and_descriptions_are_in_order() {
    fn check<S>(section: &'static Section<S>, _: &S) {
        assert!(section.doc.ends_with('.'), "{}: {}", section.header, section.doc);
        for key in section.keys() {
            let kebab = key.name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            assert!(kebab, "{} {}", section.header, key.name);
            assert!(key.doc.ends_with('.'), "{} {}: {}", section.header, key.name, key.doc);
            assert!(!key.doc.contains(['\n', '|']), "breaks the reference page: {}", key.doc);
            let alike = section.keys().filter(|other| other.name == key.name).count();
            assert_eq!(alike, 1, "{} has {} twice", section.header, key.name);
        }
    }
    for_every_table!(check);
}
