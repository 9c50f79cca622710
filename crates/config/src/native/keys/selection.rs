//! `[selection]`.

use crate::config::Config;
use crate::native::schema::{Field, Key, Kind, Section, field};

/// `[selection]`.
pub(crate) static SELECTION: Section<Config> = Section {
    name: "selection",
    header: "[selection]",
    doc: "Which sources to believe.",
    keys: &[KEYS],
    tables: &[],
};

const KEYS: &[Key<Config>] = &[
    Key {
        name: "minimum-sources",
        kind: Kind::Integer {
            range: 1..=64,
            unit: "sources",
            field: field!(engine.selection.minimum_sources as usize),
        },
        doc: "So many sources must agree before the clock is touched.",
    },
    Key {
        name: "minimum-samples",
        kind: Kind::Integer {
            range: 1..=1024,
            unit: "measurements",
            field: field!(engine.selection.minimum_samples as usize),
        },
        doc: "So many measurements a source must have to take part.",
    },
    Key {
        name: "maximum-distance",
        kind: Kind::Duration {
            range: 1e-9..=1000.0,
            field: field!(engine.selection.maximum_distance),
        },
        doc: "A source whose root distance is larger is not used.",
    },
    Key {
        name: "maximum-jitter",
        kind: Kind::Duration {
            range: 1e-9..=1000.0,
            field: field!(engine.selection.maximum_jitter),
        },
        doc: "A source whose jitter is larger is not used.",
    },
    Key {
        name: "stratum-weight",
        kind: Kind::Duration {
            range: 0.0..=1000.0,
            field: field!(engine.selection.stratum_weight),
        },
        doc: "The distance that one stratum is worth when the system peer is chosen.",
    },
    Key {
        name: "reselect-distance",
        kind: Kind::Duration {
            range: 0.0..=1000.0,
            field: field!(engine.selection.reselect_distance),
        },
        doc: "Another source must be better by this distance to become the system peer.",
    },
    Key {
        name: "combine-limit",
        kind: Kind::Number { range: 0.0..=1000.0, field: field!(engine.selection.combine_limit) },
        doc: "A source further away than so many times the system peer's distance is not combined \
              with it; 0 combines none.",
    },
];
