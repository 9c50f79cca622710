//! Servers and pools: each by itself, and all of them together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use timeball_core::association::PollInterval;
use timeball_core::settings::{Family, SourceKind, SourceSettings};

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const SELECTION: Scope = Scope::Section("selection");

pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    for (index, source) in config.engine.sources.iter().enumerate() {
        let scope = Scope::Source(index);
        polls(source, scope, places, findings);
        samples(config, source, scope, places, findings);
        options(source, scope, places, findings);
        requests(source, scope, places, findings);
        addresses(source, scope, places, findings);
    }
    let repeated = duplicates(config, places);
    // Counting them makes sense once each is there once.
    if repeated.is_empty() {
        enough(config, places, findings);
    }
    findings.extend(repeated);
}

fn polls(source: &SourceSettings, scope: Scope, places: &Places, findings: &mut Vec<Diagnostic>) {
    let (minpoll, maxpoll) = (source.association.minpoll, source.association.maxpoll);
    if minpoll > maxpoll {
        findings.push(
            Diagnostic::error(format!(
                "`minpoll` ({}) is larger than `maxpoll` ({})",
                minpoll.exponent(),
                maxpoll.exponent()
            ))
            .at(places.nearest(scope, &["minpoll", "maxpoll"]))
            .related(both(places, scope, "minpoll", "maxpoll"), "the longest interval")
            .help(match places.value(scope, "maxpoll") {
                Some(_) => "exchange the two".to_string(),
                None => format!("set `maxpoll` to {} or more as well", minpoll.exponent()),
            }),
        );
    } else if minpoll < PollInterval::SECOND {
        findings.push(
            Diagnostic::warning(format!(
                "`minpoll = {}` asks up to {:.0} times per second",
                minpoll.exponent(),
                1.0 / minpoll.seconds()
            ))
            .at(places.nearest(scope, &["minpoll"]))
            .help("do so only with a server of your own, close by"),
        );
    }
}

fn samples(
    config: &Config,
    source: &SourceSettings,
    scope: Scope,
    places: &Places,
    findings: &mut Vec<Diagnostic>,
) {
    let (least, most) = (source.estimator.min_samples, source.estimator.max_samples);
    let mut below = |name: &str, value: usize, why: &str| {
        findings.push(
            Diagnostic::warning(format!(
                "`max-samples` ({most}) is less than `{name}` ({value}): {why}"
            ))
            .at(places.nearest(scope, &["max-samples", name]))
            .related(both(places, scope, "max-samples", name), "set here")
            .help(format!("raise `max-samples` or lower `{name}`")),
        );
    };
    if most < config.engine.selection.minimum_samples {
        let minimum = config.engine.selection.minimum_samples;
        findings.push(
            Diagnostic::warning(format!(
                "with at most {most} measurements this source never has the {minimum} that \
                 `minimum-samples` asks for"
            ))
            .at(places.nearest(scope, &["max-samples"]))
            .related(places.value(SELECTION, "minimum-samples"), "asked for here")
            .help("raise `max-samples` or lower `minimum-samples`"),
        );
    } else if most < least {
        below("min-samples", least, "the smaller one holds");
    } else if most < source.association.poll_target {
        below("poll-target", source.association.poll_target, "that many are never kept");
    }
}

fn options(source: &SourceSettings, scope: Scope, places: &Places, findings: &mut Vec<Diagnostic>) {
    let options = &source.options;
    if !options.noselect {
        return;
    }
    for (name, set) in
        [("prefer", options.prefer), ("trust", options.trust), ("require", options.require)]
    {
        if set {
            findings.push(
                Diagnostic::warning(format!("`{name}` has no effect beside `noselect`"))
                    .at(places.key(scope, name).or_else(|| places.table(scope)))
                    .related(places.key(scope, "noselect"), "never to be selected")
                    .help("keep one of the two"),
            );
        }
    }
}

/// Keys about requests that are never sent, and tests that another one replaces.
fn requests(
    source: &SourceSettings,
    scope: Scope,
    places: &Places,
    findings: &mut Vec<Diagnostic>,
) {
    let association = &source.association;
    let mut useless = |name: &str, why: &str| {
        findings.push(
            Diagnostic::warning(format!("`{name}` has no effect: {why}"))
                .at(places.key(scope, name).or_else(|| places.table(scope)))
                .help("remove it"),
        );
    };
    if source.kind == SourceKind::Peer {
        let set = [
            ("burst", association.burst),
            ("presend", association.presend.is_some()),
            ("copy", association.copy),
        ];
        for (name, _) in set.into_iter().filter(|(_, set)| *set) {
            useless(name, "it is for servers, not for peers");
        }
    } else if association.presend.is_some_and(|presend| presend > association.maxpoll) {
        useless("presend", "`maxpoll` is smaller");
    }
    if association.max_delay_quantile.is_some() && association.max_delay_dev_ratio.is_some() {
        useless("max-delay-dev-ratio", "`max-delay-quantile` takes its place");
    }
}

