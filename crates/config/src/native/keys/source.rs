//! `[[server]]` and `[[pool]]`.

use timeball_auth::KeyId;
use timeball_core::association::{Authentication, Connectivity, NtsServer, PollInterval};
use timeball_core::estimator::Method;
use timeball_core::settings::{Family, SourceKind, SourceSettings};

use crate::native::quantity::ANY;

use crate::native::schema::{Field, Key, Kind, Section, field, find, word, word_of, words_of};

/// Associations of a pool that does not say how many.
const DEFAULT_POOL_COUNT: usize = 4;

/// A table of sources, and of which kind.
pub(crate) struct SourceTable {
    pub(crate) section: Section<SourceSettings>,
    pub(crate) kind: SourceKind,
}

/// The tables of sources, whose order in the file counts across all three.
pub(crate) static SOURCES: [&SourceTable; 3] = [&SERVER, &POOL, &PEER];

impl SourceTable {
    /// The table that a source of this kind is written in.
    pub(crate) fn of(kind: SourceKind) -> &'static Self {
        match kind {
            SourceKind::Server => &SERVER,
            SourceKind::Pool { .. } => &POOL,
            SourceKind::Peer => &PEER,
        }
    }

    /// A source of which nothing is written.
    pub(crate) fn fresh(&self) -> SourceSettings {
        SourceSettings { kind: self.kind, ..SourceSettings::server("") }
    }
}

/// `[[server]]`.
pub(crate) static SERVER: SourceTable = SourceTable {
    section: Section {
        name: "server",
        header: "[[server]]",
        doc: "One server to take time from. Repeat the table for every server.",
        keys: &[NAME, ASKING, MEASURING, SELECTING],
        required: ADDRESS,
    },
    kind: SourceKind::Server,
};

/// `[[pool]]`.
pub(crate) static POOL: SourceTable = SourceTable {
    section: Section {
        name: "pool",
        header: "[[pool]]",
        doc: "A name with many addresses, out of which so many good servers are kept. It has the keys \
              of [[server]], which hold for each of them, and one more.",
        keys: &[NAME, COUNT, ASKING, MEASURING, SELECTING],
        required: ADDRESS,
    },
    kind: SourceKind::Pool { count: DEFAULT_POOL_COUNT },
};

/// `[[peer]]`.
pub(crate) static PEER: SourceTable = SourceTable {
    section: Section {
        name: "peer",
        header: "[[peer]]",
        doc: "A machine with which time is exchanged in both directions, each taking it from the other \
              when its own sources fail. The other machine must list this one too. It has the keys of \
              [[server]]; `iburst`, `burst`, `presend` and `copy` do nothing.",
        keys: &[NAME, ASKING, MEASURING, SELECTING],
        required: ADDRESS,
    },
    kind: SourceKind::Peer,
};

const ADDRESS: &[(&str, &str)] = &[("address", "ntp.example.net")];

pub(super) const METHODS: &[(&str, Method)] =
    &[("bank", Method::Bank), ("classic", Method::Classic)];

const FAMILIES: &[(&str, Family)] = &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

const CONNECTIVITIES: &[(&str, Connectivity)] = &[
    ("online", Connectivity::Online),
    ("offline", Connectivity::Offline),
    ("auto-offline", Connectivity::AutoOffline),
];

pub(super) const POLLS: std::ops::RangeInclusive<i64> =
    PollInterval::SHORTEST.exponent() as i64..=PollInterval::LONGEST.exponent() as i64;

/// Where keys are established, if they are.
const fn nts(source: &SourceSettings) -> Option<NtsServer> {
    match source.association.authentication {
        Authentication::Nts(server) => Some(server),
        Authentication::None | Authentication::Key(_) => None,
    }
}

const fn set_nts(source: &mut SourceSettings, server: NtsServer) {
    source.association.authentication = Authentication::Nts(server);
}

