//! Line by line, through all the files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, glob_with};

use super::Outcome;
use super::arguments::{Arguments, wrong};
use super::directives::{self, Fate, Inclusion};
use super::draft::Draft;
use super::line::{self, Line};
use crate::diagnostic::Diagnostic;
use crate::document::Document;

/// May a text have other files read?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherFiles {
    /// Yes: it is itself a file, or an operator's command line.
    Read,
    /// No: it came from anywhere.
    LeaveAlone,
}

/// chronyd goes no deeper.
const DEEPEST: usize = 10;
/// More than this no configuration has; files that include each other have no end.
const MOST_FILES: usize = 1000;

/// Reads the document, appending the files that it includes.
pub(super) fn read(document: &mut Document, others: OtherFiles) -> Draft {
    let mut reader = Reader { document, others, draft: Draft::new(), depth: 1, files: 1 };
    let whole = 0..reader.document.text().len();
    // The one reason to stop is in the diagnostics by then.
    let _ = reader.file(whole);
    reader.draft
}

struct Reader<'d> {
    document: &'d mut Document,
    others: OtherFiles,
    draft: Draft,
    depth: usize,
    files: usize,
}

/// Nothing more is read: files include each other without an end.
struct Endless;

impl Reader<'_> {
    /// Reads the lines of one file.
    fn file(&mut self, range: Range<usize>) -> Result<(), Endless> {
        let text = self.document.slice(&range).to_owned();
        for line in line::lines(&text, range.start) {
            let line = match line {
                Ok(line) => line,
                Err(diagnostic) => {
                    self.draft.report(*diagnostic);
                    continue;
                }
            };
            self.line(&line);
            if let Some(inclusion) = Inclusion::by(line.directive.text) {
                self.include(inclusion, &line)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) {
        let Some(directive) = directives::find(line.directive.text) else {
            self.draft.report(unknown(line));
            return;
        };
        match directive.fate {
            Fate::Honoured | Fate::Unneeded => {}
            Fate::Warned => self.draft.report(
                Diagnostic::warning(format!("`{}` has no effect", directive.name))
                    .at(line.span())
                    .help(directive.words),
            ),
            Fate::Refused => {
                self.draft.report(
                    Diagnostic::error(format!("`{}` is not supported", directive.name))
                        .at(line.span())
                        .help(directive.words),
                );
                return;
            }
        }
        let mut arguments = Arguments::of(line);
        let outcome =
            (directive.read)(&mut self.draft, &mut arguments).and_then(|()| arguments.finish());
        if let Err(diagnostic) = outcome {
            self.draft.report(*diagnostic);
        }
    }

    fn include(&mut self, inclusion: Inclusion, line: &Line<'_>) -> Result<(), Endless> {
        if self.others == OtherFiles::LeaveAlone {
            self.draft.report(
                Diagnostic::warning("no other file is read from here")
                    .at(line.span())
                    .help("only a configuration that is itself a file can include others"),
            );
            return Ok(());
        }
        let mut arguments = Arguments::of(line);
        let found = match inclusion {
            Inclusion::Pattern => matching(&mut arguments),
            Inclusion::Directories => {
                directives::directories(&mut arguments).map(|found| in_directories(&found, "conf"))
            }
        };
        match found {
            Ok(paths) => paths.iter().try_for_each(|path| self.included(path, line)),
            Err(diagnostic) => {
                self.draft.report(*diagnostic);
                Ok(())
            }
        }
    }

    fn included(&mut self, path: &Path, line: &Line<'_>) -> Result<(), Endless> {
        if self.depth == DEEPEST || self.files == MOST_FILES {
            let most = if self.depth == DEEPEST {
                format!("files include each other more than {DEEPEST} deep")
            } else {
                format!("there are more than {MOST_FILES} files")
            };
            self.draft.report(
                Diagnostic::error(most)
                    .at(line.span())
                    .help(format!("does {} include itself?", path.display())),
            );
            return Err(Endless);
        }
        match self.document.include(path) {
            Ok(range) => {
                self.depth += 1;
                self.files += 1;
                let read = self.file(range);
                self.depth -= 1;
                read
            }
            Err(mut diagnostic) => {
                diagnostic.message = format!("{}: {}", path.display(), diagnostic.message);
                self.draft.report(diagnostic.at(line.span()));
                Ok(())
            }
        }
    }
}

/// The files that a pattern matches, by name; none is fine.
fn matching(arguments: &mut Arguments<'_>) -> Outcome<Vec<PathBuf>> {
    let word = arguments.word("a file or pattern")?;
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = glob_with(word.text, options).map_err(|error| {
        let diagnostic = wrong(word, "the pattern", "a path, perhaps with `*`, `?` and `[...]`");
        Box::new(diagnostic.help(error.msg))
    })?;
    // A directory that may not be listed matches nothing.
    Ok(paths.filter_map(Result::ok).collect())
}

/// The files of some directories, by name; of several with one name that of the first directory.
/// What is not there has no files.
pub(super) fn in_directories(directories: &[PathBuf], extension: &str) -> Vec<PathBuf> {
    let mut by_name = BTreeMap::new();
    for directory in directories {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
            if let Some(name) = path.file_name().filter(|name| !hidden(name))
                && path.extension().is_some_and(|found| found == extension)
            {
                by_name.entry(name.to_owned()).or_insert(path);
            }
        }
    }
    by_name.into_values().collect()
}

fn unknown(line: &Line<'_>) -> Diagnostic {
    let word = &line.directive;
    let near = crate::native::nearest(word.text, directives::all().map(|directive| directive.name));
    Diagnostic::error(format!("chrony.conf has no directive `{}`", word.text))
        .at(word.span.clone())
        .help_if(near.map(|near| format!("did you mean `{near}`?")))
}
