//! What kind of message a datagram to port 123 is, before anybody answers it.
//!
//! Modes 6 and 7 are read only as far as it takes to refuse and count them.

use core::fmt;
use core::ops::RangeInclusive;

use crate::header::Mode;
use crate::packet::Packet;
use crate::packet_error::PacketError;

/// A datagram, sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Carries time: versions 1 to 4 in modes 1 to 5, or version 1 in mode 0.
    Time(Packet<'a>),
    /// A control message, mode 6 (RFC 9327).
    Control(ControlMessage),
    /// One of ntpd's private messages, mode 7 (RFC 9327 appendix A).
    Private(PrivateMessage),
    /// Nothing we know.
    Garbage(Garbage),
}

impl Message<'_> {
    /// A name for counters and logs: lower case, words joined by hyphens, never changed.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Time(_) => "time",
            Self::Control(ControlMessage { is_response: false, .. }) => "control-request",
            Self::Control(ControlMessage { is_response: true, .. }) => "control-response",
            Self::Private(PrivateMessage { is_response: false, .. }) => "private-request",
            Self::Private(PrivateMessage { is_response: true, .. }) => "private-response",
            Self::Garbage(garbage) => garbage.name(),
        }
    }
}

/// Sorts a datagram by the mode in its first byte; all that follows must fit that mode.
pub fn classify(datagram: &[u8]) -> Message<'_> {
    let mode = datagram.first().map(|&first| Mode::from_bits(first));
    let sorted = match mode {
        Some(Mode::Control) => ControlMessage::parse(datagram).map(Message::Control),
        Some(Mode::Private) => PrivateMessage::parse(datagram).map(Message::Private),
        _ => Packet::parse(datagram).map(Message::Time).map_err(Garbage::Packet),
    };
    sorted.unwrap_or_else(Message::Garbage)
}

/// The versions in which modes 6 and 7 are messages; others are not even NTP.
const VERSIONS: RangeInclusive<u8> = 1..=4;

/// The start of a mode 6 message (RFC 9327 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlMessage {
    /// Protocol version, 1 to 4.
    pub version: u8,
    /// The R bit: an answer. Never to be answered again.
    pub is_response: bool,
    /// The E bit: the answer is an error.
    pub is_error: bool,
    /// The M bit: more fragments follow.
    pub has_more: bool,
    /// What is asked, 0 to 31 (RFC 9327 table 1): 1 read status, 2 read variables, 10 read the
    /// list of clients, 12 request a nonce, …
    pub opcode: u8,
    /// The association asked about; 0 is the server itself.
    pub association: u16,
}

impl ControlMessage {
    /// Length of the fixed part, bytes.
    pub const HEADER_LEN: usize = 12;

    fn parse(datagram: &[u8]) -> Result<Self, Garbage> {
        let Some(&[first, second, _, _, _, _, association_high, association_low, ..]) =
            datagram.first_chunk::<{ Self::HEADER_LEN }>()
        else {
            return Err(Garbage::ControlTooShort { len: datagram.len() });
        };
        let version = first >> 3 & 7;
        if !VERSIONS.contains(&version) {
            return Err(Garbage::ControlVersion { version });
        }
        Ok(Self {
            version,
            is_response: second & 0x80 != 0,
            is_error: second & 0x40 != 0,
            has_more: second & 0x20 != 0,
            opcode: second & 0x1f,
            association: u16::from_be_bytes([association_high, association_low]),
        })
    }
}

/// The start of a mode 7 message (RFC 9327 appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateMessage {
    /// Protocol version, 1 to 4.
    pub version: u8,
    /// The R bit: an answer. Answering it is how two servers once kept each other busy for ever
    /// (CVE-2009-3563).
    pub is_response: bool,
    /// The M bit: more fragments follow.
    pub has_more: bool,
    /// The A bit: the message carries a MAC.
    pub is_authenticated: bool,
    /// Whose request codes these are: 3 is ntpd's.
    pub implementation: u8,
    /// What is asked: 42 is the list of clients (`monlist`).
    pub request_code: u8,
}

impl PrivateMessage {
    /// Length of the fixed part, bytes.
    pub const HEADER_LEN: usize = 8;

    fn parse(datagram: &[u8]) -> Result<Self, Garbage> {
        let Some(&[first, second, implementation, request_code, ..]) =
            datagram.first_chunk::<{ Self::HEADER_LEN }>()
        else {
            return Err(Garbage::PrivateTooShort { len: datagram.len() });
        };
        let version = first >> 3 & 7;
        if !VERSIONS.contains(&version) {
            return Err(Garbage::PrivateVersion { version });
        }
        Ok(Self {
            version,
            is_response: first & 0x80 != 0,
            has_more: first & 0x40 != 0,
            is_authenticated: second & 0x80 != 0,
            implementation,
            request_code,
        })
    }
}

