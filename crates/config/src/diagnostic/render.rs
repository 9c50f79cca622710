//! Diagnostics as text: `file:line:column: error: …`, the line, a caret, and what to do.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Diagnostic, Severity};
use crate::document::Document;

/// Lines longer than this are cut around the caret.
const WIDTH: usize = 120;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// ANSI colours.
    Coloured,
}

impl Style {
    /// Colours only if standard error is a terminal that can show them and `NO_COLOR` is not set
    /// (<https://no-color.org>).
    pub fn of_stderr() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|value| value == "dumb");
        if io::stderr().is_terminal() && !refused { Self::Coloured } else { Self::Plain }
    }
}

pub(super) fn render(diagnostic: &Diagnostic, document: &Document, style: Style) -> String {
    let (word, level) = match diagnostic.severity {
        Severity::Error => ("error", Level::ERROR),
        Severity::Warning => ("warning", Level::WARNING),
    };
    let span = diagnostic.span.as_ref().map(|span| document.clamp(span));
    let place = match &span {
        Some(span) => {
            let (line, column) = document.line_and_column(span.start);
            format!("{}:{line}:{column}", document.name_at(span.start))
        }
        None => document.name().to_string(),
    };
    // The place belongs in front, where editors, terminals and grep look for it.
    let name = printable(&format!("{place}: {word}"));
    let title = level.with_name(name).primary_title(printable(&diagnostic.message));

    let mut snippets = Vec::new();
    if let Some(span) = span {
        let (here, elsewhere): (Vec<_>, Vec<_>) = diagnostic
            .related
            .iter()
            .map(|(other, label)| (document.clamp(other), printable(label)))
            .partition(|(other, _)| document.file_at(other.start) == document.file_at(span.start));
        snippets.push(snippet(document, Some(&span), &here));
        for (other, label) in elsewhere {
            let file = printable(document.name_at(other.start));
            snippets.push(snippet(document, None, &[(other, label)]).path(file));
        }
    }
    let expected = diagnostic
        .expected
        .as_ref()
        .map(|expected| Level::NOTE.with_name("expected").message(printable(expected)));
    let help = diagnostic.help.as_ref().map(|help| Level::HELP.message(printable(help)));

    let mut group = annotate_snippets::Group::with_title(title);
    group = group.elements(snippets).elements(expected).elements(help);

    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let mut text = renderer.term_width(WIDTH).render(&[group]);
    text.push('\n');
    text
}

/// The lines of one file from the first to the last place, with their annotations: the library walks
/// all that it is given.
fn snippet<'s>(
    document: &'s Document,
    primary: Option<&Range<usize>>,
    related: &[(Range<usize>, String)],
) -> Snippet<'s, annotate_snippets::Annotation<'s>> {
    let places = || related.iter().map(|(other, _)| other).chain(primary);
    let first = places().map(|place| place.start).min().unwrap_or_default();
    let last = places().map(|place| place.end).max().unwrap_or_default();
    let lines = document.whole_lines(&(first..last));
    let within = |place: &Range<usize>| place.start - lines.start..place.end - lines.start;
    Snippet::source(without_c1_controls(document.slice(&lines)))
        .line_start(document.line_and_column(lines.start).0)
        .annotations(primary.map(|span| AnnotationKind::Primary.span(within(span))))
        .annotations(
            related.iter().map(|(other, label)| {
                AnnotationKind::Context.span(within(other)).label(label.clone())
            }),
        )
}

/// What controls a terminal, or turns the direction of writing, must not get there by way of a
/// message that quotes the file. The library sees to the lines themselves, but for
/// [`without_c1_controls`].
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => printable.push(character),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                printable.extend(character.escape_unicode());
            }
            control if control.is_control() => printable.extend(control.escape_debug()),
            _ => printable.push(character),
        }
    }
    printable
}

/// A piece of the file without the control characters that the library lets through, U+0080 to
/// U+009F, among them an escape sequence's introducer. Their substitute takes as many bytes, so that
/// every place stays where it is.
fn without_c1_controls(source: &str) -> Cow<'_, str> {
    let is_c1 = |character: char| ('\u{80}'..='\u{9f}').contains(&character);
    if source.contains(is_c1) { source.replace(is_c1, "\u{b7}").into() } else { source.into() }
}
