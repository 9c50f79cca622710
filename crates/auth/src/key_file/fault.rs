//! What is wrong with a line of a key file, and what to do about it.

use std::fmt;

use crate::algorithm::Algorithm;

/// A line that made no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Why a line makes no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not begin with the identifier of a key.
    #[error("it does not begin with a key identifier from 1 to {largest}")]
    Identifier {
        /// The largest that this format has.
        largest: u32,
    },
    /// The type of the key is none that we have.
    #[error("its second word is no known type of key")]
    UnknownType,
    /// The line ends before the key, or the key is empty.
    #[error("it has no key")]
    MissingKey,
    /// The line goes on after its end.
    #[error("it goes on after the key")]
    TooManyWords,
    /// A digit of half a byte is left.
    #[error("its key has an odd number of hexadecimal digits")]
    OddHexadecimal,
    /// A character that is no digit.
    #[error("its key is to be hexadecimal and has other characters")]
    NotHexadecimal,
    /// A cipher takes keys of one length only.
    #[error("its key has {len} bytes, and {algorithm} takes {wanted}")]
    KeyLength {
        /// Which.
        algorithm: Algorithm,
        /// What it has (bytes).
        len: usize,
        /// What it should have (bytes).
        wanted: usize,
    },
    /// Longer than any key.
    #[error("its key is longer than any")]
    TooLong,
    /// Another line has a key of this name.
    #[error("its identifier is that of the key in line {first}")]
    Duplicate {
        /// That line.
        first: usize,
    },
    /// What follows the key is no list of addresses.
    #[error("what follows the key is no list of addresses")]
    Addresses,
}

impl Fault {
    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Identifier { .. } => {
                "begin the line with a number, or with `#` if it is a comment"
            }
            Self::UnknownType => {
                "write MD5, SHA1, SHA256, SHA384, SHA512, SHA3-224, SHA3-256, SHA3-384, SHA3-512, \
                 TIGER, WHIRLPOOL, AES128 or AES256 between identifier and key"
            }
            Self::MissingKey => "`timeball keys generate` makes whole lines",
            Self::TooManyWords => {
                "a key with blanks has to be written in hexadecimal (`HEX:…` in a file of chronyd's)"
            }
            Self::OddHexadecimal | Self::NotHexadecimal => {
                "compare it with the file on the other machine: a digit may have been lost"
            }
            Self::KeyLength { .. } => {
                "`timeball keys generate --type AES128` makes one of the right length"
            }
            Self::TooLong => "see that the path names a file of keys",
            Self::Duplicate { .. } => "remove one of the two lines, or number it differently",
            Self::Addresses => {
                "separate addresses by commas, and networks by `/` from their length"
            }
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} makes no key: {}; {}", self.line, self.fault, self.fault.advice())
    }
}
