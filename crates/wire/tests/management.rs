//! Modes 6 and 7: what must hold for every input.
//!
//! A failing case is reduced, printed, and its seed kept beside this file.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use timeball_wire::mode6::{Associations, Fragment, Variables};
use timeball_wire::mode7::{Client, Packet, PeerEntry, Restriction, SystemInformation};

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::with_cases(2_000)
    }
}

/// Any bytes, of which the first often says mode 6 or 7 of a version that has them.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![Just(0x16_u8), Just(0xd6), Just(0x17), Just(0x97), any::<u8>()];
    // A count that fits is rare among all 65 536.
    let small = prop_oneof![Just(None), (0..40_u8).prop_map(Some)];
    (vec(any::<u8>(), 0..600), first, small).prop_map(|(mut bytes, first, small)| {
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        if let (Some(count), Some(place)) = (small, bytes.get_mut(4..12)) {
            place.copy_from_slice(&[0, count / 8, 0, count / 8, 0, 0, 0, count]);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn control_messages_never_panic_and_come_back(datagram in datagram()) {
        let Ok(fragment) = Fragment::parse(&datagram) else { return Ok(()) };
        let mut buffer = vec![0; 1024];
        let written = fragment.emit(&mut buffer).unwrap();
        prop_assert_eq!(Fragment::parse(written).unwrap(), fragment);
        // But for the padding, it is the same datagram.
        let end = Fragment::HEADER_LEN + fragment.data.len();
        prop_assert_eq!(&written[..end], &datagram[..end]);
        prop_assert!(written.len() <= datagram.len() + 3);
    }

    #[test]
    fn variables_lie_in_the_text_and_have_no_commas_outside_of_quotes(
        text in prop_oneof![
            vec(any::<u8>(), 0..300),
            "[a-c=,\" \r\n\\x00]{0,80}".prop_map(String::into_bytes),
        ],
    ) {
        let mut total = 0;
        for variable in Variables::new(&text) {
            prop_assert!(!variable.name.contains(&b'='));
            if !text.contains(&b'"') {
                prop_assert!(!variable.name.contains(&b','));
                prop_assert!(!variable.value.unwrap_or_default().contains(&b','));
            }
            total += variable.name.len() + variable.value.map_or(0, |value| value.len() + 1);
        }
        prop_assert!(total <= text.len());
    }

    #[test]
    fn there_are_as_many_associations_as_fit(data in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Associations::new(&data).count(), data.len() / 4);
    }

    #[test]
    fn private_messages_never_panic_and_come_back(datagram in datagram()) {
        let Ok(packet) = Packet::parse(&datagram) else { return Ok(()) };
        let mut buffer = vec![0; 1024];
        let written = packet.emit(0, &mut buffer).unwrap();
        prop_assert_eq!(written.len(), datagram.len());
        prop_assert_eq!(Packet::parse(written).unwrap(), packet);
        let mut count = 0;
        for item in packet.items() {
            prop_assert_eq!(item.len(), usize::from(packet.item_size));
            count += 1;
        }
        if packet.is_response && packet.item_size > 0 {
            prop_assert_eq!(count, packet.item_count);
        }
    }

    #[test]
    fn items_never_panic(item in vec(any::<u8>(), 0..100)) {
        let known = [8, 16, 24, 32, 52, 56, 72].contains(&item.len());
        let read = [
            Client::parse(&item).is_some(),
            PeerEntry::parse(&item).is_some(),
            PeerEntry::parse_summary(&item).is_some(),
            Restriction::parse(&item).is_some(),
        ];
        prop_assert_eq!(read.contains(&true), known);
        prop_assert_eq!(SystemInformation::parse(&item).is_some(), item.len() >= 20);
    }
}