/// Why a datagram is nothing we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Garbage {
    /// Looks like a time packet and is none.
    Packet(PacketError),
    /// Mode 6, but shorter than its 12 byte header.
    ControlTooShort {
        /// Length of the datagram, bytes.
        len: usize,
    },
    /// Mode 6 of a version that is none of ours.
    ControlVersion {
        /// The version the datagram claims.
        version: u8,
    },
    /// Mode 7, but shorter than its 8 byte header.
    PrivateTooShort {
        /// Length of the datagram, bytes.
        len: usize,
    },
    /// Mode 7 of a version that is none of ours.
    PrivateVersion {
        /// The version the datagram claims.
        version: u8,
    },
}

impl Garbage {
    /// A name for counters and logs: lower case, words joined by hyphens, never changed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packet(error) => error.name(),
            Self::ControlTooShort { .. } => "control-too-short",
            Self::ControlVersion { .. } => "control-unsupported-version",
            Self::PrivateTooShort { .. } => "private-too-short",
            Self::PrivateVersion { .. } => "private-unsupported-version",
        }
    }
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet(error) => error.fmt(f),
            Self::ControlTooShort { len } => {
                write!(f, "{len} bytes are too few for the 12 of a control message")
            }
            Self::ControlVersion { version } => write!(f, "control message version {version}"),
            Self::PrivateVersion { version } => write!(f, "private message version {version}"),
            Self::PrivateTooShort { len } => {
                write!(f, "{len} bytes are too few for the 8 of a private message")
            }
        }
    }
}

impl core::error::Error for Garbage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_request_and_response() {
        // `ntpq -c rv` asks with version 2; the sequence number is 1.
        let request = [0x16, 0x02, 0, 1, 0, 0, 0x12, 0x34, 0, 0, 0, 0];
        let expected = ControlMessage {
            version: 2,
            is_response: false,
            is_error: false,
            has_more: false,
            opcode: 2,
            association: 0x1234,
        };
        assert_eq!(classify(&request), Message::Control(expected));
        assert_eq!(classify(&request).name(), "control-request");

        let response = [0xde, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, b'a', b'=', b'1', 0];
        let expected = ControlMessage {
            version: 3,
            is_response: true,
            is_error: true,
            has_more: true,
            opcode: 31,
            association: 0,
        };
        assert_eq!(classify(&response), Message::Control(expected));
        assert_eq!(classify(&response).name(), "control-response");
    }

    #[test]
    fn private_request_and_response() {
        // The eight bytes that asked ntpd for its list of clients.
        let monlist = [0x17, 0x00, 0x03, 0x2a, 0, 0, 0, 0];
        let expected = PrivateMessage {
            version: 2,
            is_response: false,
            has_more: false,
            is_authenticated: false,
            implementation: 3,
            request_code: 42,
        };
        assert_eq!(classify(&monlist), Message::Private(expected));
        assert_eq!(classify(&monlist).name(), "private-request");

        let response = [0xd7, 0x80, 0x03, 0x2a, 0, 0, 0, 0];
        let expected = PrivateMessage {
            version: 2,
            is_response: true,
            has_more: true,
            is_authenticated: true,
            implementation: 3,
            request_code: 42,
        };
        assert_eq!(classify(&response), Message::Private(expected));
        assert_eq!(classify(&response).name(), "private-response");
    }

    #[test]
    fn truncated_management_messages_are_garbage() {
        for len in 1..12 {
            assert_eq!(
                classify(&[0x16; 12][..len]),
                Message::Garbage(Garbage::ControlTooShort { len })
            );
        }
        for len in 1..8 {
            assert_eq!(
                classify(&[0x17; 8][..len]),
                Message::Garbage(Garbage::PrivateTooShort { len })
            );
        }
        assert_eq!(classify(&[0x16]).name(), "control-too-short");
        assert_eq!(classify(&[0x17]).name(), "private-too-short");
    }

    #[test]
    fn time_packets_of_every_mode() {
        for first in [0x08, 0x0b, 0x13, 0x1b, 0x21, 0x22, 0x23, 0x24, 0x25, 0xe4] {
            let mut datagram = [0; 48];
            datagram[0] = first;
            let packet = Packet::parse(&datagram).unwrap();
            assert_eq!(classify(&datagram), Message::Time(packet));
            assert_eq!(classify(&datagram).name(), "time");
        }
    }

    #[test]
    fn the_rest_is_garbage_under_the_name_of_its_first_fault() {
        let garbage = |datagram: &[u8]| match classify(datagram) {
            Message::Garbage(garbage) => garbage.name(),
            message => panic!("{message:?}"),
        };
        assert_eq!(garbage(&[]), "too-short");
        assert_eq!(garbage(&[0x23; 47]), "too-short");
        assert_eq!(garbage(&[0x20; 48]), "unsupported-mode");
        assert_eq!(garbage(&[0x2b; 48]), "unsupported-version");
        assert_eq!(garbage(&[0x03; 48]), "unsupported-version");
        assert_eq!(garbage(&[0x23; 49]), "unaligned-length");
        assert_eq!(garbage(b"GET / HTTP/1.1\r\n\r\n"), "private-unsupported-version");
        assert_eq!(garbage(&[0x2e; 12]), "control-unsupported-version");
    }
}
