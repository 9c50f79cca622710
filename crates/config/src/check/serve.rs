//! `[serve]`: would anybody be served, and is that what was meant?

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const SERVE: Scope = Scope::Section("serve");
const RATE_LIMIT: Scope = Scope::Section("serve.rate-limit");

pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    if config.serves() {
        contradictions(config, places, findings);
        everybody(config, places, findings);
    } else {
        nobody(config, places, findings);
    }
}

/// Something was said about serving, but not whom.
fn nobody(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let server = &config.engine.server;
    let help = "add the clients' networks, for example\nallow = [\"192.0.2.0/24\"]\nor everybody:\nallow = [\"0.0.0.0/0\", \"::/0\"]";
    if !server.deny.is_empty() {
        findings.push(
            Diagnostic::error("`deny` takes away from `allow`, and nobody is allowed")
                .at(places.nearest(SERVE, &["deny"]))
                .help(help),
        );
    } else if config.engine.local.is_some() {
        findings.push(
            Diagnostic::error("`local-stratum` is for clients, and nobody is allowed")
                .at(places.nearest(SERVE, &["local-stratum"]))
                .help(help),
        );
    } else if let Some(span) = places.table(SERVE).or_else(|| places.table(RATE_LIMIT)) {
        findings
            .push(Diagnostic::warning("nobody is served: `allow` is empty").at(span).help(help));
    }
}

fn contradictions(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let server = &config.engine.server;
    for network in &server.deny {
        if server.allow.contains(network) {
            findings.push(
                Diagnostic::error(format!("{network} is both allowed and denied"))
                    .at(places.nearest(SERVE, &["deny"]))
                    .related(places.value(SERVE, "allow"), "allowed here")
.help("keep one of the two; a smaller network within an allowed one may be denied"),
            );
        } else if !server.allow.iter().any(|allowed| overlap(allowed, network)) {
            findings.push(
                Diagnostic::warning(format!(
                    "denying {network} changes nothing: it is not allowed"
                ))
                .at(places.nearest(SERVE, &["deny"])),
            );
        }
    }
    for (name, networks) in [("allow", &server.allow), ("deny", &server.deny)] {
        if let Some(network) = first_repeated(networks) {
            findings.push(
                Diagnostic::warning(format!("{network} is listed twice"))
                    .at(places.nearest(SERVE, &[name])),
            );
        }
    }
    if let Some(address) = first_repeated(&config.serve.bind_addresses) {
        findings.push(
            Diagnostic::error(format!("{address} is listed twice"))
                .at(places.nearest(SERVE, &["bind-addresses"]))
                .help("listen once on each"),
        );
    }
}

fn everybody(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let server = &config.engine.server;
    if server.rate_limit.is_none() && server.allow.iter().any(|network| network.prefix_len() == 0) {
        findings.push(
            Diagnostic::warning("everybody is served, as often as they ask")
                .at(places.nearest(SERVE, &["allow"]))
                .help("limit it, which needs no more than a line\n[serve.rate-limit]"),
        );
    }
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn first_repeated<T: Ord>(items: &[T]) -> Option<&T> {
    let mut seen = BTreeSet::new();
    items.iter().find(|item| !seen.insert(*item))
}
