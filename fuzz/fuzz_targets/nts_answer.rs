//! A server's answers with NTS, changed by others or sealed with anything in them: a client believes
//! none but the server's own, and finds just those fields in it that the server has put there.
#![no_main]

use std::ops::Range;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use timeball_auth::nts::fields::write_authenticator;
use timeball_auth::nts::request::{ResponseError, open_response};
use timeball_auth::nts::{AeadAlgorithm, AeadKey};
use timeball_wire::{ExtensionField, FieldType, Header, Packet, PacketWriter};

const MAX_ANSWER_LEN: usize = 1500;

#[derive(Arbitrary, Debug)]
struct Scene<'a> {
    algorithm: u8,
    /// A server sends whole fields, of which most are cookies; others may send what they like to who
    /// has given them keys.
    hidden: Hidden<'a>,
    /// What is sent in the open, and behind the proof.
    before: Option<(u16, &'a [u8])>,
    behind: Option<(u16, &'a [u8])>,
    /// Place and new bytes.
    changes: Vec<(u16, &'a [u8])>,
    /// What is cut off, and what is put in its place.
    cut: u16,
    appended: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum Hidden<'a> {
    Bytes(&'a [u8]),
    Cookies { count: u8, words: u8 },
    Fields(Vec<(u16, &'a [u8])>),
}

impl Hidden<'_> {
    fn text(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Cookies { count, words } => {
                let cookie =
                    field(FieldType::NTS_COOKIE.to_u16(), &vec![7; 4 * usize::from(*words)]);
                cookie.repeat(usize::from(count % 9))
            }
            Self::Fields(fields) => {
                fields.iter().flat_map(|(kind, value)| field(*kind, value)).collect()
            }
        }
    }
}

/// Type, length, and a value that ends with a word.
fn field(kind: u16, value: &[u8]) -> Vec<u8> {
    let value = &value[..value.len().min(MAX_ANSWER_LEN) / 4 * 4];
    let len = u16::try_from(4 + value.len()).expect("a short field");
    [&kind.to_be_bytes()[..], &len.to_be_bytes(), value].concat()
}

fuzz_target!(|scene: Scene<'_>| {
    let algorithm = AeadAlgorithm::ALL[usize::from(scene.algorithm) % AeadAlgorithm::ALL.len()];
    let key = AeadKey::new(algorithm, &vec![2; algorithm.key_len()]).expect("a key");
    let unique_identifier = &[5; 32];
    let text = scene.hidden.text();

    let mut header = [0; Header::LEN];
    header[0] = 0x24;
    let mut buffer = [0; MAX_ANSWER_LEN];
    let mut writer =
        PacketWriter::new(&Header::from_bytes(&header), &mut buffer).expect("a packet");
    let put = |writer: &mut PacketWriter<'_>, (kind, value): (u16, &[u8])| {
        writer.field(&ExtensionField { field_type: FieldType::from_u16(kind), value }).is_ok()
    };
    assert!(put(&mut writer, (FieldType::UNIQUE_IDENTIFIER.to_u16(), unique_identifier)));
    // There may be no room for it.
    let before = scene.before.filter(|field| put(&mut writer, *field));
    let start = writer.written().len();
    if write_authenticator(&mut writer, &key, &[3; 16], &text).is_err() {
        return;
    }
    let end = writer.written().len();
    scene.behind.map(|field| put(&mut writer, field));
    // There may be no room to pad the last field.
    let Ok(good) = writer.finish().map(<[u8]>::to_vec) else { return };
    let mut answer = good.clone();
    for (place, bytes) in &scene.changes {
        for (at, byte) in answer.iter_mut().skip(usize::from(*place)).zip(*bytes) {
            *at = *byte;
        }
    }
    answer.truncate(answer.len().saturating_sub(usize::from(scene.cut)));
    answer.extend(scene.appended.iter().take(MAX_ANSWER_LEN - answer.len()));

    let Ok(packet) = Packet::parse(&answer) else { return };
    let same = |part: Range<usize>| answer.get(part.clone()) == good.get(part);
    let two_proofs =
        before.is_some_and(|(kind, _)| FieldType::from_u16(kind) == FieldType::NTS_AUTHENTICATOR);
    let mut out = [0; MAX_ANSWER_LEN];
    match open_response(&packet, unique_identifier, &key, &mut out) {
        Ok(fields) => {
            // The proof's field may be longer than it has to be, and nobody vouches for the rest of it.
            let vouched = same(0..start) && same(start + ExtensionField::HEADER_LEN..end);
            assert!(vouched && !two_proofs);
            let found = fields.flat_map(|hidden| {
                let ExtensionField { field_type, value } = hidden.expect("was looked at before");
                field(field_type.to_u16(), value)
            });
            assert_eq!(found.collect::<Vec<_>>(), text);
        }
        Err(ResponseError::NotAuthentic | ResponseError::Unauthenticated) => {
            assert!(two_proofs || !same(0..end));
        }
        Err(_) => {}
    }
});
