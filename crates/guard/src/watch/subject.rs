//! A port, here or elsewhere, and what is expected of it.

use std::fmt;
use std::net::IpAddr;

use timeball_auth::KeyId;
use timeball_config::written_duration;
use timeball_host::listeners::Protocol;
use timeball_wire::nts_ke::NTS_KE_PORT;

/// A port of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
}

/// Something that is watched.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A port of any host, as it looks from here.
    Remote {
        /// A name or an address. Of a name, all addresses have to be as expected.
        host: String,
        /// The port.
        port: Port,
        /// How it should be.
        expected: Expectation,
    },
    /// Who listens at a port of this host.
    Local {
        /// The port.
        port: Port,
        /// Names of the processes that should, and nobody else.
        processes: Vec<String>,
    },
}

/// How a port should look from here.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// Its host says that nobody listens.
    Closed,
    /// Nothing is heard of it, or the network says that it cannot be reached.
    Filtered,
    /// One of these two.
    ClosedOrFiltered,
    /// Something answers.
    Open,
    /// It serves the time.
    Time(TimeLimits),
}

/// When a server's time is right.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeLimits {
    /// How far from this machine's clock it may be (s).
    pub within: f64,
    /// The highest stratum that is good enough, 1 to 15.
    pub max_stratum: u8,
    /// How it has to prove that an answer is its own.
    pub proof: Option<Proof>,
}

/// How a server proves that an answer is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By this symmetric key.
    Key(KeyId),
    /// By Network Time Security (RFC 8915), with keys that it gives under its own name.
    Nts {
        /// At this TCP port.
        port: u16,
    },
}

impl Proof {
    /// By keys that are given where they usually are.
    pub const NTS: Self = Self::Nts { port: NTS_KE_PORT };
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { within: 0.1, max_stratum: 15, proof: None }
    }
}

impl Subject {
    /// A name that no other subject of a plan has.
    pub fn name(&self) -> String {
        match self {
            Self::Remote { host, port: Port { protocol, number }, .. } => {
                let protocol = name_of(*protocol);
                match host.parse::<IpAddr>() {
                    Ok(IpAddr::V6(address)) => format!("{protocol}:[{address}]:{number}"),
                    _ => format!("{protocol}:{host}:{number}"),
                }
            }
            Self::Local { port: Port { protocol, number }, .. } => {
                format!("{}:{number} of this host", name_of(*protocol))
            }
        }
    }

    /// What is expected, in words.
    pub fn expected(&self) -> String {
        match self {
            Self::Remote { expected, .. } => expected.to_string(),
            Self::Local { processes, .. } => match processes.as_slice() {
                [] => "nobody listens".to_owned(),
                processes => format!("listens: {}", processes.join(", ")),
            },
        }
    }
}

const fn name_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "udp",
        Protocol::Tcp => "tcp",
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Filtered => f.write_str("filtered"),
            Self::ClosedOrFiltered => f.write_str("closed or filtered"),
            Self::Open => f.write_str("open"),
            Self::Time(limits) => {
                write!(f, "time within {}", written_duration(limits.within))?;
                if limits.max_stratum < 15 {
                    write!(f, ", stratum {} at most", limits.max_stratum)?;
                }
                match limits.proof {
                    Some(Proof::Key(key)) => write!(f, ", authenticated by key {key}"),
                    Some(Proof::NTS) => f.write_str(", authenticated by NTS"),
                    Some(Proof::Nts { port }) => {
                        write!(f, ", authenticated by NTS with keys from port {port}")
                    }
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_expectations_are_short_and_plain() {
        let remote = |host: &str, expected| Subject::Remote {
            host: host.into(),
            port: Port { protocol: Protocol::Udp, number: 123 },
            expected,
        };
        assert_eq!(remote("ntp.example", Expectation::Open).name(), "udp:ntp.example:123");
        assert_eq!(remote("2001:db8::1", Expectation::Open).name(), "udp:[2001:db8::1]:123");
        let proof = KeyId::new(7).map(Proof::Key);
        let limits = TimeLimits { within: 0.05, max_stratum: 3, proof };
        assert_eq!(
            remote("a", Expectation::Time(limits)).expected(),
            "time within 50 ms, stratum 3 at most, authenticated by key 7"
        );
        for (proof, words) in [
            (Proof::NTS, "time within 100 ms, authenticated by NTS"),
            (
                Proof::Nts { port: 14460 },
                "time within 100 ms, authenticated by NTS with keys from port 14460",
            ),
        ] {
            let limits = TimeLimits { proof: Some(proof), ..TimeLimits::default() };
            assert_eq!(remote("a", Expectation::Time(limits)).expected(), words);
        }
        let port = Port { protocol: Protocol::Tcp, number: 4460 };
        let nobody = Subject::Local { port, processes: Vec::new() };
        assert_eq!(nobody.name(), "tcp:4460 of this host");
        assert_eq!(nobody.expected(), "nobody listens");
        let one = Subject::Local { port, processes: vec!["timeball".into()] };
        assert_eq!(one.expected(), "listens: timeball");
    }
}
