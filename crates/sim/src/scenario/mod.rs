//! Scenario files: the world to simulate, as TOML.
//!
//! The keys of a node's `server`, `pool`, `selection`, `clock` and `serve` are those of
//! `timeball.toml`. Durations are `"10 ms"` or seconds, frequencies `"50 ppm"` or s/s, moments are
//! durations since the start.

mod check;
pub mod error;
pub mod node;
pub mod quantity;
pub mod server;

pub use error::ScenarioError;

use serde::Deserialize;
use timeball_core::estimator::Method;
use timeball_wire::{LeapIndicator, Timestamp};
use toml::Spanned;
use toml::value::Datetime;

use crate::link;
use crate::truth::Calendar;
use quantity::{frequency, optional_seconds, seconds};

/// A world and how long to watch it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// One line that says what this is about.
    pub title: String,
    /// More than one line.
    #[serde(default)]
    pub description: String,
    /// All randomness comes from it.
    #[serde(default = "one")]
    pub seed: u64,
    /// True time (UTC) at the start.
    #[serde(default = "default_start", deserialize_with = "timestamp")]
    pub start: Timestamp,
    /// How long to run (s).
    #[serde(deserialize_with = "seconds")]
    pub duration: f64,
    /// Errors count in the statistics from here on (s); a tenth of the duration if absent.
    #[serde(default, deserialize_with = "optional_seconds")]
    pub settle: Option<f64>,
    /// Time (s) between two looks at every node.
    #[serde(default = "one_second", deserialize_with = "seconds")]
    pub sample: f64,
    /// A clock has converged when it stays within this (s).
    #[serde(default = "one_millisecond", deserialize_with = "seconds")]
    pub converged: f64,
    /// A leap second of the world.
    #[serde(default)]
    pub leap_second: Option<LeapSecond>,
    /// Machines that run the engine.
    #[serde(rename = "node")]
    pub nodes: Vec<node::Node>,
    /// Machines that only answer.
    #[serde(default, rename = "server")]
    pub servers: Vec<server::Server>,
    /// Paths; the last one that matches a pair of hosts holds.
    #[serde(default, rename = "link")]
    pub links: Vec<Link>,
    /// What the resolver knows beyond the hosts' own names.
    #[serde(default, rename = "name")]
    pub names: Vec<Name>,
    /// What happens to nodes.
    #[serde(default, rename = "event")]
    pub events: Vec<Event>,
    /// Those who send forged datagrams.
    #[serde(default, rename = "attacker")]
    pub attackers: Vec<Attacker>,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// The first mistake: what is no TOML, what no scenario has, names that nothing bears.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| ScenarioError::from_toml(text, &error))?;
        check::check(&scenario, text)?;
        Ok(scenario)
    }

    /// UTC of this world.
    pub fn calendar(&self) -> Calendar {
        let leap = self.leap_second.map(|leap| (leap.day, leap.kind));
        Calendar::new(self.start, leap)
    }

    /// The same world, where every node estimates by this method, whatever the file says.
    #[must_use]
    pub fn estimated_by(mut self, method: Method) -> Self {
        for node in &mut self.nodes {
            for source in node.server.iter_mut().chain(&mut node.pool) {
                source.estimator = Some(method);
            }
        }
        self
    }

    /// From when on errors count (s).
    pub fn settled_after(&self) -> f64 {
        self.settle.unwrap_or(self.duration / 10.0)
    }
}

/// A leap second.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeapSecond {
    /// The day at whose end it happens; its first second.
    #[serde(deserialize_with = "timestamp")]
    pub day: Timestamp,
    /// Inserted or deleted.
    pub kind: LeapIndicator,
}

/// The path between two hosts. `"*"` stands for any host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Link {
    /// Names of the hosts.
    pub between: [Spanned<String>; 2],
    /// What both directions are like.
    #[serde(default)]
    pub both: link::Settings,
    /// From the first to the second, if that differs from `both`.
    pub there: Option<link::Settings>,
    /// From the second to the first, if that differs from `both`.
    pub back: Option<link::Settings>,
}

