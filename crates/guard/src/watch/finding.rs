//! From what was seen to what it means.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use timeball_config::written_duration;
use timeball_host::listeners::{Listener, Protocol};
use timeball_host::socket::Unreachable;

use super::subject::{Expectation, Subject, TimeLimits};

/// What a look has seen, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// At which address of a name; `None` where there is no choice.
    pub address: Option<IpAddr>,
    /// What.
    pub observation: Observation,
}

impl From<Observation> for Seen {
    fn from(observation: Observation) -> Self {
        Self { address: None, observation }
    }
}

/// What there is to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Something answered.
    Open,
    /// The host says that nobody listens.
    Closed,
    /// Nothing was heard, in the time that was waited.
    Silent,
    /// The network says that there is no way.
    Unreachable(Unreachable),
    /// A time that could be believed.
    Time(TimeSeen),
    /// An answer that proves no knowledge of the key.
    Unauthenticated(String),
    /// An answer, but no time that could be believed.
    NoTime(String),
    /// The name leads to no address.
    Unresolved(String),
    /// Who listens at a port of this host.
    Listeners(Vec<Listener>),
    /// This machine could not look.
    Failed(String),
}

/// What a server's answer says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeSeen {
    /// The server's clock minus this machine's (s).
    pub offset: f64,
    /// How far the true offset may be from that because of the way (s).
    pub uncertainty: f64,
    /// Its stratum.
    pub stratum: u8,
}

/// How a subject is: what has to change before anybody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Something answers.
    Open,
    /// Nobody listens.
    Closed,
    /// Nothing is heard of a TCP port.
    Filtered,
    /// Nothing is heard of a UDP port, which may be open to others.
    OpenOrFiltered,
    /// The network says that there is no way.
    Unreachable,
    /// It serves the time as it should.
    RightTime,
    /// Its clock is too far from this one.
    WrongTime,
    /// Its stratum is too high.
    StratumTooHigh,
    /// It does not prove to know the key.
    Unauthenticated,
    /// It answers without giving a time that could be believed.
    NoTime,
    /// Its name leads to no address.
    Unresolved,
    /// The processes that listen.
    Listeners(BTreeSet<String>),
    /// This machine cannot look.
    CannotLook,
}

/// Whether that is as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    AsExpected,
    /// It is not.
    Wrong,
}

/// What a look means.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How it is.
    pub condition: Condition,
    /// Whether it should be.
    pub verdict: Verdict,
    /// The same with the figures of this look, for people.
    pub detail: String,
    /// The server's clock minus this machine's (s), if it gave its time.
    pub offset: Option<f64>,
}

/// A process that does not show its name to this process's user.
pub const HIDDEN: &str = "?";

/// What a look means for a subject.
pub fn judge(subject: &Subject, Seen { address, observation }: &Seen) -> Finding {
    let (condition, detail) = describe(subject, observation);
    let detail = match address {
        Some(address) => format!("{address}: {detail}"),
        None => detail,
    };
    let verdict = match subject {
        Subject::Remote { expected, .. } if is_met(expected, &condition) => Verdict::AsExpected,
        Subject::Local { processes, .. } if listens_as(processes, &condition) => {
            Verdict::AsExpected
        }
        Subject::Remote { .. } | Subject::Local { .. } => Verdict::Wrong,
    };
    let offset = match observation {
        Observation::Time(seen) => Some(seen.offset),
        _ => None,
    };
    Finding { condition, verdict, detail, offset }
}

fn is_met(expected: &Expectation, condition: &Condition) -> bool {
    use Condition::{Closed, Filtered, Open, OpenOrFiltered, RightTime, Unreachable};
    match expected {
        Expectation::Closed => matches!(condition, Closed),
        Expectation::Filtered => matches!(condition, Filtered | OpenOrFiltered | Unreachable),
        Expectation::ClosedOrFiltered => {
            matches!(condition, Closed | Filtered | OpenOrFiltered | Unreachable)
        }
        Expectation::Open => matches!(condition, Open),
        Expectation::Time(_) => matches!(condition, RightTime),
    }
}

fn listens_as(processes: &[String], condition: &Condition) -> bool {
    matches!(condition, Condition::Listeners(found) if *found == processes.iter().cloned().collect())
}

