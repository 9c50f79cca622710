//! The dialect of chronyd: chrony.conf, and chronyd's command line.
//!
//! A text is lines of words (`line`); the first word chooses one of the `directives`, which reads the
//! others (`arguments`) into a `draft`. When all lines are read, also those of other files (`reader`),
//! the draft becomes the configuration.

mod access;
mod arguments;
mod directives;
mod draft;
mod host;
mod line;
mod page;
mod reader;
mod remarks;
mod source_directories;

pub use page::compat_page;
pub(crate) use reader::OtherFiles;
pub use source_directories::{FoundSources, SourceDirectories};

use crate::diagnostic::{Diagnostic, Mistakes};
use crate::document::Document;
use crate::{Loaded, Reading};

type Outcome<T> = Result<T, Box<Diagnostic>>;

/// Reads a text, as far as it can be understood, and the files that it includes, which become part
/// of the document.
pub(crate) fn read(document: &mut Document, others: OtherFiles) -> (Reading, SourceDirectories) {
    reader::read(document, others).finish()
}

/// Reads directives from arguments of the command line, each a line, as chronyd does in place of a
/// file.
///
/// # Errors
///
/// Everything that is wrong with them.
pub fn parse_lines<S: AsRef<str>>(lines: &[S]) -> Result<Loaded, Mistakes> {
    let lines: Vec<_> = lines.iter().map(|line| line.as_ref().replace(['\n', '\r'], " ")).collect();
    let mut document = Document::new("command line", lines.join("\n"));
    let (reading, directories) = read(&mut document, OtherFiles::Read);
    crate::judge(document, reading, directories)
}
