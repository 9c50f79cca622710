//! What directives mean together: nothing that chronyd accepts is refused, but some of it is worth a
//! word.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use timeball_core::settings::SourceSettings;

use super::draft::{Draft, DraftSource};
use crate::config::Config;
use crate::diagnostic::Diagnostic;

impl Draft {
    /// Drops sources that are there already, as chronyd does.
    pub(super) fn drop_repeated_sources(&mut self) {
        let mut first: BTreeMap<_, Range<usize>> = BTreeMap::new();
        for source in std::mem::take(&mut self.sources) {
            match first.get(&identity(&source)) {
                Some(other) => self.diagnostics.push(
                    Diagnostic::warning(format!("`{}` is already a source", source.settings.name))
                        .at(source.name)
                        .related(Some(other.clone()), "first here")
                        .help("a server that is asked twice does not count twice: remove one"),
                ),
                None => {
                    first.insert(identity(&source), source.name.clone());
                    self.sources.push(source);
                }
            }
        }
    }
}

/// The same server by another family is another source.
fn identity(source: &DraftSource) -> (String, u16, Option<&'static str>) {
    use timeball_core::settings::Family;
    let SourceSettings { name, port, family, .. } = &source.settings;
    let name = match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.trim_end_matches('.').to_ascii_lowercase(),
    };
    let family = family.map(|family| match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    });
    (name, *port, family)
}

/// About the whole.
pub(super) fn remarks(config: &Config) -> Vec<Diagnostic> {
    let mut remarks = Vec::new();
    if config.engine.sources.is_empty()
        && config.engine.reference_clocks.is_empty()
        && config.files.source_directories.is_empty()
        && config.engine.local.is_none()
        && config.clock.initial.is_none()
        && !config.clock.manual
    {
        remarks.push(
            Diagnostic::warning("there is no source of time")
                .help("add one, for example\npool pool.ntp.org iburst"),
        );
    }
    if !config.log.records.is_empty() && config.files.log_directory.is_none() {
        remarks.push(
            Diagnostic::warning("`log` writes nothing without `logdir`")
                .help("add the directory, for example\nlogdir /var/log/chrony"),
        );
    }
    remarks
}
