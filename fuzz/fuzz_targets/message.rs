//! Any datagram falls into exactly one class, and the class agrees with the datagram's first bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timeball_wire::{Garbage, Message, Packet, classify};

fuzz_target!(|datagram: &[u8]| {
    let message = classify(datagram);
    assert!(!message.name().is_empty());
    let mode = datagram.first().map(|first| first & 7);
    match message {
        Message::Time(packet) => assert_eq!(Packet::parse(datagram), Ok(packet)),
        Message::Control(control) => {
            assert_eq!(mode, Some(6));
            assert_eq!(control.opcode, datagram[1] & 0x1f);
            assert_eq!(control.is_response, datagram[1] >= 0x80);
        }
        Message::Private(private) => {
            assert_eq!(mode, Some(7));
            assert_eq!(private.request_code, datagram[3]);
            assert_eq!(private.is_response, datagram[0] >= 0x80);
        }
        Message::Garbage(Garbage::Packet(error)) => {
            assert_eq!(Packet::parse(datagram), Err(error));
        }
        Message::Garbage(
            Garbage::ControlVersion { version } | Garbage::PrivateVersion { version },
        ) => {
            assert!(mode >= Some(6) && version == datagram[0] >> 3 & 7);
        }
        Message::Garbage(Garbage::ControlTooShort { len }) => {
            assert!(mode == Some(6) && len == datagram.len() && len < 12);
        }
        Message::Garbage(Garbage::PrivateTooShort { len }) => {
            assert!(mode == Some(7) && len == datagram.len() && len < 8);
        }
    }
});
