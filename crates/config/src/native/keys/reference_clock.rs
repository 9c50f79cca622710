//! `[[reference-clock]]`.

use std::path::PathBuf;

use timeball_core::association::PollInterval;
use timeball_core::reference_clock::{Driver, Settings, TimeScale};
use timeball_wire::ReferenceId;

use super::source::{METHODS, POLLS};
use crate::native::quantity::ANY;
use crate::native::schema::{
    Field, Key, Kind, Rows, Section, Table, field, find, word, word_of, words_of,
};

/// Longest path of a Unix socket on Linux: `sun_path` has 108 bytes, the last is zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// Whom a segment is made for: its owner.
const PERMISSIONS: u16 = 0o600;

const DRIVERS: &[&str] = &["shared-memory", "socket"];

const TIME_SCALES: &[(&str, TimeScale)] = &[("utc", TimeScale::Utc), ("tai", TimeScale::Tai)];

/// `[[reference-clock]]`.
pub(crate) static REFERENCE_CLOCK: Table<Settings> = Table {
    section: Section {
        name: "reference-clock",
        header: "[[reference-clock]]",
        doc: "A clock of this machine itself, such as a satellite receiver, whose time another program \
              hands over. Repeat the table for every clock.",
        keys: &[READING, MEASURING, SELECTING],
        required: &[("reference-id", "GPS")],
    },
    rows: Rows::Many {
        get: |config| &config.engine.reference_clocks,
        get_mut: |config| &mut config.engine.reference_clocks,
    },
    fresh: || {
        let driver = Driver::SharedMemory { unit: 0, permissions: PERMISSIONS };
        Settings::new(driver, ReferenceId::NONE)
    },
};

fn driver(settings: &Settings) -> &'static str {
    match settings.driver {
        Driver::SharedMemory { .. } => "shared-memory",
        Driver::Socket { .. } => "socket",
    }
}

/// Which clock, and how it is read.
const READING: &[Key<Settings>] = &[
    Key {
        name: "reference-id",
        kind: Kind::ReferenceId(Field {
            get: |c| Some(c.reference_id).filter(|id| *id != ReferenceId::NONE),
            set: |c, value| c.reference_id = value,
        }),
        doc: "What clients are told of it, and its name in reports: such as GPS. Required.",
    },
    Key {
        name: "driver",
        kind: Kind::Word {
            words: || DRIVERS.to_vec(),
            field: Field {
                get: |c| Some(driver(c)),
                set: |c, word| {
                    c.driver = match word {
                        "socket" => Driver::Socket { path: PathBuf::new() },
                        _ => Driver::SharedMemory { unit: 0, permissions: PERMISSIONS },
                    };
                },
            },
        },
        doc: "How its time is handed over: through a segment of shared memory as ntpd's driver 28 has \
              it, or a socket as chronyd's driver SOCK has it. A socket is the safer of the two.",
    },
    Key {
        name: "unit",
        kind: Kind::Integer {
            range: 0..=255,
            unit: "",
            field: Field {
                get: |c| match c.driver {
                    Driver::SharedMemory { unit, .. } => Some(unit.into()),
                    Driver::Socket { .. } => None,
                },
                set: |c, value| {
                    if let Driver::SharedMemory { unit, .. } = &mut c.driver {
                        *unit = value as u8;
                    }
                },
            },
        },
        doc: "Number of the segment of shared memory.",
    },
    Key {
        name: "permissions",
        kind: Kind::Integer {
            range: 0..=0o777,
            unit: "384 is 0o600",
            field: Field {
                get: |c| match c.driver {
                    Driver::SharedMemory { permissions, .. } => Some(permissions.into()),
                    Driver::Socket { .. } => None,
                },
                set: |c, value| {
                    if let Driver::SharedMemory { permissions, .. } = &mut c.driver {
                        *permissions = value as u16;
                    }
                },
            },
        },
        doc: "Who may access the segment if it has to be made, as for a file. Whoever may write to it \
              sets the clock.",
    },
    Key {
        name: "path",
        kind: Kind::Path {
            longest: LONGEST_SOCKET_PATH,
            field: Field {
                get: |c| match &c.driver {
                    Driver::SharedMemory { .. } => None,
                    Driver::Socket { path } => {
                        Some(path.clone()).filter(|path| !path.as_os_str().is_empty())
                    }
                },
                set: |c, value| {
                    if let Driver::Socket { path } = &mut c.driver {
                        *path = value;
                    }
                },
            },
        },
        doc: "Where the socket is made. Only root and the daemon's user can send to it.",
    },
    Key {
        name: "driver-poll",
        kind: Kind::Integer {
            range: POLLS,
            unit: "log₂ of seconds: 0 is 1 s",
            field: Field {
                get: |c| Some(c.driver_poll.exponent().into()),
                set: |c, value| c.driver_poll = PollInterval::new(value as i8),
            },
        },
        doc: "Time between two samples.",
    },
    Key {
        name: "poll",
        kind: Kind::Integer {
            range: POLLS,
            unit: "log₂ of seconds: 4 is 16 s",
            field: Field {
                get: |c| Some(c.poll.exponent().into()),
                set: |c, value| c.poll = PollInterval::new(value as i8),
            },
        },
        doc: "Time between two measurements, each made of the samples since the one before.",
    },
];

