//! Any datagram is dropped, refused, or a request or reply that comes back as it was; no reply is
//! longer than its request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timeball_wire::cmdmon::{MAX_LEN, Reply, Request, RequestHeader};

fuzz_target!(|datagram: &[u8]| {
    let mut buffer = [0; MAX_LEN];
    let Ok(header) = RequestHeader::parse(datagram) else {
        reply(datagram);
        return;
    };
    assert_eq!(header.len, datagram.len());
    match header.request(datagram) {
        Ok(request) => {
            assert_eq!((request.code(), header.version), (header.command, 6));
            assert!(Request::name_of(header.command).is_some());
            let emitted = request.emit(header.sequence, header.attempt, &mut buffer).unwrap();
            let again = RequestHeader::parse(emitted).unwrap();
            assert_eq!(again.request(emitted), Ok(request));
            assert_eq!((again.sequence, again.attempt), (header.sequence, header.attempt));
        }
        Err(Some(status)) => {
            let refusal = Reply::from(status);
            let emitted = refusal.emit(&header, &mut buffer).unwrap();
            assert!(emitted.len() <= datagram.len());
            let parsed = Reply::parse(emitted, header.command, header.sequence);
            assert_eq!(parsed, Ok(refusal));
        }
        Err(None) => assert!(header.version < 5),
    }
});

/// The datagram as the reply to whatever it says it replies to.
fn reply(datagram: &[u8]) {
    let number = |from: usize, to: usize| {
        datagram.get(from..to).map_or(0, |bytes| {
            bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
        })
    };
    let (command, sequence) = (number(4, 6) as u16, number(16, 20));
    let Ok(reply) = Reply::parse(datagram, command, sequence) else { return };
    let header = |len| RequestHeader { version: 6, command, attempt: 0, sequence, len };
    let mut buffer = [0; MAX_LEN];
    let emitted = reply.emit(&header(MAX_LEN), &mut buffer).unwrap();
    assert!(emitted.len() <= datagram.len());
    assert_eq!(Reply::parse(emitted, command, sequence), Ok(reply.clone()));
    let len = emitted.len();
    assert!(reply.answer.fits(&header(len)) && !reply.answer.fits(&header(len - 1)));
    let mut buffer = [0; MAX_LEN];
    assert_eq!(reply.emit(&header(len - 1), &mut buffer), None);
}
