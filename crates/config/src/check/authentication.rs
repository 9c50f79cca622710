//! Keys: who has one, and where they are.

use timeball_core::association::Authentication;
use timeball_core::selection::AuthenticationPolicy;
use timeball_core::settings::SourceKind;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

pub(crate) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let sources = &config.engine.sources;
    let find = |wanted: fn(Authentication) -> bool| {
        sources.iter().position(|source| wanted(source.association.authentication))
    };
    let with_key = find(|authentication| authentication.key().is_some());
    if let (Some(index), None) = (with_key, &config.files.key_file) {
        findings.push(
            Diagnostic::warning("there is no file of keys: a source with a key is not asked")
                .at(places.nearest(Scope::Source(index), &["key"]))
                .help("name the file: `key-file` of [files], or `keyfile` in chrony.conf"),
        );
    }
    // Files of sources may have others.
    let all_known = config.files.source_directories.is_empty();
    let required = config.engine.selection.authentication == AuthenticationPolicy::Require;
    if required && find(Authentication::is_required).is_none() && all_known {
        let scope = Scope::Section("selection");
        findings.push(
            Diagnostic::warning("no source is authenticated: none will be selected")
                .at(places.nearest(scope, &["authentication"]))
                .help("give sources a key, or use them all: mode \"mix\""),
        );
    }
    for (index, source) in sources.iter().enumerate() {
        let scope = Scope::Source(index);
        let Authentication::Nts(_) = source.association.authentication else { continue };
        let why = if source.kind == SourceKind::Peer {
            "`nts` cannot be used between peers"
        } else if places.key(scope, "key").is_some() {
            "a source has either `nts` or `key`"
        } else {
            continue;
        };
        findings.push(
            Diagnostic::error(why)
                .at(places.nearest(scope, &["nts"]))
                .help("remove it, or the other"),
        );
    }
    let with_nts = find(|authentication| matches!(authentication, Authentication::Nts(_)));
    if with_nts.is_some() && config.nts.algorithms.is_empty() {
        findings.push(
            Diagnostic::warning("without a cipher no source with NTS can be asked")
                .at(places.nearest(Scope::Section("nts"), &["algorithms"]))
                .help("every server has \"aes-siv-cmac-256\""),
        );
    }
}
