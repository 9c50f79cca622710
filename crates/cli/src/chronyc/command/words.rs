//! The words of a command line.

use std::str::{FromStr, SplitWhitespace};

/// The words of a command that were not looked at yet.
#[derive(Clone, Debug)]
pub(super) struct Words<'a>(SplitWhitespace<'a>);

impl<'a> Words<'a> {
    /// The words of a line; none if it is a comment.
    pub(super) fn of(line: &'a str) -> Self {
        let is_comment = line.trim_start().starts_with(['!', ';', '#', '%']);
        Self(if is_comment { "" } else { line }.split_whitespace())
    }

    /// The next word as a number, or anything else that is written as one word.
    pub(super) fn parse<T: FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }

    /// What is left, with one space between two words.
    pub(super) fn rest(self) -> String {
        self.0.collect::<Vec<_>>().join(" ")
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }
}
