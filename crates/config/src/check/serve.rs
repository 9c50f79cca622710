//! `[serve]`: would anybody be served, and is that what was meant?

use super::networks;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const SERVE: Scope = Scope::Section("serve");
const RATE_LIMIT: Scope = Scope::Section("serve.rate-limit");

pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let server = &config.engine.server;
    networks::check(SERVE, &server.allow, &server.deny, places, findings);
    if let Some(address) = networks::first_repeated(&config.serve.bind_addresses) {
        findings.push(
            Diagnostic::error(format!("{address} is listed twice"))
                .at(places.nearest(SERVE, &["bind-addresses"]))
                .help("listen once on each"),
        );
    }
    let certificates = &config.serve.key_establishment.certificates;
    if !certificates.is_empty() && config.nts.algorithms.is_empty() {
        findings.push(
            Diagnostic::warning("without a cipher nobody is given keys")
                .at(places.nearest(Scope::Section("nts"), &["algorithms"]))
                .help("algorithms = [\"aes-128-gcm-siv\", \"aes-siv-cmac-256\"]"),
        );
    }
    if config.gives_keys() && !config.serves() {
        findings.push(
            Diagnostic::warning("nobody may ask for keys: `allow` of [serve] is empty")
                .at(places.table(Scope::Item("serve.certificate", 0)))
                .help("[serve]\nallow = [\"192.0.2.0/24\"]"),
        );
    }
    if config.serves() {
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
            Diagnostic::warning("`deny` takes away from `allow`, and nobody is allowed")
                .at(places.nearest(SERVE, &["deny"]))
                .help(help),
        );
    } else if let Some(span) = places.table(RATE_LIMIT).or_else(|| about_answers(config, places)) {
        findings
            .push(Diagnostic::warning("nobody is served: `allow` is empty").at(span).help(help));
    }
}

/// The header of `[serve]`, unless all that it says makes sense without clients: broadcasts, and this
/// machine's clock as a reference.
fn about_answers(config: &Config, places: &Places) -> Option<std::ops::Range<usize>> {
    let server = &config.engine.server;
    let unasked = config.engine.local.is_some() || !server.broadcasts.is_empty();
    places.table(SERVE).filter(|_| !unasked)
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