const NAME: &[Key<SourceSettings>] = &[Key {
    name: "address",
    kind: Kind::Host(Field {
        get: |s| Some(s.name.clone()).filter(|name| !name.is_empty()),
        set: |s, value| s.name = value,
    }),
    doc: "Host name or literal address. Required.",
}];

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

/// Where and how to ask.
const ASKING: &[Key<SourceSettings>] = &[
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
        name: "key",
        kind: Kind::Integer {
            range: 1..=u32::MAX as i64,
            unit: "",
            field: Field {
                get: |s| s.association.authentication.key().map(|key| i64::from(key.get())),
                set: |s, value| {
                    if let Some(id) = u32::try_from(value).ok().and_then(KeyId::new) {
                        s.association.authentication = Authentication::Key(id);
                    }
                },
            },
        },
        doc: "Number of the key in `key-file` of [files] that authenticates requests, and without \
              which no answer is believed.",
    },
    Key {
        name: "nts",
        kind: Kind::Switch(Field {
            get: |s| Some(nts(s).is_some()),
            set: |s, wanted| {
                if wanted {
                    set_nts(s, NtsServer::default());
                }
            },
        }),
        doc: "Authenticate requests and answers by Network Time Security (RFC 8915): `address` has to be \
              the name in the server's certificate. Nothing else that it says is believed.",
    },
    // These come after `nts`, to which they add.
    Key {
        name: "nts-port",
        kind: Kind::Integer {
            range: 1..=65535,
            unit: "",
            field: Field {
                get: |s| nts(s).map(|nts| i64::from(nts.port)),
                set: |s, value| {
                    let port = value as u16;
                    set_nts(s, NtsServer { port, ..nts(s).unwrap_or_default() });
                },
            },
        },
        doc: "TCP port at which keys are established; whoever sets it wants `nts`. Without it, 4460.",
    },
    Key {
        name: "certificate-set",
        kind: Kind::Integer {
            range: 0..=u32::MAX as i64,
            unit: "",
            field: Field {
                get: |s| nts(s).map(|nts| i64::from(nts.certificate_set)),
                set: |s, value| {
                    let certificate_set = value as u32;
                    set_nts(s, NtsServer { certificate_set, ..nts(s).unwrap_or_default() });
                },
            },
        },
        doc: "Which set of certificates is trusted; whoever sets it wants `nts`. Without it 0, to which the \
              system's belong.",
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
        name: "interleaved",
        kind: Kind::Switch(field!(association.interleaved)),
        doc: "Use the interleaved mode (RFC 9769), in which the server tells with its next answer when \
              this one left it: more exact than what it can know beforehand. A server that does not \
              know the mode is asked in the basic one.",
    },
    Key {
        name: "monotonic",
        kind: Kind::Switch(field!(association.monotonic)),
        doc: "Ask for the server's monotonic time (extension field 0xF323, chrony's experiment). By that \
              the server tells when it corrects its own time, and the correction is followed with the \
              next answer, down a whole chain of servers, instead of being taken for a change of the \
              frequency. A server that does not know the field answers as usual; a few drop such \
              requests.",
    },
    Key {
        name: "connectivity",
        kind: word!(CONNECTIVITIES, association.connectivity),
        doc: "Whether it is asked from the start: always, not until an operator says so, or until the \
              network turns out to be down and then not until an operator says so.",
    },
    Key {
        name: "presend",
        kind: Kind::Integer {
            range: POLLS,
            unit: "log₂ of seconds: 9 is 512 s",
            field: Field {
                get: |s| s.association.presend.map(|poll| i64::from(poll.exponent())),
                set: |s, value| s.association.presend = Some(PollInterval::new(value as i8)),
            },
        },
        doc: "From this poll interval on, send a request two seconds before the one that is measured: \
              it fills the caches on the way. Without it, never.",
    },
];

