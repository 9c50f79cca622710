//! `[clock]` and the tables in it.

use timeball_core::discipline::{LeapMode, MaxChange};

use super::daemon::LONGEST_PATH;
use super::one;
use crate::config::{Compensation, Config, InitialCorrection, Temperature};
use crate::native::quantity::{ANY, NOT_NEGATIVE};
use crate::native::schema::{
    Field, Key, Kind, Rows, Section, Table, field, find, word, word_of, words_of,
};

/// `[clock]`.
pub(crate) static CLOCK: Table<Config> = one(Section {
    name: "clock",
    header: "[clock]",
    doc: "How the system clock may be corrected.",
    keys: &[KEYS],
    required: &[],
});

/// `[clock.max-change]`.
pub(crate) static MAX_CHANGE: Table<MaxChange> = Table {
    section: Section {
        name: "clock.max-change",
        header: "[clock.max-change]",
        doc: "Offsets that cannot be true: they are ignored, and after some of them the program ends. \
              Without this table no offset is too large.",
        keys: &[MAX_CHANGE_KEYS],
        required: &[("threshold", "1000 s")],
    },
    rows: Rows::Optional(field!(engine.discipline.max_change?)),
    fresh: || MaxChange { threshold: f64::NAN, start: 1, ignore: None },
};

/// `[clock.fallback-drift]`.
pub(crate) static FALLBACK_DRIFT: Table<(i8, i8)> = Table {
    section: Section {
        name: "clock.fallback-drift",
        header: "[clock.fallback-drift]",
        doc: "When there are no updates any more, run by averages of the frequency over longer and longer \
              times. Without this table the last frequency is kept.",
        keys: &[FALLBACK_DRIFT_KEYS],
        required: &[],
    },
    rows: Rows::Optional(field!(engine.discipline.fallback_drift?)),
    fresh: || (16, 19),
};

/// `[clock.initial]`.
pub(crate) static INITIAL: Table<InitialCorrection> = Table {
    section: Section {
        name: "clock.initial",
        header: "[clock.initial]",
        doc: "Measure some servers at the start and correct the clock by what they say, before anything \
              else is done. Better is `iburst` in [[server]], and `step-threshold`.",
        keys: &[INITIAL_KEYS],
        required: &[],
    },
    rows: Rows::Optional(field!(clock.initial?)),
    fresh: || InitialCorrection { threshold: 1.0, servers: Vec::new() },
};

/// `[clock.temperature]`.
pub(crate) static TEMPERATURE: Table<Temperature> = Table {
    section: Section {
        name: "clock.temperature",
        header: "[clock.temperature]",
        doc: "Correct the frequency by the temperature of the oscillator: by `constant` + (T − \
              `reference`) · `linear` + (T − `reference`)² · `quadratic`, or by `points`.",
        keys: &[TEMPERATURE_KEYS],
        required: &[("file", "/sys/class/hwmon/hwmon0/temp1_input")],
    },
    rows: Rows::Optional(field!(clock.temperature?)),
    fresh: || Temperature {
        file: std::path::PathBuf::new(),
        interval: 30.0,
        compensation: Compensation::Quadratic { t0: 0.0, k0: 0.0, k1: 0.0, k2: 0.0 },
    },
};

const LEAP_MODES: &[(&str, LeapMode)] = &[
    ("system", LeapMode::System),
    ("step", LeapMode::Step),
    ("slew", LeapMode::Slew),
    ("ignore", LeapMode::Ignore),
];

/// The kernel's tick can be changed by a tenth.
pub(super) const LARGEST_RATE: f64 = 0.1;
/// Far beyond any error of a clock (s).
pub(super) const CENTURY: f64 = 36500.0 * 86400.0;

/// A coefficient of the quadratic form; `check` complains of one that stands beside `points`.
macro_rules! coefficient {
    ($name:ident) => {
        Field {
            get: |t| match t.compensation {
                Compensation::Quadratic { $name, .. } => Some($name),
                Compensation::Points(_) => None,
            },
            set: |t, value| {
                if let Compensation::Quadratic { $name, .. } = &mut t.compensation {
                    *$name = value;
                }
            },
        }
    };
}

