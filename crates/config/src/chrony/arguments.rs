//! The arguments of one directive, taken one by one.

use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;

use super::Outcome;
use super::line::{Line, Word};
use crate::diagnostic::Diagnostic;

/// Longest name of an interface: `IFNAMSIZ` is 16, the last byte zero.
const LONGEST_DEVICE: usize = 15;
/// Longest path that the kernel takes (`PATH_MAX` with its zero).
const LONGEST_PATH: usize = 4095;
/// Longest path of a Unix socket on Linux: `sun_path` has 108 bytes, the last is zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// Far beyond any error of a clock (s).
const CENTURY: f64 = 36500.0 * 86400.0;
/// Far beyond any sense.
const LARGEST_RATIO: f64 = 1e9;

/// What is left of a line.
pub(super) struct Arguments<'l> {
    line: &'l Line<'l>,
    next: usize,
}

impl<'l> Arguments<'l> {
    pub(super) fn of(line: &'l Line<'l>) -> Self {
        Self { line, next: 0 }
    }

    /// The whole line.
    pub(super) fn line(&self) -> Range<usize> {
        self.line.span()
    }

    /// The directive's name, as written.
    pub(super) fn directive(&self) -> &'l str {
        self.line.directive.text
    }

    /// How many there are, taken or not.
    pub(super) fn count(&self) -> usize {
        self.line.arguments.len()
    }

    /// The next one, if there is one.
    pub(super) fn next(&mut self) -> Option<&'l Word<'l>> {
        let word = self.line.arguments.get(self.next)?;
        self.next += 1;
        Some(word)
    }

    /// The next one, which must be there.
    pub(super) fn word(&mut self, what: &str) -> Outcome<&'l Word<'l>> {
        self.next().ok_or_else(|| self.missing(what))
    }

    /// Nothing is left.
    pub(super) fn finish(&self) -> Outcome<()> {
        match self.line.arguments.get(self.next) {
            None => Ok(()),
            Some(word) => Err(Box::new(
                Diagnostic::error(format!(
                    "`{}` is too much for `{}`",
                    word.text,
                    self.directive()
                ))
                .at(word.span.clone())
                .help("a comment needs a line of its own"),
            )),
        }
    }

    /// A number; more than the largest or less than the least is none.
    pub(super) fn number(&mut self, what: &str, range: RangeInclusive<f64>) -> Outcome<f64> {
        let word = self.word(what)?;
        // A sum, so that there is no −0, which would be below 0 and yet not be.
        let value = word.text.parse::<f64>().ok().map(|value| value + 0.0);
        value.filter(|value| range.contains(value)).ok_or_else(|| {
            wrong(word, what, format!("a number {}", described(*range.start(), *range.end())))
        })
    }

    /// A time that is not negative (s). More than a century is as good as a century.
    pub(super) fn seconds(&mut self, what: &str) -> Outcome<f64> {
        Ok(self.number(what, 0.0..=f64::MAX)?.min(CENTURY))
    }

    /// A difference of times (s).
    pub(super) fn difference(&mut self, what: &str) -> Outcome<f64> {
        Ok(self.number(what, f64::MIN..=f64::MAX)?.clamp(-CENTURY, CENTURY))
    }

    /// A number that is not negative. More than the largest is as good as that.
    pub(super) fn ratio(&mut self, what: &str) -> Outcome<f64> {
        Ok(self.number(what, 0.0..=f64::MAX)?.min(LARGEST_RATIO))
    }

    /// A whole number.
    pub(super) fn integer(&mut self, what: &str, range: RangeInclusive<i64>) -> Outcome<i64> {
        let word = self.word(what)?;
        let value = word.text.parse::<i64>().ok();
        value.filter(|value| range.contains(value)).ok_or_else(|| {
            let bounds = described(*range.start() as f64, *range.end() as f64);
            wrong(word, what, format!("a whole number {bounds}"))
        })
    }

    /// A count: a whole number that is not negative.
    pub(super) fn count_of(&mut self, what: &str, least: i64) -> Outcome<i64> {
        self.integer(what, least..=i64::from(i32::MAX))
    }

    /// A UDP port, or 0.
    pub(super) fn port(&mut self) -> Outcome<u16> {
        let port = self.integer("the port", 0..=i64::from(u16::MAX))?;
        Ok(u16::try_from(port).unwrap_or_default())
    }

    /// A UDP port that can be sent to.
    pub(super) fn used_port(&mut self) -> Outcome<u16> {
        let port = self.integer("the port", 1..=i64::from(u16::MAX))?;
        Ok(u16::try_from(port).unwrap_or_default())
    }

    /// A frequency in ppm, as s/s; beyond the bounds it is the nearest of them.
    pub(super) fn ppm(&mut self, what: &str, bounds: RangeInclusive<f64>) -> Outcome<f64> {
        // Divided, not multiplied: 500 ppm shall be the number that 0.0005 is.
        let frequency = self.number(what, 0.0..=f64::MAX)? / 1e6;
        Ok(frequency.clamp(*bounds.start(), *bounds.end()))
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(&mut self, what: &str, words: &[(&str, T)]) -> Outcome<T> {
        let word = self.word(what)?;
        words.iter().find(|(known, _)| word.is(known)).map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            wrong(word, what, format!("one of {}", known.join(", ")))
        })
    }

    /// An address.
    pub(super) fn address(&mut self) -> Outcome<IpAddr> {
        let word = self.word("the address")?;
        word.text.parse().map_err(|_| {
            wrong(word, "the address", "an IPv4 or IPv6 address; names are not possible here")
        })
    }

    /// A network interface.
    pub(super) fn device(&mut self) -> Outcome<String> {
        let word = self.word("the interface")?;
        if word.text.len() > LONGEST_DEVICE || word.text.contains('/') {
            return Err(wrong(word, "the interface", "the name of an interface, such as eth0"));
        }
        Ok(word.text.to_owned())
    }

    /// A path. A relative one starts where the program was started.
    pub(super) fn path(&mut self, what: &str) -> Outcome<PathBuf> {
        let word = self.word(what)?;
        path(word, what, LONGEST_PATH)
    }

    /// A path, or `/` for none.
    pub(super) fn path_or_none(&mut self, what: &str) -> Outcome<Option<PathBuf>> {
        let word = self.word(what)?;
        if word.text == "/" { Ok(None) } else { path(word, what, LONGEST_PATH).map(Some) }
    }

    fn missing(&self, what: &str) -> Box<Diagnostic> {
        let end = self.line().end;
        Box::new(
            Diagnostic::error(format!("`{}` lacks {what}", self.directive())).at(self
                .line
                .directive
                .span
                .start
                ..end),
        )
    }
}

