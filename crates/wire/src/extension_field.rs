//! Extension fields (RFC 7822 §3): typed, length-prefixed data between the header and the MAC.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |          Field Type           |   Length, of the whole field  |
//! +-------------------------------+-------------------------------+
//! .                     Value, zero padding to 4                  .
//! +---------------------------------------------------------------+
//! ```

use core::fmt;

use crate::writer::BufferTooSmall;

/// The type of an extension field; types nobody registered are values like any other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldType(u16);

impl FieldType {
    /// A random string that ties a response to its request (RFC 8915 §5.3).
    pub const UNIQUE_IDENTIFIER: Self = Self(0x0104);
    /// An NTS cookie (RFC 8915 §5.4); Autokey used the number for a message request.
    pub const NTS_COOKIE: Self = Self(0x0204);
    /// Room for one more cookie in the response (RFC 8915 §5.5).
    pub const NTS_COOKIE_PLACEHOLDER: Self = Self(0x0304);
    /// NTS authenticator and encrypted fields (RFC 8915 §5.6).
    pub const NTS_AUTHENTICATOR: Self = Self(0x0404);
    /// Corrections that network equipment added up (RFC 10030).
    pub const NETWORK_CORRECTION: Self = Self(0x010A);
    /// Keeps the UDP checksum of a packet that was stamped in flight (RFC 7821).
    pub const CHECKSUM_COMPLEMENT: Self = Self(0x2005);
    /// Monotonic time and finer root values, an experiment of chrony's: see
    /// [`MonoRoot`](crate::MonoRoot).
    pub const MONO_ROOT: Self = Self(0xF323);

    /// The type with this number.
    pub const fn from_u16(number: u16) -> Self {
        Self(number)
    }

    /// The number as sent.
    pub const fn to_u16(self) -> u16 {
        self.0
    }

    /// The registered name, if timeball knows one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::UNIQUE_IDENTIFIER => Some("unique-identifier"),
            Self::NTS_COOKIE => Some("nts-cookie"),
            Self::NTS_COOKIE_PLACEHOLDER => Some("nts-cookie-placeholder"),
            Self::NTS_AUTHENTICATOR => Some("nts-authenticator"),
            Self::NETWORK_CORRECTION => Some("network-correction"),
            Self::CHECKSUM_COMPLEMENT => Some("checksum-complement"),
            Self::MONO_ROOT => Some("mono-root"),
            _ => None,
        }
    }

    /// True in the range kept for experiments, 0xF000 to 0xFFFF (RFC 9748).
    pub const fn is_experimental(self) -> bool {
        self.0 >= 0xF000
    }
}

impl fmt::Debug for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// One extension field: its type and its value, padding included (the format does not say where
/// the value ends and the padding begins).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionField<'a> {
    /// What the value means.
    pub field_type: FieldType,
    /// The value without the four bytes of type and length; at least 12 bytes when received.
    pub value: &'a [u8],
}

impl<'a> ExtensionField<'a> {
    /// Bytes of type and length before the value.
    pub const HEADER_LEN: usize = 4;
    /// The shortest field (RFC 7822 §3).
    pub const MIN_LEN: usize = 16;
    /// The shortest last field of a packet without a MAC (RFC 7822 §3 7.5.1.4): one that a MAC
    /// cannot be mistaken for.
    pub const MIN_LAST_LEN: usize = 28;
    /// The longest field: the greatest multiple of four that the length can say.
    pub const MAX_LEN: usize = 65532;

    /// Bytes this field takes in a packet, padding included, or `None` above
    /// [`MAX_LEN`](Self::MAX_LEN).
    pub fn wire_len(&self) -> Option<usize> {
        let unpadded = self.value.len().checked_add(Self::HEADER_LEN)?;
        let padded = unpadded.checked_next_multiple_of(4)?.max(Self::MIN_LEN);
        (padded <= Self::MAX_LEN).then_some(padded)
    }

    /// Writes the field to the start of `buffer`, zero-padded to a multiple of four and to
    /// [`MIN_LEN`](Self::MIN_LEN), and returns how many bytes that took.
    ///
    /// [`PacketWriter`](crate::PacketWriter) also keeps the longer minimum of a last field.
    ///
    /// # Errors
    /// [`BufferTooSmall`] when the field does not fit into `buffer` or is longer than
    /// [`MAX_LEN`](Self::MAX_LEN); `buffer` is unchanged then.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let len = self.wire_len().ok_or(BufferTooSmall)?;
        let length = u16::try_from(len).map_err(|_| BufferTooSmall)?;
        let field = buffer.get_mut(..len).ok_or(BufferTooSmall)?;
        let (header, rest) = field.split_first_chunk_mut::<4>().ok_or(BufferTooSmall)?;
        let (value, padding) = rest.split_at_mut_checked(self.value.len()).ok_or(BufferTooSmall)?;
        let [type_high, type_low] = self.field_type.0.to_be_bytes();
        let [length_high, length_low] = length.to_be_bytes();
        *header = [type_high, type_low, length_high, length_low];
        value.copy_from_slice(self.value);
        padding.fill(0);
        Ok(len)
    }

    /// Takes one field off the start of `bytes`: the field and what follows it.
    pub(crate) fn split_from(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), FieldError> {
        let Some(&[type_high, type_low, length_high, length_low]) = bytes.first_chunk() else {
            return Err(FieldError::Overrun { length: 0, remaining: bytes.len() });
        };
        let length = u16::from_be_bytes([length_high, length_low]);
        let len = usize::from(length);
        if len < Self::MIN_LEN {
            return Err(FieldError::TooShort { length });
        }
        if !len.is_multiple_of(4) {
            return Err(FieldError::Unaligned { length });
        }
        let overrun = FieldError::Overrun { length, remaining: bytes.len() };
        let (field, rest) = bytes.split_at_checked(len).ok_or(overrun)?;
        let value = field.get(Self::HEADER_LEN..).ok_or(overrun)?;
        let field_type = FieldType(u16::from_be_bytes([type_high, type_low]));
        Ok((Self { field_type, value }, rest))
    }
}

