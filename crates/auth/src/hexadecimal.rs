//! Secrets in hexadecimal digits.

use thiserror::Error;
use zeroize::Zeroizing;

/// Why a text is no sequence of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HexadecimalError {
    /// A byte has two digits.
    #[error("the number of hexadecimal digits is odd")]
    Odd,
    /// There is something else than `0` to `9`, `a` to `f` and `A` to `F`.
    #[error("not all of it are hexadecimal digits")]
    NotADigit,
}

/// The bytes that pairs of digits stand for, the higher half first.
///
/// # Errors
/// See [`HexadecimalError`].
pub fn decode(digits: &[u8]) -> Result<Zeroizing<Vec<u8>>, HexadecimalError> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(HexadecimalError::Odd);
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(HexadecimalError::NotADigit);
    // As large as it will be: no part of a secret stays behind in a smaller one.
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push((digit(*high)? << 4 | digit(*low)?) as u8);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_a_byte() {
        assert_eq!(decode(b"00fFA5").as_deref(), Ok(&vec![0x00, 0xff, 0xa5]));
        assert_eq!(decode(b"").as_deref(), Ok(&Vec::new()));
    }

    #[test]
    fn anything_else_is_an_error() {
        assert_eq!(decode(b"abc"), Err(HexadecimalError::Odd));
        for text in ["0g", "+1", "0x", "\u{e9}"] {
            assert_eq!(decode(text.as_bytes()), Err(HexadecimalError::NotADigit), "{text}");
        }
    }
}
