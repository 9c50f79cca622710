//! `[chronyc]`: can anybody use what is opened?

use crate::config::{Chronyc, Config};
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const CHRONYC: Scope = Scope::Section("chronyc");
const RATE_LIMIT: Scope = Scope::Section("chronyc.rate-limit");

pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let chronyc = &config.chronyc;
    super::networks::check(CHRONYC, &chronyc.allow, &chronyc.deny, places, findings);
    if chronyc.port.is_none() {
        without_port(chronyc, places, findings);
    }
}

/// Something was said about UDP, but no port is opened.
fn without_port(chronyc: &Chronyc, places: &Places, findings: &mut Vec<Diagnostic>) {
    let said = [
        ("allow", !chronyc.allow.is_empty()),
        ("deny", !chronyc.deny.is_empty()),
        ("bind-addresses", !chronyc.bind_addresses.is_empty()),
        ("bind-device", chronyc.bind_device.is_some()),
    ];
    let first = said.into_iter().find(|(_, said)| *said).map(|(name, _)| name);
    let place = match first {
        Some(name) => places.nearest(CHRONYC, &[name]),
        None if chronyc.rate_limit.is_some() => places.table(RATE_LIMIT),
        None => return,
    };
    let what = first.unwrap_or("rate-limit");
    findings.push(
        Diagnostic::warning(format!("`{what}` is about UDP, and `port` of [chronyc] is not set"))
            .at(place)
            .help("chronyc asks at\nport = 323"),
    );
}