/// What is wrong with the length of one extension field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldError {
    TooShort { length: u16 },
    Unaligned { length: u16 },
    Overrun { length: u16, remaining: usize },
}

/// The extension fields of a packet, in order.
///
/// Made by [`Packet::extension_fields`](crate::Packet::extension_fields), which has checked every
/// length already.
#[derive(Clone, Debug)]
pub struct ExtensionFields<'a> {
    remaining: &'a [u8],
    offset: usize,
}

impl<'a> ExtensionFields<'a> {
    /// The fields in `checked`, which starts `offset` bytes into its packet.
    pub(crate) const fn new(checked: &'a [u8], offset: usize) -> Self {
        Self { remaining: checked, offset }
    }

    /// Where in the packet the next field begins. An NTS authenticator covers the bytes before
    /// its own (RFC 8915 §5.6).
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for ExtensionFields<'a> {
    type Item = ExtensionField<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (field, rest) = ExtensionField::split_from(self.remaining).ok()?;
        self.offset = self.offset.saturating_add(self.remaining.len().saturating_sub(rest.len()));
        self.remaining = rest;
        Some(field)
    }
}

impl core::iter::FusedIterator for ExtensionFields<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: [u8; 20] =
        [0x01, 0x04, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    fn representation() -> ExtensionField<'static> {
        ExtensionField { field_type: FieldType::UNIQUE_IDENTIFIER, value: &WIRE[4..] }
    }

    #[test]
    fn deconstruct() {
        let (field, rest) = ExtensionField::split_from(&WIRE).unwrap();
        assert_eq!(field.field_type.to_u16(), 0x0104);
        assert_eq!(field.value, &WIRE[4..]);
        assert!(rest.is_empty());
    }

    #[test]
    fn construct_from_parts() {
        let mut buffer = [0xff; 20];
        let field = ExtensionField { field_type: FieldType::from_u16(0x0104), value: &WIRE[4..] };
        assert_eq!(field.emit(&mut buffer), Ok(20));
        assert_eq!(buffer, WIRE);
    }

    #[test]
    fn parse() {
        assert_eq!(ExtensionField::split_from(&WIRE), Ok((representation(), &[][..])));
    }

    #[test]
    fn emit_pads_with_zeros_to_a_multiple_of_four_and_to_the_minimum() {
        let mut buffer = [0xff; 32];
        let field = |value| ExtensionField { field_type: FieldType::NTS_COOKIE, value };
        assert_eq!(field(&[7]).emit(&mut buffer), Ok(16));
        assert_eq!(buffer[..17], [2, 4, 0, 16, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]);
        assert_eq!(field(&[7; 13]).emit(&mut buffer), Ok(20));
        assert_eq!(buffer[..4], [2, 4, 0, 20]);
        assert_eq!(buffer[16..21], [7, 0, 0, 0, 0xff]);
    }

    #[test]
    fn impossible_lengths() {
        let mut wire = WIRE;
        let mut with_length = |length: u16| {
            wire[2..4].copy_from_slice(&length.to_be_bytes());
            ExtensionField::split_from(&wire).map(|(field, rest)| (field.value.len(), rest.len()))
        };
        for length in [0, 1, 3, 4, 12, 15] {
            assert_eq!(with_length(length), Err(FieldError::TooShort { length }));
        }
        for length in [17, 18, 19, 65535] {
            assert_eq!(with_length(length), Err(FieldError::Unaligned { length }));
        }
        for length in [24, 65532] {
            assert_eq!(with_length(length), Err(FieldError::Overrun { length, remaining: 20 }));
        }
        assert_eq!(with_length(16), Ok((12, 4)));
        assert_eq!(with_length(20), Ok((16, 0)));
    }

    #[test]
    fn emit_refuses_a_small_buffer_and_an_endless_value() {
        let mut buffer = [0xff; 19];
        assert_eq!(representation().emit(&mut buffer), Err(BufferTooSmall));
        assert_eq!(buffer, [0xff; 19]);

        let mut buffer = vec![0; 70_000];
        let value = vec![0; 65_528];
        let longest = ExtensionField { field_type: FieldType::NTS_COOKIE, value: &value };
        assert_eq!(longest.emit(&mut buffer), Ok(65_532));
        assert_eq!(buffer[2..4], [0xff, 0xfc]);
        let value = vec![0; 65_529];
        let too_long = ExtensionField { field_type: FieldType::NTS_COOKIE, value: &value };
        assert_eq!(too_long.wire_len(), None);
        assert_eq!(too_long.emit(&mut buffer), Err(BufferTooSmall));
    }

    #[test]
    fn types_are_named() {
        assert_eq!(format!("{:?}", FieldType::NTS_AUTHENTICATOR), "nts-authenticator");
        assert_eq!(format!("{:?}", FieldType::from_u16(0x0205)), "0x0205");
        assert!(FieldType::from_u16(0xf000).is_experimental());
        assert!(!FieldType::from_u16(0xefff).is_experimental());
    }
}
