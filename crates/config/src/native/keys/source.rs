//! `[[server]]` and `[[pool]]`.

use timeball_core::association::PollInterval;
use timeball_core::settings::{Family, SourceKind, SourceSettings};

use crate::native::schema::{Field, Key, Kind, Section, field, find, word_of, words_of};

/// Associations of a pool that does not say how many.
pub(crate) const DEFAULT_POOL_COUNT: usize = 4;

/// `[[server]]`.
pub(crate) static SERVER: Section<SourceSettings> = Section {
    name: "server",
    header: "[[server]]",
    doc: "One server to take time from. Repeat the table for every server.",
    keys: &[SOURCE],
    tables: &[],
};

/// `[[pool]]`.
pub(crate) static POOL: Section<SourceSettings> = Section {
    name: "pool",
    header: "[[pool]]",
    doc: "A name with many addresses, out of which so many good servers are kept. It has the keys of \
          [[server]], which hold for each of them, and one more.",
    keys: &[COUNT, SOURCE],
    tables: &[],
};

const FAMILIES: &[(&str, Family)] = &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

const POLLS: std::ops::RangeInclusive<i64> =
    PollInterval::SHORTEST.exponent() as i64..=PollInterval::LONGEST.exponent() as i64;

const COUNT: &[Key<SourceSettings>] = &[Key {
    name: "count",
    kind: Kind::Integer {
        range: 1..=16,
        unit: "servers",
        field: Field {
            get: |s| match s.kind {
                SourceKind::Pool { count } => Some(count as i64),
                SourceKind::Server | SourceKind::Peer => None,
            },
            set: |s, value| s.kind = SourceKind::Pool { count: value as usize },
        },
    },
    doc: "How many servers to keep. Bad and silent ones are replaced by resolving the name again.",
}];

const SOURCE: &[Key<SourceSettings>] = &[
    Key {
        name: "address",
        kind: Kind::Host(Field {
            get: |s| Some(s.name.clone()).filter(|name| !name.is_empty()),
            set: |s, value| s.name = value,
        }),
        doc: "Host name or literal address. Required.",
    },
    Key {
        name: "port",
        kind: Kind::Integer { range: 1..=65535, unit: "", field: field!(port as u16) },
        doc: "UDP port of the server.",
    },
    Key {
        name: "iburst",
        kind: Kind::Switch(field!(association.iburst)),
        doc: "Ask several times, two seconds apart, at the start and after silence: the clock is right \
              within seconds instead of minutes.",
    },
    Key {
        name: "burst",
        kind: Kind::Switch(field!(association.burst)),
        doc: "Ask again within a poll while no good measurement came of it. For links that are down \
              most of the time; public servers forbid it.",
    },
    Key {
        name: "minpoll",
        kind: Kind::Integer {
            range: POLLS,
            unit: "log₂ of seconds: 6 is 64 s",
            field: Field {
                get: |s| Some(i64::from(s.association.minpoll.exponent())),
                set: |s, value| s.association.minpoll = PollInterval::new(value as i8),
            },
        },
        doc: "Shortest interval between polls. Below 0 only for servers of your own, close by.",
    },
    Key {
        name: "maxpoll",
        kind: Kind::Integer {
            range: POLLS,
            unit: "log₂ of seconds: 10 is 1024 s",
            field: Field {
                get: |s| Some(i64::from(s.association.maxpoll.exponent())),
                set: |s, value| s.association.maxpoll = PollInterval::new(value as i8),
            },
        },
        doc: "Longest interval between polls; the interval adapts between the two.",
    },
    Key {
        name: "version",
        kind: Kind::Integer { range: 1..=4, unit: "", field: field!(association.version as u8) },
        doc: "Version of the protocol to ask with.",
    },
    Key {
        name: "max-delay",
        kind: Kind::Duration { range: 1e-9..=1000.0, field: field!(association.max_delay) },
        doc: "Longest round-trip delay; a measurement with more is rejected.",
    },
    Key {
        name: "family",
        kind: Kind::Word {
            words: || words_of(FAMILIES),
            field: Field {
                get: |s| s.family.and_then(|family| word_of(FAMILIES, &family)),
                set: |s, word| s.family = find(FAMILIES, word),
            },
        },
        doc: "Use only addresses of this family. Without it, both.",
    },
    Key {
        name: "bind-address",
        kind: Kind::Address(Field {
            get: |s| s.bind_address,
            set: |s, value| s.bind_address = Some(value),
        }),
        doc: "Send from this local address. Without it, the system chooses.",
    },
    Key {
        name: "bind-device",
        kind: Kind::Device(Field {
            get: |s| s.bind_device.clone(),
            set: |s, value| s.bind_device = Some(value),
        }),
        doc: "Send through this network interface. Without it, the system chooses.",
    },
    Key {
        name: "prefer",
        kind: Kind::Switch(field!(options.prefer)),
        doc: "Use it, as long as it is right, instead of all that are not preferred.",
    },
    Key {
        name: "trust",
        kind: Kind::Switch(field!(options.trust)),
        doc: "It counts as right: a source that disagrees with the trusted ones is a falseticker.",
    },
    Key {
        name: "require",
        kind: Kind::Switch(field!(options.require)),
        doc: "Unless every required source agrees, none is selected.",
    },
    Key {
        name: "noselect",
        kind: Kind::Switch(field!(options.noselect)),
        doc: "Measure and show it, but never follow it.",
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
    Key {
        name: "poll-target",
        kind: Kind::Integer {
            range: 1..=1024,
            unit: "measurements",
            field: field!(association.poll_target as usize),
        },
        doc: "The poll interval adapts so that about so many measurements fit the clock's present \
              behaviour. More polls more.",
    },
];
