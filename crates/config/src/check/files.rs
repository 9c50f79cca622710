//! `[files]`, `[log]` and `[network]`: paths that must not be the same, and keys that need another one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::{Config, DriftFile, Timestamping};
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const FILES: Scope = Scope::Section("files");
const CARD: &str = "network.card";

pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    same_path(config, places, findings);
    if !matches!(config.files.drift_file, DriftFile::At { .. })
        && let Some(span) = places.value(FILES, "drift-interval")
    {
        findings.push(
            Diagnostic::error("`drift-interval` is about `drift-file`, which names no file")
                .at(span)
                .help("write `drift-file` as well"),
        );
    }
    if config.files.log_directory.is_none() && !config.log.records.is_empty() {
        findings.push(
            Diagnostic::warning("`records` are not written: `log-directory` of [files] is not set")
                .at(places.nearest(Scope::Section("log"), &["records"]))
                .help("[files]\nlog-directory = \"/var/log/timeball\""),
        );
    }
    cards(config, places, findings);
}

/// The sockets are made and removed, and so is the file of the process ID: none may be another.
fn same_path(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let files = [
        ("the control socket", &config.control.socket, Scope::Section("control"), "socket"),
        ("chronyc's socket", &config.chronyc.socket, Scope::Section("chronyc"), "socket"),
        ("`pid-file`", &config.files.pid_file, FILES, "pid-file"),
    ];
    let mut seen: BTreeMap<&Path, (&str, Scope, &str)> = BTreeMap::new();
    for (what, path, scope, key) in files {
        let Some(path) = path else { continue };
        if let Some((first, its_scope, its_key)) = seen.get(path.as_path()) {
            findings.push(
                Diagnostic::error(format!("{what} and {first} are the same path"))
                    .at(places.nearest(scope, &[key]))
                    .related(places.value(*its_scope, its_key), *first)
                    .help("give each a path of its own"),
            );
        } else {
            seen.insert(path, (what, scope, key));
        }
    }
}

fn cards(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let cards = &config.network.cards;
    if !cards.is_empty() && config.network.timestamping != Timestamping::Hardware {
        findings.push(
            Diagnostic::warning("no card stamps: `timestamping` is not \"hardware\"")
                .at(places.table(Scope::Item(CARD, 0)))
                .help("[network]\ntimestamping = \"hardware\""),
        );
    }
    let mut seen = BTreeMap::new();
    for (index, card) in cards.iter().enumerate() {
        if let Some(first) = seen.insert(card.interface.as_str(), index) {
            findings.push(
                Diagnostic::warning(format!("`{}` is listed twice", card.interface))
                    .at(places.nearest(Scope::Item(CARD, index), &["interface"]))
                    .related(places.value(Scope::Item(CARD, first), "interface"), "first here")
                    .help("keep one of the two"),
            );
        }
    }
}
