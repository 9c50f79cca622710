//! The rules a datagram can break, one name each.

use core::fmt;

use crate::extension_field::FieldError;
use crate::header::Mode;
use crate::packet::Packet;

/// Why a datagram is no NTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketError {
    /// Shorter than a header (RFC 5905 §7.3).
    TooShort {
        /// Length of the datagram, bytes.
        len: usize,
    },
    /// Version 0, or 5 and above (RFC 5905 §9.2: only versions up to 4 are known).
    UnsupportedVersion {
        /// The version the datagram claims.
        version: u8,
    },
    /// A mode without a time header: 0 above version 1, 6 or 7 (RFC 5905 figure 10).
    UnsupportedMode {
        /// The mode the datagram claims.
        mode: Mode,
    },
    /// The length of the datagram is no multiple of four (RFC 7822 §3).
    UnalignedLength {
        /// Length of the datagram, bytes.
        len: usize,
    },
    /// The bytes at the end are too few, or below version 4 too many, for a MAC, and no extension
    /// field either (RFC 7822 §3).
    TrailerLength {
        /// Bytes left at the end.
        len: usize,
    },
    /// Four bytes at the end that are not the zero of a crypto-NAK (RFC 5905 §9.2).
    KeyIdWithoutDigest,
    /// An extension field that claims fewer than 16 bytes (RFC 7822 §3).
    FieldTooShort {
        /// The length the field claims, bytes.
        length: u16,
    },
    /// An extension field whose length is no multiple of four (RFC 7822 §3).
    UnalignedField {
        /// The length the field claims, bytes.
        length: u16,
    },
    /// An extension field that claims more bytes than the datagram has left (RFC 7822 §3).
    FieldOverrun {
        /// The length the field claims, bytes.
        length: u16,
        /// Bytes left in the datagram from the start of the field.
        remaining: usize,
    },
    /// The last extension field, with no MAC behind it, has fewer than 28 bytes (RFC 7822
    /// §7.5.1.4).
    LastFieldTooShort {
        /// Length of the field, bytes.
        length: usize,
    },
    /// More than [`Packet::MAX_EXTENSION_FIELDS`] extension fields (RFC 7822, security
    /// considerations).
    TooManyFields,
}

impl PacketError {
    /// A name for counters and logs: lower case, words joined by hyphens, never changed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too-short",
            Self::UnsupportedVersion { .. } => "unsupported-version",
            Self::UnsupportedMode { .. } => "unsupported-mode",
            Self::UnalignedLength { .. } => "unaligned-length",
            Self::TrailerLength { .. } => "trailer-length",
            Self::KeyIdWithoutDigest => "key-id-without-digest",
            Self::FieldTooShort { .. } => "field-too-short",
            Self::UnalignedField { .. } => "unaligned-field",
            Self::FieldOverrun { .. } => "field-overrun",
            Self::LastFieldTooShort { .. } => "last-field-too-short",
            Self::TooManyFields => "too-many-fields",
        }
    }
}

impl From<FieldError> for PacketError {
    fn from(error: FieldError) -> Self {
        match error {
            FieldError::TooShort { length } => Self::FieldTooShort { length },
            FieldError::Unaligned { length } => Self::UnalignedField { length },
            FieldError::Overrun { length, remaining } => Self::FieldOverrun { length, remaining },
        }
    }
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { len } => {
                write!(f, "{len} bytes are too few for the 48 of an NTP header")
            }
            Self::UnsupportedVersion { version } => write!(f, "NTP version {version}"),
            Self::UnsupportedMode { mode } => write!(f, "mode {mode:?} carries no time"),
            Self::UnalignedLength { len } => {
                write!(f, "a length of {len} bytes is no multiple of four")
            }
            Self::TrailerLength { len } => {
                write!(f, "the last {len} bytes are neither a MAC nor an extension field")
            }
            Self::KeyIdWithoutDigest => f.write_str("a key identifier without a digest"),
            Self::FieldTooShort { length } => {
                write!(f, "an extension field of {length} bytes, 16 are the least")
            }
            Self::UnalignedField { length } => {
                write!(f, "an extension field of {length} bytes, no multiple of four")
            }
            Self::FieldOverrun { length, remaining } => {
                write!(f, "an extension field of {length} bytes where {remaining} are left")
            }
            Self::LastFieldTooShort { length } => write!(
                f,
                "a last extension field of {length} bytes, 28 are the least without a MAC"
            ),
            Self::TooManyFields => {
                write!(f, "more than {} extension fields", Packet::MAX_EXTENSION_FIELDS)
            }
        }
    }
}

impl core::error::Error for PacketError {}
