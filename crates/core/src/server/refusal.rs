//! Why a datagram got no answer.
//!
//! One name per rule; each is a counter in the report.

use std::fmt;

use serde::{Deserialize, Serialize};
use timeball_wire::{Garbage, PacketError};

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The rule that refused a datagram.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Refusal { $($(#[$doc])* $variant,)* }

        impl Refusal {
            /// Every rule, in the order they are checked.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The rule's name as counters and logs show it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

refusals! {
    /// Source port 0, to which nothing can be sent.
    PortZero = "port-zero",
    /// The port of a service that answers whatever it gets: echo, daytime, quote of the day, chargen,
    /// time (RFC 862, 867, 865, 864, 868). What they send may look like another request.
    ReflectorPort = "reflector-port",
    /// A source that is no single host's: unspecified, multicast, broadcast, 0/8 or 240/4.
    MartianSource = "martian-source",
    /// No rule allows this client.
    Denied = "denied",
    /// Shorter than the message it claims to be.
    TooShort = "too-short",
    /// Version 0, or 5 and above.
    UnsupportedVersion = "unsupported-version",
    /// Mode 0 in versions above 1.
    ReservedMode = "reserved-mode",
    /// Lengths that do not add up (RFC 7822).
    Malformed = "malformed",
    /// Mode 6 (RFC 9327): an answer would be longer than the question.
    ControlMessage = "control-message",
    /// Mode 7: likewise (`monlist`), and answers to answers never end (CVE-2009-3563).
    PrivateMessage = "private-message",
    /// Modes 1 and 2, or version 1 without a mode from NTP's port: we are nobody's symmetric peer.
    Symmetric = "symmetric",
    /// Mode 4: an answer. Answering it would never end.
    Response = "response",
    /// Mode 5: nothing to answer.
    Broadcast = "broadcast",
    /// A crypto-NAK, which only an answer can be.
    CryptoNak = "crypto-nak",
    /// A request that was sent to a broadcast or multicast address: with a forged sender it would have
    /// all servers of a network answer one host.
    SentToEverybody = "sent-to-everybody",
    /// More requests than the rate limit has answers.
    RateLimited = "rate-limited",
    /// An NTS authenticator, but not exactly one cookie and one unique identifier, or lengths that do not
    /// add up (RFC 8915 §5).
    MalformedNts = "malformed-nts",
    /// A message authentication code made with a key we do not have.
    UnknownKey = "unknown-key",
    /// A message authentication code made with a key that is for other hosts.
    KeyNotForHost = "key-not-for-host",
    /// A message authentication code that is wrong, or has not the length that it should have.
    BadMac = "bad-mac",
    /// No message authentication code, where this client has to have one.
    MissingMac = "missing-mac",
}

impl From<Garbage> for Refusal {
    fn from(garbage: Garbage) -> Self {
        match garbage {
            Garbage::ControlTooShort { .. } | Garbage::PrivateTooShort { .. } => Self::TooShort,
            Garbage::ControlVersion { .. } | Garbage::PrivateVersion { .. } => {
                Self::UnsupportedVersion
            }
            Garbage::Packet(error) => match error {
                PacketError::TooShort { .. } => Self::TooShort,
                PacketError::UnsupportedVersion { .. } => Self::UnsupportedVersion,
                PacketError::UnsupportedMode { .. } => Self::ReservedMode,
                PacketError::UnalignedLength { .. }
                | PacketError::TrailerLength { .. }
                | PacketError::KeyIdWithoutDigest
                | PacketError::FieldTooShort { .. }
                | PacketError::UnalignedField { .. }
                | PacketError::FieldOverrun { .. }
                | PacketError::LastFieldTooShort { .. }
                | PacketError::TooManyFields => Self::Malformed,
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
