//! `[serve]` and `[serve.rate-limit]`.

use timeball_core::server::RateLimit;

use crate::config::Config;
use crate::native::schema::{Field, Key, Kind, Section, field};

/// The table within `[serve]`.
pub(crate) const RATE_LIMIT_TABLE: &str = "rate-limit";

/// `[serve]`.
pub(crate) static SERVE: Section<Config> = Section {
    name: "serve",
    header: "[serve]",
    doc: "Whom to give time to. Without `allow` nobody is served and no port is opened.",
    keys: &[KEYS],
    tables: &[RATE_LIMIT_TABLE],
};

/// `[serve.rate-limit]`.
pub(crate) static RATE_LIMIT: Section<RateLimit> = Section {
    name: "serve.rate-limit",
    header: "[serve.rate-limit]",
    doc: "Limits how often one client address (IPv4) or /64 network (IPv6) is answered. Without this \
          table there is no limit; with it, even empty, there is.",
    keys: &[RATE_LIMIT_KEYS],
    tables: &[],
};

const KEYS: &[Key<Config>] = &[
    Key {
        name: "allow",
        kind: Kind::Networks(field!(engine.server.allow)),
        doc: "Answer clients in these networks; an address alone is a network of one.",
    },
    Key {
        name: "deny",
        kind: Kind::Networks(field!(engine.server.deny)),
        doc: "Do not answer clients in these networks. Where networks overlap the longest prefix wins.",
    },
    Key {
        name: "local-stratum",
        kind: Kind::Integer {
            range: 1..=15,
            unit: "",
            field: Field {
                get: |c| c.engine.local.map(|local| i64::from(local.stratum)),
                set: |c, value| c.engine.local.get_or_insert_default().stratum = value as u8,
            },
        },
        doc: "Serve the time of this machine at this stratum while it is not synchronised. Without it \
              clients are told that it is not.",
    },
    Key {
        name: "port",
        kind: Kind::Integer { range: 1..=65535, unit: "", field: field!(serve.port as u16) },
        doc: "UDP port to listen on.",
    },
    Key {
        name: "bind-addresses",
        kind: Kind::Addresses(field!(serve.bind_addresses)),
        doc: "Local addresses to listen on; an empty list is all.",
    },
];

const RATE_LIMIT_KEYS: &[Key<RateLimit>] = &[
    Key {
        name: "interval",
        kind: Kind::Duration { range: 1e-6..=86400.0, field: field!(interval) },
        doc: "A client is answered once in this time, in the long run.",
    },
    Key {
        name: "burst",
        kind: Kind::Integer { range: 1..=1_000_000, unit: "answers", field: field!(burst as u32) },
        doc: "So many answers may be had at once.",
    },
    Key {
        name: "leak",
        kind: Kind::Integer { range: 0..=1_000_000, unit: "requests", field: field!(leak as u32) },
        doc: "One in so many requests over the limit is answered all the same, so that forged requests \
              cannot silence a client; 0 answers none.",
    },
    Key {
        name: "kiss",
        kind: Kind::Integer { range: 0..=1_000_000, unit: "requests", field: field!(kiss as u32) },
        doc: "One in so many requests over the limit is told so by a kiss-o'-death; 0 tells none.",
    },
];
