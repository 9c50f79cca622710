//! A server's half of NTS in NTP packets: what proves a request, and what its response has to have
//! (RFC 8915 §5.7).
//!
//! Nothing is allocated here: a server does this for every request.

use timeball_wire::{BufferTooSmall, ExtensionField, FieldType, Packet, PacketWriter, Trailer};

use super::aead::{AeadAlgorithm, TAG_LEN};
use super::fields::{
    Authenticator, EncryptedFields, MAX_NONCE_LEN, NtsFields, UNIQUE_IDENTIFIER_LEN,
    write_authenticator,
};
use super::server_keys::{MAX_COOKIE_LEN, ServerKeys, SessionSecrets};

/// Cookies in one response, at most: as many as clients should hold (RFC 8915 §5.7).
pub const MAX_COOKIES: usize = 8;

/// Bytes that are encrypted in a request, at most: an Ethernet frame's worth.
const MAX_TEXT_LEN: usize = 1500;

/// Bytes of the lengths in an authenticator.
const LENGTHS: usize = 4;

/// A request with NTS's fields. Nothing of it is proven yet.
#[derive(Clone, Copy, Debug)]
pub struct ProtectedRequest<'p> {
    /// What every answer has to repeat.
    pub unique_identifier: &'p [u8],
    cookie: &'p [u8],
    placeholders: usize,
    authenticator: Authenticator<'p>,
}

/// Why a request is not answered with the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Its fields are not as they have to be. It gets no answer.
    Malformed,
    /// Its cookie is none of ours, or too old. It gets an NTS NAK.
    Cookie,
    /// It was not sent by whom the cookie was given to. It gets an NTS NAK.
    Authenticator,
}

/// Who has proven to have sent a request.
#[derive(Debug)]
pub struct Client {
    /// The key for the response is made when it is needed: ready for use, it is too large to be handed
    /// on from one to the next.
    secrets: SessionSecrets,
    /// Cookies for it: one for that which it used, and one for each placeholder.
    wanted: usize,
}

impl<'p> ProtectedRequest<'p> {
    /// The request that a packet is if it has an authenticator; `None` if it has none.
    ///
    /// # Errors
    /// [`Rejection::Malformed`].
    pub fn of(packet: &Packet<'p>) -> Result<Option<Self>, Rejection> {
        let is_authenticator =
            |field: ExtensionField<'_>| field.field_type == FieldType::NTS_AUTHENTICATOR;
        if !packet.extension_fields().any(is_authenticator) {
            return Ok(None);
        }
        let fields = NtsFields::of(packet).map_err(|_| Rejection::Malformed)?;
        let long_enough = |identifier: &&[u8]| identifier.len() >= UNIQUE_IDENTIFIER_LEN;
        match fields {
            NtsFields {
                unique_identifier: Some(unique_identifier),
                cookie: Some(cookie),
                placeholders,
                authenticator: Some(authenticator),
                // Two proofs are none: who is to say which of them counts (RFC 7822 §3 7.5.1.3)?
            } if long_enough(&unique_identifier) && packet.trailer == Trailer::None => {
                Ok(Some(Self { unique_identifier, cookie, placeholders, authenticator }))
            }
            _ => Err(Rejection::Malformed),
        }
    }

    /// Has the request prove itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(&self, keys: &ServerKeys) -> Result<Client, Rejection> {
        let secrets = keys.open(self.cookie).ok_or(Rejection::Cookie)?;
        if !makes_room_for_a_nonce(&self.authenticator, secrets.algorithm()) {
            return Err(Rejection::Malformed);
        }
        let mut text = [0; MAX_TEXT_LEN];
        let to_server = secrets.to_server().ok_or(Rejection::Cookie)?;
        let text = self.authenticator.open(&to_server, &mut text);
        let mut hidden = 0_usize;
        for field in EncryptedFields::new(text.ok_or(Rejection::Authenticator)?) {
            let field = field.map_err(|_| Rejection::Malformed)?;
            let is_placeholder = field.field_type == FieldType::NTS_COOKIE_PLACEHOLDER
                && field.value.len() == self.cookie.len();
            hidden = hidden.saturating_add(usize::from(is_placeholder));
        }
        let wanted = self.placeholders.saturating_add(hidden).saturating_add(1);
        Ok(Client { secrets, wanted })
    }
}

/// With its padding, the nonce must be as long as ours: else the response would be longer than the
/// request (RFC 8915 §5.6).
fn makes_room_for_a_nonce(authenticator: &Authenticator<'_>, algorithm: AeadAlgorithm) -> bool {
    let Authenticator { nonce, padding, .. } = authenticator;
    nonce.len().saturating_add(padding.len()) >= algorithm.nonce_len()
}

impl Client {
    /// Ends a response with its authenticator, in which new cookies are encrypted: so many as the
    /// client wants and `room` has place for, which is what of the request's length is left (bytes).
    /// `nonces` must never give the same bytes twice.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if there is not even room for an authenticator.
    pub fn seal(
        &self,
        keys: &ServerKeys,
        mut nonces: impl FnMut() -> [u8; MAX_NONCE_LEN],
        room: usize,
        writer: &mut PacketWriter<'_>,
    ) -> Result<(), BufferTooSmall> {
        let nonce_len = self.secrets.algorithm().nonce_len();
        let bare = ExtensionField::HEADER_LEN + LENGTHS + nonce_len + TAG_LEN;
        let room = room.checked_sub(bare).ok_or(BufferTooSmall)?;
        let field_len = ExtensionField::HEADER_LEN + keys.cookie_len(self.secrets.algorithm());
        let count = (room / field_len).min(self.wanted).min(MAX_COOKIES);

        let mut text = [0; MAX_COOKIES * (ExtensionField::HEADER_LEN + MAX_COOKIE_LEN)];
        let text = text.get_mut(..count * field_len).ok_or(BufferTooSmall)?;
        for place in text.chunks_exact_mut(field_len) {
            let mut cookie = [0; MAX_COOKIE_LEN];
            let len = keys.seal(&self.secrets, &nonces(), &mut cookie).ok_or(BufferTooSmall)?;
            let value = cookie.get(..len).ok_or(BufferTooSmall)?;
            ExtensionField { field_type: FieldType::NTS_COOKIE, value }.emit(place)?;
        }
        // A cookie has the bytes of both keys.
        let to_client = self.secrets.to_client().ok_or(BufferTooSmall)?;
        write_authenticator(writer, &to_client, &nonces(), text)
    }
}

#[cfg(test)]
mod tests;
