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
    /// A higher version than the server was asked with.
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
    /// A crypto-NAK (RFC 5905 §7.3): it is not authenticated itself, so it proves nothing and ends
    /// nothing.
    CryptoNak = "crypto-nak",
    /// A message authentication code that nobody asked for.
    UnexpectedMac = "unexpected-mac",
    /// No message authentication code, where the source has a key.
    MissingMac = "missing-mac",
    /// A message authentication code made with another key than the source's, be it a good one
    /// (CVE-2015-7974).
    WrongKey = "wrong-key",
    /// The source's key is gone.
    UnknownKey = "unknown-key",
    /// The source's key does not authenticate hosts of this address.
    KeyNotForHost = "key-not-for-host",
    /// The message authentication code is wrong, or has not the length that it should have.
    BadMac = "bad-mac",
    /// It does not repeat the request's unique identifier (RFC 8915 §5.7).
    WrongUniqueIdentifier = "wrong-unique-identifier",
    /// Nothing authenticates it, where keys of NTS have to.
    MissingAuthenticator = "missing-authenticator",
    /// It is not authentic: changed on its way, or from somebody without the keys of NTS.
    BadAuthenticator = "bad-authenticator",
    /// Extension fields of NTS that no server sends.
    MalformedNts = "malformed-nts",
    /// An NTS NAK (kiss code `NTSN`): the server says that it cannot read our cookie. Nothing
    /// authenticates that, so it ends nothing; keys are established anew.
    NtsNak = "nts-nak",
    /// An authentic time at which the certificate is not valid that was accepted while nobody knew
    /// the time (RFC 8915 §8.5).
    OutsideCertificate = "outside-certificate",
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
    /// It answers a request that was only to fill the caches on the way.
    WarmUp = "warm-up",
    /// The exchange that an interleaved answer completes was measured before, or is not known.
    AlreadyMeasured = "already-measured",
    /// The round-trip delay is above the source's limit as a multiple of the smallest one.
    MaxDelayRatio = "max-delay-ratio",
    /// The round-trip delay exceeds the smallest one by more than the source's limit as a multiple
    /// of the offset's standard deviation.
    MaxDelayDevRatio = "max-delay-dev-ratio",
    /// The round-trip delay is not among the shortest, of which the source's limit says how many
    /// there are.
    MaxDelayQuantile = "max-delay-quantile",
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
            | Self::UnexpectedMac
            | Self::MissingMac
            | Self::WrongKey
            | Self::UnknownKey
            | Self::KeyNotForHost
            | Self::BadMac
            | Self::WrongUniqueIdentifier
            | Self::MissingAuthenticator
            | Self::BadAuthenticator
            | Self::MalformedNts
            | Self::NtsNak => false,
            Self::OutsideCertificate
            | Self::KissOfDeath
            | Self::ZeroTimestamp
            | Self::Unsynchronised
            | Self::InvalidStratum
            | Self::RootDistance
            | Self::ReferenceInFuture
            | Self::DuplicateTransmit
            | Self::ServerInterval
            | Self::NegativeDelay
            | Self::MaxDelay
            | Self::WarmUp
            | Self::AlreadyMeasured
            | Self::MaxDelayRatio
            | Self::MaxDelayDevRatio
            | Self::MaxDelayQuantile
            | Self::SynchronisationLoop
            | Self::OwnClock
            | Self::NearLeapSecond => true,
        }
    }
}

/// The stages in which an answer is tested. ntpd and chrony number them, and people who read their
/// reports know those numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// 1: it is no duplicate.
    Duplicate,
    /// 2: it answers our last request.
    Origin,
    /// 3: its timestamps are set.
    Timestamps,
    /// 5: it is authentic.
    Authentication,
    /// 6: its sender is synchronised.
    Synchronised,
    /// 7: its sender is near enough to a reference clock.
    RootDistance,
    /// A: its timestamps can be, and are of use.
    Delay,
    /// B: its delay is not too many times the smallest.
    DelayRatio,
    /// C: its delay is not among the longest.
    DelayDeviation,
    /// D: its sender does not follow us.
    Loop,
}

impl Test {
    /// Every test, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Duplicate,
        Self::Origin,
        Self::Timestamps,
        Self::Authentication,
        Self::Synchronised,
        Self::RootDistance,
        Self::Delay,
        Self::DelayRatio,
        Self::DelayDeviation,
        Self::Loop,
    ];

    /// True for those that follow only if the sender has time to give (6 and 7).
    const fn needs_time(self) -> bool {
        matches!(self, Self::Delay | Self::DelayRatio | Self::DelayDeviation | Self::Loop)
    }

    /// Did the answer pass this test, which was rejected by that rule, or by none?
    pub fn passed(self, reject: Option<Reject>) -> bool {
        // What says that it cannot read our cookie has no time for us, whoever it is.
        if self == Self::Synchronised && reject == Some(Reject::NtsNak) {
            return false;
        }
        match reject.map(Reject::test) {
            None => true,
            Some(failed) if failed.needs_time() => self != failed,
            Some(failed) => self != failed && !self.needs_time(),
        }
    }
}

impl Reject {
    /// The test that the rule belongs to.
    pub const fn test(self) -> Test {
        match self {
            Self::DuplicateTransmit => Test::Duplicate,
            Self::Unsolicited
            | Self::Oversized
            | Self::WrongSource
            | Self::Malformed
            | Self::WrongVersion
            | Self::ControlMessage
            | Self::PrivateMessage
            | Self::WrongMode
            | Self::ZeroOrigin
            | Self::WrongOrigin => Test::Origin,
            Self::ZeroTimestamp => Test::Timestamps,
            Self::CryptoNak
            | Self::UnexpectedMac
            | Self::MissingMac
            | Self::WrongKey
            | Self::UnknownKey
            | Self::KeyNotForHost
            | Self::BadMac
            | Self::WrongUniqueIdentifier
            | Self::MissingAuthenticator
            | Self::BadAuthenticator
            | Self::MalformedNts
            | Self::NtsNak
            | Self::OutsideCertificate => Test::Authentication,
            Self::KissOfDeath | Self::Unsynchronised | Self::InvalidStratum => Test::Synchronised,
            Self::RootDistance | Self::ReferenceInFuture => Test::RootDistance,
            Self::ServerInterval
            | Self::NegativeDelay
            | Self::MaxDelay
            | Self::WarmUp
            | Self::AlreadyMeasured
            | Self::NearLeapSecond => Test::Delay,
            Self::MaxDelayRatio => Test::DelayRatio,
            Self::MaxDelayDevRatio | Self::MaxDelayQuantile => Test::DelayDeviation,
            Self::SynchronisationLoop | Self::OwnClock => Test::Loop,
        }
    }

    /// The sender answers as it should and has time to give; only that the packets were slow, the
    /// moment was not right, or it is us whom it has its time from.
    pub const fn leaves_reachable(self) -> bool {
        self.test().needs_time()
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
