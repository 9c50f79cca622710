//! How a source is shown, wherever it is shown.

use timeball_core::report::SourceReport;
use timeball_core::selection::State;
use timeball_wire::LeapIndicator;

use super::{Cell, style, units};

/// One character for a source's state; the same as chronyc's and ntpq's where they have one.
pub(crate) const fn mark(state: State) -> &'static str {
    match state {
        State::Selected => "*",
        State::Combined => "+",
        State::Waiting | State::Unpreferred | State::Outlier => "-",
        State::Falseticker | State::Untrusted => "x",
        State::Jittery => "~",
        State::Unreachable | State::Unsynchronised | State::Distant => "?",
        State::Measuring => ".",
        State::Unselectable => " ",
    }
}

/// What the marks mean, one line each.
pub(crate) const LEGEND: &str = "\
* system peer   + combined with it   - agrees, not combined   x contradicts the majority
~ too jittery   ? no use: unreachable, unsynchronised or too distant   . still being measured
";

/// The mark in its colour.
pub(crate) fn mark_cell(source: &SourceReport) -> Cell {
    Cell::styled(style::of_state(source.state), mark(source.state))
}

/// The state in its colour.
pub(crate) fn state_cell(source: &SourceReport) -> Cell {
    Cell::styled(style::of_state(source.state), source.state.to_string())
}

/// The name, and the address if that is something else.
pub(crate) fn name(source: &SourceReport) -> String {
    match source.address {
        Some(address) if address.to_string() != source.name => {
            format!("{} ({address})", source.name)
        }
        _ => source.name.clone(),
    }
}

/// Offset and its bound.
pub(crate) fn offset(source: &SourceReport) -> Option<String> {
    source.offset.map(|offset| units::offset_and_bound(offset, source.offset_bound))
}

/// A leap warning in a word.
pub(crate) const fn leap_word(leap: LeapIndicator) -> &'static str {
    match leap {
        LeapIndicator::NoWarning => "none",
        LeapIndicator::Insert => "insert",
        LeapIndicator::Delete => "delete",
        LeapIndicator::Unsynchronised => "unknown",
    }
}

/// A leap warning in words.
pub(crate) const fn leap(leap: LeapIndicator) -> &'static str {
    match leap {
        LeapIndicator::NoWarning => "none announced",
        LeapIndicator::Insert => "a second is inserted at the end of the month",
        LeapIndicator::Delete => "a second is left out at the end of the month",
        LeapIndicator::Unsynchronised => "unknown",
    }
}
