//! What the TOML parser has to say.

use std::ops::Range;

use toml::de::Error;

use crate::diagnostic::Diagnostic;
use crate::document::Document;

/// A text with more errors than this is no configuration.
const MOST_ERRORS: usize = 100;

/// What the parser calls a key that is set twice or a table that is opened twice.
const DUPLICATE: &str = "duplicate key";

/// Directives with which lines of chrony.conf and ntp.conf begin.
const DIRECTIVES: &[&str] = &[
    "server",
    "pool",
    "peer",
    "driftfile",
    "makestep",
    "rtcsync",
    "allow",
    "deny",
    "local",
    "restrict",
    "keyfile",
    "keys",
    "logdir",
    "leapsectz",
    "leapfile",
    "maxupdateskew",
    "ntsdumpdir",
    "confdir",
    "sourcedir",
    "statsdir",
    "tos",
    "tinker",
    "interface",
    "hwtimestamp",
    "minsources",
    "log",
];

/// A twice-set key can be reported and the rest still be judged; anything else may have shifted the
/// text that follows it into another table.
pub(super) fn leaves_the_rest_readable(error: &Error) -> bool {
    error.message() == DUPLICATE
}

/// The parser's complaints in our words, up to a number that nobody reads to its end. Of a broken line
/// only the first counts: the others come of it.
pub(super) fn diagnostics(document: &Document, errors: &[Error]) -> Vec<Diagnostic> {
    let start = |error: &Error| error.span().map_or(0, |span| span.start);
    let mut errors: Vec<&Error> = errors.iter().collect();
    errors.sort_by_key(|error| start(error));
    let mut diagnostics = Vec::new();
    let mut judged = None;
    for error in errors {
        let at = start(error);
        if judged.is_none_or(|end| at > end) && diagnostics.len() < MOST_ERRORS {
            judged = Some(document.whole_lines(&(at..at)).end);
            diagnostics.push(diagnostic(document, error));
        }
    }
    diagnostics
}

fn diagnostic(document: &Document, error: &Error) -> Diagnostic {
    let Some(span) = error.span() else {
        return Diagnostic::error(format!("not valid TOML: {}", error.message()));
    };
    if error.message() == DUPLICATE {
        return duplicate(document, span);
    }
    let line = document.line_range(span.start);
    if let Some(directive) = foreign_directive(document.slice(&line)) {
        let message = "this is a line of chrony.conf or ntp.conf, not of timeball.toml";
        let help = in_our_words(directive, document.slice(&line));
        return Diagnostic::error(message).at(line).help(help);
    }
    broken_value(document, &span).unwrap_or_else(|| {
        let (message, expected) = match error.message().split_once(", expected ") {
            Some((message, expected)) => (message, Some(expected.to_string())),
            None => (error.message(), None),
        };
        Diagnostic { expected, ..Diagnostic::error(format!("not valid TOML: {message}")).at(span) }
    })
}

/// The usual slips behind an equals sign.
fn broken_value(document: &Document, span: &Range<usize>) -> Option<Diagnostic> {
    let line = document.line_range(span.start);
    let key = document.slice(&(line.start..span.start)).trim_end().strip_suffix('=')?.trim();
    let rest = document.slice(&(span.start..line.end.max(span.start))).trim();
    let word = document.slice(span).trim();
    if rest.is_empty() || rest.starts_with('#') {
        return Some(
            Diagnostic::error(format!("`{key}` has no value"))
                .at(span.clone())
                .help("write one after the `=`, or remove the line"),
        );
    }
    if rest.contains('=') && !rest.contains(['"', '\'', '#']) {
        return Some(
            Diagnostic::error("there are two keys on this line")
                .at(span.start..line.end)
                .expected("a line for each key"),
        );
    }
    let help = match word.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => "write true".to_string(),
        "no" | "off" | "false" => "write false".to_string(),
        _ if word.is_empty() || word.contains(['"', '\'', '[', ']', '{', '}', ',']) => return None,
        _ => format!("write \"{word}\""),
    };
    let message = format!("`{word}` is neither a number nor a text in quotes");
    Some(Diagnostic::error(message).at(span.clone()).help(help))
}

fn duplicate(document: &Document, span: Range<usize>) -> Diagnostic {
    let name = document.slice(&span);
    let (message, help) = if document.slice(&document.line_range(span.start)).starts_with('[') {
        (format!("the table `{name}` is opened twice"), "write all its keys below one header")
    } else {
        (format!("`{name}` is set twice in this table"), "keep one of the two")
    };
    let first = first_of(document, name, span.start);
    Diagnostic::error(message).at(span).help(help).related(first, "first here")
}

/// The nearest line above that begins with the same key or opens the same table. A key within a
/// line may belong to another table.
fn first_of(document: &Document, name: &str, before: usize) -> Option<Range<usize>> {
    let above = document.text().get(..document.line_range(before).start)?;
    let mut start = above.len();
    for line in above.split_inclusive('\n').rev() {
        start -= line.len();
        let opening = line.trim_start_matches([' ', '\t', '[']);
        let rest = opening.strip_prefix(name).map(str::trim_start);
        if rest.is_some_and(|rest| rest.starts_with(['=', ']'])) {
            let key = start + (line.len() - opening.len());
            return Some(key..key + name.len());
        }
    }
    None
}

/// The directive that a line begins with, if it is one of those and not an assignment.
fn foreign_directive(line: &str) -> Option<&'static str> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let assignment = words.next().is_some_and(|word| word.starts_with('='));
    DIRECTIVES.iter().copied().find(|directive| *directive == first && !assignment)
}

fn in_our_words(directive: &str, line: &str) -> String {
    let argument = line.split_whitespace().nth(1).unwrap_or("ntp.example.net");
    match directive {
        "server" | "pool" | "peer" => format!("write\n[[{directive}]]\naddress = \"{argument}\""),
        "allow" | "deny" => {
            format!("write\n[serve]\n{directive} = [\"{}\"]", argument)
        }
        _ => super::suggest::elsewhere(directive)
            .unwrap_or(
                "timeball.toml is written in tables and keys; see the configuration reference",
            )
            .to_string(),
    }
}
