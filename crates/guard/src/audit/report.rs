//! The outcome of an audit as a program reads it: what `--json` prints. `docs/guide/port-123.md` tells
//! what each key means; keys are added, never changed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::finding::{FindingId, Severity};
use super::key_establishment::KeyReport;
use super::probe::Probe;
use super::software::Software;
use super::tcp::TcpPort;

/// The version of this form.
pub const SCHEMA: u32 = 1;

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The numbers.
    pub summary: Summary,
    /// The servers whose time the hosts' was compared with; none if it was this machine's.
    pub references: Vec<ReferenceReport>,
    /// Every host that answered, by address.
    pub hosts: Vec<HostReport>,
}

/// The numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Addresses that were asked.
    pub asked: u64,
    /// Of those, the ones that answered something.
    pub answered: u64,
    /// Those that the network said cannot be reached, or that nobody listens there.
    pub unreachable: u64,
    /// Those of which nothing was heard: nobody there, or a firewall.
    pub silent: u64,
    /// How bad the worst finding is.
    pub worst: Option<Severity>,
}

/// One host that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostReport {
    /// Its address.
    pub address: IpAddr,
    /// The name by which it was given.
    pub name: Option<String>,
    /// The UDP port that was asked.
    pub port: u16,
    /// A without any finding, down to F.
    pub grade: Grade,
    /// What it is.
    pub software: Software,
    /// Its answer to a request for the time.
    pub time: Option<TimeReport>,
    /// The versions in which it gives the time.
    pub time_versions: Vec<u8>,
    /// Whether it knows the interleaved mode (RFC 9769); null if it was not to be found out.
    pub interleaved: Option<bool>,
    /// Whether it answers an unauthenticated offer to be a peer.
    pub answers_symmetric_active: bool,
    /// What it makes of such an offer.
    #[serde(default)]
    pub symmetric_active: SymmetricReaction,
    /// TCP port 123, which NTP does not use; null if nobody looked.
    pub tcp_123: Option<TcpPort>,
    /// TCP port 4460, NTS key establishment; null if nobody looked.
    pub tcp_4460: Option<TcpPort>,
    /// What came of asking there for keys; null if it is not open, or nobody asked.
    #[serde(default)]
    pub nts_ke: Option<KeyReport>,
    /// What it does about a client that asks too often; null if that was not tried.
    #[serde(default)]
    pub rate: Option<RateReport>,
    /// The variables of mode 6, as sent; what is not printable is escaped.
    pub variables: BTreeMap<String, String>,
    /// For how long it has been running (s), if it says so.
    #[serde(default)]
    pub uptime: Option<u64>,
    /// What it says of itself by mode 7, if it does.
    #[serde(default)]
    pub system: Option<SystemReport>,
    /// Its access rules, if it tells them by mode 7.
    #[serde(default)]
    pub restrictions: Vec<RestrictionReport>,
    /// How many associations it has, if it says so.
    pub associations: Option<usize>,
    /// Its peers, if it tells them.
    pub peers: Vec<LeakedAddress>,
    /// Its clients, if it tells them.
    pub clients: Vec<LeakedAddress>,
    /// What was asked and how much came back.
    pub probes: Vec<ProbeReport>,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// What a host makes of an unauthenticated offer to be its peer (mode 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SymmetricReaction {
    /// Nothing that could be heard within the time of the audit.
    #[default]
    Silence,
    /// It answers, once and at once, and then forgets it.
    Answers,
    /// It goes on to say things by itself: it has begun an association with a stranger.
    Mobilises,
}

/// The time that a host gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeReport {
    /// Version of the protocol that it answered in.
    pub version: u8,
    /// Leap warning: 0 none, 1 insert, 2 delete, 3 not synchronised.
    pub leap: u8,
    /// Distance from a reference clock.
    pub stratum: u8,
    /// What it is synchronised to.
    pub reference_id: String,
    /// Precision of its clock (log₂ s).
    pub precision: i8,
    /// Delay to the reference clock (s).
    pub root_delay: f64,
    /// Dispersion to the reference clock (s).
    pub root_dispersion: f64,
    /// How long ago its clock was last set, by its own time (s).
    pub reference_age: Option<f64>,
    /// Its clock minus this machine's (s).
    pub offset: Option<f64>,
    /// Its clock minus the time of the reference servers (s), if there are any.
    #[serde(default)]
    pub offset_from_references: Option<f64>,
    /// Round trip (s).
    pub delay: Option<f64>,
}

