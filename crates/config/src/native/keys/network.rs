//! `[network]` and the cards in it.

use super::one;
use crate::config::{Card, ClientPort, Config, ReceiveFilter, Timestamping};
use crate::native::quantity::ANY;
use crate::native::schema::{
    Field, Key, Kind, Rows, Section, Table, field, find, word, word_of, words_of,
};

/// `[network]`.
pub(crate) static NETWORK: Table<Config> = one(Section {
    name: "network",
    header: "[network]",
    doc: "Every NTP socket, client or server.",
    keys: &[KEYS],
    required: &[],
});

/// `[[network.card]]`.
pub(crate) static CARD: Table<Card> = Table {
    section: Section {
        name: "network.card",
        header: "[[network.card]]",
        doc: "What a network card is to do when `timestamping` is \"hardware\". Without any such table, \
              every card that can stamp does so.",
        keys: &[CARD_KEYS],
        required: &[("interface", "eth0")],
    },
    rows: Rows::Many {
        get: |config| &config.network.cards,
        get_mut: |config| &mut config.network.cards,
    },
    fresh: || Card::new(""),
};

const FILTERS: &[(&str, ReceiveFilter)] = &[
    ("best", ReceiveFilter::Best),
    ("all", ReceiveFilter::All),
    ("ntp", ReceiveFilter::Ntp),
    ("ptp", ReceiveFilter::Ptp),
    ("none", ReceiveFilter::None),
];

const KEYS: &[Key<Config>] = &[
    Key {
        name: "dscp",
        kind: Kind::Integer { range: 0..=63, unit: "", field: field!(network.dscp as u8) },
        doc: "Differentiated services code point of outgoing packets (RFC 2474); 46 is expedited \
              forwarding.",
    },
    Key {
        name: "timestamping",
        kind: word!(Timestamping::WORDS, network.timestamping),
        doc: "Who notes when a packet came or went: the network interface, the kernel, or the daemon \
              itself. What is not to be had falls back to the next.",
    },
    Key {
        name: "client-port",
        kind: Kind::IntegerOr {
            range: 0..=65535,
            word: "per-request",
            field: Field {
                get: |c| {
                    Some(match c.network.client_port {
                        ClientPort::PerRequest => None,
                        ClientPort::Shared => Some(0),
                        ClientPort::Fixed(port) => Some(i64::from(port)),
                    })
                },
                set: |c, value| {
                    c.network.client_port = match value {
                        None => ClientPort::PerRequest,
                        Some(0) => ClientPort::Shared,
                        Some(port) => ClientPort::Fixed(port as u16),
                    };
                },
            },
        },
        doc: "Local port of requests: a new random one for each (RFC 9109), this one for all, or, with 0, \
              one for all that the system chooses. For firewalls that cannot do without.",
    },
];

const CARD_KEYS: &[Key<Card>] = &[
    Key {
        name: "interface",
        kind: Kind::Device(Field {
            get: |card| Some(card.interface.clone()).filter(|name| !name.is_empty()),
            set: |card, value| card.interface = value,
        }),
        doc: "Its interface, or the beginning of several and `*`: `*` alone is every one. What is said of \
              its own name counts more. Required.",
    },
    Key {
        name: "transmit-compensation",
        kind: Kind::Duration { range: ANY, field: field!(transmit_compensation) },
        doc: "How much later than stamped a packet really leaves: added to timestamps of packets that it sends.",
    },
    Key {
        name: "receive-compensation",
        kind: Kind::Duration { range: ANY, field: field!(receive_compensation) },
        doc: "How much earlier than stamped a packet really arrives: subtracted from timestamps of packets \
              that it receives.",
    },
    Key {
        name: "receive-filter",
        kind: word!(FILTERS, receive_filter),
        doc: "Which packets it stamps when they arrive: the most it can of all and NTP's; all; NTP's; \
              PTP's; or none.",
    },
    Key {
        name: "cross-timestamps",
        kind: Kind::Switch(field!(cross_timestamps)),
        doc: "Read its clock and the system clock at the same moment, where the hardware can.",
    },
];