/// What becomes of samples.
const MEASURING: &[Key<Settings>] = &[
    Key {
        name: "time-scale",
        kind: word!(TIME_SCALES, time_scale),
        doc: "What it counts. `leap-seconds-list` of [clock] makes UTC of TAI.",
    },
    Key {
        name: "offset",
        kind: Kind::Duration { range: ANY, field: field!(offset) },
        doc: "Added to every sample: the known error of the clock.",
    },
    Key {
        name: "delay",
        kind: Kind::Duration { range: 0.0..=1000.0, field: field!(delay) },
        doc: "Delay to the clock: the samples may be wrong by half of it beyond `offset`.",
    },
    Key {
        name: "precision",
        kind: Kind::Duration { range: 1e-9..=1000.0, field: field!(precision?) },
        doc: "How finely it tells the time. Without it, as finely as the system clock.",
    },
    Key {
        name: "filter",
        kind: Kind::Integer { range: 1..=1024, unit: "samples", field: field!(filter as usize) },
        doc: "A measurement is made of so many samples at most, the newest, of which those in the \
              middle count.",
    },
    Key {
        name: "max-dispersion",
        kind: Kind::Duration { range: 1e-9..=1000.0, field: field!(max_dispersion?) },
        doc: "Drop a measurement whose samples are so scattered that it may be wrong by more. Without \
              it, none is.",
    },
    Key {
        name: "stratum",
        kind: Kind::Integer { range: 0..=15, unit: "", field: field!(stratum as u8) },
        doc: "Its stratum, as if it were a server: 0 for a clock that has its time from no other.",
    },
    Key {
        name: "estimator",
        kind: word!(METHODS, estimator.method),
        doc: "How measurements become an estimate, as for [[server]].",
    },
    Key {
        name: "min-samples",
        kind: Kind::Integer {
            range: 1..=1024,
            unit: "measurements",
            field: field!(estimator.min_samples as usize),
        },
        doc: "The estimator keeps at least so many measurements, however badly they fit a line.",
    },
    Key {
        name: "max-samples",
        kind: Kind::Integer {
            range: 1..=1024,
            unit: "measurements",
            field: field!(estimator.max_samples as usize),
        },
        doc: "The estimator keeps at most so many measurements.",
    },
];

/// What selection may do with it.
const SELECTING: &[Key<Settings>] = &[
    Key {
        name: "noselect",
        kind: Kind::Switch(field!(options.noselect)),
        doc: "Watch it, never use it.",
    },
    Key {
        name: "prefer",
        kind: Kind::Switch(field!(options.prefer)),
        doc: "Use it in preference to all that are not preferred.",
    },
    Key {
        name: "trust",
        kind: Kind::Switch(field!(options.trust)),
        doc: "It counts as right: others must agree with the trusted ones.",
    },
    Key {
        name: "require",
        kind: Kind::Switch(field!(options.require)),
        doc: "Unless this source, or another required one, agrees, the clock is not touched.",
    },
    Key {
        name: "max-unreach",
        kind: Kind::Integer {
            range: 0..=u32::MAX as i64,
            unit: "polls",
            field: field!(max_unreach as u32),
        },
        doc: "After so many polls without a sample do not select it any more, however good its old \
              measurements are.",
    },
];
