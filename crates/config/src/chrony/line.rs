//! A line as words with their places.

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// Longest line that chronyd reads, its end not counted.
const LONGEST_LINE: usize = 2046;

/// A directive and its arguments.
#[derive(Debug)]
pub(super) struct Line<'t> {
    pub(super) directive: Word<'t>,
    pub(super) arguments: Vec<Word<'t>>,
}

/// A word and the bytes of the document that it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    pub(super) span: Range<usize>,
}

impl Word<'_> {
    /// Case makes no difference to chronyd's words.
    pub(super) fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

impl Line<'_> {
    /// From the first word to the last.
    pub(super) fn span(&self) -> Range<usize> {
        let last = self.arguments.last().unwrap_or(&self.directive);
        self.directive.span.start..last.span.end
    }
}

/// The lines of a text that say something; `start` is the text's place in the document.
pub(super) fn lines(
    text: &str,
    start: usize,
) -> impl Iterator<Item = Result<Line<'_>, Box<Diagnostic>>> {
    text.split_inclusive('\n')
        .scan(start, |next, line| {
            let place = *next;
            *next += line.len();
            Some((place, line))
        })
        .filter_map(|(place, text)| line(text, place))
}

fn line(text: &str, place: usize) -> Option<Result<Line<'_>, Box<Diagnostic>>> {
    let content = text.trim_matches(is_space);
    if content.is_empty() || content.starts_with(['!', ';', '#', '%']) {
        return None;
    }
    if text.trim_end_matches(['\n', '\r']).len() > LONGEST_LINE {
        let start = place + text.len() - text.trim_start_matches(is_space).len();
        return Some(Err(Box::new(
            Diagnostic::error(format!("the line is longer than {LONGEST_LINE} bytes"))
                .at(start..start)
                .help("chronyd does not read it either; divide it"),
        )));
    }
    let mut words = words(text, place);
    let directive = words.next()?;
    let line = Line { directive, arguments: words.collect() };
    let bytes = [&line.directive].into_iter().chain(&line.arguments);
    for word in bytes {
        if word.text.contains([char::REPLACEMENT_CHARACTER, '\0']) {
            return Some(Err(Box::new(
                Diagnostic::error("this word has bytes that are not UTF-8")
                    .at(word.span.clone())
                    .help("anything may stand in comments; everything else must be UTF-8"),
            )));
        }
    }
    Some(Ok(line))
}

fn words(text: &str, place: usize) -> impl Iterator<Item = Word<'_>> {
    text.split(is_space)
        .scan(place, |next, word| {
            let start = *next;
            // Every separator is one byte.
            *next += word.len() + 1;
            Some(Word { text: word, span: start..start + word.len() })
        })
        .filter(|word| !word.text.is_empty())
}

/// What C calls a space.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, Vec<&str>)> {
        lines(text, 0)
            .map(|line| line.unwrap())
            .map(|line| (line.directive.text, line.arguments.iter().map(|w| w.text).collect()))
            .collect()
    }

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        let text = "# a\n ! b\n;c\n%d\n\n \t\r\nallow\n";
        assert_eq!(read(text), [("allow", vec![])]);
    }

    #[test]
    fn a_comment_starts_only_at_the_beginning_of_a_line() {
        assert_eq!(read("pool x#y ! z"), [("pool", vec!["x#y", "!", "z"])]);
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = "# µ\n  server\ta.example \u{b} iburst\r\nallow";
        let lines: Vec<_> = lines(text, 100).map(|line| line.unwrap()).collect();
        for line in &lines {
            for word in [&line.directive].into_iter().chain(&line.arguments) {
                assert_eq!(&text[word.span.start - 100..word.span.end - 100], word.text);
            }
        }
        assert_eq!(lines[0].span(), 107..132);
        assert_eq!(lines[1].directive.span, 134..139);
    }

    #[test]
    fn a_line_too_long_for_chronyd_is_refused() {
        let fits = format!("driftfile /{}\n", "x".repeat(LONGEST_LINE - 11));
        assert_eq!(read(&fits).len(), 1);
        let long = format!("driftfile /{}\n", "x".repeat(LONGEST_LINE - 10));
        assert!(lines(&long, 0).next().unwrap().is_err());
    }
}
