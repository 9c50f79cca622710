//! A whole NTP datagram: header, extension fields, trailer (RFC 5905 §7.3, RFC 7822 §3).
//!
//! [`Packet::parse`] checks every length once; what it returns borrows the datagram and cannot fail
//! any more. Nothing in here looks at what the fields *say*: sanity of stratum, timestamps and
//! digests belongs to those who know what they asked.

use core::fmt;

use crate::extension_field::{ExtensionField, ExtensionFields, FieldError};
use crate::header::{Header, Mode};

/// The UDP port of NTP.
pub const NTP_PORT: u16 = 123;

/// A datagram whose lengths are all right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The first 48 bytes.
    pub header: Header,
    /// What follows the last extension field.
    pub trailer: Trailer<'a>,
    bytes: &'a [u8],
    fields: &'a [u8],
}

/// The end of a packet, as bytes: whether a digest is right is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trailer<'a> {
    /// The packet ends with its header or its last extension field.
    None,
    /// Four zero bytes: the server could not authenticate the request (RFC 5905 §9.2). Proves
    /// nothing, as anybody can send it.
    CryptoNak,
    /// A key identifier and a digest of everything before it.
    Mac {
        /// Names the key; both sides know it.
        key_id: u32,
        /// 16 or 20 bytes in version 4, 16 to 68 bytes below.
        digest: &'a [u8],
    },
}

impl Trailer<'_> {
    /// True for the all-zero digest with which a Windows client asks its domain controller to sign
    /// the answer (MS-SNTP §2.2: an authenticator of 16 bytes, or an extended one of 68).
    pub fn asks_for_ms_sntp_signature(&self) -> bool {
        match self {
            Self::None | Self::CryptoNak => false,
            Self::Mac { digest, .. } => {
                matches!(digest.len(), 16 | 68) && digest.iter().all(|byte| *byte == 0)
            }
        }
    }
}

impl<'a> Packet<'a> {
    /// The most extension fields a packet may carry. An NTS request needs ten; a packet with
    /// hundreds is an attempt to make us work (RFC 7822, security considerations).
    pub const MAX_EXTENSION_FIELDS: usize = 64;
    /// A key identifier and the shortest digest.
    const MIN_MAC_LEN: usize = 4 + 16;
    /// A key identifier and the longest digest of version 4 (RFC 7822 §3 7.5.1.3).
    const MAX_MAC_LEN_V4: usize = 4 + 20;
    /// Versions below 4 have no extension fields to mistake a MAC for: digests go untruncated up to
    /// the 64 bytes of SHA-512, and MS-SNTP's extended authenticator takes 72 bytes with the key
    /// identifier.
    const MAX_MAC_LEN_V3: usize = 72;

    /// Reads a datagram of versions 1 to 4 and a mode that carries time.
    ///
    /// # Errors
    /// The first rule that the datagram breaks, see [`PacketError`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let Some((header, rest)) = datagram.split_first_chunk::<{ Header::LEN }>() else {
            return Err(PacketError::TooShort { len: datagram.len() });
        };
        let header = Header::from_bytes(header);
        match (header.version, header.mode) {
            (0 | 5.., _) => {
                return Err(PacketError::UnsupportedVersion { version: header.version });
            }
            (2.., Mode::Reserved) | (_, Mode::Control | Mode::Private) => {
                return Err(PacketError::UnsupportedMode { mode: header.mode });
            }
            (
                _,
                Mode::Reserved
                | Mode::SymmetricActive
                | Mode::SymmetricPassive
                | Mode::Client
                | Mode::Server
                | Mode::Broadcast,
            ) => {}
        }
        if !datagram.len().is_multiple_of(4) {
            return Err(PacketError::UnalignedLength { len: datagram.len() });
        }
        let (fields, trailer) = match header.version {
            4 => split_fields_and_trailer(rest)?,
            _ => (rest.get(..0).unwrap_or_default(), old_trailer(rest)?),
        };
        Ok(Self { header, trailer, bytes: datagram, fields })
    }

    /// The whole datagram.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The extension fields in the order they were sent, known or not.
    pub const fn extension_fields(&self) -> ExtensionFields<'a> {
        ExtensionFields::new(self.fields, Header::LEN)
    }

    /// The bytes a MAC covers: header and extension fields (RFC 7822 §3).
    pub fn bytes_before_trailer(&self) -> &'a [u8] {
        let len = Header::LEN.saturating_add(self.fields.len());
        self.bytes.get(..len).unwrap_or(self.bytes)
    }

    /// The mode, also of a version 1 packet, which leaves the field zero: there a packet from a
    /// port other than NTP's is a request, one from NTP's port to another a response, and between
    /// two NTP ports the hosts are symmetric peers (RFC 1059 §3.3).
    ///
    /// Every other packet says its mode itself.
    pub const fn effective_mode(&self, source_port: u16, destination_port: u16) -> Mode {
        match (self.header.version, self.header.mode) {
            (1, Mode::Reserved) => match (source_port, destination_port) {
                (NTP_PORT, NTP_PORT) => Mode::SymmetricActive,
                (NTP_PORT, _) => Mode::Server,
                (_, _) => Mode::Client,
            },
            (_, mode) => mode,
        }
    }
}

