//! `allow` and `deny`, of whatever they are.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

/// Networks that are denied in vain, or both allowed and denied.
pub(super) fn check(
    scope: Scope,
    allow: &[IpNet],
    deny: &[IpNet],
    places: &Places,
    findings: &mut Vec<Diagnostic>,
) {
    let allowed: BTreeSet<&IpNet> = allow.iter().collect();
    for network in deny {
        if allowed.contains(network) {
            findings.push(
                Diagnostic::error(format!("{network} is both allowed and denied"))
                    .at(places.nearest(scope, &["deny"]))
                    .related(places.value(scope, "allow"), "allowed here")
                    .help(
                        "keep one of the two; a smaller network within an allowed one may be denied",
                    ),
            );
        } else if !allow.is_empty() && !allow.iter().any(|allowed| overlap(allowed, network)) {
            findings.push(
                Diagnostic::warning(format!(
                    "denying {network} changes nothing: it is not allowed"
                ))
                .at(places.nearest(scope, &["deny"])),
            );
        }
    }
    for (name, networks) in [("allow", allow), ("deny", deny)] {
        if let Some(network) = first_repeated(networks) {
            findings.push(
                Diagnostic::warning(format!("{network} is listed twice"))
                    .at(places.nearest(scope, &[name])),
            );
        }
    }
}

pub(super) fn first_repeated<T: Ord>(items: &[T]) -> Option<&T> {
    let mut seen = BTreeSet::new();
    items.iter().find(|item| !seen.insert(*item))
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}
