//! `[network]`, `[files]`, `[control]` and `[log]`.

use crate::config::{Config, Level, Timestamping};
use crate::native::schema::{Field, Key, Kind, Section, field, find, word_of, words_of};

/// Longest path of a Unix socket on Linux: `sun_path` has 108 bytes, the last is zero.
const LONGEST_SOCKET_PATH: usize = 107;
/// Longest path that the kernel takes (`PATH_MAX` with its zero).
pub(super) const LONGEST_PATH: usize = 4095;

/// `[network]`.
pub(crate) static NETWORK: Section<Config> = Section {
    name: "network",
    header: "[network]",
    doc: "Every NTP socket, client or server.",
    keys: &[&[
        Key {
            name: "dscp",
            kind: Kind::Integer { range: 0..=63, unit: "", field: field!(network.dscp as u8) },
            doc: "Differentiated services code point of outgoing packets (RFC 2474); 46 is expedited \
                  forwarding.",
        },
        Key {
            name: "timestamping",
            kind: Kind::Word {
                words: || words_of(Timestamping::WORDS),
                field: Field {
                    get: |c| word_of(Timestamping::WORDS, &c.network.timestamping),
                    set: |c, word| {
                        if let Some(value) = find(Timestamping::WORDS, word) {
                            c.network.timestamping = value;
                        }
                    },
                },
            },
            doc: "Who notes when a packet came or went: the network interface, the kernel, or the \
                  daemon itself. What is not to be had falls back to the next.",
        },
    ]],
    tables: &[],
};

/// `[files]`.
pub(crate) static FILES: Section<Config> = Section {
    name: "files",
    header: "[files]",
    doc: "What is kept on disk.",
    keys: &[&[
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
    ]],
    tables: &[],
};

/// `[control]`.
pub(crate) static CONTROL: Section<Config> = Section {
    name: "control",
    header: "[control]",
    doc: "The Unix socket that `timeball status` and the other commands talk to.",
    keys: &[&[Key {
        name: "socket",
        kind: Kind::OptionalPath { longest: LONGEST_SOCKET_PATH, field: field!(control.socket) },
        doc: "Its path.",
    }]],
    tables: &[],
};

/// `[log]`.
pub(crate) static LOG: Section<Config> = Section {
    name: "log",
    header: "[log]",
    doc: "Messages.",
    keys: &[&[Key {
        name: "level",
        kind: Kind::Word {
            words: || words_of(Level::WORDS),
            field: Field {
                get: |c| word_of(Level::WORDS, &c.log.level),
                set: |c, word| {
                    if let Some(value) = find(Level::WORDS, word) {
                        c.log.level = value;
                    }
                },
            },
        },
        doc: "The least important message to write.",
    }]],
    tables: &[],
};
