//! Any 48 bytes are a header and come back as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timeball_wire::Header;

fuzz_target!(|bytes: [u8; Header::LEN]| {
    assert_eq!(Header::from_bytes(&bytes).to_bytes(), bytes);
});
