//! The extension fields of NTS in an NTP packet (RFC 8915 §5), as client and server see them.

use timeball_wire::{BufferTooSmall, ExtensionField, FieldType, Packet, PacketWriter};

use super::aead::{AeadKey, TAG_LEN};

/// Bytes of the random string by which a client knows the answer to its request (RFC 8915 §5.3).
pub const UNIQUE_IDENTIFIER_LEN: usize = 32;

/// Bytes of randomness that an authenticator takes, whichever cipher it is made with.
pub const MAX_NONCE_LEN: usize = 16;

/// Bytes of the longest authenticator that we write, without the four of an extension field.
const MAX_AUTHENTICATOR_LEN: usize = 2048;

/// The fields of NTS in a packet. What follows the authenticator is not looked at: nobody has vouched
/// for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtsFields<'a> {
    /// The random string of the request.
    pub unique_identifier: Option<&'a [u8]>,
    /// The cookie of a request.
    pub cookie: Option<&'a [u8]>,
    /// How many placeholders there are that have the length of the cookie.
    pub placeholders: usize,
    /// The proof of all that precedes it.
    pub authenticator: Option<Authenticator<'a>>,
}

/// The field that authenticates all that precedes it, and has encrypted fields in itself (RFC 8915
/// §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticator<'a> {
    /// The nonce, without its padding.
    pub nonce: &'a [u8],
    /// The encrypted fields and the tag.
    pub sealed: &'a [u8],
    /// What it authenticates.
    pub associated: &'a [u8],
    /// Bytes behind all that, which make room for a longer nonce.
    pub padding: &'a [u8],
}

/// Why the fields of a packet cannot be what RFC 8915 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// A field that has to be the only one of its type is there twice.
    #[error("two extension fields of the type {0:?}")]
    Repeated(FieldType),
    /// The lengths in an authenticator are greater than it is.
    #[error("the lengths in the authenticator are greater than it is")]
    AuthenticatorLength,
    /// The encrypted fields do not end where they should.
    #[error("the lengths of the encrypted extension fields are wrong")]
    EncryptedLength,
}

impl<'a> NtsFields<'a> {
    /// Those of this packet.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of(packet: &Packet<'a>) -> Result<Self, FieldsError> {
        let mut found = Self::default();
        let mut fields = packet.extension_fields();
        let mut end = fields.offset();
        while let Some(ExtensionField { field_type, value }) = fields.next() {
            match field_type {
                FieldType::UNIQUE_IDENTIFIER => {
                    once(&mut found.unique_identifier, field_type, value)?
                }
                FieldType::NTS_COOKIE => once(&mut found.cookie, field_type, value)?,
                FieldType::NTS_AUTHENTICATOR => {
                    let associated = packet.bytes().get(..end).unwrap_or_default();
                    let read = Authenticator::read(value, associated);
                    found.authenticator = Some(read.ok_or(FieldsError::AuthenticatorLength)?);
                    break;
                }
                _ => {}
            }
            end = fields.offset();
        }
        if let Some(cookie) = found.cookie {
            let vouched_for = packet
                .extension_fields()
                .take_while(|field| field.field_type != FieldType::NTS_AUTHENTICATOR);
            found.placeholders = vouched_for
                .filter(|field| field.field_type == FieldType::NTS_COOKIE_PLACEHOLDER)
                .filter(|field| field.value.len() == cookie.len())
                .count();
        }
        Ok(found)
    }
}

fn once<'a>(
    place: &mut Option<&'a [u8]>,
    field_type: FieldType,
    value: &'a [u8],
) -> Result<(), FieldsError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(FieldsError::Repeated(field_type)),
    }
}

