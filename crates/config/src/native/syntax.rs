//! What the TOML parser has to say.

use toml::de::Error;

use crate::diagnostic::Diagnostic;
use crate::document::Document;

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

/// The parser's complaint with our words about what to do.
pub(super) fn diagnostic(document: &Document, error: &Error) -> Diagnostic {
    let (message, expected) = match error.message().split_once(", expected ") {
        Some((message, expected)) => (message, Some(expected)),
        None => (error.message(), None),
    };
    let span = error.span();
    let at = span.as_ref().map_or(0, |span| span.start);
    if message == DUPLICATE {
        return duplicate(document, error);
    }
    let line = document.line_of(at);
    if let Some(directive) = foreign_directive(line) {
        return Diagnostic::error(
            "this is a line of chrony.conf or ntp.conf, not of timeball.toml",
        )
        .at(span)
        .help(in_our_words(directive, line));
    }
    let diagnostic = Diagnostic::error(format!("not valid TOML: {message}")).at(span);
    match expected {
        Some(expected) => diagnostic.expected(expected),
        None => diagnostic,
    }
}

fn duplicate(document: &Document, error: &Error) -> Diagnostic {
    let Some(span) = error.span() else {
        return Diagnostic::error("a key is set twice");
    };
    let name = document.slice(&span).to_string();
    let line = document.line_of(span.start).trim_start();
    let (message, help) = if line.starts_with('[') {
        (
            format!("the table `{name}` is opened twice"),
            "write all its keys below one header".to_string(),
        )
    } else {
        (format!("`{name}` is set twice in this table"), "keep one of the two".to_string())
    };
    let first = first_of(document, &name, span.start);
    Diagnostic::error(message).at(span).help(help).related(first, "first here")
}

/// The nearest line above that begins with the same key or opens the same table. A dotted key on the
/// way may belong elsewhere, so only whole lines count.
fn first_of(document: &Document, name: &str, before: usize) -> Option<std::ops::Range<usize>> {
    let text = document.text().get(..before)?;
    let own_line_start = text.rfind('\n').map_or(0, |newline| newline + 1);
    let mut end = own_line_start;
    while let Some(line_start) =
        text.get(..end.checked_sub(1)?).map(|above| above.rfind('\n').map_or(0, |at| at + 1))
    {
        let line = text.get(line_start..end)?;
        let opening = line.trim_start_matches([' ', '\t', '[']);
        let rest = opening.strip_prefix(name).map(str::trim_start);
        if rest.is_some_and(|rest| rest.starts_with(['=', ']'])) {
            let start = line_start + (line.len() - opening.len());
            return Some(start..start + name.len());
        }
        end = line_start;
        if end == 0 {
            break;
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
        "server" | "pool" => format!("write\n[[{directive}]]\naddress = \"{argument}\""),
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
