//! Monotonic time and finer root values: an extension field that chrony introduced as an experiment.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |      Field Type = 0xF323      |          Length = 28          |
//! +-------------------------------+-------------------------------+
//! |                      Magic = 0xF5BEDD9A                       |
//! +---------------------------------------------------------------+
//! |                    Root Delay, 2⁻²⁸ s                         |
//! +---------------------------------------------------------------+
//! |                  Root Dispersion, 2⁻²⁸ s                      |
//! +---------------------------------------------------------------+
//! |                                                               |
//! |                 Monotonic Receive Timestamp                   |
//! +---------------------------------------------------------------+
//! |                       Monotonic Epoch                         |
//! +---------------------------------------------------------------+
//! ```
//!
//! A client sends it with all but the magic zero; a server, or a peer, fills it in.

use crate::extension_field::{ExtensionField, FieldType};
use crate::time::{NtpTimestamp, Time32};

/// Tells the experiment from others that use the same type.
const MAGIC: u32 = 0xF5BE_DD9A;

/// What the field says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonoRoot {
    /// Root delay.
    pub root_delay: Time32,
    /// Root dispersion.
    pub root_dispersion: Time32,
    /// The receive timestamp of the packet, by a clock whose phase is never corrected; zero if there
    /// is none.
    pub receive: NtpTimestamp,
    /// Which such clock it is: two timestamps of different ones have nothing to do with each other.
    pub epoch: u32,
}

impl MonoRoot {
    /// Bytes of the value.
    pub const LEN: usize = 24;
    /// Bytes of the whole field.
    pub const FIELD_LEN: usize = ExtensionField::HEADER_LEN + Self::LEN;

    /// What `field` says; `None` if it is another, or another experiment's.
    pub fn from_field(field: &ExtensionField<'_>) -> Option<Self> {
        let value: &[u8; Self::LEN] = field.value.try_into().ok()?;
        let (words, []) = value.as_chunks::<4>() else { return None };
        let [magic, delay, dispersion, seconds, fraction, epoch] = *words else { return None };
        let receive =
            u64::from(u32::from_be_bytes(seconds)) << 32 | u64::from(u32::from_be_bytes(fraction));
        let known = field.field_type == FieldType::MONO_ROOT && u32::from_be_bytes(magic) == MAGIC;
        known.then(|| Self {
            root_delay: Time32::from_bits(u32::from_be_bytes(delay)),
            root_dispersion: Time32::from_bits(u32::from_be_bytes(dispersion)),
            receive: NtpTimestamp::from_bits(receive),
            epoch: u32::from_be_bytes(epoch),
        })
    }

    /// The value of a field of the type [`FieldType::MONO_ROOT`].
    pub fn to_value(self) -> [u8; Self::LEN] {
        let receive = self.receive.to_bits();
        let words = [
            MAGIC,
            self.root_delay.to_bits(),
            self.root_dispersion.to_bits(),
            (receive >> 32) as u32,
            receive as u32,
            self.epoch,
        ];
        let mut value = [0; Self::LEN];
        for (bytes, word) in value.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the layout above has it.
    const WIRE: [u8; MonoRoot::FIELD_LEN] = [
        0xf3, 0x23, 0, 28, 0xf5, 0xbe, 0xdd, 0x9a, 0, 0x28, 0xf5, 0xc3, 0x10, 0, 0, 0, 0xe9, 1, 2,
        3, 0x80, 0, 0, 5, 0xde, 0xad, 0xbe, 0xef,
    ];

    fn representation() -> MonoRoot {
        MonoRoot {
            root_delay: Time32::from_seconds_ceil(0.01),
            root_dispersion: Time32::from_seconds_ceil(1.0),
            receive: NtpTimestamp::from_bits(0xe901_0203_8000_0005),
            epoch: 0xdead_beef,
        }
    }

    fn parsed(wire: &[u8]) -> Option<MonoRoot> {
        ExtensionField::split_from(wire).ok().and_then(|(field, _)| MonoRoot::from_field(&field))
    }

    #[test]
    fn parse() {
        assert_eq!(parsed(&WIRE), Some(representation()));
    }

    #[test]
    fn emit() {
        let value = representation().to_value();
        let field = ExtensionField { field_type: FieldType::MONO_ROOT, value: &value };
        let mut buffer = [0xff; 28];
        assert_eq!(field.emit(&mut buffer), Ok(28));
        assert_eq!(buffer, WIRE);
    }

    #[test]
    fn others_are_not_it() {
        let with = |place: usize, byte| {
            let mut wire = WIRE;
            wire[place] = byte;
            parsed(&wire)
        };
        assert_eq!(with(1, 0x24), None);
        assert_eq!(with(7, 0x9b), None);
        assert_eq!(with(27, 0xee).map(|field| field.epoch), Some(0xdead_beee));
        let mut longer = [WIRE.as_slice(), &[0; 4]].concat();
        longer[3] = 32;
        assert_eq!(parsed(&longer), None);
    }
}
