//! Who reaches whom, and how.

use std::collections::BTreeMap;

use super::queue::HostId;
use crate::link::{self, Arrivals, Link};
use crate::scenario;
use crate::truth::Moment;

/// All paths between hosts; each is made when it is first used.
#[derive(Debug)]
pub(super) struct Network {
    rules: Vec<scenario::Link>,
    hosts: Vec<String>,
    seed: u64,
    links: BTreeMap<(HostId, HostId), Link>,
}

impl Network {
    pub(super) fn new(rules: &[scenario::Link], hosts: Vec<String>, seed: u64) -> Self {
        Self { rules: rules.to_vec(), hosts, seed, links: BTreeMap::new() }
    }

    /// When a datagram from one host to another arrives.
    pub(super) fn carry(&mut self, from: HostId, to: HostId, at: Moment) -> Arrivals {
        self.link(from, to).carry(at)
    }

    /// The base delays (s) there and back.
    pub(super) fn round_trip(&mut self, from: HostId, to: HostId, at: Moment) -> f64 {
        self.link(from, to).base_delay(at) + self.link(to, from).base_delay(at)
    }

    fn link(&mut self, from: HostId, to: HostId) -> &mut Link {
        self.links.entry((from, to)).or_insert_with(|| {
            let name = |host: HostId| self.hosts.get(host).map_or("", String::as_str);
            let (from, to) = (name(from), name(to));
            let label = format!("link/{from}/{to}");
            Link::new(settings(&self.rules, from, to), self.seed, &label)
        })
    }
}

/// What the last matching rule says of this direction.
fn settings(rules: &[scenario::Link], from: &str, to: &str) -> link::Settings {
    let is = |pattern: &str, host: &str| pattern == "*" || pattern == host;
    for rule in rules.iter().rev() {
        let [first, second] = rule.between.each_ref().map(|name| name.get_ref().as_str());
        if is(first, from) && is(second, to) {
            return rule.there.as_ref().unwrap_or(&rule.both).clone();
        }
        if is(first, to) && is(second, from) {
            return rule.back.as_ref().unwrap_or(&rule.both).clone();
        }
    }
    link::Settings::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn the_last_rule_that_matches_holds_in_its_direction() {
        let text = r#"
title = "t"
duration = 1000
node = [{ name = "a" }]
server = [{ name = "b" }, { name = "c" }]
[[link]]
between = ["a", "*"]
both = { delay = "1 s" }
[[link]]
between = ["b", "a"]
there = { delay = "2 s" }
back = { delay = "3 s" }
"#;
        let rules = Scenario::from_toml(text).unwrap().links;
        let delay = |from, to| settings(&rules, from, to).delay;
        assert_eq!((delay("a", "c"), delay("c", "a")), (1.0, 1.0));
        assert_eq!((delay("b", "a"), delay("a", "b")), (2.0, 3.0));
        assert_eq!(delay("b", "c"), link::Settings::default().delay);
    }
}
