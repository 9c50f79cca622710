//! A configuration as timeball.toml.

use timeball_core::server::RateLimit;
use timeball_core::settings::SourceKind;

use super::schema::Section;
use super::{DEFAULT_POOL_COUNT, POOL, RATE_LIMIT, SECTIONS, SERVER, source_defaults};
use crate::config::Config;

/// Writes what differs from the defaults; reading it gives the same configuration. Paths must be
/// UTF-8.
pub fn to_native(config: &Config) -> String {
    let mut text = String::new();
    for source in &config.engine.sources {
        let (section, defaults) = match source.kind {
            SourceKind::Server | SourceKind::Peer => (&SERVER, source_defaults(SourceKind::Server)),
            SourceKind::Pool { .. } => {
                (&POOL, source_defaults(SourceKind::Pool { count: DEFAULT_POOL_COUNT }))
            }
        };
        table(&mut text, section.header, &changed(section, source, &defaults));
    }
    let defaults = Config::default();
    for section in SECTIONS {
        let lines = changed(section, config, &defaults);
        if !lines.is_empty() {
            table(&mut text, section.header, &lines);
        }
    }
    if let Some(rate_limit) = &config.engine.server.rate_limit {
        let lines = changed(&RATE_LIMIT, rate_limit, &RateLimit::default());
        table(&mut text, RATE_LIMIT.header, &lines);
    }
    text
}

/// The lines of the keys whose value is not the default.
fn changed<S>(section: &'static Section<S>, settings: &S, defaults: &S) -> Vec<String> {
    section
        .keys()
        .filter_map(|key| {
            let value = key.kind.write(settings)?;
            (Some(&value) != key.kind.write(defaults).as_ref())
                .then(|| format!("{} = {value}", key.name))
        })
        .collect()
}

fn table(text: &mut String, header: &str, lines: &[String]) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(header);
    text.push('\n');
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
}