impl<'a> Authenticator<'a> {
    fn read(value: &'a [u8], associated: &'a [u8]) -> Option<Self> {
        let (&[nonce_high, nonce_low, sealed_high, sealed_low], rest) =
            value.split_first_chunk()?;
        let nonce_len = usize::from(u16::from_be_bytes([nonce_high, nonce_low]));
        let sealed_len = usize::from(u16::from_be_bytes([sealed_high, sealed_low]));
        let (nonce, rest) = rest.split_at_checked(nonce_len.next_multiple_of(4))?;
        let (sealed, padding) = rest.split_at_checked(sealed_len.next_multiple_of(4))?;
        let (nonce, sealed) = (nonce.get(..nonce_len)?, sealed.get(..sealed_len)?);
        Some(Self { nonce, sealed, associated, padding })
    }

    /// Decrypts to the start of `out`: the bytes of the encrypted fields. `None` if the packet is not
    /// authentic, or there is no room.
    pub fn open<'b>(&self, key: &AeadKey, out: &'b mut [u8]) -> Option<&'b [u8]> {
        let len = key.open(self.nonce, self.associated, self.sealed, out)?;
        out.get(..len)
    }
}

/// Appends the authenticator of all that has been written so far, with `text` encrypted in it: whole
/// fields, or nothing. Of `nonce`, which must never have been used with the key, as much is taken as
/// the cipher needs.
///
/// # Errors
/// [`BufferTooSmall`] if there is no room, or the text is longer than any packet needs.
pub fn write_authenticator(
    writer: &mut PacketWriter<'_>,
    key: &AeadKey,
    nonce: &[u8; MAX_NONCE_LEN],
    text: &[u8],
) -> Result<(), BufferTooSmall> {
    let nonce = nonce.get(..key.algorithm().nonce_len()).ok_or(BufferTooSmall)?;
    let sealed_len = text.len().checked_add(TAG_LEN).ok_or(BufferTooSmall)?;
    let mut value = [0; MAX_AUTHENTICATOR_LEN];
    let (lengths, rest) = value.split_first_chunk_mut::<4>().ok_or(BufferTooSmall)?;
    let [nonce_high, nonce_low] =
        u16::try_from(nonce.len()).map_err(|_| BufferTooSmall)?.to_be_bytes();
    let [sealed_high, sealed_low] =
        u16::try_from(sealed_len).map_err(|_| BufferTooSmall)?.to_be_bytes();
    *lengths = [nonce_high, nonce_low, sealed_high, sealed_low];
    // The nonces of all ciphers end where a padded one would.
    let (place, rest) = rest.split_at_mut_checked(nonce.len()).ok_or(BufferTooSmall)?;
    place.copy_from_slice(nonce);
    key.seal(nonce, writer.written(), text, rest).ok_or(BufferTooSmall)?;
    let len = 4 + nonce.len() + sealed_len.next_multiple_of(4);
    let value = value.get(..len).ok_or(BufferTooSmall)?;
    writer.field(&ExtensionField { field_type: FieldType::NTS_AUTHENTICATOR, value })
}

/// The fields that were encrypted in an authenticator. They may be shorter than those which others
/// can see (RFC 8915 §5.6).
#[derive(Clone, Debug)]
pub struct EncryptedFields<'a>(&'a [u8]);

impl<'a> EncryptedFields<'a> {
    /// Those in a decrypted text.
    pub const fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    fn split(&self) -> Option<(ExtensionField<'a>, &'a [u8])> {
        let &[type_high, type_low, length_high, length_low] = self.0.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([length_high, length_low]));
        let (field, rest) = self.0.split_at_checked(len)?;
        let value = field.get(ExtensionField::HEADER_LEN..).filter(|_| len.is_multiple_of(4))?;
        let field_type = FieldType::from_u16(u16::from_be_bytes([type_high, type_low]));
        Some((ExtensionField { field_type, value }, rest))
    }
}

impl<'a> Iterator for EncryptedFields<'a> {
    type Item = Result<ExtensionField<'a>, FieldsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((field, rest)) = self.split() else {
            self.0 = &[];
            return Some(Err(FieldsError::EncryptedLength));
        };
        self.0 = rest;
        Some(Ok(field))
    }
}

#[cfg(test)]
mod tests;
