//! Replays the inputs that fuzzing has kept (`fuzz/corpus/`), so that what was once found stays
//! fixed without a fuzzer at hand.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use timeball_wire::{Header, Message, Packet, classify};

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let inputs: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(inputs.len() >= 20, "{} holds {} inputs", folder.display(), inputs.len());
    inputs
}

#[test]
fn packets_parse_or_are_refused_by_name_and_both_occur() {
    let (mut accepted, mut refused) = (0, std::collections::BTreeSet::new());
    for datagram in corpus("packet") {
        match Packet::parse(&datagram) {
            Ok(packet) => {
                accepted += 1;
                let fields: usize =
                    packet.extension_fields().map(|field| field.wire_len().unwrap()).sum();
                assert_eq!(packet.bytes_before_trailer().len(), Header::LEN + fields);
            }
            Err(error) => {
                refused.insert(error.name());
            }
        }
    }
    assert!(accepted > 0);
    // Fuzzing has found its way into every rule.
    assert_eq!(refused.len(), 11, "{refused:?}");
}

#[test]
fn messages_fall_into_every_class() {
    let mut classes = [0; 4];
    for datagram in corpus("message") {
        let class = match classify(&datagram) {
            Message::Time(_) => 0,
            Message::Control(_) => 1,
            Message::Private(_) => 2,
            Message::Garbage(_) => 3,
        };
        classes[class] += 1;
    }
    assert!(classes.iter().all(|count| *count > 0), "{classes:?}");
}
