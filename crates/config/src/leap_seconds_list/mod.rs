//! `leap-seconds.list`, as the IERS and NIST publish it: TAI − UTC since 1972, and half a year ahead.
//!
//! ```text
//! #$ 3960835200                  last update, like all times here in seconds since 1900-01-01
//! #@ 3991593600                  expiry
//! 2272060800  10  # 1 Jan 1972   from this midnight on, TAI − UTC is so many seconds
//! 2287785600  11  # 1 Jul 1972
//! #h 49db2447 571e5e1b 2f002a53 9c8da8e4 39b8e49e
//! ```
//!
//! Other lines that begin with `#` are comments. The last line is the SHA-1 of all digits of the
//! lines shown above it, comments at their ends left out, in the order of the file.

mod error;
mod source;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::{Digest, Sha1};
use timeball_core::discipline::LeapTable;
use timeball_wire::Timestamp;

pub use error::LeapSecondsError;
pub use source::LeapSeconds;

/// Longest file that is read; the real one has 5 kB.
const LONGEST: usize = 1 << 20;

/// 1970-01-01 in seconds since 1900-01-01.
const UNIX_EPOCH: i64 = 2_208_988_800;

const DAY: i64 = 86_400;

/// Largest TAI − UTC (s) that Linux takes; it is 37 since 2017.
const LARGEST_OFFSET: i64 = 100_000;

/// The content of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct LeapSecondsList {
    /// The leap seconds, and how long the file is good for.
    pub table: LeapTable,
    /// It has a hash, and the hash is right. Without one nobody can tell whether lines are missing.
    pub verified: bool,
}

impl LeapSecondsList {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, or the first thing that is wrong with it.
    pub fn open(path: &Path) -> Result<Self, LeapSecondsError> {
        let mut bytes = Vec::new();
        File::open(path)
            // One byte more than allowed tells "too long" from "just fits".
            .and_then(|file| file.take(LONGEST as u64 + 1).read_to_end(&mut bytes))
            .map_err(LeapSecondsError::Unreadable)?;
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, LeapSecondsError> {
        if bytes.len() > LONGEST {
            return Err(LeapSecondsError::TooLong);
        }
        match str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                Err(LeapSecondsError::NotText { line })
            }
        }
    }

    /// Reads a text. Takes any text at all without a panic.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LeapSecondsError> {
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            reader.line(Line { number: index + 1, text: line.trim() })?;
        }
        let list = reader.finish()?;
        // A hash shows that all is there; without one the last number may have lost its end.
        if !list.verified && !text.ends_with('\n') {
            return Err(LeapSecondsError::CutOff);
        }
        Ok(list)
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    entries: Vec<(Timestamp, i32)>,
    updated: Option<Timestamp>,
    expiry: Option<Timestamp>,
    hash: Option<[u32; 5]>,
    hasher: Sha1,
}

impl Reader {
    fn line(&mut self, line: Line<'_>) -> Result<(), LeapSecondsError> {
        if let Some(rest) = line.after("#$") {
            self.updated = Some(self.marked_time(line, rest, "#$", self.updated)?);
        } else if let Some(rest) = line.after("#@") {
            self.expiry = Some(self.marked_time(line, rest, "#@", self.expiry)?);
        } else if let Some(rest) = line.after("#h").filter(|rest| rest.starts_with([' ', '\t'])) {
            if self.hash.replace(line.hash(rest)?).is_some() {
                return Err(line.repeated("#h"));
            }
        } else if !line.text.is_empty() && !line.text.starts_with('#') {
            self.entry(line)?;
        }
        Ok(())
    }

    fn marked_time(
        &mut self,
        line: Line<'_>,
        rest: &str,
        marker: &'static str,
        before: Option<Timestamp>,
    ) -> Result<Timestamp, LeapSecondsError> {
        if before.is_some() {
            return Err(line.repeated(marker));
        }
        let [time] = line.fields(rest)?;
        self.hasher.update(time);
        line.time(time)
    }

