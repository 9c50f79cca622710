//! The 48-byte NTP header (RFC 5905 §7.3), versions 1 to 4.

use serde::{Deserialize, Serialize};

use crate::reference_id::ReferenceId;
use crate::time::{NtpShort, NtpTimestamp};

/// What a packet warns of: a leap second at the end of the current month, or no synchronisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeapIndicator {
    /// No leap second announced.
    NoWarning,
    /// The last minute of the month has 61 seconds.
    Insert,
    /// The last minute of the month has 59 seconds.
    Delete,
    /// The clock is not synchronised.
    #[default]
    Unsynchronised,
}

impl LeapIndicator {
    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NoWarning,
            1 => Self::Insert,
            2 => Self::Delete,
            _ => Self::Unsynchronised,
        }
    }

    const fn to_bits(self) -> u8 {
        match self {
            Self::NoWarning => 0,
            Self::Insert => 1,
            Self::Delete => 2,
            Self::Unsynchronised => 3,
        }
    }
}

/// The association mode of a packet (RFC 5905 figure 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Mode 0: reserved; in version 1 a client or server packet without a mode.
    Reserved,
    /// Mode 1.
    SymmetricActive,
    /// Mode 2.
    SymmetricPassive,
    /// Mode 3.
    Client,
    /// Mode 4.
    Server,
    /// Mode 5.
    Broadcast,
    /// Mode 6: control messages (RFC 9327). Not an NTP header.
    Control,
    /// Mode 7: ntpd's private messages. Not an NTP header.
    Private,
}

impl Mode {
    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Reserved,
            1 => Self::SymmetricActive,
            2 => Self::SymmetricPassive,
            3 => Self::Client,
            4 => Self::Server,
            5 => Self::Broadcast,
            6 => Self::Control,
            _ => Self::Private,
        }
    }

    const fn to_bits(self) -> u8 {
        match self {
            Self::Reserved => 0,
            Self::SymmetricActive => 1,
            Self::SymmetricPassive => 2,
            Self::Client => 3,
            Self::Server => 4,
            Self::Broadcast => 5,
            Self::Control => 6,
            Self::Private => 7,
        }
    }
}

/// The fixed part of an NTP packet, every field as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Leap second warning.
    pub leap: LeapIndicator,
    /// Protocol version, 0 to 7 as sent; versions 1 to 4 share this layout.
    pub version: u8,
    /// Association mode.
    pub mode: Mode,
    /// Distance from a reference clock; 0 is a kiss-o'-death or unspecified, 16 unsynchronised.
    pub stratum: u8,
    /// Poll interval, log₂ seconds.
    pub poll: i8,
    /// Precision of the clock, log₂ seconds.
    pub precision: i8,
    /// Round-trip delay to the reference clock.
    pub root_delay: NtpShort,
    /// Dispersion to the reference clock.
    pub root_dispersion: NtpShort,
    /// Kiss code, reference clock, or upstream server, by stratum.
    pub reference_id: ReferenceId,
    /// When the sender's clock was last set.
    pub reference_timestamp: NtpTimestamp,
    /// T1: the transmit timestamp of the packet this one answers.
    pub origin_timestamp: NtpTimestamp,
    /// T2: when that packet arrived.
    pub receive_timestamp: NtpTimestamp,
    /// T3: when this packet left.
    pub transmit_timestamp: NtpTimestamp,
}

impl Header {
    /// Length of the header in bytes.
    pub const LEN: usize = 48;

    /// Reads a header; every bit pattern is one.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let byte = |at: usize| bytes[at];
        let four = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let short = |at: usize| NtpShort::from_bits(u32::from_be_bytes(four(at)));
        let timestamp = |at: usize| {
            let high = u64::from(u32::from_be_bytes(four(at)));
            let low = u64::from(u32::from_be_bytes(four(at + 4)));
            NtpTimestamp::from_bits(high << 32 | low)
        };
        Self {
            leap: LeapIndicator::from_bits(byte(0) >> 6),
            version: byte(0) >> 3 & 7,
            mode: Mode::from_bits(byte(0)),
            stratum: byte(1),
            poll: byte(2).cast_signed(),
            precision: byte(3).cast_signed(),
            root_delay: short(4),
            root_dispersion: short(8),
            reference_id: ReferenceId::from_bytes(four(12)),
            reference_timestamp: timestamp(16),
            origin_timestamp: timestamp(24),
            receive_timestamp: timestamp(32),
            transmit_timestamp: timestamp(40),
        }
    }

    /// The header as sent.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.leap.to_bits() << 6 | (self.version & 7) << 3 | self.mode.to_bits();
        bytes[1] = self.stratum;
        bytes[2] = self.poll.cast_unsigned();
        bytes[3] = self.precision.cast_unsigned();
        bytes[4..8].copy_from_slice(&self.root_delay.to_bits().to_be_bytes());
        bytes[8..12].copy_from_slice(&self.root_dispersion.to_bits().to_be_bytes());
        bytes[12..16].copy_from_slice(&self.reference_id.to_bytes());
        bytes[16..24].copy_from_slice(&self.reference_timestamp.to_bits().to_be_bytes());
        bytes[24..32].copy_from_slice(&self.origin_timestamp.to_bits().to_be_bytes());
        bytes[32..40].copy_from_slice(&self.receive_timestamp.to_bits().to_be_bytes());
        bytes[40..48].copy_from_slice(&self.transmit_timestamp.to_bits().to_be_bytes());
        bytes
    }
}
