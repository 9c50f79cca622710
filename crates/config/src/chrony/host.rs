//! The name or address of a server.

use super::Outcome;
use super::line::Word;
use crate::diagnostic::Diagnostic;
use crate::native::check_host;

/// A host name, or the literal address of one machine.
pub(super) fn read(word: &Word<'_>) -> Outcome<String> {
    match check_host(word.text) {
        Ok(()) => Ok(word.text.to_owned()),
        Err(problem) => Err(Box::new(Diagnostic::error(problem).at(word.span.clone()).expected(
            "a host name or an address, such as ntp.example.net, 192.0.2.1 or 2001:db8::1",
        ))),
    }
}
