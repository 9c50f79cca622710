//! `keygen [ID [TYPE [BITS]]]`: a line for a key file.

use std::io;

use timeball_auth::key_file::{self, Format};
use timeball_auth::{Algorithm, KeyId};
use zeroize::Zeroizing;

use super::words::Words;
use crate::chronyc::trouble::{Outcome, Trouble};

/// What key is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chronyc) struct Key {
    id: KeyId,
    algorithm: Algorithm,
    bytes: usize,
}

const DEFAULT_BITS: u32 = 160;
/// Bytes.
const SHORTEST: usize = 10;
const LONGEST: usize = 512;

impl Key {
    pub(super) fn parse(mut words: Words<'_>) -> Outcome<Self> {
        let invalid = || Trouble::usage("Invalid syntax for keygen command");
        let id = words.next().unwrap_or("1").parse().map_err(|_| invalid())?;
        let name = words.next().unwrap_or(Algorithm::Sha1.name());
        let bits =
            words.next().map_or(Ok(DEFAULT_BITS), |word| word.parse().map_err(|_| invalid()))?;
        if words.next().is_some() {
            return Err(invalid());
        }
        let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        let unknown = || Trouble::usage(format!("Unknown hash function or cipher {name}"));
        let algorithm = known.ok_or_else(unknown)?;
        let bytes = algorithm.exact_key_len().unwrap_or(bits.div_ceil(8) as usize);
        Ok(Self { id, algorithm, bytes: bytes.clamp(SHORTEST, LONGEST) })
    }

    /// A line with a new key, from the kernel's generator.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub(in crate::chronyc) fn generate(&self) -> io::Result<Zeroizing<String>> {
        let mut secret = Zeroizing::new(vec![0; self.bytes]);
        timeball_host::random::fill(&mut secret)?;
        Ok(key_file::line(Format::Chrony, self.id, self.algorithm, &secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> String {
        Key::parse(Words::of(words)).unwrap().generate().unwrap().to_string()
    }

    #[test]
    fn keys_have_the_length_that_was_asked_for() {
        for (words, start, digits) in [
            ("", "1 SHA1 HEX:", 40),
            ("5", "5 SHA1 HEX:", 40),
            ("7 SHA256 256", "7 SHA256 HEX:", 64),
            ("7 AES128 8", "7 AES128 HEX:", 32),
            ("7 AES256", "7 AES256 HEX:", 64),
            ("7 MD5 1", "7 MD5 HEX:", 20),
            ("7 MD5 1000000", "7 MD5 HEX:", 1024),
        ] {
            let line = line(words);
            let key = line.strip_prefix(start).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(key.len(), digits, "{line}");
            assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
        }
        assert_ne!(line("1"), line("1"));
    }

    #[test]
    fn nonsense_makes_no_key() {
        for bad in ["x", "1 ROT13", "1 MD5 x", "1 MD5 128 more"] {
            assert!(Key::parse(Words::of(bad)).is_err(), "{bad}");
        }
    }
}
