//! Is a datagram a request for the time?

use std::net::{IpAddr, SocketAddr};

use timeball_auth::{KeyId, Keys};
use timeball_wire::{Message, Mode, NTP_PORT, Packet, Trailer, classify};

use super::refusal::Refusal;

/// Services that answer whatever they get. Other ports below NTP's are some client's behind a
/// translator of addresses: of those services that listen there, none takes an answer of ours for
/// anything but an error, and what it says of that is no request to us.
const ECHO: u16 = 7;
const DAYTIME: u16 = 13;
const QUOTE: u16 = 17;
const CHARGEN: u16 = 19;
const TIME: u16 = 37;

/// Can the sender be one host that asks for the time?
pub(super) fn check_sender(from: SocketAddr) -> Result<(), Refusal> {
    match from.port() {
        0 => return Err(Refusal::PortZero),
        ECHO | DAYTIME | QUOTE | CHARGEN | TIME => return Err(Refusal::ReflectorPort),
        _ => {}
    }
    let one_host = match from.ip().to_canonical() {
        IpAddr::V4(address) => matches!(address.octets()[0], 1..=223),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    };
    if one_host { Ok(()) } else { Err(Refusal::MartianSource) }
}

/// The datagram as a request for the time.
///
/// Extension fields do not change the question (RFC 7822 §3).
pub(super) fn time_request(datagram: &[u8], source_port: u16) -> Result<Packet<'_>, Refusal> {
    let packet = match classify(datagram) {
        Message::Time(packet) => packet,
        Message::Control(_) => return Err(Refusal::ControlMessage),
        Message::Private(_) => return Err(Refusal::PrivateMessage),
        Message::Garbage(garbage) => return Err(garbage.into()),
    };
    // Whatever port we listen on is NTP's to us.
    match packet.effective_mode(source_port, NTP_PORT) {
        Mode::Client => {}
        Mode::SymmetricActive | Mode::SymmetricPassive => return Err(Refusal::Symmetric),
        Mode::Server => return Err(Refusal::Response),
        Mode::Broadcast => return Err(Refusal::Broadcast),
        Mode::Reserved => return Err(Refusal::ReservedMode),
        Mode::Control => return Err(Refusal::ControlMessage),
        Mode::Private => return Err(Refusal::PrivateMessage),
    }
    match packet.trailer {
        Trailer::None | Trailer::Mac { .. } => Ok(packet),
        Trailer::CryptoNak => Err(Refusal::CryptoNak),
    }
}

/// The key that the request proves to know, if it has a MAC.
///
/// Where it does not, it is refused in silence rather than by the crypto-NAK of RFC 5905 §9.2: a
/// crypto-NAK is itself not authenticated, so no careful client heeds it.
pub(super) fn signer(
    request: &Packet<'_>,
    client: IpAddr,
    keys: &Keys,
) -> Result<Option<KeyId>, Refusal> {
    let Trailer::Mac { key_id, digest } = request.trailer else { return Ok(None) };
    let key = KeyId::new(key_id).and_then(|id| keys.get(id)).ok_or(Refusal::UnknownKey)?;
    if !key.is_for(client) {
        return Err(Refusal::KeyNotForHost);
    }
    match key.verify(request.header.version, request.bytes_before_trailer(), digest) {
        true => Ok(Some(key.id())),
        false => Err(Refusal::BadMac),
    }
}