/// A path of a Unix socket, or `/` for none.
pub(super) fn socket_path(word: &Word<'_>) -> Outcome<Option<PathBuf>> {
    if word.text == "/" {
        return Ok(None);
    }
    path(word, "the socket's path", LONGEST_SOCKET_PATH).map(Some)
}

pub(super) fn path(word: &Word<'_>, what: &str, longest: usize) -> Outcome<PathBuf> {
    let path = std::path::absolute(word.text).unwrap_or_else(|_| PathBuf::from(word.text));
    if path.as_os_str().len() > longest {
        return Err(wrong(word, what, format!("at most {longest} bytes")));
    }
    // What comes back from a native file must be the same.
    if path.to_str().is_none() {
        return Err(wrong(word, what, "a path in UTF-8"));
    }
    Ok(path)
}

/// A word that is not what has to stand there.
pub(super) fn wrong(word: &Word<'_>, what: &str, expected: impl Into<String>) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(format!("{what} cannot be `{}`", word.text))
            .at(word.span.clone())
            .expected(expected),
    )
}

/// "from 0 to 63", without the bounds that only keep the numbers finite.
fn described(least: f64, most: f64) -> String {
    let open = |bound: f64| bound.abs() >= f64::from(i32::MAX);
    match (open(least), open(most)) {
        (true, true) => String::new(),
        (true, false) => format!("up to {most}"),
        (false, true) => format!("from {least}"),
        (false, false) => format!("from {least} to {most}"),
    }
}
