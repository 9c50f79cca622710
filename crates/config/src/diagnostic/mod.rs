//! What is wrong, where, what was expected, and what to write instead.

mod render;

use std::error::Error;
use std::fmt;
use std::ops::Range;

pub use render::Style;

use crate::document::Document;

/// More than this nobody reads at once; the file may have been something else altogether.
const MOST_SHOWN: usize = 50;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted, but the operator should know.
    Warning,
}

/// One remark about a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The bytes it is about; `None` if it is about the whole file.
    pub span: Option<Range<usize>>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What would be right here.
    pub expected: Option<String>,
    /// What to do; it may be several lines to write.
    pub help: Option<String>,
    /// Other places that have to do with it, and what they are.
    pub related: Vec<(Range<usize>, String)>,
}

impl Diagnostic {
    /// A reason to refuse the configuration.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message.into())
    }

    /// Something worth knowing.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message.into())
    }

    fn new(severity: Severity, message: String) -> Self {
        Self { severity, span: None, message, expected: None, help: None, related: Vec::new() }
    }

    /// The same, without a refusal.
    pub(crate) fn into_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Points at these bytes.
    pub fn at(mut self, span: impl Into<Option<Range<usize>>>) -> Self {
        self.span = span.into();
        self
    }

    /// Says what would be right.
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what to do.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.help_if(Some(help.into()))
    }

    /// Says what to do, if that is known.
    pub fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Points at another place as well, if it is in the text.
    pub fn related(mut self, span: Option<Range<usize>>, label: impl Into<String>) -> Self {
        self.related.extend(span.map(|span| (span, label.into())));
        self
    }

    /// The remark with its line and a caret, as [`Mistakes::render`] shows it.
    pub fn render(&self, document: &Document, style: Style) -> String {
        render::render(self, document, style)
    }
}

/// Why a configuration was refused: every mistake in it, in the order of the text, warnings
/// included.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistakes {
    /// The text.
    pub document: Document,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Mistakes {
    pub(crate) fn of(document: Document, diagnostic: Diagnostic) -> Self {
        Self { document, diagnostics: vec![diagnostic] }
    }

    /// All of it, for people: one paragraph per diagnostic. Of very many only the first are shown.
    pub fn render(&self, style: Style) -> String {
        let mut paragraphs: Vec<String> = self
            .diagnostics
            .iter()
            .take(MOST_SHOWN)
            .map(|diagnostic| diagnostic.render(&self.document, style))
            .collect();
        match self.diagnostics.len().saturating_sub(MOST_SHOWN) {
            0 => {}
            more => paragraphs.push(format!("{}: and {more} more\n", self.document.name())),
        }
        paragraphs.join("\n")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl Error for Mistakes {}

/// Sorts by place; what is about the whole file comes last.
pub(crate) fn in_reading_order(diagnostics: &mut [Diagnostic]) {
    diagnostics
        .sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(usize::MAX, |span| span.start));
}