/// A name and the hosts it leads to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Name {
    /// The name.
    pub name: String,
    /// Names of hosts.
    pub hosts: Vec<Spanned<String>>,
    /// When it leads elsewhere.
    #[serde(default)]
    pub changes: Vec<NameChange>,
}

/// From a moment on a name leads to other hosts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NameChange {
    /// When (s).
    #[serde(deserialize_with = "seconds")]
    pub at: f64,
    /// Names of hosts.
    pub hosts: Vec<Spanned<String>>,
}

/// Something that happens to a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Event {
    /// When (s).
    #[serde(deserialize_with = "seconds")]
    pub at: f64,
    /// To whom.
    pub node: Spanned<String>,
    /// What.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What can happen to a node.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Action {
    /// Somebody sets its clock: adds this (s).
    #[serde(deserialize_with = "seconds")]
    Step(f64),
    /// Somebody else programs this frequency (s/s).
    #[serde(deserialize_with = "frequency")]
    Frequency(f64),
    /// The machine is suspended.
    #[serde(rename_all = "kebab-case")]
    Suspend {
        /// For how long (s).
        #[serde(rename = "for", deserialize_with = "seconds")]
        duration: f64,
        /// By how much (s) the battery clock overstates that.
        #[serde(default, deserialize_with = "seconds")]
        rtc_error: f64,
    },
    /// The daemon ends and starts again this much later (s), with its drift file. The clock runs on.
    #[serde(deserialize_with = "seconds")]
    Restart(f64),
    /// An operator asks for something.
    Command(Command),
}

/// What an operator can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Step now.
    Step,
    /// A volley of requests.
    Burst,
    /// Resolve all names anew.
    Refresh,
}

/// Somebody who cannot see the datagrams of `victim` but knows when and from which port it asks,
/// and forges answers of `pretends`: the worst that an off-path attacker can be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Attacker {
    /// A node.
    pub victim: Spanned<String>,
    /// The host whose address the datagrams bear.
    pub pretends: Spanned<String>,
    /// What is sent; one of each for every request.
    pub sends: Vec<Forgery>,
    /// How far the forged time is off (s).
    #[serde(default = "one_hour", deserialize_with = "seconds")]
    pub offset: f64,
    /// When.
    #[serde(default)]
    pub during: link::Window,
}

/// A forged datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forgery {
    /// An answer with a guessed origin timestamp.
    WrongOrigin,
    /// An answer whose origin timestamp is zero.
    ZeroOrigin,
    /// A kiss-o'-death RATE with a guessed origin timestamp.
    KissRate,
    /// A kiss-o'-death DENY with a guessed origin timestamp.
    KissDeny,
    /// A crypto-NAK with a guessed origin timestamp.
    CryptoNak,
    /// A mode 6 response.
    Control,
    /// A mode 7 response.
    Private,
    /// The first half of an answer.
    Truncated,
    /// A kilobyte after an answer.
    Oversized,
    /// The last answer that the server really gave.
    Replay,
    /// An answer from an address that was not asked.
    WrongSource,
    /// An answer of version 3.
    WrongVersion,
    /// A request instead of an answer.
    WrongMode,
}

const fn one() -> u64 {
    1
}

const fn one_second() -> f64 {
    1.0
}

const fn one_millisecond() -> f64 {
    1e-3
}

const fn one_hour() -> f64 {
    3600.0
}

/// 2026-01-01.
const fn default_start() -> Timestamp {
    Timestamp::from_nanos(1_767_225_600_000_000_000)
}

