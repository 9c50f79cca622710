//! Tables and keys that do not belong where they stand.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::keys::Outline;
use super::schema::Section;
use super::suggest;
use crate::diagnostic::Diagnostic;

/// A key that its table does not have.
pub(super) fn unknown_key<S>(
    outlines: &[Outline],
    section: &'static Section<S>,
    name: &str,
    span: Range<usize>,
) -> Diagnostic {
    let tables = outlines
        .iter()
        .filter_map(|outline| outline.within())
        .filter(|(outer, _)| *outer == section.name)
        .map(|(_, inner)| inner);
    let known: Vec<&str> = section.keys().map(|key| key.name).chain(tables).collect();
    let help = suggest::nearest(name, known.iter().copied())
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| belongs_in(outlines, name).map(|place| format!("`{name}` belongs in {place}")))
        .or_else(|| suggest::elsewhere(name).map(str::to_string));
    Diagnostic::error(format!("{} has no key `{name}`", section.header))
        .at(span)
        .expected(format!("one of {}", known.join(", ")))
        .help_if(help)
}

/// A name at the top of the file that is no table.
pub(super) fn unknown_at_top(
    outlines: &[Outline],
    name: &str,
    span: Range<usize>,
    value: &Spanned<DeValue<'_>>,
) -> Diagnostic {
    let is_table = match value.get_ref() {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    };
    let at_top = || outlines.iter().filter(|outline| outline.within().is_none());
    let headers: Vec<&str> = at_top().map(|outline| outline.header).collect();
    let near = suggest::nearest(name, at_top().map(|outline| outline.name))
        .and_then(|near| at_top().find(|outline| outline.name == near))
        .map(|outline| format!("did you mean {}?", outline.header));
    let place = belongs_in(outlines, name).map(|place| format!("`{name}` belongs in {place}"));
    let elsewhere = suggest::elsewhere(name).map(str::to_string);
    let (message, help) = if is_table {
        let inner = inner_tables(outlines, name).map(|headers| format!("write it as {headers}"));
        (format!("there is no table `{name}`"), inner.or(near).or(place).or(elsewhere))
    } else {
        (format!("`{name}` stands outside of any table"), place.or(elsewhere).or(near))
    };
    Diagnostic::error(message)
        .at(span)
        .expected(format!("one of {}", headers.join(", ")))
        .help_if(help)
}

/// Something else where one of many tables is due.
pub(super) fn not_an_item<S>(
    section: &Section<S>,
    span: Range<usize>,
    found: &DeValue<'_>,
) -> Diagnostic {
    let lines = section.required.iter().enumerate().map(|(index, (key, example))| {
        // What stands there is what is most wanted of such a table.
        let value = found.as_str().filter(|_| index == 0).unwrap_or(example);
        format!("\n{key} = {}", toml::Value::from(value))
    });
    let lines: String = lines.collect();
    Diagnostic::error(format!("a {} is a table, this is {}", section.name, kind_of(found)))
        .at(span)
        .help(format!("write it as\n{}{lines}", section.header))
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

/// The headers of the tables that have this key, or that are it.
fn belongs_in(outlines: &[Outline], name: &str) -> Option<String> {
    let with_key = outlines.iter().filter(|outline| outline.keys.contains(&name));
    headers_of(with_key).or_else(|| inner_tables(outlines, name))
}

/// The headers of the tables of this name within others.
fn inner_tables(outlines: &[Outline], name: &str) -> Option<String> {
    headers_of(
        outlines.iter().filter(|outline| outline.within().is_some_and(|(_, inner)| inner == name)),
    )
}

/// "[a], [b] or [c]".
fn headers_of<'o>(outlines: impl Iterator<Item = &'o Outline>) -> Option<String> {
    let mut headers: Vec<&str> = outlines.map(|outline| outline.header).collect();
    let last = headers.pop()?;
    Some(if headers.is_empty() {
        last.to_string()
    } else {
        format!("{} or {last}", headers.join(", "))
    })
}
