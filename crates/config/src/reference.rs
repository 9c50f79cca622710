//! The reference page, made from the descriptions of the keys.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use crate::native::schema::{Key, Kind, Section, Table, Visitor};
use crate::native::{DURATION, FREQUENCY, PEER, POOL, Quantity, SERVER, bounds, every_table};

const OPENING: &str = "\
<!-- Generated: `timeball config reference > docs/guide/configuration-reference.md` -->

# Configuration reference

Every key of `timeball.toml`. The file is [TOML](https://toml.io): a table per thing, keys below it.
`timeball config check FILE` shows every mistake in a file with its line.

- A **duration** is a number with a unit in quotes, `\"10 ms\"`, or a number of seconds. Units: `ns`, `us`,
  `ms`, `s`, `min`, `h`, `d`.
- A **frequency** is a number with a unit in quotes: `ppb`, `ppm` (1 ppm is 1 µs per second) or `%`.
- A **path** is absolute; one that begins with `./` starts where the daemon was started.
- A key without a default has no value unless it is set.
";

/// The page in Markdown.
pub fn markdown() -> String {
    let mut page = OPENING.to_string();
    section(&mut page, &SERVER.section, &SERVER.fresh(), SERVER.section.keys());
    for source in [&POOL, &PEER] {
        let own = source.section.keys().filter(|key| SERVER.section.key(key.name).is_none());
        section(&mut page, &source.section, &source.fresh(), own);
    }
    let mut page = Page(page);
    every_table(&mut page);
    page.0
}

struct Page(String);

impl Visitor for Page {
    fn visit<S: 'static>(&mut self, table: &'static Table<S>) {
        section(&mut self.0, &table.section, &(table.fresh)(), table.section.keys());
    }
}

fn section<S>(
    page: &mut String,
    section: &Section<S>,
    defaults: &S,
    keys: impl Iterator<Item = &'static Key<S>>,
) {
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## `{}`\n\n{}\n", section.header, section.doc);
    for (index, key) in keys.enumerate() {
        if index == 0 {
            page.push_str("\n| key | value | default | |\n|---|---|---|---|\n");
        }
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
    let of = |unit: &str| if unit.is_empty() { String::new() } else { format!(" ({unit})") };
    match kind {
        Kind::Switch(_) => "`true` or `false`".into(),
        Kind::Integer { range, unit, .. } => {
            format!("{} to {}{}", range.start(), range.end(), of(unit))
        }
        Kind::IntegerOr { range, word, .. } => {
            format!("{} to {}, or `\"{word}\"`", range.start(), range.end())
        }
        Kind::Number { range, unit, .. } => {
            format!("number{}{}", bounds(range, |bound| bound.to_string()), of(unit))
        }
        Kind::Duration { range, .. } => within(&DURATION, range),
        Kind::DurationOr { range, word, .. } => {
            format!("{}, or `\"{word}\"`", within(&DURATION, range))
        }
        Kind::Frequency { range, .. } => within(&FREQUENCY, range),
        Kind::Word { words, .. } => in_quotes(&words()),
        Kind::Words { words, .. } => format!("list of {}", in_quotes(&words())),
        Kind::Text { what, .. } => (*what).into(),
        Kind::Host(_) => "host name or address".into(),
        Kind::Hosts(_) => "list of host names and addresses".into(),
        Kind::ReferenceId(_) => "one to four letters".into(),
        Kind::Device(_) => "interface".into(),
        Kind::Address(_) => "address".into(),
        Kind::Addresses(_) => "list of addresses".into(),
        Kind::Destination(_) => "address, also of a group".into(),
        Kind::Networks(_) => "list of networks".into(),
        Kind::Path { .. } => "path".into(),
        Kind::OptionalPath { .. } => "path, or `false` for none".into(),
        Kind::Paths { .. } => "list of paths".into(),
    }
}

fn within(quantity: &Quantity, range: &RangeInclusive<f64>) -> String {
    let name = quantity.name.trim_start_matches("a ");
    format!("{name}{}", bounds(range, |bound| quantity.write(bound)))
}

fn in_quotes(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
    quoted.join(", ")
}
