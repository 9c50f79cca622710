//! Time as timeball knows it: four time scales that cannot be mixed, and the exact difference
//! between two readings of one of them.
//!
//! | type | scale | unit |
//! |---|---|---|
//! | [`Timestamp`] | the system clock (UTC as this machine believes it) | ns since 1970-01-01 |
//! | [`Instant`] | the monotonic clock, never stepped | ns since an arbitrary start |
//! | [`Oscillator`] | the free-running oscillator, never adjusted | ns, see below |
//! | [`NtpTimestamp`] | what travels in a packet, without an era | 2⁻³² s modulo 2³² s |
//!
//! An [`Oscillator`] reading is what the system clock would show had nobody ever adjusted it; the
//! engine's time line computes it from the adjustments it knows of.
//!
//! Arithmetic saturates: readings come from the network and the kernel, and neither may panic us.

use core::fmt;
use core::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

const NANOS_PER_SEC: i64 = 1_000_000_000;
/// Seconds from the NTP prime epoch (1900-01-01) to the Unix epoch (1970-01-01); RFC 5905 §6.
const UNIX_EPOCH_IN_NTP_SECONDS: i64 = 2_208_988_800;

/// The exact signed difference between two readings of one time scale, in nanoseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest representable span, about 292 years.
    pub const MAX: Self = Self(i64::MAX);

    /// A span of `nanos` nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A span of `millis` milliseconds (saturating).
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A span of whole seconds (saturating).
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// The span nearest to `seconds`; not-a-number becomes zero, the rest saturates.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e9).round() as i64)
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds; exact to a nanosecond for spans below 104 days.
    pub fn seconds(self) -> f64 {
        // The whole seconds and the rest are converted apart, so that neither loses digits.
        (self.0 / NANOS_PER_SEC) as f64 + (self.0 % NANOS_PER_SEC) as f64 * 1e-9
    }

    /// The magnitude (saturating).
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// True for spans below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Half of the span, rounded towards zero.
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// This span as a standard duration; negative spans become zero.
    pub const fn to_duration(self) -> core::time::Duration {
        core::time::Duration::from_nanos(if self.0 < 0 { 0 } else { self.0 as u64 })
    }
}

impl From<core::time::Duration> for Span {
    fn from(duration: core::time::Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Span {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.9}s", self.seconds())
    }
}

/// A point on one time scale: readings subtract to a [`Span`], and a span moves a reading.
macro_rules! time_scale {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The reading at `nanos` nanoseconds of this scale.
            pub const fn from_nanos(nanos: i64) -> Self {
                Self(nanos)
            }

            /// Nanoseconds on this scale.
            pub const fn nanos(self) -> i64 {
                self.0
            }
        }

        impl Sub for $name {
            type Output = Span;
            fn sub(self, earlier: Self) -> Span {
                Span(self.0.saturating_sub(earlier.0))
            }
        }

        impl Add<Span> for $name {
            type Output = Self;
            fn add(self, span: Span) -> Self {
                Self(self.0.saturating_add(span.0))
            }
        }

        impl Sub<Span> for $name {
            type Output = Self;
            fn sub(self, span: Span) -> Self {
                Self(self.0.saturating_sub(span.0))
            }
        }

        impl AddAssign<Span> for $name {
            fn add_assign(&mut self, span: Span) {
                *self = *self + span;
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (secs, nanos) =
                    (self.0.div_euclid(NANOS_PER_SEC), self.0.rem_euclid(NANOS_PER_SEC));
                write!(f, concat!(stringify!($name), "({}.{:09})"), secs, nanos)
            }
        }
    };
}

time_scale! {
    /// A reading of the system clock: nanoseconds since 1970-01-01T00:00:00Z without leap seconds.
    /// Covers the years 1677 to 2262.
    Timestamp
}

time_scale! {
    /// A reading of the monotonic clock (`CLOCK_MONOTONIC`): it is slewed with the system clock but
    /// never stepped. Deadlines are instants.
    Instant
}

time_scale! {
    /// A reading of the free-running oscillator: what the system clock would show had it never been
    /// adjusted. Measurements are kept on this scale and stay valid for ever.
    Oscillator
}

/// A 64-bit NTP timestamp (RFC 5905 §6): 32 bits of seconds and 32 bits of fraction, without an
/// era. It says which moment it means only together with a pivot.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NtpTimestamp(u64);

impl NtpTimestamp {
    /// The all-zero timestamp, which means "unknown" (RFC 5905 §6).
    pub const ZERO: Self = Self(0);

