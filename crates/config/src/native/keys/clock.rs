//! `[clock]`.

use super::daemon::LONGEST_PATH;
use crate::config::Config;
use crate::native::schema::{Field, Key, Kind, Section, field};

/// `[clock]`.
pub(crate) static CLOCK: Section<Config> = Section {
    name: "clock",
    header: "[clock]",
    doc: "How the system clock may be corrected.",
    keys: &[KEYS],
    tables: &[],
};

/// The kernel's tick can be changed by a tenth.
const LARGEST_RATE: f64 = 0.1;
/// Far beyond any error of a clock (s).
const CENTURY: f64 = 36500.0 * 86400.0;

const KEYS: &[Key<Config>] = &[
    Key {
        name: "control",
        kind: Kind::Switch(field!(engine.discipline.control)),
        doc: "Correct the clock at all; without it timeball only watches.",
    },
    Key {
        name: "step-threshold",
        kind: Kind::Duration {
            range: 0.0..=CENTURY,
            field: field!(engine.discipline.step_threshold),
        },
        doc: "Step the clock, instead of slewing it, if it is further off than this.",
    },
    Key {
        name: "step-limit",
        kind: Kind::IntegerOr {
            range: 0..=1_000_000,
            word: "always",
            field: Field {
                get: |c| Some(c.engine.discipline.step_limit.map(i64::from)),
                set: |c, value| c.engine.discipline.step_limit = value.map(|value| value as u32),
            },
        },
        doc: "Only the first so many updates after the start may step; 0 never steps.",
    },
    Key {
        name: "max-slew",
        kind: Kind::Frequency {
            range: 1e-9..=LARGEST_RATE,
            field: field!(engine.discipline.max_slew),
        },
        doc: "Fastest slew: 1000 ppm takes off one millisecond per second.",
    },
    Key {
        name: "max-frequency",
        kind: Kind::Frequency {
            range: 1e-9..=LARGEST_RATE,
            field: field!(engine.discipline.max_frequency),
        },
        doc: "Largest correction of the oscillator's frequency.",
    },
    Key {
        name: "panic-threshold",
        kind: Kind::Duration {
            range: 1e-9..=CENTURY,
            field: field!(engine.discipline.panic_threshold),
        },
        doc: "If, after the first updates, all sources are further off than this, raise an alarm and \
              wait for an operator instead of correcting the clock.",
    },
    Key {
        name: "wander",
        kind: Kind::Frequency { range: 1e-10..=1e-3, field: field!(engine.discipline.wander) },
        doc: "How fast the reported bound grows while there are no measurements.",
    },
    Key {
        name: "leap-seconds-list",
        kind: Kind::OptionalPath { longest: LONGEST_PATH, field: field!(clock.leap_seconds_list) },
        doc: "File of all leap seconds, as the IERS publishes it and tzdata installs it. The kernel \
              learns TAI − UTC from it, and until it expires it decides about leap seconds in place \
              of what the sources announce. A file that is named must be there and be right; the \
              default one need not.",
    },
];
