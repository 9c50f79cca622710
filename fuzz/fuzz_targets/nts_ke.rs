//! A message of key establishment, in pieces: it is one or is none, however it was cut; a record that
//! was read is written as it was.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use timeball_auth::nts::ke::Message;
use timeball_wire::nts_ke::Record;

const MAX_LEN: usize = 4096;

#[derive(Arbitrary, Debug)]
struct Stream<'a> {
    bytes: &'a [u8],
    piece: u8,
}

fuzz_target!(|stream: Stream<'_>| {
    let Stream { bytes, piece } = stream;
    let mut rest = bytes;
    while let Ok(Some((record, after))) = Record::split_from(rest) {
        let len = rest.len() - after.len();
        let mut written = vec![0; len];
        assert_eq!(record.emit(&mut written), Ok(len));
        assert_eq!(written, rest[..len]);
        rest = after;
    }
    let mut whole = Message::new(MAX_LEN);
    let at_once = whole.push(bytes);
    let mut cut = Message::new(MAX_LEN);
    let in_pieces = bytes
        .chunks(usize::from(piece).max(1))
        .try_for_each(|piece| cut.push(piece));
    assert_eq!(at_once.is_ok(), in_pieces.is_ok());
    if at_once.is_ok() {
        assert_eq!(whole.is_complete(), cut.is_complete());
        assert!(whole.records().eq(cut.records()));
    }
});
