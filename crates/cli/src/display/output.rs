//! Standard output. Colours reach terminals only, and none does where `NO_COLOR` is set.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::outcome::Failure;

/// Prints `text` and a line end, unless it ends with one.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    let mut out = anstream::stdout();
    excuse_closed_pipe(write!(out, "{text}{line_end}").and_then(|()| out.flush()))
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
