//! What is sent: a header, perhaps an extension field, and behind them the digest that a key makes of
//! both.

use arrayvec::ArrayVec;
use timeball_auth::Key;
use timeball_wire::{ExtensionField, FieldType, Header, MonoRoot};

/// Bytes of the longest that we send: a version 3 packet with a whole SHA-512 digest. Extension fields
/// come with version 4, whose digests are shorter by more than the field is long.
pub const MAX_DATAGRAM_LEN: usize = Header::LEN + KEY_ID_LEN + 64;

const KEY_ID_LEN: usize = 4;

/// A packet to send.
pub type Datagram = ArrayVec<u8, MAX_DATAGRAM_LEN>;

/// The packet with this header, signed with the key if there is one (RFC 5905 §7.3).
pub fn compose(header: &Header, key: Option<&Key>) -> Datagram {
    compose_with(header, None, key)
}

/// The same with monotonic time and finer root values, if the header is of version 4.
pub fn compose_with(header: &Header, mono_root: Option<MonoRoot>, key: Option<&Key>) -> Datagram {
    let mut datagram: Datagram = header.to_bytes().into_iter().collect();
    if let Some(said) = mono_root.filter(|_| header.version == 4) {
        let field = ExtensionField { field_type: FieldType::MONO_ROOT, value: &said.to_value() };
        let mut bytes = [0; MonoRoot::FIELD_LEN];
        let written = field.emit(&mut bytes).unwrap_or(0);
        datagram.extend(bytes.into_iter().take(written));
    }
    if let Some(key) = key {
        let digest = key.sign(header.version, &datagram);
        datagram.extend(key.id().get().to_be_bytes());
        datagram.extend(digest.as_bytes().iter().copied());
    }
    datagram
}

#[cfg(test)]
mod tests {
    use timeball_auth::{Algorithm, KeyId};
    use timeball_wire::{Packet, Trailer};

    use super::*;

    #[test]
    fn a_signed_packet_is_read_with_its_digest() {
        let id = KeyId::new(0x0102_0304).unwrap();
        for (first, algorithm, len) in [
            (0x1b, Algorithm::Sha512, MAX_DATAGRAM_LEN),
            (0x1b, Algorithm::Md5, 68),
            (0x23, Algorithm::Sha512, 72),
            (0x23, Algorithm::Md5, 68),
            (0x23, Algorithm::Aes128, 68),
        ] {
            let mut header = [0; Header::LEN];
            header[0] = first;
            let header = Header::from_bytes(&header);
            let key = Key::new(id, algorithm, b"0123456789abcdef").unwrap();
            let signed = compose(&header, Some(&key));
            assert_eq!(signed.len(), len);
            let packet = Packet::parse(&signed).unwrap();
            let Trailer::Mac { key_id, digest } = packet.trailer else {
                panic!("{:?}", packet.trailer);
            };
            assert_eq!(key_id, 0x0102_0304);
            assert!(key.verify(header.version, packet.bytes_before_trailer(), digest));
            assert_eq!(compose(&header, None).as_slice(), header.to_bytes());

            let with_field = compose_with(&header, Some(MonoRoot::default()), Some(&key));
            let fields = Packet::parse(&with_field).unwrap().extension_fields().count();
            let added = if header.version == 4 { 1 } else { 0 };
            assert_eq!((fields, with_field.len()), (added, len + 28 * added));
        }
    }
}
