//! The demonstration as it goes on: a table that renews itself on a terminal, lines elsewhere.

use std::io::{self, IsTerminal as _, Write as _};

use timeball_core::selection::State;

use super::Look;
use crate::commands::status;
use crate::display::{Align, Cell, Table, print, source, units};
use crate::outcome::Failure;

/// Where the demonstration is shown.
pub(super) enum Screen {
    /// On a terminal: one table, drawn over the last one.
    Live {
        /// Lines of the last table.
        lines: usize,
    },
    /// Anywhere else: a line for every change.
    Lines {
        /// The sources' states when they were last shown.
        states: Vec<State>,
    },
}

impl Screen {
    pub(super) fn for_stdout() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if io::stdout().is_terminal() && !dumb {
            Self::Live { lines: 0 }
        } else {
            Self::Lines { states: Vec::new() }
        }
    }

    pub(super) fn show(&mut self, look: &Look) -> Result<(), Failure> {
        match self {
            Self::Live { lines } => {
                let picture = picture(look);
                // Long lines are cut rather than wrapped: wrapped ones could not be counted.
                control(&format!("{}\x1b[J\x1b[?7l", up(*lines)))?;
                *lines = picture.lines().count();
                let shown = print(&picture);
                control("\x1b[?7h")?;
                shown
            }
            Self::Lines { states } => {
                let now: Vec<State> =
                    look.report.sources.iter().map(|source| source.state).collect();
                let text = changes(look, states);
                *states = now;
                if text.is_empty() { Ok(()) } else { print(&text) }
            }
        }
    }
}

fn up(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}A") }
}

/// Moves the cursor, past whatever takes colours out of the text.
fn control(sequence: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(sequence.as_bytes()).and_then(|()| out.flush()).map_err(Failure::system)
}

fn picture(look: &Look) -> String {
    let mut table = Table::new(&[
        (Align::Left, ""),
        (Align::Left, "source"),
        (Align::Right, "answers"),
        (Align::Right, "offset"),
        (Align::Left, "state"),
        (Align::Left, "reason"),
    ]);
    for report in &look.report.sources {
        table.row([
            source::mark_cell(report),
            report.name.clone().into(),
            report.accepted.to_string().into(),
            Cell::or_dash(source::offset(report)),
            source::state_cell(report),
            report.reason.clone().into(),
        ]);
    }
    let headline = status::headline(&look.report.tracking);
    format!("\n{}\n{headline}\n", table.render("  "))
}

/// A line for every source whose state is not what it was.
fn changes(look: &Look, before: &[State]) -> String {
    let after = units::seconds(look.after.seconds());
    let mut text = String::new();
    for (at, source) in look.report.sources.iter().enumerate() {
        if before.get(at) != Some(&source.state) {
            let line =
                format!("{after:>8}  {}  {}: {}\n", source.name, source.state, source.reason);
            text.push_str(&line);
        }
    }
    text
}
