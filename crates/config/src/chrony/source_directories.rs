//! Directories of `*.sources` files, which other programs fill (a DHCP client, say) and which can be
//! read anew at any time.

use std::path::{Path, PathBuf};

use timeball_core::settings::{SourceKind, SourceSettings};

use super::arguments::Arguments;
use super::directives::{DEFAULT_POOL_SOURCES, read_source};
use super::draft::SourceDefaults;
use super::line::{self, Line};
use super::reader::in_directories;
use crate::diagnostic::Diagnostic;
use crate::document::Document;

/// The directories, and what holds for the sources in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceDirectories {
    /// In each group a file hides those of the same name in later directories.
    groups: Vec<Vec<PathBuf>>,
    pub(super) defaults: SourceDefaults,
}

/// What was in the directories.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundSources {
    /// Sources, each as if it stood in the configuration.
    pub sources: Vec<SourceSettings>,
    /// Lines and files that were left out, and why: a mistake of another program must not keep
    /// this one from its work.
    pub warnings: Vec<Diagnostic>,
    /// All the files, to show a line of them.
    pub document: Document,
}

/// The kinds of sources by their directives.
pub(super) const KINDS: &[(&str, SourceKind)] = &[
    ("server", SourceKind::Server),
    ("pool", SourceKind::Pool { count: DEFAULT_POOL_SOURCES }),
    ("peer", SourceKind::Peer),
];

impl SourceDirectories {
    /// Directories of which none hides what is in another, and no defaults but chronyd's own.
    pub fn of(directories: &[PathBuf]) -> Self {
        let groups = directories.iter().map(|directory| vec![directory.clone()]).collect();
        Self { groups, defaults: SourceDefaults::default() }
    }

    pub(super) fn push_group(&mut self, directories: Vec<PathBuf>) {
        self.groups.push(directories);
    }

    /// All of them, in the order in which they are read.
    pub(super) fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.groups.iter().flatten()
    }

    /// Reads what is in them now. A directory that is not there is empty.
    pub fn read(&self) -> FoundSources {
        let mut found = FoundSources {
            sources: Vec::new(),
            warnings: Vec::new(),
            document: Document::new("source directories", ""),
        };
        for group in &self.groups {
            for path in in_directories(group, "sources") {
                self.file(&path, &mut found);
            }
        }
        found
    }

    fn file(&self, path: &Path, found: &mut FoundSources) {
        let range = match found.document.include(path) {
            Ok(range) => range,
            Err(diagnostic) => {
                let message = format!("{}: {}", path.display(), diagnostic.message);
                found.warnings.push(Diagnostic::warning(message));
                return;
            }
        };
        let text = found.document.slice(&range).to_owned();
        // A line without its end is still being written.
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        for line in line::lines(text.get(..complete).unwrap_or_default(), range.start) {
            let source = line.and_then(|line| self.source(&line, &mut found.warnings));
            match source {
                Ok(source) => found.sources.push(source),
                Err(diagnostic) => found.warnings.push(diagnostic.into_warning()),
            }
        }
    }

    fn source(
        &self,
        line: &Line<'_>,
        warnings: &mut Vec<Diagnostic>,
    ) -> super::Outcome<SourceSettings> {
        let Some((_, kind)) = KINDS.iter().find(|(name, _)| line.directive.is(name)) else {
            return Err(Box::new(
                Diagnostic::error(format!("`{}` is no source", line.directive.text))
                    .at(line.directive.span.clone())
                    .help("only server, pool and peer may stand in a *.sources file"),
            ));
        };
        let mut source = read_source(*kind, &mut Arguments::of(line), warnings)?;
        self.defaults.apply(&mut source);
        Ok(source.settings)
    }
}
