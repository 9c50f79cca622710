//! The native dialect: timeball.toml.

mod host;
mod keys;
mod path;
mod quantity;
pub(crate) mod schema;
#[cfg(test)]
mod schema_tests;
mod suggest;
mod syntax;
mod table;
mod value;
mod write;

pub(crate) use keys::{PEER, POOL, SERVER, every_table};
pub(crate) use quantity::{DURATION, FREQUENCY, Quantity, bounds};
pub(crate) use suggest::nearest;
pub use write::to_native;

use std::ops::Range;

use timeball_core::settings::SourceSettings;
use timeball_wire::ReferenceId;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Reading;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::document::Document;
use crate::places::{Places, Scope};
use keys::{Outline, SOURCES, SourceTable};
use schema::{Rows, Section, Table, Visitor};

/// The seconds that a text such as `"10 ms"` means.
///
/// # Errors
///
/// What is wrong with it, and what to write instead if that can be guessed.
pub fn duration(text: &str) -> Result<f64, String> {
    DURATION.parse(text).map_err(|problem| match problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => {
            format!("{}; write {} such as \"{}\"", problem.message, DURATION.name, DURATION.example)
        }
    })
}

/// Seconds as [`duration`] reads them, in the largest unit that fits.
pub fn written_duration(seconds: f64) -> String {
    DURATION.write(seconds)
}

/// A reference ID of one to four letters, digits or other printable signs.
pub(crate) fn reference_id(text: &str) -> Option<ReferenceId> {
    let fits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let mut bytes = text.bytes();
    fits.then(|| ReferenceId::from_bytes(std::array::from_fn(|_| bytes.next().unwrap_or(0))))
}

/// The letters of a reference ID.
fn reference_id_letters(id: ReferenceId) -> String {
    id.to_bytes().into_iter().take_while(|byte| *byte != 0).map(char::from).collect()
}

/// Accepts a host name, or the literal address of one machine.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_host(text: &str) -> Result<(), String> {
    host::check(text).map_err(|problem| problem.message)
}

/// Reads a text, as far as it can be understood.
pub(crate) fn read(document: &Document) -> Reading {
    let (root, errors) = DeTable::parse_recoverable(document.text());
    let mut reader = Reader {
        document,
        outlines: keys::outlines(),
        places: Places::default(),
        diagnostics: Vec::new(),
    };
    reader.diagnostics.extend(syntax::diagnostics(document, &errors));
    let mut config = Config::default();
    // What the parser makes of broken lines is a guess; complaints about it would only confuse.
    if errors.iter().all(syntax::leaves_the_rest_readable) {
        let root = root.get_ref();
        reader.unknown_names(root);
        reader.sources(root, &mut config.engine.sources);
        every_table(&mut TableReader { reader: &mut reader, root, config: &mut config });
    }
    Reading { config, places: reader.places, diagnostics: reader.diagnostics }
}

/// Reads tables by the schema.
struct Reader<'d> {
    document: &'d Document,
    outlines: Vec<Outline>,
    places: Places,
    diagnostics: Vec<Diagnostic>,
}

/// A table of sources as found.
struct FoundSource<'t, 'd> {
    of: &'static SourceTable,
    header: Range<usize>,
    table: &'t DeTable<'d>,
}

