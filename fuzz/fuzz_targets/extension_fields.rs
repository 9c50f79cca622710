//! Any list of fields: what the writer accepts, the parser reads back as what was meant.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use timeball_wire::{ExtensionField, FieldType, Header, Packet, PacketWriter, Trailer};

#[derive(Arbitrary, Debug)]
struct Plan<'a> {
    fields: Vec<(u16, &'a [u8])>,
    ending: Ending,
    room: u16,
}

#[derive(Arbitrary, Debug)]
enum Ending {
    Nothing,
    ShortMac(u32, [u8; 16]),
    LongMac(u32, [u8; 20]),
}

fuzz_target!(|plan: Plan<'_>| {
    if plan.fields.len() > Packet::MAX_EXTENSION_FIELDS {
        return;
    }
    let mut first_byte = [0; Header::LEN];
    first_byte[0] = 0x23;
    let header = Header::from_bytes(&first_byte);
    let mut buffer = vec![0xaa; usize::from(plan.room)];
    let Ok(mut writer) = PacketWriter::new(&header, &mut buffer) else { return };
    for &(number, value) in &plan.fields {
        let field = ExtensionField { field_type: FieldType::from_u16(number), value };
        if writer.field(&field).is_err() {
            return;
        }
    }
    let written = match &plan.ending {
        Ending::Nothing => writer.finish(),
        Ending::ShortMac(key_id, digest) => writer.finish_with_mac(*key_id, digest),
        Ending::LongMac(key_id, digest) => writer.finish_with_mac(*key_id, digest),
    };
    let Ok(datagram) = written else { return };

    let packet = Packet::parse(datagram).expect("what we write, we can read");
    assert_eq!(packet.header, header);
    match (packet.trailer, &plan.ending) {
        (Trailer::None, Ending::Nothing) => {}
        (Trailer::Mac { key_id, digest }, Ending::ShortMac(id, expected)) => {
            assert!(key_id == *id && digest == expected);
        }
        (Trailer::Mac { key_id, digest }, Ending::LongMac(id, expected)) => {
            assert!(key_id == *id && digest == expected);
        }
        (trailer, ending) => panic!("{ending:?} became {trailer:?}"),
    }
    assert_eq!(packet.extension_fields().count(), plan.fields.len());
    for (field, &(number, value)) in packet.extension_fields().zip(&plan.fields) {
        assert_eq!(field.field_type.to_u16(), number);
        let (start, padding) = field.value.split_at(value.len());
        assert_eq!(start, value);
        assert!(padding.iter().all(|byte| *byte == 0));
    }
});
