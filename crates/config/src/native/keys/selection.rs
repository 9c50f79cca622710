//! `[selection]`.

use crate::config::Config;
use crate::native::schema::{
    Field, Key, Kind, Section, Table, field, find, word, word_of, words_of,
};

use super::one;
use crate::native::quantity::NOT_NEGATIVE;
use timeball_core::selection::AuthenticationPolicy;

/// `[selection]`.
pub(crate) static SELECTION: Table<Config> = one(Section {
    name: "selection",
    header: "[selection]",
    doc: "Which sources to believe.",
    keys: &[KEYS],
    required: &[],
});

const AUTHENTICATION: &[(&str, AuthenticationPolicy)] = &[
    ("require", AuthenticationPolicy::Require),
    ("prefer", AuthenticationPolicy::Prefer),
    ("mix", AuthenticationPolicy::Mix),
    ("ignore", AuthenticationPolicy::Ignore),
];

const KEYS: &[Key<Config>] = &[
    Key {
        name: "minimum-sources",
        kind: Kind::Integer {
            range: 1..=i32::MAX as i64,
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
            range: NOT_NEGATIVE,
            field: field!(engine.selection.maximum_distance),
        },
        doc: "A source whose root distance is larger is not used.",
    },
    Key {
        name: "maximum-jitter",
        kind: Kind::Duration {
            range: NOT_NEGATIVE,
            field: field!(engine.selection.maximum_jitter),
        },
        doc: "A source whose jitter is larger is not used.",
    },
    Key {
        name: "stratum-weight",
        kind: Kind::Duration {
            range: NOT_NEGATIVE,
            field: field!(engine.selection.stratum_weight),
        },
        doc: "The distance that one stratum is worth when the system peer is chosen.",
    },
    Key {
        name: "reselect-distance",
        kind: Kind::Duration {
            range: NOT_NEGATIVE,
            field: field!(engine.selection.reselect_distance),
        },
        doc: "Another source must be better by this distance to become the system peer.",
    },
    Key {
        name: "combine-limit",
        kind: Kind::Number {
            range: NOT_NEGATIVE,
            unit: "",
            field: field!(engine.selection.combine_limit),
        },
        doc: "A source further away than so many times the system peer's distance is not combined \
              with it; 0 combines none.",
    },
    Key {
        name: "minimum-stratum",
        kind: Kind::Integer {
            range: 0..=16,
            unit: "",
            field: field!(engine.selection.minimum_stratum as u8),
        },
        doc: "A source whose stratum is smaller is not used.",
    },
    Key {
        name: "maximum-stratum",
        kind: Kind::Integer {
            range: 0..=16,
            unit: "",
            field: field!(engine.selection.maximum_stratum as u8),
        },
        doc: "A source whose stratum is larger is not used.",
    },
    Key {
        name: "authentication",
        kind: word!(AUTHENTICATION, engine.selection.authentication),
        doc: "What becomes of sources that are not authenticated: they are never used, only while no \
              source is authenticated, only in agreement with those that are, or as any other.",
    },
];