    fn entry(&mut self, line: Line<'_>) -> Result<(), LeapSecondsError> {
        let [time, offset] = line.fields(line.text)?;
        self.hasher.update(time);
        self.hasher.update(offset);
        let from = line.time(time)?;
        if line.number(time)? % DAY != 0 {
            return Err(LeapSecondsError::NotMidnight { line: line.number });
        }
        let offset = match i32::try_from(line.number(offset)?) {
            Ok(value) if i64::from(value) <= LARGEST_OFFSET => value,
            _ => return Err(line.out_of_range(offset)),
        };
        if let Some((before, from_offset)) = self.entries.last().copied() {
            if from <= before {
                return Err(LeapSecondsError::NotAscending { line: line.number });
            }
            if from_offset.abs_diff(offset) != 1 {
                let (from, to) = (from_offset, offset);
                return Err(LeapSecondsError::NotALeapSecond { line: line.number, from, to });
            }
        }
        self.entries.push((from, offset));
        Ok(())
    }

    fn finish(self) -> Result<LeapSecondsList, LeapSecondsError> {
        if let Some(stated) = self.hash {
            let digest: [u8; 20] = self.hasher.finalize().into();
            if !stated.iter().flat_map(|word| word.to_be_bytes()).eq(digest) {
                return Err(LeapSecondsError::WrongHash);
            }
        }
        if self.entries.is_empty() {
            return Err(LeapSecondsError::Empty);
        }
        let expiry = self.expiry.ok_or(LeapSecondsError::NoExpiry)?;
        let table = LeapTable::new(self.entries, expiry);
        Ok(LeapSecondsList { table, verified: self.hash.is_some() })
    }
}

/// A line without the white space around it.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn after(self, marker: &str) -> Option<&'a str> {
        self.text.strip_prefix(marker)
    }

    /// Exactly `N` words before a comment.
    fn fields<const N: usize>(self, text: &'a str) -> Result<[&'a str; N], LeapSecondsError> {
        let text = text.split('#').next().unwrap_or_default();
        let mut words = text.split_whitespace();
        let mut fields = [""; N];
        for field in &mut fields {
            *field = words.next().ok_or(LeapSecondsError::MissingField { line: self.number })?;
        }
        match words.next() {
            None => Ok(fields),
            Some(extra) => {
                Err(LeapSecondsError::ExtraField { line: self.number, found: shown(extra) })
            }
        }
    }

    /// Digits and nothing else, so that what was understood is what was hashed.
    fn number(self, word: &str) -> Result<i64, LeapSecondsError> {
        if !word.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(LeapSecondsError::NotANumber { line: self.number, found: shown(word) });
        }
        word.parse().map_err(|_| self.out_of_range(word))
    }

    fn time(self, word: &str) -> Result<Timestamp, LeapSecondsError> {
        let since_1970 = self.number(word)? - UNIX_EPOCH;
        let nanos = since_1970.checked_mul(1_000_000_000);
        nanos.map(Timestamp::from_nanos).ok_or_else(|| self.out_of_range(word))
    }

    /// Each of the five words may have lost its leading zeros.
    fn hash(self, text: &str) -> Result<[u32; 5], LeapSecondsError> {
        let bad = LeapSecondsError::BadHash { line: self.number };
        let Ok(words) = self.fields::<5>(text) else { return Err(bad) };
        let mut hash = [0; 5];
        for (word, value) in words.iter().zip(&mut hash) {
            let hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit());
            match u32::from_str_radix(word, 16) {
                Ok(parsed) if hexadecimal => *value = parsed,
                _ => return Err(bad),
            }
        }
        Ok(hash)
    }

    fn repeated(self, marker: &'static str) -> LeapSecondsError {
        LeapSecondsError::Repeated { line: self.number, marker }
    }

    fn out_of_range(self, word: &str) -> LeapSecondsError {
        LeapSecondsError::OutOfRange { line: self.number, found: shown(word) }
    }
}

/// A word of any length, as far as a person wants to see it.
fn shown(word: &str) -> String {
    word.chars().take(20).collect()
}
