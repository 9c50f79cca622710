//! Every key of timeball.toml, table by table.
//!
//! A new key is one entry here, with the field that it fills; a new table is a [`Table`] and a line in
//! [`every_table`]. The reader, the suggestions, the writer and the reference page follow from it; a
//! line in `packaging/timeball.toml` and what it means together with other keys (`crate::check`) do
//! not. The tests say what is missing.

mod chronyc;
mod clock;
mod daemon;
mod network;
mod nts;
mod reference_clock;
mod selection;
mod serve;
mod serve_nts;
mod source;

use super::schema::{Section, Table, Visitor};
use crate::config::Config;

pub(crate) use source::{PEER, POOL, SERVER, SOURCES, SourceTable};

/// Calls the visitor for every table but those of sources, in the order of the reference page.
pub(crate) fn every_table(visitor: &mut impl Visitor) {
    visitor.visit(&reference_clock::REFERENCE_CLOCK);
    visitor.visit(&selection::SELECTION);
    visitor.visit(&clock::CLOCK);
    visitor.visit(&clock::MAX_CHANGE);
    visitor.visit(&clock::FALLBACK_DRIFT);
    visitor.visit(&clock::INITIAL);
    visitor.visit(&clock::TEMPERATURE);
    visitor.visit(&serve::SERVE);
    visitor.visit(&serve::RATE_LIMIT);
    visitor.visit(&serve_nts::SERVE);
    visitor.visit(&serve_nts::CERTIFICATE);
    visitor.visit(&serve_nts::RATE_LIMIT);
    visitor.visit(&serve::LOCAL);
    visitor.visit(&serve::BROADCAST);
    visitor.visit(&serve::SMOOTHING);
    visitor.visit(&network::NETWORK);
    visitor.visit(&network::CARD);
    visitor.visit(&nts::NTS);
    visitor.visit(&nts::TRUSTED);
    visitor.visit(&daemon::FILES);
    visitor.visit(&daemon::CONTROL);
    visitor.visit(&chronyc::CHRONYC);
    visitor.visit(&chronyc::RATE_LIMIT);
    visitor.visit(&daemon::PROCESS);
    visitor.visit(&daemon::LOG);
}

/// A table's name, its header and the names of its keys.
pub(crate) struct Outline {
    pub(crate) name: &'static str,
    pub(crate) header: &'static str,
    pub(crate) keys: Vec<&'static str>,
}

impl Outline {
    fn of<S>(section: &'static Section<S>) -> Self {
        let keys = section.keys().map(|key| key.name).collect();
        Self { name: section.name, header: section.header, keys }
    }

    /// The table that this one lies in, and its name in there.
    pub(crate) fn within(&self) -> Option<(&'static str, &'static str)> {
        self.name.split_once('.')
    }
}

/// Every table, those of sources first.
pub(crate) fn outlines() -> Vec<Outline> {
    struct Outlines(Vec<Outline>);
    impl Visitor for Outlines {
        fn visit<S: 'static>(&mut self, table: &'static Table<S>) {
            self.0.push(Outline::of(&table.section));
        }
    }
    let mut outlines =
        Outlines(SOURCES.iter().map(|source| Outline::of(&source.section)).collect());
    every_table(&mut outlines);
    outlines.0
}

/// Where the keys of a table that there is one of are: all over the configuration.
const fn one(section: Section<Config>) -> Table<Config> {
    use super::schema::Rows;
    let rows = Rows::One { get: |config| config, get_mut: |config| config };
    Table { section, rows, fresh: Config::default }
}
