//! Everything an operator can ask of the engine. The configuration dialects fill it in.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{association, discipline, estimator, selection, server};

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Servers and pools, in the operator's order.
    pub sources: Vec<SourceSettings>,
    /// Which sources to believe.
    pub selection: selection::Settings,
    /// How to correct the clock.
    pub discipline: discipline::Settings,
    /// Whom to serve.
    pub server: server::Settings,
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
    /// Asks the same servers in the same way, so that what was measured stays good; how often, and
    /// what selection may do with it, makes no difference.
    pub fn asks_like(&self, other: &Self) -> bool {
        let way = |settings: &Self| {
            let Self { name, port, kind, family, bind_address, bind_device, .. } = settings.clone();
            let kind = std::mem::discriminant(&kind);
            let version = settings.association.version;
            (name, port, kind, family, bind_address, bind_device, version, settings.estimator)
        };
        way(self) == way(other)
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
