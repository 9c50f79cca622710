//! The files that keys live in: chronyd's `chrony.keys` and ntpd's `ntp.keys`.
//!
//! A line makes a key or a [`Mistake`], and no mistake in one line spoils another; whether to go on
//! without the lines that are wrong is for the caller to say. Nothing that is said of a line repeats
//! what it contains: what looks like a misspelt type may be half of a secret.

mod chrony;
mod fault;
mod ntp;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

pub use fault::{Fault, Mistake};

use crate::algorithm::Algorithm;
use crate::hexadecimal::{HexadecimalError, decode};
use crate::key::{Key, KeyError, KeyId};
use crate::keys::Keys;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `ID [TYPE] KEY`, where the key is `HEX:…`, `ASCII:…` or plain ASCII, and the type is MD5 if
    /// nothing else is said. Comments are lines that begin with `#`, `%`, `;` or `!`.
    Chrony,
    /// `ID TYPE KEY [ADDRESS,…]`, where a key of up to 20 characters is meant as it stands and a
    /// longer one is hexadecimal. A `#` begins a comment wherever it is.
    Ntp,
}

impl Format {
    /// All of them, with the words that stand for them in configurations and on command lines.
    pub const WORDS: &[(&str, Self)] = &[("chrony", Self::Chrony), ("ntp", Self::Ntp)];
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct KeyFile {
    /// Its keys.
    pub keys: Keys,
    /// The lines that made none, in their order.
    pub mistakes: Vec<Mistake>,
}

/// Bytes of the longest secret. Nobody has one that long; a file that is none of keys has.
pub const LONGEST_SECRET: usize = 1024;

impl KeyFile {
    /// Reads what is in a file.
    pub fn parse(format: Format, content: &[u8]) -> Self {
        let mut keys = Vec::new();
        let mut mistakes = Vec::new();
        let mut lines_of_keys = BTreeMap::new();
        for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
            let parsed = match format {
                Format::Chrony => chrony::parse(line),
                Format::Ntp => ntp::parse(line),
            };
            let parsed = parsed.and_then(|key| match key {
                Some(key) => match lines_of_keys.get(&key.id()) {
                    Some(&first) => Err(Fault::Duplicate { first }),
                    None => Ok(Some(key)),
                },
                None => Ok(None),
            });
            match parsed {
                Ok(Some(key)) => {
                    lines_of_keys.insert(key.id(), number);
                    keys.push(key);
                }
                Ok(None) => {}
                Err(fault) => mistakes.push(Mistake { line: number, fault }),
            }
        }
        Self { keys: keys.into_iter().collect(), mistakes }
    }
}

/// A line with this key, and no line break.
pub fn line(format: Format, id: KeyId, algorithm: Algorithm, secret: &[u8]) -> Zeroizing<String> {
    let (name, prefix) = match (format, algorithm) {
        (Format::Chrony, _) => (algorithm.name(), "HEX:"),
        (Format::Ntp, Algorithm::Aes128) => ("AES128CMAC", ""),
        (Format::Ntp, _) => (algorithm.name(), ""),
    };
    let mut line = Zeroizing::new(String::with_capacity(64 + 2 * secret.len()));
    line.push_str(&format!("{id} {name} {prefix}"));
    for byte in secret {
        for digit in [byte >> 4, byte & 15] {
            line.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
        }
    }
    line
}

/// The identifier at the start of a line, up to the largest that the format has.
fn identifier(word: &[u8], largest: u32) -> Result<KeyId, Fault> {
    let number = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    let in_range = number.filter(|number| *number <= largest).and_then(KeyId::new);
    in_range.ok_or(Fault::Identifier { largest })
}

fn algorithm(word: &[u8]) -> Result<Algorithm, Fault> {
    let known = std::str::from_utf8(word).ok().and_then(Algorithm::from_name);
    known.ok_or(Fault::UnknownType)
}

fn hexadecimal(digits: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    decode(digits).map_err(|error| match error {
        HexadecimalError::Odd => Fault::OddHexadecimal,
        HexadecimalError::NotADigit => Fault::NotHexadecimal,
    })
}

fn key(id: KeyId, algorithm: Algorithm, secret: &[u8]) -> Result<Key, Fault> {
    if secret.len() > LONGEST_SECRET {
        return Err(Fault::TooLong);
    }
    Key::new(id, algorithm, secret).map_err(|error| match error {
        KeyError::Empty => Fault::MissingKey,
        KeyError::Length { algorithm, len, wanted } => Fault::KeyLength { algorithm, len, wanted },
    })
}

#[cfg(test)]
mod tests;
