//! Everything an operator can ask of the engine. The configuration dialects fill it in.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{association, discipline, estimator, record, reference_clock, selection, server};

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Servers and pools, in the operator's order.
    pub sources: Vec<SourceSettings>,
    /// Clocks of this machine itself, in the operator's order.
    pub reference_clocks: Vec<reference_clock::Settings>,
    /// Which sources to believe.
    pub selection: selection::Settings,
    /// How to correct the clock.
    pub discipline: discipline::Settings,
    /// Whom to serve.
    pub server: server::Settings,
    /// This machine's clock as a reference when there is no better one.
    pub local: Option<Local>,
    /// What to keep a record of.
    pub records: record::Wanted,
    /// How keys are established.
    pub nts: Nts,
}

/// How keys are established for all sources that use Network Time Security.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nts {
    /// Keys older than this (s) are replaced.
    pub refresh: f64,
}

impl Default for Nts {
    fn default() -> Self {
        // Four weeks, as chronyd.
        Self { refresh: 2_419_200.0 }
    }
}

/// This machine's clock as a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Local {
    /// Its stratum, 1 to 15.
    pub stratum: u8,
    /// Root distance (s) above which it takes the place of the sources.
    pub distance: f64,
    /// Root distance (s) below which the clock must have been once; 0 asks for nothing.
    pub activate: f64,
    /// Sources at this very stratum are ignored, unless their reference ID is smaller than ours: of
    /// several servers with this setting one leads.
    pub orphan: bool,
    /// So long (s) after the last update before it takes over from the sources.
    pub wait_synchronised: f64,
    /// So long (s) after the start, or after the sources were lost, before it takes over from
    /// nothing.
    pub wait_unsynchronised: f64,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            stratum: 10,
            distance: 1.0,
            activate: 0.0,
            orphan: false,
            wait_synchronised: 0.0,
            wait_unsynchronised: 0.0,
        }
    }
}

/// One `[[server]]` or `[[pool]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSettings {
    /// Name or literal address, as written.
    pub name: String,
    /// UDP port.
    pub port: u16,
    /// One server, or as many as wanted out of a name.
    pub kind: SourceKind,
    /// Resolve to this address family only.
    pub family: Option<Family>,
    /// Send from this local address.
    pub bind_address: Option<IpAddr>,
    /// Send through this interface.
    pub bind_device: Option<String>,
    /// Polling and packet rules.
    pub association: association::Settings,
    /// Window of the estimator.
    pub estimator: estimator::Settings,
    /// What selection may do with it.
    pub options: selection::Options,
}

impl SourceSettings {
    /// A server of this name with every default.
    pub fn server(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            port: 123,
            kind: SourceKind::Server,
            family: None,
            bind_address: None,
            bind_device: None,
            association: association::Settings::default(),
            estimator: estimator::Settings::default(),
            options: selection::Options::default(),
        }
    }
}

impl SourceSettings {
    /// Asks the same servers in the same way, so that what was measured stays good; how often, with
    /// which key, and what selection may do with it, makes no difference. But what was measured
    /// without any key is nothing that one had proved.
    pub fn asks_like(&self, other: &Self) -> bool {
        let way = |settings: &Self| {
            let Self { name, port, kind, family, bind_address, bind_device, .. } = settings.clone();
            let kind = std::mem::discriminant(&kind);
            let version = settings.association.version;
            (name, port, kind, family, bind_address, bind_device, version, settings.estimator)
        };
        let authentication = |settings: &Self| settings.association.authentication;
        way(self) == way(other) && authentication(self).is_like(authentication(other))
    }
}

/// How many associations a configured name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// One, with the first address that works.
    Server,
    /// `count` good ones out of all its addresses.
    Pool {
        /// Wanted associations.
        count: usize,
    },
    /// A symmetric association (RFC 5905 §3, mode 1): each side may take time from the other.
    Peer,
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}
