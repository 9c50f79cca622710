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
    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NoWarning,
            1 => Self::Insert,
            2 => Self::Delete,
            _ => Self::Unsynchronised,
        }
    }

    pub(crate) const fn to_bits(self) -> u8 {
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

    /// The number as sent.
    pub const fn number(self) -> u8 {
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
        bytes[0] = self.leap.to_bits() << 6 | (self.version & 7) << 3 | self.mode.number();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte differs from its neighbours, so that no two fields can be mixed up.
    const WIRE: [u8; Header::LEN] = [
        0x5c, 0x02, 0xf9, 0xe9, 0x00, 0x01, 0x80, 0x00, 0x00, 0x00, 0x40, 0x00, 0xc0, 0x00, 0x02,
        0x01, 0xec, 0x01, 0x02, 0x03, 0x10, 0x11, 0x12, 0x13, 0xec, 0x04, 0x05, 0x06, 0x20, 0x21,
        0x22, 0x23, 0xec, 0x07, 0x08, 0x09, 0x30, 0x31, 0x32, 0x33, 0xec, 0x0a, 0x0b, 0x0c, 0x40,
        0x41, 0x42, 0x43,
    ];

    fn representation() -> Header {
        Header {
            leap: LeapIndicator::Insert,
            version: 3,
            mode: Mode::Server,
            stratum: 2,
            poll: -7,
            precision: -23,
            root_delay: NtpShort::from_bits(0x0001_8000),
            root_dispersion: NtpShort::from_bits(0x4000),
            reference_id: ReferenceId::from_bytes([192, 0, 2, 1]),
            reference_timestamp: NtpTimestamp::from_bits(0xec01_0203_1011_1213),
            origin_timestamp: NtpTimestamp::from_bits(0xec04_0506_2021_2223),
            receive_timestamp: NtpTimestamp::from_bits(0xec07_0809_3031_3233),
            transmit_timestamp: NtpTimestamp::from_bits(0xec0a_0b0c_4041_4243),
        }
    }

    #[test]
    fn deconstruct() {
        let header = Header::from_bytes(&WIRE);
        assert_eq!(header.root_delay.seconds(), 1.5);
        assert_eq!(header.root_dispersion.seconds(), 0.25);
        assert_eq!(header.reference_id.to_bytes(), [192, 0, 2, 1]);
    }

    #[test]
    fn parse() {
        assert_eq!(Header::from_bytes(&WIRE), representation());
    }

    #[test]
    fn emit() {
        assert_eq!(representation().to_bytes(), WIRE);
    }

    #[test]
    fn first_byte_round_trips_in_all_its_values() {
        for first in 0..=255 {
            let mut wire = WIRE;
            wire[0] = first;
            let header = Header::from_bytes(&wire);
            assert_eq!(header.version, first >> 3 & 7);
            assert_eq!(header.to_bytes()[0], first);
        }
    }

    #[test]
    fn a_version_too_large_for_its_field_spoils_no_other() {
        let header = Header { version: 0xff, ..representation() };
        assert_eq!(header.to_bytes()[0], 0x7c);
    }
}
