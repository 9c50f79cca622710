//! What kind of message a datagram to port 123 is, before anybody answers it.
//!
//! Modes 6 and 7 are read only as far as it takes to refuse and count them.

use core::fmt;

use crate::header::Mode;
use crate::packet::{Packet, PacketError};

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

/// The start of a mode 6 message (RFC 9327 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlMessage {
    /// Protocol version, 0 to 7 as sent.
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
        Ok(Self {
            version: first >> 3 & 7,
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
    /// Protocol version, 0 to 7 as sent.
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
        Ok(Self {
            version: first >> 3 & 7,
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
    /// Mode 7, but shorter than its 8 byte header.
    PrivateTooShort {
        /// Length of the datagram, bytes.
        len: usize,
    },
}

impl Garbage {
    /// A name for counters and logs: lower case, words joined by hyphens, never changed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packet(error) => error.name(),
            Self::ControlTooShort { .. } => "control-too-short",
            Self::PrivateTooShort { .. } => "private-too-short",
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
            Self::PrivateTooShort { len } => {
                write!(f, "{len} bytes are too few for the 8 of a private message")
            }
        }
    }
}

impl core::error::Error for Garbage {}
