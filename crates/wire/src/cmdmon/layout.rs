//! Values with a fixed layout, and the macros by which a struct or a table of messages gets one.

use arrayvec::ArrayVec;

use crate::header::LeapIndicator;
use crate::reference_id::ReferenceId;
use crate::writer::BufferTooSmall;

/// A value with a fixed layout: its length, its bytes, and back.
pub(super) trait Layout: Sized {
    /// Bytes it takes.
    const LEN: usize;

    /// `None` when bytes are missing or mean nothing.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall>;
}

/// Takes bytes off the front of a datagram.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}

/// Puts bytes behind each other into a buffer.
#[derive(Debug)]
pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), BufferTooSmall> {
        self.room(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn fill(&mut self, byte: u8, count: usize) -> Result<(), BufferTooSmall> {
        self.room(count)?.fill(byte);
        Ok(())
    }

    /// Zeros up to this length of the whole.
    pub(super) fn pad_to(&mut self, len: usize) -> Result<(), BufferTooSmall> {
        self.fill(0, len.saturating_sub(self.len))
    }

    pub(super) fn finish(self) -> Result<&'b [u8], BufferTooSmall> {
        let buffer: &'b [u8] = self.buffer;
        buffer.get(..self.len).ok_or(BufferTooSmall)
    }

    fn room(&mut self, count: usize) -> Result<&mut [u8], BufferTooSmall> {
        let end = self.len.checked_add(count).ok_or(BufferTooSmall)?;
        let room = self.buffer.get_mut(self.len..end).ok_or(BufferTooSmall)?;
        self.len = end;
        Ok(room)
    }
}

impl Layout for () {
    const LEN: usize = 0;

    fn read(_: &mut Reader<'_>) -> Option<Self> {
        Some(())
    }

    fn write(&self, _: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        Ok(())
    }
}

macro_rules! integer_layouts {
    ($($integer:ty)*) => {$(
        impl Layout for $integer {
            const LEN: usize = size_of::<$integer>();

            fn read(reader: &mut Reader<'_>) -> Option<Self> {
                reader.bytes().map(Self::from_be_bytes)
            }

            fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
                writer.bytes(&self.to_be_bytes())
            }
        }
    )*};
}

integer_layouts!(u8 i8 u16 i16 u32 i32 u64);

impl Layout for ReferenceId {
    const LEN: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.bytes().map(Self::from_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        writer.bytes(&self.to_bytes())
    }
}

impl Layout for LeapIndicator {
    const LEN: usize = 1;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match u8::read(reader)? {
            bits @ 0..=3 => Some(Self::from_bits(bits)),
            _ => None,
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        self.to_bits().write(writer)
    }
}

/// The number of entries, then a table of `N` with the unused ones zero.
impl<T: Layout, const N: usize> Layout for ArrayVec<T, N> {
    const LEN: usize = 4 + N * T::LEN;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let used = usize::try_from(u32::read(reader)?).ok()?;
        let mut entries = Self::new();
        for index in 0..N {
            if index < used {
                entries.try_push(T::read(reader)?).ok()?;
            } else {
                reader.0 = reader.0.get(T::LEN..)?;
            }
        }
        (entries.len() == used).then_some(entries)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        u32::try_from(self.len()).map_err(|_| BufferTooSmall)?.write(writer)?;
        for entry in self {
            entry.write(writer)?;
        }
        writer.fill(0, self.remaining_capacity().saturating_mul(T::LEN))
    }
}

/// `N` bytes without a meaning so far, all of them `BYTE`: zero, or ones where a later version may
/// put a counter and the highest number says that it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved<const N: usize, const BYTE: u8 = 0>;

impl<const N: usize, const BYTE: u8> Layout for Reserved<N, BYTE> {
    const LEN: usize = N;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.bytes::<N>().map(|_| Self)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        writer.fill(BYTE, N)
    }
}

/// A struct whose fields stand behind each other on the wire in the order in which they are written.
macro_rules! layout {
    ($(
        $(#[$attribute:meta])*
        pub struct $name:ident {
            $($(#[$field_attribute:meta])* pub $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_attribute])* pub $field: $type,)*
        }

        impl $crate::cmdmon::layout::Layout for $name {
            const LEN: usize = 0 $(+ <$type as $crate::cmdmon::layout::Layout>::LEN)*;

            fn read(reader: &mut $crate::cmdmon::layout::Reader<'_>) -> Option<Self> {
                Some(Self { $($field: $crate::cmdmon::layout::Layout::read(reader)?,)* })
            }

            fn write(
                &self,
                writer: &mut $crate::cmdmon::layout::Writer<'_>,
            ) -> Result<(), $crate::writer::BufferTooSmall> {
                $($crate::cmdmon::layout::Layout::write(&self.$field, writer)?;)*
                Ok(())
            }
        }
    )*};
}
pub(super) use layout;

/// An enum sent as a number of the type named first.
macro_rules! numbered {
    ($(
        $(#[$attribute:meta])*
        pub enum $name:ident: $number:ty {
            $($(#[$variant_attribute:meta])* $variant:ident = $value:literal,)*
        }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_attribute])* $variant,)*
        }

        impl $crate::cmdmon::layout::Layout for $name {
            const LEN: usize = size_of::<$number>();

            fn read(reader: &mut $crate::cmdmon::layout::Reader<'_>) -> Option<Self> {
                match <$number as $crate::cmdmon::layout::Layout>::read(reader)? {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn write(
                &self,
                writer: &mut $crate::cmdmon::layout::Writer<'_>,
            ) -> Result<(), $crate::writer::BufferTooSmall> {
                let number: $number = match self {
                    $(Self::$variant => $value,)*
                };
                $crate::cmdmon::layout::Layout::write(&number, writer)
            }
        }
    )*};
}
pub(super) use numbered;

/// A set of flags sent as the bits of a number; bits without a name are kept.
macro_rules! flags {
    ($(
        $(#[$attribute:meta])*
        pub struct $name:ident: $number:ty {
            $($(#[$flag_attribute:meta])* const $flag:ident = $value:literal;)*
        }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub $number);

        impl $name {
            /// No flag at all.
            pub const NONE: Self = Self(0);
            $($(#[$flag_attribute])* pub const $flag: Self = Self($value);)*

            /// True if every flag of `other` is here.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// These flags, and those of `other` if `wanted`.
            #[must_use]
            pub const fn with(self, other: Self, wanted: bool) -> Self {
                if wanted { Self(self.0 | other.0) } else { self }
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl $crate::cmdmon::layout::Layout for $name {
            const LEN: usize = size_of::<$number>();

            fn read(reader: &mut $crate::cmdmon::layout::Reader<'_>) -> Option<Self> {
                $crate::cmdmon::layout::Layout::read(reader).map(Self)
            }

            fn write(
                &self,
                writer: &mut $crate::cmdmon::layout::Writer<'_>,
            ) -> Result<(), $crate::writer::BufferTooSmall> {
                $crate::cmdmon::layout::Layout::write(&self.0, writer)
            }
        }
    )*};
}
pub(super) use flags;