fn describe(subject: &Subject, observation: &Observation) -> (Condition, String) {
    match observation {
        Observation::Open => (Condition::Open, "something answers".into()),
        Observation::Closed => (Condition::Closed, "nobody listens at that port".into()),
        Observation::Silent => match subject {
            Subject::Remote { port, .. } if port.protocol == Protocol::Udp => {
                let detail = "no answer to a request: open to others, filtered, or nobody there";
                (Condition::OpenOrFiltered, detail.into())
            }
            _ => (Condition::Filtered, "no answer: filtered, or nobody there".into()),
        },
        Observation::Unreachable(reason) => (Condition::Unreachable, reason.to_string()),
        Observation::Time(seen) => match subject {
            Subject::Remote { expected: Expectation::Time(limits), .. } => time(limits, seen),
            _ => (Condition::Open, "it gives the time".into()),
        },
        Observation::Unauthenticated(reason) => (Condition::Unauthenticated, reason.clone()),
        Observation::NoTime(reason) => (Condition::NoTime, reason.clone()),
        Observation::Unresolved(reason) => (Condition::Unresolved, reason.clone()),
        Observation::Listeners(listeners) => listening(listeners),
        Observation::Failed(reason) => (Condition::CannotLook, reason.clone()),
    }
}

fn time(limits: &TimeLimits, seen: &TimeSeen) -> (Condition, String) {
    let TimeSeen { offset, uncertainty, stratum } = *seen;
    let condition = if offset.abs() - uncertainty > limits.within {
        Condition::WrongTime
    } else if stratum > limits.max_stratum {
        Condition::StratumTooHigh
    } else {
        Condition::RightTime
    };
    // Nanoseconds are more than this can know.
    let whole = |seconds: f64| written_duration((seconds * 1e6).round() / 1e6);
    let sign = if offset < 0.0 { "behind" } else { "ahead" };
    let detail = format!(
        "{} {sign} of this clock, give or take {}; stratum {stratum}",
        whole(offset.abs()),
        whole(uncertainty)
    );
    (condition, detail)
}

