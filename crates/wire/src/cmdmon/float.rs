//! The protocol's floating-point number: 32 bits, of which 7 are a signed exponent and 25 a signed
//! coefficient without a hidden bit. The value is coefficient · 2^(exponent − 25).

use core::fmt;

use super::layout::{Layout, Reader, Writer};
use crate::writer::BufferTooSmall;

const COEFFICIENT_BITS: i32 = 25;
const GREATEST_COEFFICIENT: i32 = (1 << (COEFFICIENT_BITS - 1)) - 1;
const EXPONENTS: core::ops::RangeInclusive<i32> = -64..=63;

/// A number of the protocol: 24 significant bits for magnitudes from 1.4 · 10⁻²⁰ to 4.6 · 10¹⁸, fewer
/// down to 1.6 · 10⁻²⁷.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Float(u32);

impl Float {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The number with this bit pattern.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bit pattern.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    fn new(exponent: i32, coefficient: i32) -> Self {
        let coefficient = coefficient.cast_unsigned() & ((1 << COEFFICIENT_BITS) - 1);
        Self(exponent.cast_unsigned() << COEFFICIENT_BITS | coefficient)
    }
}

impl From<f64> for Float {
    /// The nearest number; what is too great becomes the greatest, what is no number zero.
    fn from(value: f64) -> Self {
        if value.is_nan() || value == 0.0 {
            return Self::ZERO;
        }
        // A coefficient from 2^23 up to 2^24 uses all the bits there are.
        let exponent = (value.abs().log2().floor() as i32).saturating_add(2);
        let exponent = exponent.clamp(*EXPONENTS.start(), *EXPONENTS.end());
        let scaled = |exponent: i32| (value * 2_f64.powi(COEFFICIENT_BITS - exponent)).round();
        let greatest = f64::from(GREATEST_COEFFICIENT);
        // Rounding up, and a logarithm that was a little low, take one bit more.
        let (exponent, coefficient) = match scaled(exponent) {
            coefficient if coefficient.abs() > greatest && exponent < *EXPONENTS.end() => {
                (exponent + 1, scaled(exponent + 1))
            }
            coefficient => (exponent, coefficient),
        };
        match coefficient.clamp(-greatest, greatest) as i32 {
            0 => Self::ZERO,
            coefficient => Self::new(exponent, coefficient),
        }
    }
}

impl From<Float> for f64 {
    fn from(float: Float) -> Self {
        let bits = float.0.cast_signed();
        // Arithmetic shifts carry the signs of both parts.
        let exponent = bits >> COEFFICIENT_BITS;
        let coefficient = bits << (32 - COEFFICIENT_BITS) >> (32 - COEFFICIENT_BITS);
        Self::from(coefficient) * 2_f64.powi(exponent - COEFFICIENT_BITS)
    }
}

impl fmt::Debug for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:e}", f64::from(*self))
    }
}

impl Layout for Float {
    const LEN: usize = 4;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        u32::read(reader).map(Self)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        self.0.write(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(value: f64) -> f64 {
        f64::from(Float::from(value))
    }

    #[test]
    fn simple_numbers_are_exact() {
        for value in [0.0, 1.0, -1.0, 0.5, 3.0, -7.25, 1024.0, 65536.0, 1e6, 16_777_215.0] {
            assert_eq!(back(value), value);
        }
    }

    #[test]
    fn bits_mean_what_chrony_means() {
        assert_eq!(Float::from(1.0).to_bits(), 0x0480_0000);
        assert_eq!(Float::from(-1.0).to_bits(), 0x0580_0000);
        assert_eq!(Float::from(0.5).to_bits(), 0x0280_0000);
        assert_eq!(f64::from(Float::from_bits(0x0480_0000)), 1.0);
        assert_eq!(f64::from(Float::from_bits(0x0580_0000)), -1.0);
        // chronyd's own bits for -1: the lowest coefficient with the next lower exponent.
        assert_eq!(f64::from(Float::from_bits(0x0300_0000)), -1.0);
        assert_eq!(f64::from(Float::from_bits(0xffff_ffff)), -(2_f64.powi(-26)));
    }

    #[test]
    fn what_cannot_be_said_is_said_as_well_as_possible() {
        let greatest = f64::from(GREATEST_COEFFICIENT) * 2_f64.powi(38);
        assert_eq!(back(f64::INFINITY), greatest);
        assert_eq!(back(f64::NEG_INFINITY), -greatest);
        assert_eq!(back(1e300), greatest);
        assert_eq!(back(f64::NAN), 0.0);
        assert_eq!(back(1e-300), 0.0);
        assert_eq!(back(2_f64.powi(-89)), 2_f64.powi(-89));
        assert_eq!(back(2_f64.powi(-91)), 0.0);
    }

    #[test]
    fn powers_of_two_and_their_neighbours_keep_24_bits() {
        for power in -60..60 {
            let value = 2_f64.powi(power);
            for value in [value, value * (1.0 - 1e-12), value * (1.0 + 1e-12), value * 1.333] {
                assert!((back(value) / value - 1.0).abs() <= 2_f64.powi(-24), "{value:e}");
                assert_eq!(back(-value), -back(value));
            }
        }
    }
}
