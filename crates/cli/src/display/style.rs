//! What colours mean. They never say what words don't.

use anstyle::{AnsiColor, Style};
use timeball_core::selection::State;

/// Headings and the one word that matters most.
pub(crate) const STRONG: Style = Style::new().bold();
/// All is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something may be wrong.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// Something is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Of little interest.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// Everything else.
pub(crate) const PLAIN: Style = Style::new();

/// `text` in this style, where styles are shown.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The colour of a source's state.
pub(crate) const fn of_state(state: State) -> Style {
    match state {
        State::Selected | State::Combined => GOOD,
        State::Falseticker | State::Untrusted => BAD,
        State::Unreachable
        | State::Unsynchronised
        | State::StratumTooLow
        | State::StratumTooHigh
        | State::Orphan
        | State::Distant
        | State::Jittery => DOUBTFUL,
        State::Unselectable | State::Measuring => FAINT,
        State::Waiting | State::Unpreferred | State::Outlier => PLAIN,
    }
}
