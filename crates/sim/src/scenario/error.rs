//! What is wrong with a scenario file, and where.

use std::fmt;
use std::ops::Range;

/// A mistake in a scenario file. `Display` shows the line with a caret below the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Line, from 1; 0 if the mistake has no place.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub message: String,
    excerpt: String,
    caret: usize,
}

impl ScenarioError {
    /// A mistake at `span` (bytes) of `text`.
    pub(super) fn at(text: &str, span: Option<Range<usize>>, message: impl Into<String>) -> Self {
        let message = message.into();
        let Some(span) = span else {
            return Self { line: 0, column: 0, message, excerpt: String::new(), caret: 0 };
        };
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let excerpt = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        let marked = text.get(span).and_then(|marked| marked.lines().next()).unwrap_or("");
        Self {
            line: before.matches('\n').count() + 1,
            column,
            message,
            excerpt: excerpt.to_owned(),
            caret: marked.chars().count().max(1),
        }
    }

    pub(super) fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        Self::at(text, error.span(), error.message())
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.message);
        }
        let number = self.line.to_string();
        writeln!(f, "line {number}, column {}: {}", self.column, self.message)?;
        writeln!(f, "{number} | {}", self.excerpt)?;
        let indent = number.len() + 3 + self.column.saturating_sub(1);
        write!(f, "{:indent$}{}", "", "^".repeat(self.caret))
    }
}

impl std::error::Error for ScenarioError {}
