//! Why a datagram was not believed.
//!
//! One name per rule; each is a counter in the report.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! rejects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The rule that a datagram broke.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Reject { $($(#[$doc])* $variant,)* }

        impl Reject {
            /// Every rule, in the order they are checked.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The rule's name as counters and logs show it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

rejects! {
    /// No request is waiting for an answer: late, repeated, or never asked.
    Unsolicited = "unsolicited",
    /// The datagram is longer than any answer to our request, or was cut on reception.
    Oversized = "oversized",
    /// From another address or port than was asked.
    WrongSource = "wrong-source",
    /// Not an NTP packet: too short, or extension fields and MAC that do not add up (RFC 7822).
    Malformed = "malformed",
    /// A higher version than was asked with.
    WrongVersion = "wrong-version",
    /// A mode 6 control message (RFC 9327) where an answer was expected.
    ControlMessage = "control-message",
    /// A mode 7 private message where an answer was expected.
    PrivateMessage = "private-message",
    /// Neither mode 4 nor version 1's mode 0.
    WrongMode = "wrong-mode",
    /// The origin timestamp is zero (CVE-2015-8138).
    ZeroOrigin = "zero-origin",
    /// The origin timestamp is not the random number that was sent.
    WrongOrigin = "wrong-origin",
    /// A crypto-NAK (RFC 5905 §7.3); no key was used, so it means nothing and ends nothing.
    CryptoNak = "crypto-nak",
    /// A message authentication code that nobody asked for.
    UnexpectedMac = "unexpected-mac",
    /// A kiss-o'-death packet (stratum 0): counted here, and heeded by its code.
    KissOfDeath = "kiss-of-death",
    /// The receive or transmit timestamp is zero.
    ZeroTimestamp = "zero-timestamp",
    /// The server says it is not synchronised.
    Unsynchronised = "unsynchronised",
    /// A stratum above 15.
    InvalidStratum = "invalid-stratum",
    /// Root delay/2 + root dispersion of 16 s and above (MAXDISP).
    RootDistance = "root-distance",
    /// The reference timestamp is later than the transmit timestamp.
    ReferenceInFuture = "reference-in-future",
    /// The transmit timestamp is that of the last answer.
    DuplicateTransmit = "duplicate-transmit",
    /// The server's transmission precedes its reception, or it held the request too long.
    ServerInterval = "server-interval",
    /// The answer arrived before the request left, by more than the clocks' precision.
    NegativeDelay = "negative-delay",
    /// The round-trip delay is above the source's limit.
    MaxDelay = "max-delay",
    /// The server is synchronised to us (RFC 5905 §11.2.1 "fit").
    SynchronisationLoop = "synchronisation-loop",
    /// The server is this very daemon: it answers with our own reference.
    OwnClock = "own-clock",
    /// Taken so close to a leap second that nobody knows on which side of it.
    NearLeapSecond = "near-leap-second",
}

impl Reject {
    /// The datagram repeated the request's random number, so it came from somebody who saw the
    /// request, and no better answer will follow.
    pub const fn proves_origin(self) -> bool {
        match self {
            Self::Unsolicited
            | Self::Oversized
            | Self::WrongSource
            | Self::Malformed
            | Self::WrongVersion
            | Self::ControlMessage
            | Self::PrivateMessage
            | Self::WrongMode
            | Self::ZeroOrigin
            | Self::WrongOrigin
            | Self::CryptoNak
            | Self::UnexpectedMac => false,
            Self::KissOfDeath
            | Self::ZeroTimestamp
            | Self::Unsynchronised
            | Self::InvalidStratum
            | Self::RootDistance
            | Self::ReferenceInFuture
            | Self::DuplicateTransmit
            | Self::ServerInterval
            | Self::NegativeDelay
            | Self::MaxDelay
            | Self::SynchronisationLoop
            | Self::OwnClock
            | Self::NearLeapSecond => true,
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
