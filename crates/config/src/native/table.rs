//! Tables and keys that do not belong where they stand.

use std::ops::Range;

use timeball_core::settings::SourceSettings;
use toml::Spanned;
use toml::de::DeValue;

use super::schema::Section;
use super::{POOL, RATE_LIMIT, RATE_LIMIT_TABLE, SECTIONS, SERVER, suggest};
use crate::diagnostic::Diagnostic;

/// A key that its table does not have.
pub(super) fn unknown_key<S>(
    section: &'static Section<S>,
    name: &str,
    span: Range<usize>,
) -> Diagnostic {
    let known = || section.keys().map(|key| key.name).chain(section.tables.iter().copied());
    let listed: Vec<&str> = known().collect();
    let help = suggest::nearest(name, known())
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| belongs_in(name).map(|place| format!("`{name}` belongs in {place}")))
        .or_else(|| suggest::elsewhere(name).map(str::to_string));
    Diagnostic::error(format!("{} has no key `{name}`", section.header))
        .at(span)
        .expected(format!("one of {}", listed.join(", ")))
        .help_if(help)
}

/// A name at the top of the file that is no table.
pub(super) fn unknown_at_top(
    name: &str,
    span: Range<usize>,
    value: &Spanned<DeValue<'_>>,
) -> Diagnostic {
    let is_table = match value.get_ref() {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    };
    let tables = || [SERVER.name, POOL.name].into_iter().chain(SECTIONS.iter().map(|s| s.name));
    let headers = [SERVER.header, POOL.header].into_iter().chain(SECTIONS.iter().map(|s| s.header));
    let near = suggest::nearest(name, tables())
        .and_then(header_of)
        .map(|header| format!("did you mean {header}?"));
    let place = belongs_in(name).map(|place| format!("`{name}` belongs in {place}"));
    let elsewhere = suggest::elsewhere(name).map(str::to_string);
    let (message, help) = if is_table {
        (format!("there is no table `{name}`"), near.or(place).or(elsewhere))
    } else {
        (format!("`{name}` stands outside of any table"), place.or(elsewhere).or(near))
    };
    Diagnostic::error(message)
        .at(span)
        .expected(format!("one of {}", headers.collect::<Vec<_>>().join(", ")))
        .help_if(help)
}

/// Something else where `[[server]]` or `[[pool]]` is due.
pub(super) fn not_a_source(
    section: &Section<SourceSettings>,
    span: Range<usize>,
    found: &DeValue<'_>,
) -> Diagnostic {
    let address = found.as_str().unwrap_or("ntp.example.net");
    Diagnostic::error(format!("a {} is a table, this is {}", section.name, kind_of(found)))
        .at(span)
        .help(format!("write it as\n{}\naddress = {}", section.header, toml::Value::from(address)))
}

/// Something else where a table is due.
pub(super) fn not_a_table(header: &str, span: Range<usize>, found: &DeValue<'_>) -> Diagnostic {
    let help = match found {
        DeValue::Array(_) => format!("there is one of it: write {header}"),
        _ => format!("write {header} on a line of its own and the keys below it"),
    };
    Diagnostic::error(format!("{header} is a table, this is {}", kind_of(found)))
        .at(span)
        .help(help)
}

/// What a value is, with its article.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The headers of the tables that have this key.
fn belongs_in(name: &str) -> Option<String> {
    let mut places = Vec::new();
    if SERVER.key(name).is_some() {
        places.push(SERVER.header);
    }
    if POOL.key(name).is_some() {
        places.push(POOL.header);
    }
    places.extend(SECTIONS.iter().filter(|s| s.key(name).is_some()).map(|s| s.header));
    if RATE_LIMIT.key(name).is_some() {
        places.push(RATE_LIMIT.header);
    }
    places.extend(Some(RATE_LIMIT.header).filter(|_| name == RATE_LIMIT_TABLE));
    (!places.is_empty()).then(|| places.join(" or "))
}

fn header_of(name: &str) -> Option<&'static str> {
    [(SERVER.name, SERVER.header), (POOL.name, POOL.header)]
        .into_iter()
        .chain(SECTIONS.iter().map(|section| (section.name, section.header)))
        .find(|(known, _)| *known == name)
        .map(|(_, header)| header)
}
