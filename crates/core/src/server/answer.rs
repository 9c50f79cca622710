//! What is sent in answer to a request: a header, the fields that it asked for, and a proof of the
//! same kind as its own.

use timeball_auth::nts::response::{Client, ProtectedRequest, Rejection};
use timeball_auth::{KeyId, Keys};
use timeball_wire::{
    BufferTooSmall, ExtensionField, FieldType, Header, MonoRoot, Packet, PacketWriter,
};

use super::nts::CookieKeys;
use super::refusal::Refusal;

/// Bytes of the longest answer: that to the longest request, an Ethernet frame's worth.
pub const MAX_ANSWER_LEN: usize = 1500;

/// What to send.
pub(super) struct Answer<'r> {
    pub(super) header: Header,
    /// If the request asks for it.
    pub(super) mono_root: Option<MonoRoot>,
    /// That of the request.
    pub(super) unique_identifier: Option<&'r [u8]>,
    pub(super) proof: &'r Proof,
}

/// How a request was authenticated, and so how its answer will be.
#[derive(Debug)]
pub(super) enum Proof {
    None,
    Key(KeyId),
    Nts(Client),
}

#[derive(Debug)]
pub(super) enum Kind {
    Time,
    /// Slow down.
    Rate,
    /// What protects the request is not what it should be.
    NtsNak,
}

impl Answer<'_> {
    /// Writes it to the start of `out`, which is as long as the request, and answers how long it is.
    pub(super) fn write(
        &self,
        keys: &Keys,
        cookies: Option<&mut CookieKeys>,
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let room = out.len();
        let mut writer = PacketWriter::new(&self.header, out)?;
        if let Some(value) = self.unique_identifier {
            let field_type = FieldType::UNIQUE_IDENTIFIER;
            writer.field(&ExtensionField { field_type, value })?;
        }
        if let Some(said) = self.mono_root {
            let field_type = FieldType::MONO_ROOT;
            writer.field(&ExtensionField { field_type, value: &said.to_value() })?;
        }
        let written = match (self.proof, cookies) {
            (Proof::Key(id), _) => {
                let key = keys.get(*id).ok_or(BufferTooSmall)?;
                let digest = key.sign(self.header.version, writer.written());
                writer.finish_with_mac(id.get(), digest.as_bytes())?
            }
            (Proof::Nts(client), Some(cookies)) => {
                let (keys, nonces) = cookies.split();
                let left = room.saturating_sub(writer.written().len());
                client.seal(keys, nonces, left, &mut writer)?;
                writer.finish()?
            }
            // Who lets requests prove themselves has keys.
            (Proof::Nts(_), None) => return Err(BufferTooSmall),
            (Proof::None, _) => writer.finish()?,
        };
        Ok(written.len())
    }
}

/// What the fields of NTS in a request are worth.
pub(super) enum Protection {
    /// There are none, or nobody here who could tell.
    None,
    /// It was sent by whom it says.
    Proven(Client),
    /// It gets an NTS NAK.
    Unproven(Rejection),
}

/// Has NTS prove a request.
pub(super) fn protection(
    request: &Packet<'_>,
    cookies: Option<&CookieKeys>,
) -> Result<Protection, Refusal> {
    let Some(cookies) = cookies else { return Ok(Protection::None) };
    let Some(protected) = ProtectedRequest::of(request).map_err(|_| Refusal::MalformedNts)? else {
        return Ok(Protection::None);
    };
    match protected.open(cookies.keys()) {
        Ok(client) => Ok(Protection::Proven(client)),
        Err(Rejection::Malformed) => Err(Refusal::MalformedNts),
        Err(rejection) => Ok(Protection::Unproven(rejection)),
    }
}

/// The random string that a request has, with or without the rest of NTS: whoever puts it in knows the
/// answer by it (RFC 8915 §5.3).
pub(super) fn unique_identifier<'r>(request: &Packet<'r>) -> Option<&'r [u8]> {
    let mut fields = request.extension_fields();
    let found = fields.find(|field| field.field_type == FieldType::UNIQUE_IDENTIFIER);
    found.map(|field| field.value)
}
