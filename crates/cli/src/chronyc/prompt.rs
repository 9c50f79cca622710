//! Commands from standard input: from a person at a terminal, with a history and completion, or from
//! a script.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::os::fd::AsFd as _;

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use timeball_host::poll::{Interest, PollSet};
use timeball_host::signals::Signals;

use super::help;

const PROMPT: &str = "chronyc> ";

/// Where lines come from.
pub(super) enum Prompt {
    Terminal(Box<Editor<Commands, MemHistory>>),
    /// Not the standard library's own reader: a signal has to end the wait for a line, so that has to
    /// be seen whether a line is there already.
    Script(BufReader<File>),
}

impl Prompt {
    /// # Errors
    ///
    /// When there is no standard input, or a terminal of no known kind.
    pub(super) fn new() -> io::Result<Self> {
        let is_terminal =
            io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
        if !is_terminal {
            let input = io::stdin().as_fd().try_clone_to_owned()?;
            return Ok(Self::Script(BufReader::new(File::from(input))));
        }
        let config = Config::builder().auto_add_history(true).build();
        let mut editor =
            Editor::with_history(config, MemHistory::new()).map_err(io::Error::other)?;
        editor.set_helper(Some(Commands));
        Ok(Self::Terminal(Box::new(editor)))
    }

    /// The next line; `None` at the end, or after a signal.
    pub(super) fn next_line(&mut self, signals: &Signals) -> Option<String> {
        match self {
            // The end of the input and an interruption are errors here.
            Self::Terminal(editor) => editor.readline(PROMPT).ok(),
            Self::Script(input) => next_line_of_script(input, signals),
        }
    }
}

fn next_line_of_script(input: &mut BufReader<File>, signals: &Signals) -> Option<String> {
    if input.buffer().is_empty() {
        let mut set = PollSet::new();
        set.add(input.get_ref(), Interest::Read);
        if let Some(descriptor) = signals.descriptor() {
            set.add(descriptor, Interest::Read);
        }
        set.wait(None).ok()?;
        if signals.take().next().is_some() {
            return None;
        }
    }
    let mut line = String::new();
    let length = input.read_line(&mut line).ok()?;
    (length > 0).then_some(line)
}

/// Completes the names of commands.
pub(super) struct Commands;

impl Completer for Commands {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, completions(line.get(..position).unwrap_or(line))))
    }
}

impl Helper for Commands {}
impl Highlighter for Commands {}
impl Validator for Commands {}
impl Hinter for Commands {
    type Hint = String;
}

/// The lines that this one may become: a command's name, and a word that must follow it.
fn completions(start: &str) -> Vec<String> {
    const SECOND_WORDS: [&str; 13] = [
        "add peer",
        "add pool",
        "add server",
        "local off",
        "manual delete",
        "manual list",
        "manual off",
        "manual on",
        "manual reset",
        "reload sources",
        "reset sources",
        "smoothtime activate",
        "smoothtime reset",
    ];
    let mut lines: Vec<String> = if start.contains(' ') {
        SECOND_WORDS
            .iter()
            .filter(|line| line.starts_with(start))
            .map(|&line| line.into())
            .collect()
    } else {
        help::names().filter(|name| name.starts_with(start)).map(str::to_owned).collect()
    };
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_second_words_are_completed() {
        assert_eq!(completions("sources"), ["sources", "sourcestats"]);
        assert_eq!(completions("manual o"), ["manual off", "manual on"]);
        assert_eq!(completions("tracking "), [] as [&str; 0]);
        assert!(completions("").len() > 50);
    }
}
