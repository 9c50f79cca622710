//! A whole NTP datagram: header, extension fields, trailer (RFC 5905 §7.3, RFC 7822 §3).
//!
//! [`Packet::parse`] checks every length once; what it returns borrows the datagram and cannot fail
//! any more. Nothing in here looks at what the fields *say*: sanity of stratum, timestamps and
//! digests belongs to those who know what they asked.

use crate::extension_field::{ExtensionField, ExtensionFields};
use crate::header::{Header, Mode};
use crate::packet_error::PacketError;

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
    /// two NTP ports the hosts are symmetric peers (RFC 1059, where the ports are all there is).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension_field::FieldType;

    /// A header of this version and mode, followed by `after`.
    fn datagram(version: u8, mode: u8, after: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; Header::LEN];
        bytes[0] = version << 3 | mode;
        bytes.extend_from_slice(after);
        bytes
    }

    fn field(number: u16, length: u16) -> Vec<u8> {
        let mut bytes = vec![0xee; usize::from(length)];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    fn error(version: u8, after: &[u8]) -> PacketError {
        Packet::parse(&datagram(version, 3, after)).unwrap_err()
    }

    #[test]
    fn deconstruct() {
        let bytes = datagram(4, 3, &[field(0x0104, 36), field(0x9999, 16), vec![7; 20]].concat());
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.header.version, packet.header.mode), (4, Mode::Client));
        let mut fields = packet.extension_fields();
        assert_eq!(fields.offset(), 48);
        assert_eq!(fields.next().unwrap().field_type, FieldType::UNIQUE_IDENTIFIER);
        assert_eq!(fields.offset(), 84);
        let unknown = fields.next().unwrap();
        assert_eq!((unknown.field_type.to_u16(), unknown.value), (0x9999, &[0xee; 12][..]));
        assert_eq!(fields.offset(), 100);
        assert_eq!((fields.next(), fields.next()), (None, None));
        assert_eq!(packet.trailer, Trailer::Mac { key_id: 0x0707_0707, digest: &[7; 16] });
        assert_eq!(packet.bytes_before_trailer(), &bytes[..100]);
        assert_eq!(packet.bytes(), bytes);
    }

    #[test]
    fn every_version_and_mode_has_its_answer() {
        for version in 0..=7 {
            for mode in 0..=7 {
                let bytes = datagram(version, mode, &[]);
                let outcome = Packet::parse(&bytes).map(|packet| packet.trailer);
                let expected = match (version, mode) {
                    (0 | 5.., _) => Err("unsupported-version"),
                    (2..=4, 0) | (_, 6 | 7) => Err("unsupported-mode"),
                    _ => Ok(Trailer::None),
                };
                assert_eq!(outcome.map_err(PacketError::name), expected, "{version} {mode}");
            }
        }
    }

    #[test]
    fn version_4_lengths_without_fields() {
        for len in 0..48 {
            assert_eq!(Packet::parse(&[0x23; 48][..len]), Err(PacketError::TooShort { len }));
        }
        for after in 1..=72 {
            let outcome =
                Packet::parse(&datagram(4, 4, &vec![0; after])).map(|p| match p.trailer {
                    Trailer::None => "none",
                    Trailer::CryptoNak => "crypto-nak",
                    Trailer::Mac { .. } => "mac",
                });
            let expected = match after {
                _ if after % 4 != 0 => Err(PacketError::UnalignedLength { len: 48 + after }),
                4 => Ok("crypto-nak"),
                20 | 24 => Ok("mac"),
                8 | 12 => Err(PacketError::TrailerLength { len: after }),
                _ => Err(PacketError::FieldTooShort { length: 0 }),
            };
            assert_eq!(outcome, expected, "{after} bytes after the header");
        }
        assert_eq!(error(4, &[0, 0, 0, 1]), PacketError::KeyIdWithoutDigest);
    }

    #[test]
    fn older_versions_end_with_an_authenticator_of_whatever_hash() {
        for version in 1..=3 {
            for after in 0..=80 {
                let bytes = datagram(version, 3, &vec![0; after]);
                let outcome = Packet::parse(&bytes).map(|packet| {
                    assert_eq!(packet.extension_fields().next(), None);
                    packet.trailer
                });
                let expected = match after {
                    _ if after % 4 != 0 => Err(PacketError::UnalignedLength { len: 48 + after }),
                    0 => Ok(Trailer::None),
                    4 => Ok(Trailer::CryptoNak),
                    20..=72 => Ok(Trailer::Mac { key_id: 0, digest: &bytes[52..] }),
                    len => Err(PacketError::TrailerLength { len }),
                };
                assert_eq!(outcome, expected, "version {version}, {after} bytes after the header");
            }
        }
        assert_eq!(error(3, &[1, 0, 0, 0]), PacketError::KeyIdWithoutDigest);
    }

    #[test]
    fn windows_asks_for_a_signature_with_zeros() {
        let asks = |after: &[u8]| {
            let bytes = datagram(3, 3, after);
            Packet::parse(&bytes).unwrap().trailer.asks_for_ms_sntp_signature()
        };
        let mut relative_identifier = [0; 72];
        relative_identifier[..4].copy_from_slice(&[0x53, 0x04, 0, 0]);
        assert!(asks(&relative_identifier[..20]));
        assert!(asks(&relative_identifier));
        assert!(!asks(&relative_identifier[..24]));
        assert!(!asks(&[]));
        assert!(!asks(&[0; 4]));
        relative_identifier[19] = 1;
        assert!(!asks(&relative_identifier[..20]));
    }

    #[test]
    fn last_field_without_a_mac_is_long_enough_not_to_be_one() {
        let len = |fields: &[Vec<u8>]| {
            let bytes = datagram(4, 3, &fields.concat());
            Packet::parse(&bytes).map(|packet| packet.extension_fields().count())
        };
        assert_eq!(len(&[field(1, 28)]), Ok(1));
        assert_eq!(len(&[field(1, 16), field(2, 28)]), Ok(2));
        assert_eq!(len(&[field(1, 16)]), Err(PacketError::LastFieldTooShort { length: 16 }));
        assert_eq!(
            len(&[field(1, 28), field(2, 16)]),
            Err(PacketError::LastFieldTooShort { length: 16 })
        );
        // 20 and 24 bytes are a MAC, whatever they look like.
        assert_eq!(len(&[field(1, 28), field(2, 20)]), Ok(1));
        assert_eq!(len(&[field(1, 24)]), Ok(0));
        // A field before a MAC may be short.
        assert_eq!(len(&[field(1, 16), vec![9; 20]]), Ok(1));
        assert_eq!(len(&[field(1, 16), vec![9; 24]]), Ok(1));
        // A crypto-NAK follows the header, nothing else.
        assert_eq!(len(&[field(1, 28), vec![0; 4]]), Err(PacketError::TrailerLength { len: 4 }));
    }

    #[test]
    fn impossible_field_lengths() {
        let claims = |length: u16| {
            let mut bytes = field(0x0104, 40);
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            error(4, &bytes)
        };
        for length in [0, 3, 4, 15] {
            assert_eq!(claims(length), PacketError::FieldTooShort { length });
        }
        for length in [17, 39, 65535] {
            assert_eq!(claims(length), PacketError::UnalignedField { length });
        }
        for length in [44, 65532] {
            assert_eq!(claims(length), PacketError::FieldOverrun { length, remaining: 40 });
        }
        // What is left after a field of 32 bytes is neither a field nor a MAC.
        assert_eq!(claims(32), PacketError::TrailerLength { len: 8 });
    }

    #[test]
    fn fields_are_bounded_in_number() {
        let with = |count: usize, ending: Vec<u8>| {
            let bytes = datagram(4, 3, &[vec![field(0x0205, 16); count].concat(), ending].concat());
            Packet::parse(&bytes).map(|packet| packet.extension_fields().count())
        };
        let most = Packet::MAX_EXTENSION_FIELDS;
        assert_eq!(with(most, vec![9; 20]), Ok(most));
        assert_eq!(with(most - 1, field(0x0205, 28)), Ok(most));
        assert_eq!(with(most, field(0x0205, 28)), Err(PacketError::TooManyFields));
        assert_eq!(with(most + 1, vec![9; 20]), Err(PacketError::TooManyFields));
        assert_eq!(with(4000, vec![]), Err(PacketError::TooManyFields));
    }

    #[test]
    fn version_1_leaves_its_mode_to_the_ports() {
        let effective = |version, mode, source, destination| {
            Packet::parse(&datagram(version, mode, &[]))
                .unwrap()
                .effective_mode(source, destination)
        };
        assert_eq!(effective(1, 0, 40_000, 123), Mode::Client);
        assert_eq!(effective(1, 0, 123, 40_000), Mode::Server);
        assert_eq!(effective(1, 0, 123, 123), Mode::SymmetricActive);
        assert_eq!(effective(1, 3, 123, 123), Mode::Client);
        assert_eq!(effective(2, 4, 40_000, 123), Mode::Server);
        assert_eq!(effective(4, 1, 40_000, 123), Mode::SymmetricActive);
    }
}