/// How measurements are judged and used.
const MEASURING: &[Key<SourceSettings>] = &[
    Key {
        name: "max-delay",
        kind: Kind::Duration { range: 0.0..=1000.0, field: field!(association.max_delay) },
        doc: "Longest round-trip delay; a measurement with more is rejected.",
    },
    Key {
        name: "max-delay-ratio",
        kind: Kind::Number {
            range: 0.0..=1e6,
            unit: "",
            field: field!(association.max_delay_ratio?),
        },
        doc: "Reject a measurement whose delay is more than so many times the smallest one.",
    },
    Key {
        name: "max-delay-dev-ratio",
        kind: Kind::Number {
            range: 0.0..=1e6,
            unit: "",
            field: field!(association.max_delay_dev_ratio?),
        },
        doc: "Reject a measurement whose delay is longer than the smallest one by more than so many \
              times the standard deviation of the offset.",
    },
    Key {
        name: "max-delay-quantile",
        kind: Kind::Number {
            range: 0.0..=1.0,
            unit: "",
            field: field!(association.max_delay_quantile?),
        },
        doc: "Of all measurements accept only this part, those with the shortest delays: 0.1 is a \
              tenth. It takes the place of `max-delay-dev-ratio`.",
    },
    Key {
        name: "min-delay",
        kind: Kind::Duration { range: 0.0..=1000.0, field: field!(estimator.min_delay) },
        doc: "The round-trip delay of the path when nothing else is on it, if it is known better than \
              from measurements; 0 if not.",
    },
    Key {
        name: "asymmetry",
        kind: Kind::Number { range: -0.5..=0.5, unit: "", field: field!(estimator.asymmetry?) },
        doc: "Which part of a delay in queues is on the way to the server: 0.5 all of it, -0.5 none and \
              all on the way back, 0 half. Without it, it is learnt. The bank uses it only together with \
              `min-delay`.",
    },
    Key {
        name: "offset",
        kind: Kind::Duration { range: ANY, field: field!(association.offset) },
        doc: "Added to every measured offset: the known error of the server or of the path.",
    },
    Key {
        name: "filter",
        kind: Kind::Integer {
            range: 1..=1024,
            unit: "polls",
            field: field!(association.filter as usize),
        },
        doc: "The median of so many polls makes one measurement. For short poll intervals on paths with \
              much jitter.",
    },
    Key {
        name: "estimator",
        kind: word!(METHODS, estimator.method),
        doc: "How measurements become an estimate: by a bank of smoothers, each with another idea of the \
              clock and of the path, or by the classic regression over as many as fit a line.",
    },
    Key {
        name: "min-samples",
        kind: Kind::Integer {
            range: 1..=1024,
            unit: "measurements",
            field: field!(estimator.min_samples as usize),
        },
        doc: "The classic estimator keeps at least so many measurements, however badly they fit a line. The \
              bank needs no such limit.",
    },
    Key {
        name: "max-samples",
        kind: Kind::Integer {
            range: 1..=1024,
            unit: "measurements",
            field: field!(estimator.max_samples as usize),
        },
        doc: "The estimator keeps at most so many measurements; the bank 32, whatever is said here.",
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

/// What selection may do with it.
const SELECTING: &[Key<SourceSettings>] = &[
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
        name: "min-stratum",
        kind: Kind::Integer {
            range: 0..=16,
            unit: "",
            field: field!(association.min_stratum as u8),
        },
        doc: "The source counts as of this stratum if it claims a smaller one.",
    },
    Key {
        name: "copy",
        kind: Kind::Switch(field!(association.copy)),
        doc: "Pass on its stratum and reference ID as our own, for a source that is this very machine: \
              another time server on it that owns the clock.",
    },
    Key {
        name: "max-unreach",
        kind: Kind::Integer {
            range: 0..=u32::MAX as i64,
            unit: "polls",
            field: field!(association.max_unreach as u32),
        },
        doc: "After so many polls without an answer do not select it any more, however good its old \
              measurements are.",
    },
];
