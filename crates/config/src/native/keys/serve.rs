//! `[serve]` and the tables in it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use timeball_core::server::{Broadcast, ClientLog, RateLimit, Smoothing};
use timeball_core::settings::Local;

use super::clock::CENTURY;
use super::one;
use crate::config::Config;
use crate::native::quantity::ANY;
use crate::native::schema::{Field, Key, Kind, Rows, Section, Table, field};

/// `[serve]`.
pub(crate) static SERVE: Table<Config> = one(Section {
    name: "serve",
    header: "[serve]",
    doc: "Whom to give time to. Without `allow` nobody is served and no port is opened.",
    keys: &[KEYS],
    required: &[],
});

/// `[serve.rate-limit]`.
pub(crate) static RATE_LIMIT: Table<RateLimit> = Table {
    section: Section {
        name: "serve.rate-limit",
        header: "[serve.rate-limit]",
        doc: "Limits how often one client address (IPv4) or /64 network (IPv6) is answered. Without this \
              table there is no limit; with it, even empty, there is.",
        keys: &[RATE_LIMIT_KEYS],
        required: &[],
    },
    rows: Rows::Optional(field!(engine.server.rate_limit?)),
    fresh: RateLimit::default,
};

/// `[serve.local]`.
pub(crate) static LOCAL: Table<Local> = Table {
    section: Section {
        name: "serve.local",
        header: "[serve.local]",
        doc: "Serve the time of this machine when there is no better one. Without this table, clients are \
              told that it is not synchronised; with it, even empty, its own clock is a reference.",
        keys: &[LOCAL_KEYS],
        required: &[],
    },
    rows: Rows::Optional(field!(engine.local?)),
    fresh: Local::default,
};

/// `[[serve.broadcast]]`.
pub(crate) static BROADCAST: Table<Broadcast> = Table {
    section: Section {
        name: "serve.broadcast",
        header: "[[serve.broadcast]]",
        doc: "Where to send the time unasked. Repeat the table for every network or group. Clients cannot \
              know how long such a packet was under way, and without authentication cannot know who sent \
              it: let them ask instead where that is possible.",
        keys: &[BROADCAST_KEYS],
        required: &[("address", "192.0.2.255")],
    },
    rows: Rows::Many {
        get: |config| &config.engine.server.broadcasts,
        get_mut: |config| &mut config.engine.server.broadcasts,
    },
    fresh: || Broadcast {
        interval: 64.0,
        destination: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 123),
    },
};

/// `[serve.smoothing]`.
pub(crate) static SMOOTHING: Table<Smoothing> = Table {
    section: Section {
        name: "serve.smoothing",
        header: "[serve.smoothing]",
        doc: "Serve time that changes more smoothly than the clock of this machine. All servers of a \
              client must do so alike, or it sees them disagree.",
        keys: &[SMOOTHING_KEYS],
        required: &[],
    },
    rows: Rows::Optional(field!(engine.server.smoothing?)),
    fresh: || Smoothing { max_frequency: 400e-6, max_wander: 1e-9, leap_only: false },
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
        name: "require-key",
        kind: Kind::Networks(field!(engine.server.require_key)),
        doc: "Answer clients in these networks only if a key of `key-file` in [files] authenticates \
              their requests. Whoever has a key is answered with it in any case.",
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
    Key {
        name: "bind-device",
        kind: Kind::Device(field!(serve.bind_device?)),
        doc: "Network interface to listen on. Without it, all.",
    },
    Key {
        name: "client-log",
        kind: Kind::IntegerOr {
            range: 0..=1 << 40,
            word: "none",
            field: Field {
                get: |c| Some(c.engine.server.client_log.map(|log| log.limit as i64)),
                set: |c, value| {
                    c.engine.server.client_log =
                        value.map(|value| ClientLog { limit: value as usize });
                },
            },
        },
        doc: "Bytes of memory, at most, for what is known of clients: how often each has asked, and what \
              the interleaved mode needs. Without that memory neither is possible.",
    },
];

pub(super) const RATE_LIMIT_KEYS: &[Key<RateLimit>] = &[
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

const LOCAL_KEYS: &[Key<Local>] = &[
    Key {
        name: "stratum",
        kind: Kind::Integer { range: 1..=15, unit: "", field: field!(stratum as u8) },
        doc: "The stratum to claim: larger than that of any real source that clients may have.",
    },
    Key {
        name: "distance",
        kind: Kind::Duration { range: ANY, field: field!(distance) },
        doc: "The own clock takes the place of the sources when their root distance exceeds this.",
    },
    Key {
        name: "activate",
        kind: Kind::Duration { range: ANY, field: field!(activate) },
        doc: "It may do so only after the root distance has once been below this; 0 asks for nothing.",
    },
    Key {
        name: "orphan",
        kind: Kind::Switch(field!(orphan)),
        doc: "Several servers with this key lead each other: sources of the very same stratum are ignored \
              unless their reference ID is smaller than the own one.",
    },
    Key {
        name: "wait-synchronised",
        kind: Kind::Duration { range: ANY, field: field!(wait_synchronised) },
        doc: "After the start, wait so long for sources.",
    },
    Key {
        name: "wait-unsynchronised",
        kind: Kind::Duration { range: ANY, field: field!(wait_unsynchronised) },
        doc: "After the last update from a source, wait so long for the next.",
    },
];

const BROADCAST_KEYS: &[Key<Broadcast>] = &[
    Key {
        name: "address",
        kind: Kind::Destination(Field {
            get: |b| Some(b.destination.ip()).filter(|address| !address.is_unspecified()),
            set: |b, value| b.destination.set_ip(value),
        }),
        doc: "Broadcast address of a network, or address of a group. Required.",
    },
    Key {
        name: "port",
        kind: Kind::Integer {
            range: 0..=65535,
            unit: "",
            field: Field {
                get: |b| Some(i64::from(b.destination.port())),
                set: |b, value| b.destination.set_port(value as u16),
            },
        },
        doc: "UDP port to send to.",
    },
    Key {
        name: "interval",
        kind: Kind::Duration { range: 1e-3..=CENTURY, field: field!(interval) },
        doc: "How often to send.",
    },
];

const SMOOTHING_KEYS: &[Key<Smoothing>] = &[
    Key {
        name: "max-frequency",
        kind: Kind::Frequency { range: 0.0..=1.0, field: field!(max_frequency) },
        doc: "Largest difference in frequency between served time and clock.",
    },
    Key {
        name: "max-wander",
        kind: Kind::Frequency { range: 0.0..=1.0, field: field!(max_wander) },
        doc: "Largest change of that difference in a second.",
    },
    Key {
        name: "leap-only",
        kind: Kind::Switch(field!(leap_only)),
        doc: "Smooth only leap seconds.",
    },
];
