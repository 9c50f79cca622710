//! How a source is shown, wherever it is shown.

use std::net::IpAddr;

use timeball_core::report::{SourceMode, SourceReport};
use timeball_core::selection::State;
use timeball_wire::LeapIndicator;
use timeball_wire::packet::NTP_PORT;

use super::{Cell, style, units};

/// One character for a source's state; the same as chronyc's and ntpq's where they have one.
pub(crate) const fn mark(state: State) -> &'static str {
    match state {
        State::Selected => "*",
        State::Combined => "+",
        State::Waiting | State::Unpreferred | State::Outlier => "-",
        State::Falseticker | State::Untrusted => "x",
        State::Jittery => "~",
        State::Unreachable
        | State::Unsynchronised
        | State::StratumTooLow
        | State::StratumTooHigh
        | State::Orphan
        | State::Distant => "?",
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
    match source.mode {
        SourceMode::Server | SourceMode::Peer => name_of(&source.name, source.port, source.address),
        SourceMode::ReferenceClock => source.name.clone(),
    }
}

/// A host as it was named, its port if that is not NTP's, and its address if that is something
/// else.
pub(crate) fn name_of(host: &str, port: u16, address: Option<IpAddr>) -> String {
    let named = match (port, host.contains(':')) {
        (NTP_PORT, _) => host.to_owned(),
        (port, true) => format!("[{host}]:{port}"),
        (port, false) => format!("{host}:{port}"),
    };
    match address {
        Some(address) if address.to_string() != host => format!("{named} ({address})"),
        _ => named,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_at_one_address_are_told_apart_by_their_ports() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        for (host, port, address, shown) in [
            ("ntp.example", 123, None, "ntp.example"),
            ("ntp.example", 123, Some(v4), "ntp.example (192.0.2.1)"),
            ("ntp.example", 1123, Some(v6), "ntp.example:1123 (2001:db8::1)"),
            ("192.0.2.1", 1123, Some(v4), "192.0.2.1:1123"),
            ("2001:db8::1", 123, Some(v6), "2001:db8::1"),
            ("2001:db8::1", 1123, Some(v6), "[2001:db8::1]:1123"),
        ] {
            assert_eq!(name_of(host, port, address), shown);
        }
    }
}
