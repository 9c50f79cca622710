//! What the types cannot say: names that must exist, numbers that must make sense.

use std::collections::BTreeSet;
use std::net::IpAddr;

use toml::Spanned;

use super::{Link, Scenario, ScenarioError};

/// The most steps of `sample` that a run may have: a week of seconds, with room to spare.
const MAX_SAMPLES: f64 = 5e6;

/// Finds the first mistake.
pub(super) fn check(scenario: &Scenario, text: &str) -> Result<(), ScenarioError> {
    let checker = Checker::new(scenario, text);
    checker.distinct_hosts()?;
    checker.times()?;
    checker.references()
}

struct Checker<'a> {
    scenario: &'a Scenario,
    text: &'a str,
    nodes: BTreeSet<&'a str>,
    hosts: BTreeSet<&'a str>,
}

impl<'a> Checker<'a> {
    fn new(scenario: &'a Scenario, text: &'a str) -> Self {
        let nodes: BTreeSet<&str> =
            scenario.nodes.iter().map(|node| node.name.get_ref().as_str()).collect();
        let servers = scenario.servers.iter().map(|server| server.name.get_ref().as_str());
        let hosts = nodes.iter().copied().chain(servers).collect();
        Self { scenario, text, nodes, hosts }
    }

    fn distinct_hosts(&self) -> Result<(), ScenarioError> {
        let mut names = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for (name, address) in self.named_addresses() {
            if !names.insert(name.get_ref().as_str()) {
                return Err(
                    self.mistake(name, format!("there are two hosts called `{}`", name.get_ref()))
                );
            }
            if let Some(address) = address
                && !addresses.insert(address)
            {
                let message =
                    format!("`{}` has the address {address} of another host", name.get_ref());
                return Err(self.mistake(name, message));
            }
        }
        Ok(())
    }

    fn named_addresses(&self) -> impl Iterator<Item = (&'a Spanned<String>, Option<IpAddr>)> {
        let nodes = self.scenario.nodes.iter().map(|node| (&node.name, node.address));
        nodes.chain(self.scenario.servers.iter().map(|server| (&server.name, server.address)))
    }

    fn times(&self) -> Result<(), ScenarioError> {
        let Scenario { duration, sample, .. } = *self.scenario;
        if self.scenario.nodes.is_empty() {
            return Err(self.nowhere("there is no [[node]] to watch"));
        }
        if duration <= 0.0 {
            return Err(self.nowhere("`duration` must be above zero"));
        }
        if sample <= 0.0 || duration / sample > MAX_SAMPLES {
            return Err(self.nowhere(&format!(
                "`sample` must be above zero and at least {} s for this duration",
                duration / MAX_SAMPLES
            )));
        }
        if self.scenario.settled_after() >= duration {
            return Err(self.nowhere("`settle` leaves nothing of the duration"));
        }
        for node in &self.scenario.nodes {
            let cycle = node.oscillator.temperature;
            if cycle.is_some_and(|cycle| cycle.period <= 0.0) {
                return Err(self.mistake(&node.name, "a temperature cycle needs a period".into()));
            }
            if node.steal.is_some_and(|steal| steal.every <= 0.0) {
                return Err(
                    self.mistake(&node.name, "`every` of `steal` must be above zero".into())
                );
            }
        }
        Ok(())
    }

    fn references(&self) -> Result<(), ScenarioError> {
        for Link { between, .. } in &self.scenario.links {
            for host in between.iter().filter(|host| host.get_ref() != "*") {
                self.host(host)?;
            }
        }
        for name in &self.scenario.names {
            let changed = name.changes.iter().flat_map(|change| &change.hosts);
            for host in name.hosts.iter().chain(changed) {
                self.host(host)?;
            }
        }
        for event in &self.scenario.events {
            self.node(&event.node)?;
        }
        for attacker in &self.scenario.attackers {
            self.node(&attacker.victim)?;
            self.host(&attacker.pretends)?;
        }
        for source in
            self.scenario.nodes.iter().flat_map(|node| node.server.iter().chain(&node.pool))
        {
            let address = &source.address;
            let named = self.scenario.names.iter().any(|name| name.name == *address.get_ref());
            if !named && address.get_ref().parse::<IpAddr>().is_err() {
                self.host(address)?;
            }
        }
        Ok(())
    }

    fn host(&self, name: &Spanned<String>) -> Result<(), ScenarioError> {
        self.one_of(&self.hosts, "host", name)
    }

    fn node(&self, name: &Spanned<String>) -> Result<(), ScenarioError> {
        self.one_of(&self.nodes, "node", name)
    }

    fn one_of(
        &self,
        known: &BTreeSet<&str>,
        kind: &str,
        name: &Spanned<String>,
    ) -> Result<(), ScenarioError> {
        if known.contains(name.get_ref().as_str()) {
            return Ok(());
        }
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let message =
            format!("there is no {kind} `{}`; there are {}", name.get_ref(), known.join(", "));
        Err(self.mistake(name, message))
    }

    fn mistake(&self, place: &Spanned<String>, message: String) -> ScenarioError {
        ScenarioError::at(self.text, Some(place.span()), message)
    }

    fn nowhere(&self, message: &str) -> ScenarioError {
        ScenarioError::at(self.text, None, message)
    }
}
