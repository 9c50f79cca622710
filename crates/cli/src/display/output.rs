//! Standard output. Colours reach terminals only, and none does where `NO_COLOR` is set.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;
use terminal_size::{Width, terminal_size_of};

use crate::outcome::Failure;

/// Prints `text` and a line end, unless it ends with one.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    let mut out = anstream::stdout();
    excuse_closed_pipe(write!(out, "{text}{line_end}").and_then(|()| out.flush()))
}

/// How many characters a line of standard output has room for; no limit where it is no
/// terminal, or one that does not know its size, such as a serial line.
pub(crate) fn width() -> Option<usize> {
    let (Width(columns), _) = terminal_size_of(io::stdout())?;
    Some(columns.into())
}

/// Prints `value` as JSON that a person can read as well.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(Failure::system)?;
    print(&json)
}

/// A reader that has seen enough, such as `head`, is no failure.
fn excuse_closed_pipe(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.map_err(|error| Failure::System(format!("cannot write the answer: {error}")))
        }
    }
}