    /// The timestamp with this bit pattern.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bit pattern: seconds in the upper half, fraction in the lower.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// True for the "unknown" timestamp.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This much later, across the turn of an era if need be; never [`ZERO`](Self::ZERO). Rounded to
    /// 2⁻³² s.
    #[must_use]
    pub const fn later_by(self, by: Span) -> Self {
        let fractions = ((by.0 as i128) << 32).div_euclid(NANOS_PER_SEC as i128);
        match self.0.wrapping_add(fractions as u64) {
            0 => Self(1),
            bits => Self(bits),
        }
    }

    /// Time from `earlier` to this, which lies within 2³¹ s (68 years) of it on either side.
    pub const fn since(self, earlier: Self) -> Span {
        let fractions = self.0.wrapping_sub(earlier.0).cast_signed() as i128;
        // Below 2³¹ · 10⁹.
        Span(((fractions * NANOS_PER_SEC as i128 + (1 << 31)) >> 32) as i64)
    }

    /// The moment meant, taken from the era that brings it within 2³¹ s (68 years) of `pivot`: from
    /// 2³¹ s before it up to just below 2³¹ s after it. Rounded to the nearest nanosecond, so that a
    /// timestamp made from a [`Timestamp`] comes back exactly.
    pub fn unfold(self, pivot: Timestamp) -> Timestamp {
        let pivot = i128::from(pivot.0) + i128::from(UNIX_EPOCH_IN_NTP_SECONDS * NANOS_PER_SEC);
        let pivot = (pivot << 32).div_euclid(i128::from(NANOS_PER_SEC));
        // The difference modulo 2³² s, read as a signed number, is the distance from the pivot.
        let distance = self.0.wrapping_sub(pivot as u64).cast_signed();
        let moment = pivot + i128::from(distance);
        let nanos = (moment * i128::from(NANOS_PER_SEC) + (1 << 31)) >> 32;
        let nanos = nanos - i128::from(UNIX_EPOCH_IN_NTP_SECONDS * NANOS_PER_SEC);
        let saturated = if nanos < 0 { i64::MIN } else { i64::MAX };
        Timestamp(i64::try_from(nanos).unwrap_or(saturated))
    }
}

impl From<Timestamp> for NtpTimestamp {
    /// Drops the era and rounds the fraction to the nearest 2⁻³² s. The first nanosecond of an era
    /// becomes 2⁻³² s instead of [`ZERO`](Self::ZERO), which would mean "unknown".
    fn from(timestamp: Timestamp) -> Self {
        let secs = timestamp.0.div_euclid(NANOS_PER_SEC).wrapping_add(UNIX_EPOCH_IN_NTP_SECONDS);
        let nanos = timestamp.0.rem_euclid(NANOS_PER_SEC) as u64;
        let fraction = ((nanos << 32) + NANOS_PER_SEC as u64 / 2) / NANOS_PER_SEC as u64;
        let bits = (secs as u64).wrapping_shl(32).wrapping_add(fraction);
        Self(bits.max(1))
    }
}

impl fmt::Debug for NtpTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}.{:08x}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// A 32-bit NTP short (RFC 5905 §6): unsigned seconds with 16 bits of fraction (15.26 µs).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NtpShort(u32);

impl NtpShort {
    /// The short with this bit pattern.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bit pattern.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// Seconds, 0 up to 65 536.
    pub fn seconds(self) -> f64 {
        f64::from(self.0) / 65536.0
    }

    /// The smallest short that is not below `seconds`, so that a bound stays a bound; negative and
    /// not-a-number become zero, the rest saturates.
    pub fn from_seconds_ceil(seconds: f64) -> Self {
        Self((seconds * 65536.0).ceil() as u32)
    }
}

impl fmt::Debug for NtpShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}s", self.seconds())
    }
}

/// 32 bits of unsigned seconds with 28 bits of fraction (3.7 ns), the format that later drafts of NTP
/// have for root delay and root dispersion.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time32(u32);

impl Time32 {
    const FRACTIONS: f64 = (1_u32 << 28) as f64;

    /// The time with this bit pattern.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bit pattern.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// Seconds, 0 up to 16.
    pub fn seconds(self) -> f64 {
        f64::from(self.0) / Self::FRACTIONS
    }

    /// The smallest that is not below `seconds`, so that a bound stays a bound; negative and
    /// not-a-number become zero, the rest saturates.
    pub fn from_seconds_ceil(seconds: f64) -> Self {
        Self((seconds * Self::FRACTIONS).ceil() as u32)
    }
}

impl fmt::Debug for Time32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}s", self.seconds())
    }
}