fn addresses(
    source: &SourceSettings,
    scope: Scope,
    places: &Places,
    findings: &mut Vec<Diagnostic>,
) {
    let literal: Option<IpAddr> = source.name.parse().ok();
    if let (Some(address), SourceKind::Pool { .. }) = (literal, source.kind) {
        findings.push(
            Diagnostic::warning(format!("a pool of {address} can only ever have this one server"))
                .at(places.nearest(scope, &["address"]))
                .help("write it as [[server]]"),
        );
    }
    let families = [
        ("address", literal.map(family_of)),
        ("family", source.family),
        ("bind-address", source.bind_address.map(family_of)),
    ];
    let mut said =
        families.iter().filter_map(|(name, family)| family.map(|family| (*name, family)));
    let Some((first_name, first)) = said.next() else { return };
    for (name, family) in said {
        if family != first {
            findings.push(
                Diagnostic::warning(format!(
                    "this source can never be asked: `{name}` says {} but `{first_name}` says {}",
                    word(family),
                    word(first)
                ))
                .at(places.nearest(scope, &[name]))
                .related(places.value(scope, first_name), word(first))
                .help("both ends of a path are of one family"),
            );
            return;
        }
    }
}

fn duplicates(config: &Config, places: &Places) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    // The same server by another family or another path is another source.
    let mut seen = BTreeMap::new();
    for (index, source) in config.engine.sources.iter().enumerate() {
        let name = match source.name.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => source.name.trim_end_matches('.').to_ascii_lowercase(),
        };
        let family = source.family.map(word);
        let identity = (name, source.port, family, source.bind_address, source.bind_device.clone());
        if let Some(first) = seen.insert(identity, index) {
            let kind = |index: usize| config.engine.sources.get(index).map(|source| source.kind);
            let help = match (kind(first), source.kind) {
                (Some(SourceKind::Pool { .. }), SourceKind::Pool { .. }) => {
                    "one pool with a larger `count` takes more of its servers"
                }
                _ => "a server that is asked twice does not count twice",
            };
            findings.push(
                Diagnostic::warning(format!("`{}` is already a source", source.name))
                    .at(places.nearest(Scope::Source(index), &["address"]))
                    .related(places.value(Scope::Source(first), "address"), "first here")
                    .help(help),
            );
        }
    }
    findings
}

fn enough(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let sources = &config.engine.sources;
    if sources.is_empty() && config.engine.reference_clocks.is_empty() {
        // Files that are read later may name some.
        let expected = config.engine.local.is_some() || !config.files.source_directories.is_empty();
        if !expected {
            findings.push(
                Diagnostic::warning("there is no source of time")
                    .expected(
                        "at least one [[server]], [[pool]], [[peer]] or [[reference-clock]], or \
                         [serve.local]",
                    )
                    .help("add a source:\n[[server]]\naddress = \"ntp.example.net\""),
            );
        }
        return;
    }
    strata(config, places, findings);
    let selectable = config.selectable_sources();
    let minimum = config.engine.selection.minimum_sources;
    if selectable == 0 {
        findings.push(
            Diagnostic::warning("every source is `noselect`: the clock will never be set")
                .at(first_noselect(places)),
        );
    } else if minimum > selectable {
        findings.push(
            Diagnostic::warning(format!(
                "`minimum-sources` is {minimum}, but there are only {selectable} sources to select \
                 from: the clock will never be set"
            ))
            .at(places.nearest(SELECTION, &["minimum-sources"]))
            .help("add sources or lower `minimum-sources`"),
        );
    } else if selectable == 2
        && sources.len() > 1
        && !sources.iter().any(|source| source.options.trust)
    {
        findings.push(
            Diagnostic::warning("two sources cannot outvote each other if they disagree")
                .at(places.table(Scope::Source(1)))
                .help("add a third, four to survive the loss of one; or `trust` one of the two"),
        );
    }
}

fn first_noselect(places: &Places) -> Option<std::ops::Range<usize>> {
    let clock = Scope::Item("reference-clock", 0);
    places.key(Scope::Source(0), "noselect").or_else(|| places.key(clock, "noselect"))
}

fn strata(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let selection = &config.engine.selection;
    if selection.minimum_stratum > selection.maximum_stratum {
        findings.push(
            Diagnostic::warning(format!(
                "no source can be used: `minimum-stratum` ({}) is larger than `maximum-stratum` ({})",
                selection.minimum_stratum, selection.maximum_stratum
            ))
            .at(places.nearest(SELECTION, &["minimum-stratum", "maximum-stratum"]))
            .help("exchange the two"),
        );
    }
}

/// Where `other` is set, if `first` is set too and the caret stands there.
fn both(places: &Places, scope: Scope, first: &str, other: &str) -> Option<std::ops::Range<usize>> {
    places.value(scope, first).and_then(|_| places.value(scope, other))
}

fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::Ipv4,
        IpAddr::V6(_) => Family::Ipv6,
    }
}

fn word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}
