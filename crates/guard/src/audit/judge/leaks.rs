//! What a host tells of itself and of others.

use std::collections::BTreeMap;
use std::net::IpAddr;

use timeball_wire::mode6::{Associations, Variables};
use timeball_wire::mode7::{Client, PeerEntry, Restriction, SystemInformation};

use super::super::answer::{Content, ControlAnswer, printable};
use super::super::probe::Probe;
use super::super::report::{LeakedAddress, RestrictionReport, SystemReport};
use super::super::target::is_public;
use super::{Facts, is_monitor_list};

impl Facts<'_> {
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let Some(control) = self.granted(Probe::ReadVariables) else { return BTreeMap::new() };
        Variables::new(&control.data())
            .map(|variable| (printable(variable.name), printable(variable.value.unwrap_or(b""))))
            .collect()
    }

    pub(super) fn associations(&self) -> Option<usize> {
        Some(Associations::new(&self.granted(Probe::ReadStatus)?.data()).count())
    }

    pub(super) fn peers(&self) -> Vec<LeakedAddress> {
        let told = self.private().flat_map(|(answer, private)| {
            let parse = match answer.probe {
                Probe::PeerList => PeerEntry::parse,
                Probe::PeerSummary => PeerEntry::parse_summary,
                _ => |_: &[u8]| None,
            };
            private.items.iter().filter_map(move |item| Some((parse(item)?.address, None)))
        });
        leaked(told.chain(self.peers_by_mode_6().map(|address| (address, None))))
    }

    fn peers_by_mode_6(&self) -> impl Iterator<Item = IpAddr> {
        self.0.iter().filter(|answer| answer.probe == Probe::ReadPeer).filter_map(|answer| {
            let Content::Control(control) = &answer.content else { return None };
            value(control, Probe::PEER_ADDRESS)?.parse().ok()
        })
    }

    /// For how long it has been running (s).
    pub(super) fn uptime(&self) -> Option<u64> {
        value(self.granted(Probe::ReadUptime)?, Probe::UPTIME)?.parse().ok()
    }

    /// What it says of itself by mode 7.
    pub(super) fn system(&self) -> Option<SystemReport> {
        let system = SystemInformation::parse(self.items(Probe::SystemInformation).next()?)?;
        Some(SystemReport {
            peer: system.peer.into(),
            leap: system.leap,
            stratum: system.stratum,
            precision: system.precision,
            reference_id: system.reference_id.display(system.stratum).to_string(),
        })
    }

    /// Its access rules.
    pub(super) fn restrictions(&self) -> Vec<RestrictionReport> {
        let rules = self.items(Probe::Restrictions).filter_map(Restriction::parse);
        rules
            .map(|Restriction { address, mask, count: packets, flags }| RestrictionReport {
                address,
                mask,
                packets,
                flags,
            })
            .collect()
    }

    /// The items of the answer to a private message.
    fn items(&self, probe: Probe) -> impl Iterator<Item = &[u8]> {
        let answers = self.private().filter(move |(answer, _)| answer.probe == probe);
        answers.flat_map(|(_, private)| private.items.iter().map(Vec::as_slice))
    }

    pub(super) fn clients(&self) -> Vec<LeakedAddress> {
        let by_mode_7 = self
            .private()
            .filter(|(answer, _)| is_monitor_list(answer.probe))
            .flat_map(|(_, private)| {
                private.items.iter().filter_map(|item| {
                    let client = Client::parse(item)?;
                    Some((client.address, Some(client.count)))
                })
            });
        let by_mode_6 = self.granted(Probe::ReadMru).map(mru_clients).unwrap_or_default();
        leaked(by_mode_7.chain(by_mode_6))
    }
}

/// The value of a variable, as text.
fn value(control: &ControlAnswer, name: &str) -> Option<String> {
    let data = control.data();
    let value = Variables::value(&data, name)?;
    std::str::from_utf8(value).map(str::to_owned).ok()
}

/// The clients in an answer to READ_MRU: `addr.0=192.0.2.1:123, ct.0=7, …`.
fn mru_clients(control: &ControlAnswer) -> Vec<(IpAddr, Option<u32>)> {
    let data = control.data();
    let number = |name: &[u8], prefix: &str| -> Option<u32> {
        std::str::from_utf8(name.strip_prefix(prefix.as_bytes())?).ok()?.parse().ok()
    };
    let text = |value: Option<&[u8]>| std::str::from_utf8(value?).map(str::to_owned).ok();
    let mut addresses = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for variable in Variables::new(&data) {
        if let Some(entry) = number(variable.name, "addr.") {
            let address = text(variable.value).and_then(|text| text.parse().ok());
            addresses.extend(address.map(|address: std::net::SocketAddr| (entry, address.ip())));
        } else if let Some(entry) = number(variable.name, "ct.") {
            let count = text(variable.value).and_then(|text| text.parse::<u32>().ok());
            counts.extend(count.map(|count| (entry, count)));
        }
    }
    addresses.into_iter().map(|(entry, address)| (address, counts.get(&entry).copied())).collect()
}

/// Each address once.
fn leaked(told: impl Iterator<Item = (IpAddr, Option<u32>)>) -> Vec<LeakedAddress> {
    let addresses: BTreeMap<IpAddr, Option<u32>> = told.collect();
    addresses
        .into_iter()
        .map(|(address, packets)| LeakedAddress { address, private: !is_public(address), packets })
        .collect()
}
