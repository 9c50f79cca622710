//! Which part of the text said what, so that a check made later can still point at the line.

use std::collections::BTreeMap;
use std::ops::Range;

/// A table of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A table there is one of, by its name: `clock`, `serve.rate-limit`.
    Section(&'static str),
    /// A server, pool or peer, by its index in [`timeball_core::Settings::sources`].
    Source(usize),
    /// One of the tables of this name, by its index: the second `[[network.card]]`.
    Item(&'static str, usize),
}

/// Byte ranges of tables, keys and values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    tables: BTreeMap<Scope, Range<usize>>,
    entries: BTreeMap<Scope, BTreeMap<&'static str, Entry>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    key: Range<usize>,
    value: Range<usize>,
}

impl Places {
    /// The header of a table, if the text has one.
    pub fn table(&self, scope: Scope) -> Option<Range<usize>> {
        self.tables.get(&scope).cloned()
    }

    /// A key by its native name, if the text sets it.
    pub fn key(&self, scope: Scope, name: &str) -> Option<Range<usize>> {
        self.entry(scope, name).map(|entry| entry.key.clone())
    }

    /// The value of a key by its native name, if the text sets it.
    pub fn value(&self, scope: Scope, name: &str) -> Option<Range<usize>> {
        self.entry(scope, name).map(|entry| entry.value.clone())
    }

    /// The value of the first of `names` that the text sets, else the table's header.
    pub fn nearest(&self, scope: Scope, names: &[&str]) -> Option<Range<usize>> {
        names.iter().find_map(|name| self.value(scope, name)).or_else(|| self.table(scope))
    }

    fn entry(&self, scope: Scope, name: &str) -> Option<&Entry> {
        self.entries.get(&scope)?.get(name)
    }

    pub(crate) fn note_table(&mut self, scope: Scope, header: Range<usize>) {
        self.tables.insert(scope, header);
    }

    pub(crate) fn note_entry(
        &mut self,
        scope: Scope,
        name: &'static str,
        key: Range<usize>,
        value: Range<usize>,
    ) {
        self.entries.entry(scope).or_default().insert(name, Entry { key, value });
    }
}
