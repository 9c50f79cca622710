//! A text with a name, and where its lines are. A text that includes others is one text with several
//! names.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Mistakes};

/// Longest file that is read; a configuration of a thousand servers is below a tenth of it.
const LONGEST: usize = 1 << 20;

/// A configuration file's text, and the texts of the files that it includes: a byte's number says
/// which file it is in.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    name: String,
    text: String,
    included: Vec<Included>,
}

/// A file within the text of another.
#[derive(Clone, Debug, PartialEq)]
struct Included {
    name: String,
    start: usize,
}

impl Document {
    /// A text in memory under the name that diagnostics shall show.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), included: Vec::new() }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// One diagnostic that says why it cannot be read: missing, a directory, no permission, too
    /// long, or not UTF-8 (then with line and column).
    pub fn open(path: &Path) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(diagnostic) => return Err(Mistakes::of(Self::new(name, ""), *diagnostic)),
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => Err(not_utf8(name, error)),
        }
    }

    /// Reads the file at `path`; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// One diagnostic that says why it cannot be read: missing, a directory, no permission, or too
    /// long.
    pub(crate) fn open_lossy(path: &Path) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        match read(path) {
            Ok(bytes) => Ok(Self::new(name, String::from_utf8_lossy(&bytes))),
            Err(diagnostic) => Err(Mistakes::of(Self::new(name, ""), *diagnostic)),
        }
    }

    /// Appends the file at `path`; the range is what its text has become. Bytes that are not UTF-8
    /// become U+FFFD.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, at no place yet.
    pub(crate) fn include(&mut self, path: &Path) -> Result<Range<usize>, Box<Diagnostic>> {
        let bytes = read(path)?;
        // A line of its own between two files, so that no place is in both.
        self.text.push('\n');
        let start = self.text.len();
        self.text.push_str(&String::from_utf8_lossy(&bytes));
        self.included.push(Included { name: path.display().to_string(), start });
        Ok(start..self.text.len())
    }

    /// Name, as diagnostics show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the file that a byte is in.
    pub fn name_at(&self, byte: usize) -> &str {
        self.file_at(byte).0
    }

    /// The whole text, with those that it includes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line in its file and column of a byte, both from 1; columns are counted in characters.
    pub fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let file = self.file_at(byte).1;
        let before = self.text.get(file..self.nearest_boundary(byte)).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    /// What the range covers; nothing if it is no range of this text.
    pub fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The line that a byte is on, without the white space around it.
    pub fn line_range(&self, byte: usize) -> Range<usize> {
        let whole = self.whole_lines(&(byte..byte));
        let line = self.slice(&whole);
        let start = whole.start + (line.len() - line.trim_start().len());
        start..start + line.trim().len()
    }

    /// A range of this text widened to its first line's start and its last line's end.
    pub(crate) fn whole_lines(&self, range: &Range<usize>) -> Range<usize> {
        let Range { start, end } = self.clamp(range);
        let before = self.text.get(..start).unwrap_or_default();
        let after = self.text.get(end..).unwrap_or_default();
        let rest = after.split('\n').next().unwrap_or_default();
        let rest = rest.strip_suffix('\r').unwrap_or(rest);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        start..end + rest.len()
    }

    /// A range that can be shown: within the text and between characters.
    pub(crate) fn clamp(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.nearest_boundary(range.start);
        start..self.nearest_boundary(range.end).max(start)
    }

    /// Name and first byte of the file that a byte is in.
    pub(crate) fn file_at(&self, byte: usize) -> (&str, usize) {
        let following = self.included.partition_point(|included| included.start <= byte);
        match following.checked_sub(1).and_then(|index| self.included.get(index)) {
            Some(included) => (&included.name, included.start),
            None => (&self.name, 0),
        }
    }

    fn nearest_boundary(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Box<Diagnostic>> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    if file.metadata().map_err(|error| unreadable(&error))?.is_dir() {
        let diagnostic = Diagnostic::error("this is a directory");
        return Err(Box::new(
            diagnostic.expected("a configuration file, for example /etc/timeball/timeball.toml"),
        ));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too long" from "just fits", whatever kind of file it is.
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() > LONGEST {
        let diagnostic = Diagnostic::error("the file is longer than 1 MiB");
        return Err(Box::new(
            diagnostic.help("is this a configuration, and not a log or an image?"),
        ));
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> Box<Diagnostic> {
    let diagnostic = Diagnostic::error(format!("the file cannot be read: {error}"));
    Box::new(match error.kind() {
        io::ErrorKind::NotFound => diagnostic.help(
            "write a file with at least one source:\n[[server]]\naddress = \"ntp.example.net\"",
        ),
        io::ErrorKind::PermissionDenied => {
            diagnostic.help("it must be readable by the user that timeball is started as")
        }
        _ => diagnostic,
    })
}

/// Shows the line up to the bad byte, so that the caret has something to stand under.
fn not_utf8(name: String, error: std::string::FromUtf8Error) -> Mistakes {
    let at = error.utf8_error().valid_up_to();
    let bytes = error.into_bytes();
    let bad = bytes.get(at).copied().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Mistakes::of(
        Document::new(name, text),
        Diagnostic::error(format!("the byte 0x{bad:02x} is not UTF-8"))
            // The replacement character stands where the bad byte was: three bytes in the text.
            .at(at..at + char::REPLACEMENT_CHARACTER.len_utf8())
            .expected("a text file in UTF-8")
            .help("convert it, for example with `iconv -f ISO-8859-1 -t UTF-8`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_in_characters() {
        let document = Document::new("t", "a\n\u{b5}s = 1\r\n\nlast");
        assert_eq!(document.line_and_column(0), (1, 1));
        assert_eq!(document.line_and_column(2), (2, 1));
        // Within the two bytes of the micro sign, and after them.
        assert_eq!(document.line_and_column(3), (2, 1));
        assert_eq!(document.line_and_column(4), (2, 2));
        assert_eq!(document.line_and_column(11), (3, 1));
        assert_eq!(document.line_and_column(12), (4, 1));
        assert_eq!(document.line_and_column(usize::MAX), (4, 5));
        assert_eq!(document.slice(&document.line_range(4)), "\u{b5}s = 1");
        assert_eq!(document.slice(&document.line_range(11)), "");
        assert_eq!(document.slice(&document.line_range(usize::MAX)), "last");
    }

    #[test]
    fn a_file_without_permission_says_whose_it_must_be() {
        let diagnostic = unreadable(&io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(diagnostic.message, "the file cannot be read: permission denied");
        assert_eq!(
            diagnostic.help.as_deref(),
            Some("it must be readable by the user that timeball is started as")
        );
    }
}
