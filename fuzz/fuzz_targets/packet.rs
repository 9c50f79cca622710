//! Any datagram: parsing ends in a packet or a named error, and a packet written again field by
//! field is the datagram it came from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timeball_wire::{Header, Packet, PacketWriter, Trailer};

fuzz_target!(|datagram: &[u8]| {
    match Packet::parse(datagram) {
        Ok(packet) => walk_and_rewrite(&packet, datagram),
        Err(error) => {
            assert!(!error.name().is_empty());
            assert!(!error.to_string().is_empty());
        }
    }
});

fn walk_and_rewrite(packet: &Packet<'_>, datagram: &[u8]) {
    assert_eq!(packet.bytes(), datagram);
    assert!((1..=4).contains(&packet.header.version));
    assert!(packet.extension_fields().count() <= Packet::MAX_EXTENSION_FIELDS);

    let mut buffer = vec![0xaa; datagram.len()];
    let mut writer = PacketWriter::new(&packet.header, &mut buffer).expect("room for the header");
    let mut fields = packet.extension_fields();
    let mut offset = Header::LEN;
    loop {
        assert_eq!(fields.offset(), offset);
        let Some(field) = fields.next() else { break };
        writer.field(&field).expect("room for a field that was there before");
        offset += field.wire_len().expect("a received field has a length");
    }
    assert_eq!(packet.bytes_before_trailer(), writer.written());

    let rewritten = match packet.trailer {
        Trailer::None => writer.finish(),
        Trailer::CryptoNak => writer.finish_with_crypto_nak(),
        Trailer::Mac { key_id, digest } => writer.finish_with_mac(key_id, digest),
    };
    assert_eq!(rewritten, Ok(datagram));
}