const KEYS: &[Key<Config>] = &[
    Key {
        name: "control",
        kind: Kind::Switch(field!(engine.discipline.control)),
        doc: "Correct the clock at all; without it timeball only watches.",
    },
    Key {
        name: "step-threshold",
        kind: Kind::Duration {
            range: NOT_NEGATIVE,
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
        kind: Kind::DurationOr {
            range: 1e-9..=CENTURY,
            word: "never",
            field: Field {
                get: |c| {
                    let threshold = c.engine.discipline.panic_threshold;
                    Some((threshold != f64::INFINITY).then_some(threshold))
                },
                set: |c, value| {
                    c.engine.discipline.panic_threshold = value.unwrap_or(f64::INFINITY);
                },
            },
        },
        doc: "If, after the first updates, all sources are further off than this, raise an alarm and \
              wait for an operator instead of correcting the clock.",
    },
    Key {
        name: "wander",
        kind: Kind::Frequency { range: 0.0..=1.0, field: field!(engine.discipline.wander) },
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
    Key {
        name: "leap-seconds-zone",
        kind: Kind::Text {
            what: "the name of a time zone, such as \"right/UTC\"",
            field: field!(clock.leap_seconds_zone?),
        },
        doc: "A time zone whose rules contain the leap seconds; used if there is no list.",
    },
    Key {
        name: "leap-mode",
        kind: word!(LEAP_MODES, engine.discipline.leap_mode),
        doc: "How a leap second is made: by the kernel at midnight, by a step at midnight, by a slew from \
              midnight on, or not at all, so that it is corrected when the sources show it.",
    },
    Key {
        name: "correction-time-ratio",
        kind: Kind::Number {
            range: NOT_NEGATIVE,
            unit: "",
            field: field!(engine.discipline.correction_time_ratio?),
        },
        doc: "How long a slew may take, against the time between two updates: the larger, the calmer the \
              frequency. Without it, that is decided anew for every update.",
    },
    Key {
        name: "max-update-skew",
        kind: Kind::Frequency {
            range: NOT_NEGATIVE,
            field: field!(engine.discipline.max_update_skew),
        },
        doc: "A frequency less certain than this is not used.",
    },
    Key {
        name: "manual",
        kind: Kind::Switch(field!(clock.manual)),
        doc: "An operator may say what time it is.",
    },
    Key {
        name: "sync-battery-clock",
        kind: Kind::Switch(field!(clock.sync_battery_clock)),
        doc: "Let the kernel copy the system clock to the battery clock every eleven minutes.",
    },
];

const MAX_CHANGE_KEYS: &[Key<MaxChange>] = &[
    Key {
        name: "threshold",
        kind: Kind::Duration {
            range: NOT_NEGATIVE,
            field: Field {
                get: |m| Some(m.threshold).filter(|threshold| !threshold.is_nan()),
                set: |m, value| m.threshold = value,
            },
        },
        doc: "A larger offset is ignored. Required.",
    },
    Key {
        name: "start",
        kind: Kind::Integer {
            range: 0..=u32::MAX as i64,
            unit: "updates",
            field: field!(start as u32),
        },
        doc: "The first so many updates may be larger.",
    },
    Key {
        name: "ignore",
        kind: Kind::IntegerOr {
            range: 0..=u32::MAX as i64,
            word: "all",
            field: Field {
                get: |m| Some(m.ignore.map(i64::from)),
                set: |m, value| m.ignore = value.map(|value| value as u32),
            },
        },
        doc: "So many too large offsets are ignored; the next one ends the program.",
    },
];

const FALLBACK_DRIFT_KEYS: &[Key<(i8, i8)>] = &[
    Key {
        name: "shortest",
        kind: Kind::Integer {
            range: 1..=127,
            unit: "log₂ of seconds: 16 is 18 h",
            field: Field {
                get: |drift| Some(i64::from(drift.0)),
                set: |drift, value| drift.0 = value as i8,
            },
        },
        doc: "Shortest time to average over.",
    },
    Key {
        name: "longest",
        kind: Kind::Integer {
            range: 1..=127,
            unit: "log₂ of seconds: 19 is 6 d",
            field: Field {
                get: |drift| Some(i64::from(drift.1)),
                set: |drift, value| drift.1 = value as i8,
            },
        },
        doc: "Longest time to average over.",
    },
];

const INITIAL_KEYS: &[Key<InitialCorrection>] = &[
    Key {
        name: "threshold",
        kind: Kind::Duration { range: NOT_NEGATIVE, field: field!(threshold) },
        doc: "A larger offset is stepped, a smaller one slewed.",
    },
    Key { name: "servers", kind: Kind::Hosts(field!(servers)), doc: "The servers to measure." },
];

const TEMPERATURE_KEYS: &[Key<Temperature>] = &[
    Key {
        name: "file",
        kind: Kind::Path {
            longest: LONGEST_PATH,
            field: Field {
                get: |t| Some(t.file.clone()).filter(|file| !file.as_os_str().is_empty()),
                set: |t, value| t.file = value,
            },
        },
        doc: "File to read the temperature from: a number, in whatever unit. Required.",
    },
    Key {
        name: "interval",
        kind: Kind::Duration { range: 1e-6..=f64::MAX, field: field!(interval) },
        doc: "How often to read it.",
    },
    Key {
        name: "points",
        kind: Kind::Path {
            longest: LONGEST_PATH,
            field: Field {
                get: |t| match &t.compensation {
                    Compensation::Points(path) => Some(path.clone()),
                    Compensation::Quadratic { .. } => None,
                },
                set: |t, value| t.compensation = Compensation::Points(value),
            },
        },
        doc: "File with a temperature and a frequency (ppm) in each line, between which to interpolate, in \
              place of the four coefficients.",
    },
    Key {
        name: "reference",
        kind: Kind::Number { range: ANY, unit: "", field: coefficient!(t0) },
        doc: "The temperature from which others are counted.",
    },
    Key {
        name: "constant",
        kind: Kind::Number { range: ANY, unit: "ppm", field: coefficient!(k0) },
        doc: "The correction at that temperature.",
    },
    Key {
        name: "linear",
        kind: Kind::Number { range: ANY, unit: "ppm per unit", field: coefficient!(k1) },
        doc: "What each unit of temperature adds.",
    },
    Key {
        name: "quadratic",
        kind: Kind::Number { range: ANY, unit: "ppm per unit²", field: coefficient!(k2) },
        doc: "What its square adds.",
    },
];
