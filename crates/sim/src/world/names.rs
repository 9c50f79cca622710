//! What the resolver knows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use timeball_core::engine::ResolveError;
use timeball_core::settings::Family;

use crate::scenario::Scenario;
use crate::truth::Moment;

/// Names and the addresses they lead to.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// For each name what it leads to from a moment (s) on, earliest first.
    entries: BTreeMap<String, Vec<(f64, Vec<IpAddr>)>>,
}

impl Names {
    /// The names of hosts, and those of the scenario.
    pub(super) fn new(scenario: &Scenario, addresses: &BTreeMap<String, IpAddr>) -> Self {
        let of_hosts = |hosts: &[toml::Spanned<String>]| -> Vec<IpAddr> {
            hosts.iter().filter_map(|host| addresses.get(host.get_ref())).copied().collect()
        };
        let mut entries: BTreeMap<String, Vec<(f64, Vec<IpAddr>)>> = addresses
            .iter()
            .map(|(name, address)| (name.clone(), vec![(0.0, vec![*address])]))
            .collect();
        for name in &scenario.names {
            let mut versions = vec![(0.0, of_hosts(&name.hosts))];
            versions.extend(name.changes.iter().map(|change| (change.at, of_hosts(&change.hosts))));
            versions.sort_by(|a, b| a.0.total_cmp(&b.0));
            entries.insert(name.name.clone(), versions);
        }
        Self { entries }
    }

    /// The addresses of a name at a moment.
    pub(super) fn resolve(
        &self,
        name: &str,
        family: Option<Family>,
        at: Moment,
    ) -> Result<Vec<IpAddr>, ResolveError> {
        let all = match (name.parse::<IpAddr>(), self.entries.get(name)) {
            (Ok(literal), _) => vec![literal],
            (Err(_), Some(versions)) => versions
                .iter()
                .rev()
                .find(|(from, _)| *from <= at.seconds())
                .map(|(_, addresses)| addresses.clone())
                .unwrap_or_default(),
            (Err(_), None) => Vec::new(),
        };
        let wanted: Vec<IpAddr> = all
            .into_iter()
            .filter(|address| match family {
                None => true,
                Some(Family::Ipv4) => address.is_ipv4(),
                Some(Family::Ipv6) => address.is_ipv6(),
            })
            .collect();
        if wanted.is_empty() { Err(ResolveError::NotFound) } else { Ok(wanted) }
    }
}
