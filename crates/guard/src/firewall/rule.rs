//! A rule that no tool owns.

use ipnet::IpNet;

/// One rule: the first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// On which way of a packet.
    pub chain: Chain,
    /// What must be true of the packet, all of it.
    pub matches: Vec<Match>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, in plain words; one line.
    pub why: &'static str,
}

/// The ways of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// It has just come in, before anything is known of its connection.
    BeforeTrackingIn,
    /// It was just made here, before anything is known of its connection.
    BeforeTrackingOut,
    /// It is for this host.
    Input,
    /// It is from this host.
    Output,
    /// It only passes.
    Forward,
}

/// Something about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Never left this host.
    Loopback,
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// From this port.
    SourcePort(u16),
    /// To this port.
    DestinationPort(u16),
    /// To a port that programs get when they ask for any: 1024 and above.
    UnprivilegedDestination,
    /// From this network.
    Source(IpNet),
    /// From none of these networks.
    NotSource(Vec<IpNet>),
    /// To none of these networks.
    NotDestination(Vec<IpNet>),
    /// Belongs to something that this host, or one behind it, has begun.
    Established,
    /// NTP of one of these modes, by the first byte behind the UDP header.
    Modes(&'static [u8]),
    /// More than so many in a second from one client, after so many at once. A client is an IPv4
    /// address, or an IPv6 network of 64 bits where the tool knows such.
    Above {
        /// Packets per second.
        per_second: u32,
        /// Packets at once.
        burst: u32,
    },
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass, as far as these rules are concerned.
    Accept,
    /// It is lost without a word.
    Drop,
    /// It may pass, and nobody remembers it.
    DoNotTrack,
}

impl Rule {
    /// The family of addresses that it is for; `None` if for both.
    pub fn family(&self) -> Option<Family> {
        self.matches.iter().find_map(|condition| match condition {
            Match::Source(net) => Some(Family::of(net)),
            _ => None,
        })
    }

    /// Whether it is for packets of this family: one that leaves out networks is for their families.
    pub fn concerns(&self, family: Family) -> bool {
        self.family().is_none_or(|of_rule| of_rule == family)
            && self.matches.iter().all(|condition| match condition {
                Match::NotSource(nets) | Match::NotDestination(nets) => {
                    Self::of_family(nets, family).next().is_some()
                }
                _ => true,
            })
    }

    /// The networks of one family out of these.
    pub fn of_family(nets: &[IpNet], family: Family) -> impl Iterator<Item = &IpNet> {
        nets.iter().filter(move |net| Family::of(net) == family)
    }

    /// Whether it has this condition.
    pub fn has(&self, condition: &Match) -> bool {
        self.matches.contains(condition)
    }

    /// The port it is to, if it names one.
    pub fn destination_port(&self) -> Option<u16> {
        self.matches.iter().find_map(|condition| match condition {
            Match::DestinationPort(port) => Some(*port),
            _ => None,
        })
    }

    /// The port it is from, if it names one.
    pub fn source_port(&self) -> Option<u16> {
        self.matches.iter().find_map(|condition| match condition {
            Match::SourcePort(port) => Some(*port),
            _ => None,
        })
    }

    /// The network it is from, if it names one.
    pub fn source(&self) -> Option<&IpNet> {
        self.matches.iter().find_map(|condition| match condition {
            Match::Source(net) => Some(net),
            _ => None,
        })
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of a network.
    pub const fn of(net: &IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }
}
