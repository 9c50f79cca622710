//! A client's half of NTS in NTP packets: what it adds to a request, and what the answer has to prove
//! (RFC 8915 §5.7).

use timeball_wire::{BufferTooSmall, ExtensionField, FieldType, Packet, PacketWriter};

use super::aead::AeadKey;
use super::fields::{
    EncryptedFields, FieldsError, MAX_NONCE_LEN, NtsFields, UNIQUE_IDENTIFIER_LEN,
    write_authenticator,
};

/// What makes a request one that only the holder of the cookie's keys can have sent.
#[derive(Clone, Copy, Debug)]
pub struct Protection<'a> {
    /// What the answer will repeat; unpredictable.
    pub unique_identifier: &'a [u8; UNIQUE_IDENTIFIER_LEN],
    /// The keys, as only the server can read them.
    pub cookie: &'a [u8],
    /// How many cookies are wanted beyond the one that every answer brings.
    pub placeholders: usize,
    /// What the request is authenticated with.
    pub key: &'a AeadKey,
    /// Never used with this key before; unpredictable.
    pub nonce: &'a [u8; MAX_NONCE_LEN],
}

impl Protection<'_> {
    /// Appends the fields to a request: nothing that has to be authentic may follow.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn write(&self, writer: &mut PacketWriter<'_>) -> Result<(), BufferTooSmall> {
        let cookie = self.cookie;
        let mut field = |field_type, value| writer.field(&ExtensionField { field_type, value });
        field(FieldType::UNIQUE_IDENTIFIER, self.unique_identifier)?;
        field(FieldType::NTS_COOKIE, cookie)?;
        const ZEROS: [u8; super::MAX_KEPT_COOKIE_LEN] = [0; super::MAX_KEPT_COOKIE_LEN];
        for _ in 0..self.placeholders {
            let value = ZEROS.get(..cookie.len()).ok_or(BufferTooSmall)?;
            field(FieldType::NTS_COOKIE_PLACEHOLDER, value)?;
        }
        write_authenticator(writer, self.key, self.nonce, &[])
    }
}

/// Why a packet is not the authentic answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// It does not repeat the request's random string: its sender has not seen the request.
    #[error("it does not repeat the unique identifier of the request")]
    UniqueIdentifier,
    /// It repeats it, but nothing authenticates it. All it can be is a kiss-o'-death.
    #[error("it has no authenticator")]
    Unauthenticated,
    /// The authenticator was made with another key, or the packet was changed on its way.
    #[error("its authenticator is wrong")]
    NotAuthentic,
    /// The fields are none that a server sends.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

/// Is this the authentic answer to the request of this identifier? Returns the encrypted fields, which
/// were decrypted to `out`.
///
/// # Errors
/// The first rule that it breaks.
pub fn open_response<'b>(
    packet: &Packet<'_>,
    unique_identifier: &[u8; UNIQUE_IDENTIFIER_LEN],
    key: &AeadKey,
    out: &'b mut [u8],
) -> Result<EncryptedFields<'b>, ResponseError> {
    let fields = NtsFields::of(packet)?;
    if fields.unique_identifier != Some(unique_identifier.as_slice()) {
        return Err(ResponseError::UniqueIdentifier);
    }
    let authenticator = fields.authenticator.ok_or(ResponseError::Unauthenticated)?;
    let text = authenticator.open(key, out).ok_or(ResponseError::NotAuthentic)?;
    let fields = EncryptedFields::new(text);
    match fields.clone().find_map(Result::err) {
        None => Ok(fields),
        Some(error) => Err(error.into()),
    }
}
