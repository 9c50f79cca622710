//! `[files]`, `[control]`, `[process]` and `[log]`.

use timeball_auth::key_file::Format;

use super::clock::CENTURY;
use super::one;
use crate::config::{Config, DriftFile, Level, Record};
use crate::native::quantity::NOT_NEGATIVE;
use crate::native::schema::{
    Field, Key, Kind, Section, Table, field, find, word, word_of, words_of,
};

/// Longest path of a Unix socket on Linux: `sun_path` has 108 bytes, the last is zero.
pub(super) const LONGEST_SOCKET_PATH: usize = 107;
/// Longest path that the kernel takes (`PATH_MAX` with its zero).
pub(super) const LONGEST_PATH: usize = 4095;

/// `[files]`.
pub(crate) static FILES: Table<Config> = one(Section {
    name: "files",
    header: "[files]",
    doc: "What is kept on disk.",
    keys: &[FILES_KEYS],
    required: &[],
});

/// `[control]`.
pub(crate) static CONTROL: Table<Config> = one(Section {
    name: "control",
    header: "[control]",
    doc: "The Unix socket that `timeball status` and the other commands talk to.",
    keys: &[&[Key {
        name: "socket",
        kind: Kind::OptionalPath { longest: LONGEST_SOCKET_PATH, field: field!(control.socket) },
        doc: "Its path.",
    }]],
    required: &[],
});

/// `[process]`.
pub(crate) static PROCESS: Table<Config> = one(Section {
    name: "process",
    header: "[process]",
    doc: "The process itself.",
    keys: &[PROCESS_KEYS],
    required: &[],
});

/// `[log]`.
pub(crate) static LOG: Table<Config> = one(Section {
    name: "log",
    header: "[log]",
    doc: "Messages, and logs of measurements.",
    keys: &[LOG_KEYS],
    required: &[],
});

const FILES_KEYS: &[Key<Config>] = &[
    Key {
        name: "state-directory",
        kind: Kind::Path { longest: LONGEST_PATH, field: field!(files.state_directory) },
        doc: "Directory of the file `drift`, which remembers the oscillator's frequency.",
    },
    Key {
        name: "pid-file",
        kind: Kind::OptionalPath { longest: LONGEST_PATH, field: field!(files.pid_file) },
        doc: "Where to write the process ID.",
    },
    Key {
        name: "drift-file",
        kind: Kind::OptionalPath {
            longest: LONGEST_PATH,
            field: Field {
                get: |c| match &c.files.drift_file {
                    DriftFile::InStateDirectory => None,
                    DriftFile::At { path, .. } => Some(Some(path.clone())),
                    DriftFile::None => Some(None),
                },
                set: |c, value| {
                    c.files.drift_file = match value {
                        Some(path) => DriftFile::At { path, interval: DRIFT_INTERVAL },
                        None => DriftFile::None,
                    };
                },
            },
        },
        doc: "Another file to remember the oscillator's frequency in. Without it, `drift` in the state \
              directory.",
    },
    // Comes after `drift-file`, to which it adds.
    Key {
        name: "drift-interval",
        kind: Kind::Duration {
            range: 0.0..=CENTURY,
            field: Field {
                get: |c| match c.files.drift_file {
                    DriftFile::At { interval, .. } => Some(interval),
                    DriftFile::InStateDirectory | DriftFile::None => None,
                },
                set: |c, value| {
                    if let DriftFile::At { interval, .. } = &mut c.files.drift_file {
                        *interval = value;
                    }
                },
            },
        },
        doc: "How often to write `drift-file`, if that is set; 1 h without it.",
    },
    Key {
        name: "key-file",
        kind: Kind::OptionalPath { longest: LONGEST_PATH, field: field!(files.key_file) },
        doc: "The symmetric keys that this machine shares with servers, clients and peers. Only its \
              owner and its group may be able to read it. `timeball keys generate` makes one.",
    },
    Key {
        name: "key-format",
        kind: word!(Format::WORDS, files.key_format),
        doc: "Whose format that file has: chronyd's `chrony.keys` or ntpd's `ntp.keys`.",
    },
    Key {
        name: "dump-directory",
        kind: Kind::OptionalPath { longest: LONGEST_PATH, field: field!(files.dump_directory) },
        doc: "Where measurements are kept over a restart.",
    },
    Key {
        name: "log-directory",
        kind: Kind::OptionalPath { longest: LONGEST_PATH, field: field!(files.log_directory) },
        doc: "Where the logs of measurements are written that `records` in [log] asks for.",
    },
    Key {
        name: "source-directories",
        kind: Kind::Paths { longest: LONGEST_PATH, field: field!(files.source_directories) },
        doc: "Directories of files `*.sources` in the language of chrony.conf, which name sources and can \
              be read anew while the daemon runs.",
    },
];

/// How often a drift file is written that does not say (s).
const DRIFT_INTERVAL: f64 = 3600.0;

const PROCESS_KEYS: &[Key<Config>] = &[
    Key {
        name: "user",
        kind: Kind::Text { what: "the name of a user", field: field!(process.user?) },
        doc: "Run as this user once the privileged work is done. Without it, stay who you are.",
    },
    Key {
        name: "lock-memory",
        kind: Kind::Switch(field!(process.lock_memory)),
        doc: "Keep all memory out of swap space.",
    },
    Key {
        name: "priority",
        kind: Kind::Integer { range: 1..=99, unit: "", field: field!(process.priority? as u8) },
        doc: "Real-time priority. Without it, an ordinary process.",
    },
];

const LOG_KEYS: &[Key<Config>] = &[
    Key {
        name: "level",
        kind: word!(Level::WORDS, log.level),
        doc: "The least important message to write.",
    },
    Key {
        name: "change-threshold",
        kind: Kind::Duration { range: NOT_NEGATIVE, field: field!(log.change_threshold) },
        doc: "A correction of the clock above this is worth a message.",
    },
    Key {
        name: "records",
        kind: Kind::Words {
            words: || words_of(Record::WORDS),
            field: Field {
                get: |c| {
                    let words = c.log.records.iter();
                    Some(words.filter_map(|record| word_of(Record::WORDS, record)).collect())
                },
                set: |c, words| {
                    c.log.records =
                        words.into_iter().filter_map(|word| find(Record::WORDS, word)).collect();
                },
            },
        },
        doc: "Logs of measurements to write, each in a file of its own in `log-directory` of [files].",
    },
    Key {
        name: "banner",
        kind: Kind::Integer {
            range: 0..=u32::MAX as i64,
            unit: "lines",
            field: field!(log.banner as u32),
        },
        doc: "In those files repeat the headings after so many lines; 0 writes none.",
    },
];
