//! How a server gives keys: `[serve.nts]`, its certificates and its limit.

use std::path::PathBuf;

use timeball_core::server::RateLimit;

use super::clock::CENTURY;
use super::daemon::LONGEST_PATH;
use super::one;
use super::serve::RATE_LIMIT_KEYS;
use crate::config::{Certificate, Config};
use crate::native::schema::{Field, Key, Kind, Rows, Section, Table, field};

/// `[serve.nts]`.
pub(crate) static SERVE: Table<Config> = one(Section {
    name: "serve.nts",
    header: "[serve.nts]",
    doc: "How to give keys to clients, by which they know that it is this server that answers. It takes \
          a [[serve.certificate]]; whom `allow` lets ask for the time may ask for keys.",
    keys: &[KEYS],
    required: &[],
});

/// `[[serve.certificate]]`.
pub(crate) static CERTIFICATE: Table<Certificate> = Table {
    section: Section {
        name: "serve.certificate",
        header: "[[serve.certificate]]",
        doc: "Who this server can prove to be to clients that use NTS. Repeat the table for other names; \
              a client is shown the first that is for the name which it asks for. A file that changes is \
              read again.",
        keys: &[CERTIFICATE_KEYS],
        required: &[
            ("file", "/etc/timeball/server.crt"),
            ("private-key", "/etc/timeball/server.key"),
        ],
    },
    rows: Rows::Many {
        get: |config| &config.serve.key_establishment.certificates,
        get_mut: |config| &mut config.serve.key_establishment.certificates,
    },
    fresh: || Certificate { file: PathBuf::new(), private_key: PathBuf::new() },
};

/// `[serve.nts-rate-limit]`.
pub(crate) static RATE_LIMIT: Table<RateLimit> = Table {
    section: Section {
        name: "serve.nts-rate-limit",
        header: "[serve.nts-rate-limit]",
        doc: "Limits how often one address is given keys, as [serve.rate-limit] does for time. There is no \
              kiss-o'-death.",
        keys: &[RATE_LIMIT_KEYS],
        required: &[],
    },
    rows: Rows::Optional(field!(serve.key_establishment.rate_limit?)),
    fresh: || RateLimit { interval: 64.0, burst: 8, leak: 4, kiss: 0 },
};

const KEYS: &[Key<Config>] = &[
    Key {
        name: "port",
        kind: Kind::Integer {
            range: 1..=65535,
            unit: "",
            field: field!(serve.key_establishment.port as u16),
        },
        doc: "TCP port to listen on.",
    },
    Key {
        name: "own-thread",
        kind: Kind::Switch(field!(serve.key_establishment.own_thread)),
        doc: "Give keys in a thread of its own, so that nothing else has to wait for it.",
    },
    Key {
        name: "max-connections",
        kind: Kind::Integer {
            range: 1..=100_000,
            unit: "clients",
            field: field!(serve.key_establishment.max_connections as usize),
        },
        doc: "So many clients may be connected at once.",
    },
    Key {
        name: "ntp-server",
        kind: Kind::Host(field!(serve.key_establishment.ntp_server?)),
        doc: "The server that clients shall ask for the time, if it is not this one. It has to have the \
              same keys for cookies.",
    },
    Key {
        name: "rotate-keys",
        kind: Kind::DurationOr {
            range: 1.0..=CENTURY,
            word: "never",
            field: Field {
                get: |c| Some(c.serve.key_establishment.rotation),
                set: |c, value| c.serve.key_establishment.rotation = value,
            },
        },
        doc: "How often the keys of cookies change. A cookie is good for two changes after the next. \
              \"never\" if another server changes them in the file that both share.",
    },
];

const CERTIFICATE_KEYS: &[Key<Certificate>] = &[
    Key {
        name: "file",
        kind: Kind::Path {
            longest: LONGEST_PATH,
            field: Field {
                get: |it| Some(it.file.clone()).filter(|path| !path.as_os_str().is_empty()),
                set: |it, value| it.file = value,
            },
        },
        doc: "The certificate, and after it those of who vouches for it, but for the root (PEM). Required.",
    },
    Key {
        name: "private-key",
        kind: Kind::Path {
            longest: LONGEST_PATH,
            field: Field {
                get: |it| Some(it.private_key.clone()).filter(|path| !path.as_os_str().is_empty()),
                set: |it, value| it.private_key = value,
            },
        },
        doc: "The private key that belongs to it (PEM, not encrypted). Required.",
    },
];
