//! Commands from standard input: from a person at a terminal, or from a script.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use timeball_host::poll::{Interest, PollSet};
use timeball_host::signals::Signals;

const PROMPT: &str = "chronyc> ";

/// Reads line after line.
pub(super) struct Prompt {
    /// Not the standard library's own reader: a signal has to end the wait for a line, so that has to
    /// be seen whether a line is there already.
    input: BufReader<File>,
    is_terminal: bool,
}

impl Prompt {
    /// # Errors
    ///
    /// When there is no standard input.
    pub(super) fn new() -> io::Result<Self> {
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let is_terminal =
            io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
        Ok(Self { input: BufReader::new(input), is_terminal })
    }

    /// The next line; `None` at the end, or after a signal.
    pub(super) fn next_line(&mut self, signals: &Signals) -> Option<String> {
        if self.is_terminal {
            print!("{PROMPT}");
            io::stdout().flush().ok()?;
        }
        let line = self.read_line(signals);
        if line.is_none() && self.is_terminal {
            println!();
        }
        line
    }

    fn read_line(&mut self, signals: &Signals) -> Option<String> {
        if self.input.buffer().is_empty() {
            let mut set = PollSet::new();
            set.add(self.input.get_ref(), Interest::Read);
            if let Some(descriptor) = signals.descriptor() {
                set.add(descriptor, Interest::Read);
            }
            set.wait(None).ok()?;
            if signals.take().next().is_some() {
                return None;
            }
        }
        let mut line = String::new();
        let length = self.input.read_line(&mut line).ok()?;
        (length > 0).then_some(line)
    }
}
