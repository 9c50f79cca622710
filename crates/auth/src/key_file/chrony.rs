//! A line of `chrony.keys`.

use zeroize::Zeroizing;

use super::{Fault, algorithm, hexadecimal, identifier, key};
use crate::algorithm::Algorithm;
use crate::key::Key;

/// What begins a comment, if it begins the line.
const COMMENT: &[u8] = b"!;#%";

pub(super) fn parse(line: &[u8]) -> Result<Option<Key>, Fault> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next().filter(|word| !COMMENT.contains(&word[0])) else {
        return Ok(None);
    };
    let id = identifier(first, u32::MAX)?;
    let second = words.next().ok_or(Fault::MissingKey)?;
    let (algorithm, secret) = match words.next() {
        Some(third) => (algorithm(second)?, third),
        None => (Algorithm::Md5, second),
    };
    if words.next().is_some() {
        return Err(Fault::TooManyWords);
    }
    let secret = match (secret.strip_prefix(b"HEX:"), secret.strip_prefix(b"ASCII:")) {
        (Some(digits), _) => hexadecimal(digits)?,
        (None, Some(plain)) => Zeroizing::new(plain.to_vec()),
        (None, None) => Zeroizing::new(secret.to_vec()),
    };
    key(id, algorithm, &secret).map(Some)
}
