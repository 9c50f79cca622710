//! The reference page, made from the descriptions of the keys.

use std::fmt::Write as _;

use timeball_core::server::RateLimit;
use timeball_core::settings::SourceKind;

use crate::config::Config;
use crate::native::schema::{Key, Kind, Section};
use crate::native::{
    DEFAULT_POOL_COUNT, POOL, RATE_LIMIT, RATE_LIMIT_TABLE, SECTIONS, SERVER, source_defaults,
};

const OPENING: &str = "\
<!-- Generated: `timeball config reference > docs/guide/configuration-reference.md` -->

# Configuration reference

Every key of `timeball.toml`. The file is [TOML](https://toml.io): a table per thing, keys below it.
`timeball config check FILE` shows every mistake in a file with its line.

- A **duration** is a number with a unit in quotes, `\"10 ms\"`, or a number of seconds. Units: `ns`, `us`,
  `ms`, `s`, `min`, `h`, `d`.
- A **frequency** is a number with a unit in quotes: `ppb`, `ppm` (1 ppm is 1 µs per second) or `%`.
- A key without a default has no value unless it is set.
";

/// The page in Markdown.
pub fn markdown() -> String {
    let config = Config::default();
    let pool = source_defaults(SourceKind::Pool { count: DEFAULT_POOL_COUNT });
    let mut page = OPENING.to_string();
    section(&mut page, &SERVER, &source_defaults(SourceKind::Server), SERVER.keys());
    let own = POOL.keys().filter(|key| SERVER.key(key.name).is_none());
    section(&mut page, &POOL, &pool, own);
    for single in SECTIONS {
        section(&mut page, single, &config, single.keys());
        if single.tables.contains(&RATE_LIMIT_TABLE) {
            section(&mut page, &RATE_LIMIT, &RateLimit::default(), RATE_LIMIT.keys());
        }
    }
    page
}

fn section<S>(
    page: &mut String,
    section: &Section<S>,
    defaults: &S,
    keys: impl Iterator<Item = &'static Key<S>>,
) {
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "\n## `{}`\n\n{}\n\n| key | value | default | |\n|---|---|---|---|\n",
        section.header, section.doc
    );
    for key in keys {
        let default = match (&key.kind, key.kind.write(defaults)) {
            (Kind::OptionalPath { .. }, Some(value)) if value == "false" => "none".into(),
            (_, Some(value)) => format!("`{value}`"),
            (_, None) => String::new(),
        };
        let _ =
            writeln!(page, "| `{}` | {} | {default} | {} |", key.name, value(&key.kind), key.doc);
    }
}

/// What the value is, in a few words.
fn value<S>(kind: &Kind<S>) -> String {
    match kind {
        Kind::Switch(_) => "`true` or `false`".into(),
        Kind::Integer { range, unit, .. } => {
            let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
            format!("{} to {}{unit}", range.start(), range.end())
        }
        Kind::IntegerOr { range, word, .. } => {
            format!("{} to {}, or `\"{word}\"`", range.start(), range.end())
        }
        Kind::Number { range, .. } => format!("number, {} to {}", range.start(), range.end()),
        Kind::Duration { range, .. } => format!(
            "duration, {} to {}",
            crate::native::DURATION.write(*range.start()),
            crate::native::DURATION.write(*range.end())
        ),
        Kind::Frequency { range, .. } => format!(
            "frequency, {} to {}",
            crate::native::FREQUENCY.write(*range.start()),
            crate::native::FREQUENCY.write(*range.end())
        ),
        Kind::Word { words, .. } => {
            let quoted: Vec<String> = words().iter().map(|word| format!("`\"{word}\"`")).collect();
            quoted.join(", ")
        }
        Kind::Host(_) => "host name or address".into(),
        Kind::Device(_) => "interface".into(),
        Kind::Address(_) => "address".into(),
        Kind::Addresses(_) => "list of addresses".into(),
        Kind::Networks(_) => "list of networks".into(),
        Kind::Path { .. } => "absolute path".into(),
        Kind::OptionalPath { .. } => "absolute path, or `false` for none".into(),
    }
}
