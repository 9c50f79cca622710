//! A configuration as timeball.toml.

use super::every_table;
use super::keys::SourceTable;
use super::schema::{Rows, Section, Table, Visitor};
use crate::config::Config;

/// Writes what differs from the defaults; reading it gives the same configuration.
///
/// That holds for all that a file can say: paths that are UTF-8, and values within the ranges of the
/// configuration reference. What the daemon finds out besides, such as the table of leap seconds, is
/// no part of it.
pub fn to_native(config: &Config) -> String {
    let mut writer = Writer { config, text: String::new() };
    for source in &config.engine.sources {
        let table = SourceTable::of(source.kind);
        writer.table(&table.section, source, &table.fresh());
    }
    every_table(&mut writer);
    writer.text
}

struct Writer<'c> {
    config: &'c Config,
    text: String,
}

impl Visitor for Writer<'_> {
    fn visit<S: 'static>(&mut self, table: &'static Table<S>) {
        let (section, fresh) = (&table.section, (table.fresh)());
        match &table.rows {
            Rows::One { get, .. } => {
                let settings = get(self.config);
                if !changed(section, settings, &fresh).is_empty() {
                    self.table(section, settings, &fresh);
                }
            }
            Rows::Optional(field) => {
                if let Some(settings) = (field.get)(self.config) {
                    self.table(section, &settings, &fresh);
                }
            }
            Rows::Many { get, .. } => {
                for settings in get(self.config) {
                    self.table(section, settings, &fresh);
                }
            }
        }
    }
}

impl Writer<'_> {
    fn table<S>(&mut self, section: &'static Section<S>, settings: &S, fresh: &S) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(section.header);
        self.text.push('\n');
        for line in changed(section, settings, fresh) {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }
}

/// The lines of the keys whose value is not the default.
fn changed<S>(section: &'static Section<S>, settings: &S, fresh: &S) -> Vec<String> {
    section
        .keys()
        .filter_map(|key| {
            let value = key.kind.write(settings)?;
            (Some(&value) != key.kind.write(fresh).as_ref())
                .then(|| format!("{} = {value}", key.name))
        })
        .collect()
}
