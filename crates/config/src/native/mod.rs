//! The native dialect: timeball.toml.

mod host;
mod keys;
mod quantity;
pub(crate) mod schema;
#[cfg(test)]
mod schema_tests;
mod suggest;
mod syntax;
mod table;
mod value;
mod write;

pub(crate) use keys::{DEFAULT_POOL_COUNT, POOL, RATE_LIMIT, RATE_LIMIT_TABLE, SECTIONS, SERVER};
pub(crate) use quantity::{DURATION, FREQUENCY};
pub(crate) use suggest::nearest;
pub use write::to_native;

use std::ops::Range;

use timeball_core::server::RateLimit;
use timeball_core::settings::{SourceKind, SourceSettings};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Reading;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::document::Document;
use crate::places::{Places, Scope};
use schema::Section;

/// Accepts a host name, or the literal address of one machine.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check_host(text: &str) -> Result<(), String> {
    host::check(text).map_err(|problem| problem.message)
}

/// A server or pool as a fresh table has it.
pub(crate) fn source_defaults(kind: SourceKind) -> SourceSettings {
    SourceSettings { kind, ..SourceSettings::server("") }
}

/// Reads a text, as far as it can be understood.
pub(crate) fn read(document: &Document) -> Reading {
    let (root, errors) = DeTable::parse_recoverable(document.text());
    let mut reader = Reader { document, places: Places::default(), diagnostics: Vec::new() };
    reader.diagnostics.extend(syntax::diagnostics(document, &errors));
    let mut config = Config::default();
    // What the parser makes of broken lines is a guess; complaints about it would only confuse.
    if errors.iter().all(syntax::leaves_the_rest_readable) {
        reader.root(root.get_ref(), &mut config);
    }
    Reading { config, places: reader.places, diagnostics: reader.diagnostics }
}

/// Walks the tables by the schema.
struct Reader<'d> {
    document: &'d Document,
    places: Places,
    diagnostics: Vec<Diagnostic>,
}

/// A `[[server]]` or `[[pool]]` as found.
struct FoundSource<'t, 'd> {
    section: &'static Section<SourceSettings>,
    kind: SourceKind,
    header: Range<usize>,
    table: &'t DeTable<'d>,
}

impl Reader<'_> {
    fn root(&mut self, root: &DeTable<'_>, config: &mut Config) {
        let mut sources = Vec::new();
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "server" => {
                    self.sources(&SERVER, SourceKind::Server, value, &mut sources);
                }
                "pool" => {
                    let kind = SourceKind::Pool { count: DEFAULT_POOL_COUNT };
                    self.sources(&POOL, kind, value, &mut sources);
                }
                name => match SECTIONS.iter().find(|section| section.name == name) {
                    Some(section) => self.section(section, value, config),
                    None => self.diagnostics.push(table::unknown_at_top(name, key.span(), value)),
                },
            }
        }
        // The parser sorts by name; what counts is the order in which the operator wrote them.
        sources.sort_by_key(|source| source.header.start);
        for (index, source) in sources.into_iter().enumerate() {
            let scope = Scope::Source(index);
            let mut settings = source_defaults(source.kind);
            self.table(source.section, scope, source.header.clone(), source.table, &mut settings);
            self.require_address(scope, source.section.header, source.table);
            config.engine.sources.push(settings);
        }
    }

    fn sources<'t, 'd>(
        &mut self,
        section: &'static Section<SourceSettings>,
        kind: SourceKind,
        value: &'t Spanned<DeValue<'d>>,
        found: &mut Vec<FoundSource<'t, 'd>>,
    ) {
        match value.get_ref() {
            DeValue::Array(tables) => {
                for item in tables {
                    match item.get_ref() {
                        DeValue::Table(table) => {
                            found.push(FoundSource { section, kind, header: item.span(), table });
                        }
                        other => {
                            self.diagnostics.push(table::not_a_source(section, item.span(), other));
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
                found.push(FoundSource { section, kind, header: value.span(), table });
            }
            other => self.diagnostics.push(table::not_a_source(section, value.span(), other)),
        }
    }

    fn require_address(&mut self, scope: Scope, header: &str, table: &DeTable<'_>) {
        if !table.contains_key("address") {
            self.diagnostics.push(
                Diagnostic::error(format!("this {header} has no `address`"))
                    .at(self.places.table(scope))
                    .help("add a line such as\naddress = \"ntp.example.net\""),
            );
        }
    }

    fn section(
        &mut self,
        section: &'static Section<Config>,
        value: &Spanned<DeValue<'_>>,
        config: &mut Config,
    ) {
        let Some(table) = self.expect_table(section.header, value) else { return };
        self.table(section, Scope::Section(section.name), value.span(), table, config);
        if section.name == keys::SERVE.name
            && let Some(limit) = table.get(RATE_LIMIT_TABLE)
            && let Some(table) = self.expect_table(RATE_LIMIT.header, limit)
        {
            let scope = Scope::Section(RATE_LIMIT.name);
            let rate_limit = config.engine.server.rate_limit.get_or_insert_with(RateLimit::default);
            self.table(&RATE_LIMIT, scope, limit.span(), table, rate_limit);
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

    /// Reads one table's keys into `settings`.
    fn table<S>(
        &mut self,
        section: &'static Section<S>,
        scope: Scope,
        header: Range<usize>,
        table: &DeTable<'_>,
        settings: &mut S,
    ) {
        self.places.note_table(scope, header);
        for (name, value) in table {
            if section.tables.contains(&name.get_ref().as_ref()) {
                continue;
            }
            let Some(key) = section.key(name.get_ref()) else {
                self.diagnostics.push(table::unknown_key(section, name.get_ref(), name.span()));
                continue;
            };
            self.places.note_entry(scope, key.name, name.span(), value.span());
            self.diagnostics.extend(value::read(self.document, key, value, settings));
        }
    }
}