fn listening(listeners: &[Listener]) -> (Condition, String) {
    let name = |listener: &Listener| {
        listener.process.as_ref().map_or(HIDDEN.to_owned(), |process| process.name.clone())
    };
    let detail = if listeners.is_empty() {
        "nobody listens".to_owned()
    } else {
        let each: Vec<String> = listeners
            .iter()
            .map(|listener| match &listener.process {
                Some(process) => {
                    format!("{} (process {}) at {}", process.name, process.pid, listener.address)
                }
                None => format!("a process of another user at {}", listener.address),
            })
            .collect();
        each.join(", ")
    };
    (Condition::Listeners(listeners.iter().map(name).collect()), detail)
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::OpenOrFiltered => "open-or-filtered",
            Self::Unreachable => "unreachable",
            Self::RightTime => "right-time",
            Self::WrongTime => "wrong-time",
            Self::StratumTooHigh => "stratum-too-high",
            Self::Unauthenticated => "unauthenticated",
            Self::NoTime => "no-time",
            Self::Unresolved => "unresolved",
            Self::CannotLook => "cannot-look",
            Self::Listeners(processes) if processes.is_empty() => "nobody-listens",
            Self::Listeners(processes) => {
                let processes: Vec<&str> = processes.iter().map(String::as_str).collect();
                return write!(f, "listens: {}", processes.join(", "));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use timeball_host::listeners::Process;

    use super::*;
    use crate::watch::subject::Port;

    fn remote(protocol: Protocol, expected: Expectation) -> Subject {
        Subject::Remote { host: "h".into(), port: Port { protocol, number: 123 }, expected }
    }

    fn condition_of(subject: &Subject, observation: &Observation) -> (String, bool) {
        let finding = judge(subject, &observation.clone().into());
        (finding.condition.to_string(), finding.verdict == Verdict::AsExpected)
    }

    #[test]
    fn every_expectation_of_every_observation() {
        use Expectation::{Closed, ClosedOrFiltered, Filtered, Open};
        let observations = [
            (Observation::Open, "open", [false, false, false, true]),
            (Observation::Closed, "closed", [true, false, true, false]),
            (Observation::Silent, "open-or-filtered", [false, true, true, false]),
            (
                Observation::Unreachable(Unreachable::Host),
                "unreachable",
                [false, true, true, false],
            ),
            (Observation::Unresolved("no".into()), "unresolved", [false; 4]),
            (Observation::Failed("no".into()), "cannot-look", [false; 4]),
        ];
        for (observation, name, met) in observations {
            for (expected, met) in [Closed, Filtered, ClosedOrFiltered, Open].into_iter().zip(met) {
                let subject = remote(Protocol::Udp, expected);
                let found = condition_of(&subject, &observation);
                assert_eq!(found, (name.to_owned(), met), "{subject:?}");
            }
        }
        // TCP says it when somebody listens: its silence is a filter's.
        let subject = remote(Protocol::Tcp, Filtered);
        assert_eq!(condition_of(&subject, &Observation::Silent), ("filtered".to_owned(), true));
    }

    #[test]
    fn a_clock_is_wrong_when_the_way_cannot_excuse_it() {
        let limits = TimeLimits { within: 0.05, max_stratum: 3, proof: None };
        let subject = remote(Protocol::Udp, Expectation::Time(limits));
        for (offset, uncertainty, stratum, condition) in [
            (0.049, 0.0, 3, "right-time"),
            (-0.051, 0.0, 1, "wrong-time"),
            (0.051, 0.002, 1, "right-time"),
            (0.0, 0.0, 4, "stratum-too-high"),
            (1.0, 0.0, 4, "wrong-time"),
        ] {
            let seen = TimeSeen { offset, uncertainty, stratum };
            let (found, good) = condition_of(&subject, &Observation::Time(seen));
            assert_eq!((found.as_str(), good), (condition, condition == "right-time"), "{seen:?}");
        }
        let seen = TimeSeen { offset: -1.2345678901, uncertainty: 0.002, stratum: 2 };
        let finding = judge(&subject, &Observation::Time(seen).into());
        let detail = "1.234568 s behind of this clock, give or take 2 ms; stratum 2";
        assert_eq!((finding.detail.as_str(), finding.offset), (detail, Some(-1.2345678901)));
        let address = Some("192.0.2.1".parse().unwrap());
        let finding = judge(&subject, &Seen { address, observation: Observation::Closed });
        assert_eq!(finding.detail, "192.0.2.1: nobody listens at that port");
        for (observation, name) in [
            (Observation::Silent, "open-or-filtered"),
            (Observation::Closed, "closed"),
            (Observation::Unauthenticated("bad-mac".into()), "unauthenticated"),
            (Observation::NoTime("kiss".into()), "no-time"),
        ] {
            assert_eq!(condition_of(&subject, &observation), (name.to_owned(), false));
        }
    }

    #[test]
    fn who_listens_is_a_set_of_names() {
        let port = Port { protocol: Protocol::Udp, number: 123 };
        let nobody = Subject::Local { port, processes: Vec::new() };
        let ours = Subject::Local { port, processes: vec!["timeball".into()] };
        let listener = |address: &str, name: Option<&str>| Listener {
            address: address.parse().unwrap(),
            process: name.map(|name| Process { pid: 42, name: name.into() }),
        };
        let seen = |listeners: &[Listener]| Observation::Listeners(listeners.to_vec());
        let both =
            [listener("0.0.0.0:123", Some("timeball")), listener("[::]:123", Some("timeball"))];
        assert_eq!(condition_of(&nobody, &seen(&[])), ("nobody-listens".to_owned(), true));
        assert_eq!(condition_of(&ours, &seen(&[])), ("nobody-listens".to_owned(), false));
        assert_eq!(condition_of(&ours, &seen(&both)), ("listens: timeball".to_owned(), true));
        assert_eq!(condition_of(&nobody, &seen(&both)), ("listens: timeball".to_owned(), false));
        let more = [both.to_vec(), vec![listener("127.0.0.1:123", None)]].concat();
        assert_eq!(condition_of(&ours, &seen(&more)), ("listens: ?, timeball".to_owned(), false));
        assert_eq!(
            judge(&ours, &seen(&more[1..]).into()).detail,
            "timeball (process 42) at [::]:123, a process of another user at 127.0.0.1:123"
        );
    }
}
