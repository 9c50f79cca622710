//! Any datagram is a control message (mode 6), a private message (mode 7) or named as neither; what is
//! one comes back as it was when it is written again, and all that it carries can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timeball_wire::mode6::{Associations, Fragment, Variables};
use timeball_wire::mode7::{Client, Packet, PeerEntry, Restriction, SystemInformation};

fuzz_target!(|datagram: &[u8]| {
    let mut buffer = vec![0; datagram.len() + 4];
    match Fragment::parse(datagram) {
        Ok(fragment) => {
            let written = fragment.emit(&mut buffer).unwrap();
            assert_eq!(Fragment::parse(written), Ok(fragment));
            let told: usize = Variables::new(fragment.data)
                .map(|variable| variable.name.len() + variable.value.map_or(0, <[u8]>::len))
                .sum();
            assert!(told <= fragment.data.len());
            assert_eq!(Associations::new(fragment.data).count(), fragment.data.len() / 4);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match Packet::parse(datagram) {
        Ok(packet) => {
            let written = packet.emit(0, &mut buffer).unwrap();
            assert_eq!(Packet::parse(written), Ok(packet));
            for item in packet.items() {
                assert_eq!(item.len(), usize::from(packet.item_size));
                let _ = Client::parse(item);
                let _ = PeerEntry::parse(item);
                let _ = PeerEntry::parse_summary(item);
                let _ = Restriction::parse(item);
                let _ = SystemInformation::parse(item);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
