//! A moment of the protocol: 64 bits of seconds since 1970 and 32 bits of nanoseconds.

use super::layout::{Layout, Reader, Writer};
use crate::time::Timestamp;
use crate::writer::BufferTooSmall;

const NANOS_PER_SEC: i64 = 1_000_000_000;
/// In place of the upper half: the sender knows 32 bits of seconds only.
const NO_UPPER_HALF: u32 = 0x7fff_ffff;

/// A moment of the system clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timespec {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds behind them, below 10⁹.
    pub nanoseconds: u32,
}

impl Timespec {
    /// 1970-01-01T00:00:00Z, which stands for "never".
    pub const NEVER: Self = Self { seconds: 0, nanoseconds: 0 };
}

impl From<Timestamp> for Timespec {
    fn from(timestamp: Timestamp) -> Self {
        Self {
            seconds: timestamp.nanos().div_euclid(NANOS_PER_SEC),
            nanoseconds: timestamp.nanos().rem_euclid(NANOS_PER_SEC) as u32,
        }
    }
}

impl From<Timespec> for Timestamp {
    /// Saturates outside the years 1677 to 2262.
    fn from(timespec: Timespec) -> Self {
        let nanos = timespec.seconds.saturating_mul(NANOS_PER_SEC);
        Self::from_nanos(nanos.saturating_add(i64::from(timespec.nanoseconds)))
    }
}

impl Layout for Timespec {
    const LEN: usize = 12;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let upper = match u32::read(reader)? {
            NO_UPPER_HALF => 0,
            upper => upper,
        };
        let seconds = u64::from(upper) << 32 | u64::from(u32::read(reader)?);
        let nanoseconds = u32::read(reader)?.min(NANOS_PER_SEC as u32 - 1);
        Some(Self { seconds: seconds.cast_signed(), nanoseconds })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        self.seconds.cast_unsigned().write(writer)?;
        self.nanoseconds.write(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: [u8; 12]) -> Timespec {
        Timespec::read(&mut Reader(&bytes)).unwrap()
    }

    #[test]
    fn times_before_1970_and_after_2106_come_back() {
        for text in ["1850-07-01T00:00:00.25Z", "2026-11-22T04:22:15.5Z", "2250-01-01T00:00:00Z"] {
            let timestamp: Timestamp = text.parse().unwrap();
            assert_eq!(Timestamp::from(Timespec::from(timestamp)), timestamp);
        }
        let before = Timespec::from(Timestamp::from_nanos(-1));
        assert_eq!(before, Timespec { seconds: -1, nanoseconds: 999_999_999 });
    }

    #[test]
    fn senders_with_32_bits_are_understood_and_nonsense_is_limited() {
        assert_eq!(
            read([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 7, 0, 0, 0, 9]),
            Timespec { seconds: 7, nanoseconds: 9 }
        );
        assert_eq!(read([0xff; 12]), Timespec { seconds: -1, nanoseconds: 999_999_999 });
        let far = Timespec { seconds: i64::MAX, nanoseconds: 5 };
        assert_eq!(Timestamp::from(far), Timestamp::from_nanos(i64::MAX));
    }
}
