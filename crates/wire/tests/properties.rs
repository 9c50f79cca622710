//! What must hold for every input: round trips, and no panic on anything.
//!
//! A failing case is reduced, printed, and its seed kept beside this file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use timeball_wire::nts_ke::Record;
use timeball_wire::{
    ExtensionField, FieldType, Header, Message, MonoRoot, NtpTimestamp, Packet, PacketWriter, Span,
    Time32, Timestamp, Trailer, classify,
};

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::with_cases(2_000)
    }
}

/// A 48-byte header of this version, in a mode that carries time.
fn header_of(version: u8) -> impl Strategy<Value = Header> {
    (any::<[u8; Header::LEN]>(), 1..=5_u8).prop_map(move |(mut bytes, mode)| {
        bytes[0] = bytes[0] & 0xc0 | version << 3 | mode;
        Header::from_bytes(&bytes)
    })
}

fn fields() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    vec((any::<u16>(), vec(any::<u8>(), 0..60)), 0..=8)
}

fn digest() -> impl Strategy<Value = Option<(u32, Vec<u8>)>> {
    let bytes = prop_oneof![vec(any::<u8>(), 16), vec(any::<u8>(), 20)];
    proptest::option::of((any::<u32>(), bytes))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_48_bytes_are_a_header_and_come_back(bytes in any::<[u8; Header::LEN]>()) {
        prop_assert_eq!(Header::from_bytes(&bytes).to_bytes(), bytes);
    }

    #[test]
    fn nothing_panics_and_what_parses_can_be_written_again(
        mut datagram in vec(any::<u8>(), 0..256),
        first in prop_oneof![Just(0x23_u8), Just(0x24), any::<u8>()],
    ) {
        if let Some(byte) = datagram.first_mut() {
            *byte = first;
        }
        prop_assert!(!classify(&datagram).name().is_empty());
        if let Ok(packet) = Packet::parse(&datagram) {
            prop_assert_eq!(classify(&datagram), Message::Time(packet));
            prop_assert_eq!(rewritten(&packet), datagram);
        }
    }

    #[test]
    fn packets_survive_damage_to_one_byte_and_the_loss_of_their_end(
        header in header_of(4),
        fields in fields(),
        digest in digest(),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut datagram = written(&header, &fields, digest.as_ref());
        let at = at.index(datagram.len());
        datagram[at] = value;
        datagram.truncate(cut.index(datagram.len() + 1));
        if let Ok(packet) = Packet::parse(&datagram) {
            prop_assert_eq!(rewritten(&packet), datagram);
        }
    }

    #[test]
    fn a_written_packet_parses_as_what_was_meant(
        header in header_of(4),
        fields in fields(),
        digest in digest(),
    ) {
        let datagram = written(&header, &fields, digest.as_ref());
        let packet = Packet::parse(&datagram).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(packet.header, header);
        match (&digest, packet.trailer) {
            (None, Trailer::None) => {}
            (Some((id, bytes)), Trailer::Mac { key_id, digest }) => {
                prop_assert_eq!(key_id, *id);
                prop_assert_eq!(digest, bytes);
            }
            (_, trailer) => prop_assert!(false, "{:?}", trailer),
        }
        prop_assert_eq!(packet.extension_fields().count(), fields.len());
        for (field, (number, value)) in packet.extension_fields().zip(&fields) {
            prop_assert_eq!(field.field_type.to_u16(), *number);
            let (start, padding) = field.value.split_at(value.len());
            prop_assert_eq!(start, value);
            prop_assert!(padding.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn older_versions_round_trip_with_any_digest(
        header in (1..=3_u8).prop_flat_map(header_of),
        key_id in any::<u32>(),
        digest in (4..=17_usize).prop_flat_map(|words| vec(any::<u8>(), words * 4)),
    ) {
        let datagram = written(&header, &[], Some(&(key_id, digest.clone())));
        let packet = Packet::parse(&datagram).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(packet.trailer, Trailer::Mac { key_id, digest: &digest });
        prop_assert_eq!(rewritten(&packet), datagram);
    }

    #[test]
    fn key_establishment_records_are_written_as_they_were_read(
        bytes in vec(any::<u8>(), 0..200),
        record_type in prop_oneof![0..=8_u16, Just(1024), any::<u16>()],
        body in vec(prop_oneof![b'a'..=b'z', any::<u8>()], 0..40),
    ) {
        let len = u16::try_from(body.len()).unwrap();
        let record = [&record_type.to_be_bytes()[..], &len.to_be_bytes(), &body].concat();
        for bytes in [[&record[..], &bytes].concat(), bytes] {
            let mut rest = bytes.as_slice();
            while let Ok(Some((record, after))) = Record::split_from(rest) {
                let (read, _) = rest.split_at(rest.len() - after.len());
                let mut out = vec![0xee; read.len()];
                prop_assert_eq!(record.emit(&mut out), Ok(read.len()));
                prop_assert_eq!(&out, read);
                // And cut anywhere it is not there yet.
                prop_assert_eq!(Record::split_from(&read[..read.len() - 1]), Ok(None));
                rest = after;
            }
        }
    }

    #[test]
    fn a_timestamp_comes_back_exactly_through_any_pivot_in_reach(
        nanos in any::<i64>(),
        distance in -(1_i64 << 31) * 1_000_000_000 + 1..(1_i64 << 31) * 1_000_000_000,
    ) {
        let moment = Timestamp::from_nanos(nanos);
        let pivot = moment + Span::from_nanos(distance);
        prop_assert_eq!(NtpTimestamp::from(moment).unfold(pivot), moment);
    }

    #[test]
    fn a_timestamp_from_the_network_moves_by_less_than_a_nanosecond(
        bits in 1_u64..,
        pivot in -4_000_000_000_000_000_000_i64..4_000_000_000_000_000_000,
    ) {
        let pivot = Timestamp::from_nanos(pivot);
        let moment = NtpTimestamp::from_bits(bits).unfold(pivot);
        let half_an_era = Span::from_secs(1 << 31);
        prop_assert!((moment - pivot).abs() <= half_an_era, "{} {}", moment, pivot);
        let back = NtpTimestamp::from(moment).to_bits();
        let moved = back.wrapping_sub(bits).cast_signed();
        prop_assert!(moved.abs() <= 4, "2⁻³² s × {}", moved);
    }

    #[test]
    fn a_printed_timestamp_reads_back(nanos in any::<i64>(), digits in 0..=9_usize) {
        let timestamp = Timestamp::from_nanos(nanos);
        prop_assert_eq!(timestamp.to_string().parse(), Ok(timestamp));
        let unit = 10_i64.pow(9 - digits as u32);
        if let Some(floor) = nanos.checked_sub(nanos.rem_euclid(unit)) {
            prop_assert_eq!(
                format!("{timestamp:.digits$}").parse(),
                Ok(Timestamp::from_nanos(floor))
            );
        }
    }

    #[test]
    fn monotonic_time_and_root_values_come_back(
        (delay, dispersion, receive, epoch) in any::<(u32, u32, u64, u32)>(),
    ) {
        let said = MonoRoot {
            root_delay: Time32::from_bits(delay),
            root_dispersion: Time32::from_bits(dispersion),
            receive: NtpTimestamp::from_bits(receive),
            epoch,
        };
        let value = said.to_value();
        let field = ExtensionField { field_type: FieldType::MONO_ROOT, value: &value };
        prop_assert_eq!(MonoRoot::from_field(&field), Some(said));
        prop_assert_eq!(field.wire_len(), Some(MonoRoot::FIELD_LEN));
    }

    #[test]
    fn any_other_value_is_not_monotonic_time(
        known in any::<bool>(),
        rest in prop_oneof![vec(any::<u8>(), 20), vec(any::<u8>(), 0..40)],
    ) {
        let magic: &[u8] = if known { &[0xf5, 0xbe, 0xdd, 0x9a] } else { &[0xf5, 0xbe, 0xdd, 0x9b] };
        let value = [magic, &rest].concat();
        let field = ExtensionField { field_type: FieldType::MONO_ROOT, value: &value };
        let said = MonoRoot::from_field(&field).map(MonoRoot::to_value);
        let expected = (known && rest.len() == 20).then_some(value);
        prop_assert_eq!(said.map(|value| value.to_vec()), expected);
    }

    #[test]
    fn a_timestamp_moved_by_a_span_is_that_much_later(
        bits in 1_u64..,
        nanos in -2_000_000_000_000_000_000_i64..2_000_000_000_000_000_000,
    ) {
        let (before, by) = (NtpTimestamp::from_bits(bits), Span::from_nanos(nanos));
        let after = before.later_by(by);
        prop_assert!(!after.is_zero());
        prop_assert!((after.since(before) - by).abs() <= Span::from_nanos(1));
        prop_assert_eq!(before.since(before), Span::ZERO);
    }

    #[test]
    fn parsing_a_time_never_panics(text in "[-0-9TZ:. ]{0,40}|\\PC{0,40}") {
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            prop_assert_eq!(timestamp.to_string().parse(), Ok(timestamp));
        }
    }
}

fn written(header: &Header, fields: &[(u16, Vec<u8>)], digest: Option<&(u32, Vec<u8>)>) -> Vec<u8> {
    let mut buffer = [0xaa; 2_000];
    let mut writer = PacketWriter::new(header, &mut buffer).unwrap();
    for (number, value) in fields {
        let field = ExtensionField { field_type: FieldType::from_u16(*number), value };
        writer.field(&field).unwrap();
    }
    match digest {
        None => writer.finish().unwrap().to_vec(),
        Some((key_id, digest)) => writer.finish_with_mac(*key_id, digest).unwrap().to_vec(),
    }
}

fn rewritten(packet: &Packet<'_>) -> Vec<u8> {
    let mut buffer = vec![0xaa; packet.bytes().len()];
    let mut writer = PacketWriter::new(&packet.header, &mut buffer).unwrap();
    for field in packet.extension_fields() {
        writer.field(&field).unwrap();
    }
    match packet.trailer {
        Trailer::None => writer.finish().unwrap().to_vec(),
        Trailer::CryptoNak => writer.finish_with_crypto_nak().unwrap().to_vec(),
        Trailer::Mac { key_id, digest } => writer.finish_with_mac(key_id, digest).unwrap().to_vec(),
    }
}