fn timestamp<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let datetime = Datetime::deserialize(deserializer)?;
    let date = datetime.date.ok_or_else(|| serde::de::Error::custom("a date is needed"))?;
    let seconds = datetime.time.map_or(0, |time| {
        i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + time.second.map_or(0, i64::from)
    });
    let days = days_since_1970(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    Ok(Timestamp::from_nanos((days * 86_400 + seconds) * 1_000_000_000))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = r#"
title = "t"
duration = "1 h"
node = [{ name = "a", server = [{ address = "b" }] }]
server = [{ name = "b" }]
"#;

    fn mistake(text: &str) -> ScenarioError {
        Scenario::from_toml(text).unwrap_err()
    }

    #[test]
    fn smallest_scenario_has_sensible_defaults() {
        let scenario = Scenario::from_toml(SMALLEST).unwrap();
        assert_eq!((scenario.seed, scenario.duration, scenario.sample), (1, 3600.0, 1.0));
        assert_eq!(scenario.settled_after(), 360.0);
        assert_eq!(scenario.converged, 1e-3);
    }

    #[test]
    fn every_source_is_estimated_by_what_is_asked_for() {
        let text = SMALLEST.replace("\"b\" }] }", "\"b\", estimator = \"bank\" }] }");
        let methods = |scenario: &Scenario| {
            let settings = scenario.nodes[0].settings();
            settings.sources.iter().map(|source| source.estimator.method).collect::<Vec<_>>()
        };
        let scenario = Scenario::from_toml(&text).unwrap();
        assert_eq!(methods(&scenario), [Method::Bank]);
        assert_eq!(methods(&scenario.estimated_by(Method::Classic)), [Method::Classic]);
    }

    #[test]
    fn dates_are_counted_right() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(days_since_1970(2016, 12, 31) * 86_400, 1_483_142_400);
        let text = format!("start = 2016-12-31T12:00:00Z\n{SMALLEST}");
        let scenario = Scenario::from_toml(&text).unwrap();
        assert_eq!(scenario.start, Timestamp::from_nanos(1_483_185_600_000_000_000));
    }

    #[test]
    fn unknown_keys_are_shown_where_they_are() {
        let error = mistake(&format!("{SMALLEST}\n[[link]]\nbetwen = 1\n"));
        assert_eq!((error.line, error.column), (8, 1));
        assert!(error.message.contains("betwen"), "{error}");
        assert!(error.to_string().ends_with("8 | betwen = 1\n    ^^^^^^"), "{error}");
    }

    #[test]
    fn bad_quantities_are_shown_where_they_are() {
        let error = mistake(&SMALLEST.replace("1 h", "1 hour"));
        assert_eq!((error.line, error.column), (3, 12));
        assert!(error.message.contains("`1 hour`"), "{error}");
    }

    #[test]
    fn names_that_nothing_bears_are_shown_where_they_are() {
        let text = format!("{SMALLEST}\n[[link]]\nbetween = [\"a\", \"c\"]\n");
        let error = mistake(&text);
        assert_eq!((error.line, error.column), (8, 17));
        assert_eq!(error.message, "there is no host `c`; there are `a`, `b`");
        let text =
            format!("{SMALLEST}\n[[event]]\nat = 1\nnode = \"b\"\ndo = {{ step = \"5 s\" }}\n");
        assert_eq!(mistake(&text).message, "there is no node `b`; there are `a`");
        let text = SMALLEST.replace("address = \"b\"", "address = \"c\"");
        assert!(mistake(&text).message.contains("`c`"));
    }

    #[test]
    fn two_hosts_cannot_share_a_name_or_address() {
        let twice =
            |hosts: &str| mistake(&SMALLEST.replace("server = [{ name = \"b\" }]", hosts)).message;
        assert_eq!(
            twice("server = [{ name = \"b\" }, { name = \"b\" }]"),
            "there are two hosts called `b`"
        );
        let message = twice(
            "server = [{ name = \"b\", address = \"10.0.0.1\" }, { name = \"c\", address = \"10.0.0.1\" }]",
        );
        assert_eq!(message, "`c` has the address 10.0.0.1 of another host");
    }
}
