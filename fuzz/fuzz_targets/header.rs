//! Any 48 bytes are a header and come back as they were; its times unfold around any pivot, and
//! everything in it can be printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timeball_wire::{Header, NtpTimestamp, Span, Timestamp};

fuzz_target!(|input: ([u8; Header::LEN], i64)| {
    let (bytes, pivot) = input;
    let header = Header::from_bytes(&bytes);
    assert_eq!(header.to_bytes(), bytes);
    for timestamp in [
        header.reference_timestamp,
        header.origin_timestamp,
        header.receive_timestamp,
        header.transmit_timestamp,
    ] {
        unfold(timestamp, Timestamp::from_nanos(pivot));
    }
    let reference_id = header.reference_id.display(header.stratum).to_string();
    assert!(reference_id.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let kiss_code = header.reference_id.kiss_code();
    assert_eq!(kiss_code.to_bytes(), header.reference_id.to_bytes());
    assert!(kiss_code.to_string().len() <= 16);
});

fn unfold(timestamp: NtpTimestamp, pivot: Timestamp) {
    let moment = timestamp.unfold(pivot);
    assert!((moment - pivot).abs() <= Span::from_secs(1 << 31));
    let is_saturated = [i64::MIN, i64::MAX].contains(&moment.nanos());
    assert!(
        is_saturated || NtpTimestamp::from(moment).unfold(pivot) == moment || {
            // Half an era from the pivot, rounding may carry a moment to the other side.
            (moment - pivot).abs() >= Span::from_secs(1 << 31) - Span::from_nanos(1)
        }
    );
    assert_eq!(moment.to_string().parse(), Ok(moment));
}