/// A server whose time others are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceReport {
    /// Its address.
    pub address: IpAddr,
    /// The name by which it was given.
    pub name: Option<String>,
    /// Its clock minus this machine's (s); null if it gave no time.
    pub offset: Option<f64>,
    /// How wrong that may be (s).
    pub uncertainty: Option<f64>,
    /// Whether it is one of the majority whose times agree.
    pub agrees: bool,
}

/// What a host does about a client that asks too often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateReport {
    /// What it does.
    pub limit: RateLimit,
    /// How many requests it was sent.
    pub requests: usize,
    /// How far apart (s).
    pub interval: f64,
    /// How many of them it answered with the time.
    pub times: usize,
    /// How many it answered with a kiss-o'-death.
    pub kisses: usize,
    /// With which codes.
    pub kiss_codes: Vec<String>,
    /// How many it answered with the time before the first that it did not.
    pub before_limit: usize,
}

/// What a host does about a client that asks too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateLimit {
    /// Nothing: all requests are answered.
    None,
    /// Some requests are not answered.
    Silence,
    /// All are answered, but some with a kiss-o'-death.
    Kisses,
    /// Some are answered with a kiss-o'-death, and some not at all.
    KissesAndSilence,
}

/// An address that is none of our business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeakedAddress {
    /// The address.
    pub address: IpAddr,
    /// True if it is not one of the public internet's.
    pub private: bool,
    /// How many packets came from it, if that is told.
    pub packets: Option<u32>,
}

/// What a host says of itself by mode 7 (`ntpdc -c sysinfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemReport {
    /// Whom it follows, if that is an address of IPv4.
    pub peer: IpAddr,
    /// Leap warning, 0 to 3.
    pub leap: u8,
    /// Distance from a reference clock.
    pub stratum: u8,
    /// Precision of its clock (log₂ s).
    pub precision: i8,
    /// What it is synchronised to.
    pub reference_id: String,
}

/// An access rule (`ntpdc -c reslist`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestrictionReport {
    /// For which addresses.
    pub address: IpAddr,
    /// Of which these bits count.
    pub mask: IpAddr,
    /// How often it has matched.
    pub packets: u32,
    /// What it forbids, one bit each.
    pub flags: u16,
}

/// One probe and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// What was asked.
    pub probe: Probe,
    /// How often.
    pub requests: u32,
    /// Bytes of UDP payload sent.
    pub bytes_sent: u64,
    /// Datagrams that came back.
    pub packets: u32,
    /// Bytes of UDP payload that came back.
    pub bytes_received: u64,
    /// Bytes that came back for each one sent.
    pub amplification: f64,
    /// How it refused, if it did.
    pub refusal: Option<String>,
    /// The first datagram that came back, in hexadecimal.
    pub first: String,
}

/// Something wrong with a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub id: FindingId,
    /// How bad.
    pub severity: Severity,
    /// In one line.
    pub title: String,
    /// By what it is known.
    pub evidence: String,
    /// CVEs and sections of RFCs.
    pub references: Vec<String>,
    /// What to change.
    pub remedy: String,
    /// A line for the host's own firewall, where one helps.
    pub firewall: Option<String>,
}

/// A mark for a host, by its worst finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// No finding.
    A,
    /// Low.
    B,
    /// Medium.
    C,
    /// High.
    D,
    /// Critical.
    F,
}

impl Grade {
    /// The grade of a host whose worst finding is this.
    pub const fn of(worst: Option<Severity>) -> Self {
        match worst {
            None => Self::A,
            Some(Severity::Low) => Self::B,
            Some(Severity::Medium) => Self::C,
            Some(Severity::High) => Self::D,
            Some(Severity::Critical) => Self::F,
        }
    }

    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            Self::A => 'A',
            Self::B => 'B',
            Self::C => 'C',
            Self::D => 'D',
            Self::F => 'F',
        }
    }
}

impl HostReport {
    /// Adds findings, and grades anew.
    pub(super) fn add_findings(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.id));
        self.grade = Grade::of(self.worst());
    }

    /// Adds what the same host has shown elsewhere.
    pub(super) fn absorb(&mut self, other: Self) {
        self.probes.extend(other.probes);
        let is_new = |finding: &Finding| self.findings.iter().all(|known| known.id != finding.id);
        let new = other.findings.into_iter().filter(is_new).collect();
        self.add_findings(new);
    }

    /// How bad its worst finding is.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// The name and the address, or the address alone.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.address),
            None => self.address.to_string(),
        }
    }
}