impl Reader<'_> {
    /// Complains of what stands at the top of the file and is no table of ours.
    fn unknown_names(&mut self, root: &DeTable<'_>) {
        for (name, value) in root {
            if !self.outlines.iter().any(|outline| outline.name == name.get_ref().as_ref()) {
                let unknown =
                    table::unknown_at_top(&self.outlines, name.get_ref(), name.span(), value);
                self.diagnostics.push(unknown);
            }
        }
    }

    fn sources(&mut self, root: &DeTable<'_>, sources: &mut Vec<SourceSettings>) {
        let mut found = Vec::new();
        for of in SOURCES {
            if let Some(value) = root.get(of.section.name) {
                let tables = self.expect_tables(&of.section, value).into_iter();
                found.extend(tables.map(|(header, table)| FoundSource { of, header, table }));
            }
        }
        // What counts is the order in which the operator wrote them, whatever they are.
        found.sort_by_key(|source| source.header.start);
        for (index, FoundSource { of, header, table }) in found.into_iter().enumerate() {
            let mut settings = of.fresh();
            self.table(&of.section, Scope::Source(index), header, table, &mut settings);
            sources.push(settings);
        }
    }

    fn expect_table<'t, 'd>(
        &mut self,
        header: &str,
        value: &'t Spanned<DeValue<'d>>,
    ) -> Option<&'t DeTable<'d>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                self.diagnostics.push(table::not_a_table(header, value.span(), other));
                None
            }
        }
    }

    /// The tables of which there may be many, each with the place of its header.
    fn expect_tables<'t, 'd, S>(
        &mut self,
        section: &'static Section<S>,
        value: &'t Spanned<DeValue<'d>>,
    ) -> Vec<(Range<usize>, &'t DeTable<'d>)> {
        let mut found = Vec::new();
        match value.get_ref() {
            DeValue::Array(tables) => {
                for item in tables {
                    match item.get_ref() {
                        DeValue::Table(table) => found.push((item.span(), table)),
                        other => {
                            self.diagnostics.push(table::not_an_item(section, item.span(), other));
                        }
                    }
                }
            }
            DeValue::Table(table) => {
                self.diagnostics.push(
                    Diagnostic::error(format!("there may be many of {}", section.header))
                        .at(value.span())
                        .help(format!("double the brackets: {}", section.header)),
                );
                // Read on for its other mistakes.
                found.push((value.span(), table));
            }
            other => self.diagnostics.push(table::not_an_item(section, value.span(), other)),
        }
        found
    }

    /// Reads one table's keys into `settings`, in the order of the schema: a key may add to one before
    /// it.
    fn table<S>(
        &mut self,
        section: &'static Section<S>,
        scope: Scope,
        header: Range<usize>,
        table: &DeTable<'_>,
        settings: &mut S,
    ) {
        self.places.note_table(scope, header);
        for name in table.keys() {
            let is_table = self
                .outlines
                .iter()
                .any(|outline| outline.within() == Some((section.name, name.get_ref().as_ref())));
            if !is_table && section.key(name.get_ref()).is_none() {
                let unknown =
                    table::unknown_key(&self.outlines, section, name.get_ref(), name.span());
                self.diagnostics.push(unknown);
            }
        }
        for key in section.keys() {
            if let Some((name, value)) = table.get_key_value(key.name) {
                self.places.note_entry(scope, key.name, name.span(), value.span());
                self.diagnostics.extend(value::read(self.document, key, value, settings));
            }
        }
        for (name, example) in section.required {
            if !table.contains_key(*name) {
                let example = toml::Value::from(*example);
                self.diagnostics.push(
                    Diagnostic::error(format!("this {} has no `{name}`", section.header))
                        .at(self.places.table(scope))
                        .help(format!("add a line such as\n{name} = {example}")),
                );
            }
        }
    }
}

/// Reads every table that is no source.
struct TableReader<'r, 'd, 't, 'x> {
    reader: &'r mut Reader<'d>,
    root: &'t DeTable<'x>,
    config: &'r mut Config,
}

impl<'t, 'x> TableReader<'_, '_, 't, 'x> {
    /// What is written at a dotted name.
    fn at(&self, name: &str) -> Option<&'t Spanned<DeValue<'x>>> {
        match name.split_once('.') {
            None => self.root.get(name),
            // The outer table's reader complains if it is none.
            Some((outer, inner)) => self.root.get(outer)?.get_ref().as_table()?.get(inner),
        }
    }
}

impl Visitor for TableReader<'_, '_, '_, '_> {
    fn visit<S: 'static>(&mut self, table: &'static Table<S>) {
        let section = &table.section;
        let Some(value) = self.at(section.name) else { return };
        let scope = Scope::Section(section.name);
        match &table.rows {
            Rows::One { get_mut, .. } => {
                if let Some(found) = self.reader.expect_table(section.header, value) {
                    self.reader.table(section, scope, value.span(), found, get_mut(self.config));
                }
            }
            Rows::Optional(field) => {
                if let Some(found) = self.reader.expect_table(section.header, value) {
                    let mut settings = (table.fresh)();
                    self.reader.table(section, scope, value.span(), found, &mut settings);
                    (field.set)(self.config, settings);
                }
            }
            Rows::Many { get_mut, .. } => {
                let found = self.reader.expect_tables(section, value);
                for (index, (header, found)) in found.into_iter().enumerate() {
                    let mut settings = (table.fresh)();
                    let scope = Scope::Item(section.name, index);
                    self.reader.table(section, scope, header, found, &mut settings);
                    get_mut(self.config).push(settings);
                }
            }
        }
    }
}
