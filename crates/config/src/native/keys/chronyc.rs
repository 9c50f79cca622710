//! `[chronyc]` and the table in it.

use timeball_core::server::RateLimit;

use super::daemon::LONGEST_SOCKET_PATH;
use super::one;
use super::serve::RATE_LIMIT_KEYS;
use crate::config::{Chronyc, Config};
use crate::native::schema::{Field, Key, Kind, Rows, Section, Table, field};

/// `[chronyc]`.
pub(crate) static CHRONYC: Table<Config> = one(Section {
    name: "chronyc",
    header: "[chronyc]",
    doc: "Access by chronyc and other programs that speak its protocol. Without `socket` and `port` there \
          is none.",
    keys: &[KEYS],
    required: &[],
});

/// `[chronyc.rate-limit]`.
pub(crate) static RATE_LIMIT: Table<RateLimit> = Table {
    section: Section {
        name: "chronyc.rate-limit",
        header: "[chronyc.rate-limit]",
        doc: "Limits how often one address is answered over UDP, as [serve.rate-limit] does for time.",
        keys: &[RATE_LIMIT_KEYS],
        required: &[],
    },
    rows: Rows::Optional(field!(chronyc.rate_limit?)),
    fresh: RateLimit::default,
};

const KEYS: &[Key<Config>] = &[
    Key {
        name: "socket",
        kind: Kind::OptionalPath { longest: LONGEST_SOCKET_PATH, field: field!(chronyc.socket) },
        doc: "Path of the Unix socket, over which everything may be asked and ordered. chronyc looks for \
              `/run/chrony/chronyd.sock`.",
    },
    Key {
        name: "port",
        kind: Kind::Integer { range: 1..=65535, unit: "", field: field!(chronyc.port? as u16) },
        doc: "UDP port, over which some things may be asked and nothing ordered; chronyc asks at 323. \
              Without it, no port is opened.",
    },
    Key {
        name: "bind-addresses",
        kind: Kind::Addresses(field!(chronyc.bind_addresses)),
        doc: "Local addresses to listen on; an empty list is this machine's own, 127.0.0.1 and ::1.",
    },
    Key {
        name: "bind-device",
        kind: Kind::Device(field!(chronyc.bind_device?)),
        doc: "Network interface to listen on. Without it, all.",
    },
    Key {
        name: "allow",
        kind: Kind::Networks(field!(chronyc.allow)),
        doc: "Answer these networks over UDP, beside this machine itself.",
    },
    Key {
        name: "deny",
        kind: Kind::Networks(field!(chronyc.deny)),
        doc: "Do not answer these networks. Where networks overlap the longest prefix wins.",
    },
    Key {
        name: "open-commands",
        kind: Kind::Words {
            words: || Chronyc::OPENABLE_COMMANDS.to_vec(),
            field: Field {
                get: |c| {
                    let known = |open: &String| {
                        Chronyc::OPENABLE_COMMANDS.iter().copied().find(|word| word == open)
                    };
                    Some(c.chronyc.open_commands.iter().filter_map(known).collect())
                },
                set: |c, words| {
                    c.chronyc.open_commands = words.into_iter().map(str::to_owned).collect();
                },
            },
        },
        doc: "What may be asked over UDP.",
    },
];