/// Version 4: extension fields, then perhaps a MAC (RFC 7822 §3).
fn split_fields_and_trailer(after_header: &[u8]) -> Result<(&[u8], Trailer<'_>), PacketError> {
    if let Some(trailer) = bare_key_id(after_header)? {
        return Ok((&[], trailer));
    }
    let mut rest = after_header;
    let mut last_len = None;
    for _ in 0..=Packet::MAX_EXTENSION_FIELDS {
        match (rest.len(), last_len) {
            (0, Some(last_len)) if last_len < ExtensionField::MIN_LAST_LEN => {
                return Err(PacketError::LastFieldTooShort { length: last_len });
            }
            (0, _) => return Ok((after_header, Trailer::None)),
            (1..ExtensionField::MIN_LEN, _) => {
                return Err(PacketError::TrailerLength { len: rest.len() });
            }
            // A last field of this length cannot be told from a MAC, which is why RFC 7822
            // forbids it.
            (Packet::MIN_MAC_LEN..=Packet::MAX_MAC_LEN_V4, _) => {
                let fields_len = after_header.len().saturating_sub(rest.len());
                return Ok((after_header.get(..fields_len).unwrap_or_default(), mac(rest)?));
            }
            _ => {}
        }
        let (_, after_field) = ExtensionField::split_from(rest)?;
        last_len = Some(rest.len().saturating_sub(after_field.len()));
        rest = after_field;
    }
    Err(PacketError::TooManyFields)
}

/// Versions 1 to 3: everything after the header is the authenticator (RFC 1305 appendix C).
fn old_trailer(after_header: &[u8]) -> Result<Trailer<'_>, PacketError> {
    if let Some(trailer) = bare_key_id(after_header)? {
        return Ok(trailer);
    }
    match after_header.len() {
        0 => Ok(Trailer::None),
        Packet::MIN_MAC_LEN..=Packet::MAX_MAC_LEN_V3 => mac(after_header),
        len => Err(PacketError::TrailerLength { len }),
    }
}

/// A header followed by nothing but a key identifier: a crypto-NAK if the identifier is zero.
fn bare_key_id(after_header: &[u8]) -> Result<Option<Trailer<'_>>, PacketError> {
    match after_header {
        [0, 0, 0, 0] => Ok(Some(Trailer::CryptoNak)),
        [_, _, _, _] => Err(PacketError::KeyIdWithoutDigest),
        _ => Ok(None),
    }
}

fn mac(bytes: &[u8]) -> Result<Trailer<'_>, PacketError> {
    let (key_id, digest) =
        bytes.split_first_chunk().ok_or(PacketError::TrailerLength { len: bytes.len() })?;
    Ok(Trailer::Mac { key_id: u32::from_be_bytes(*key_id), digest })
}

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
    /// More than [`Packet::MAX_EXTENSION_FIELDS`] extension fields (RFC 7822, security considerations).
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
