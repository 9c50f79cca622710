//! The engine's events in the words that monitoring expects of chronyd.
//!
//! What chronyd has no words for is said in ours.

use std::net::{IpAddr, SocketAddr};

use timeball_auth::Weakness;
use timeball_core::Event;
use timeball_core::association::Connectivity;
use timeball_core::engine::SourceChange;
use timeball_core::event::{Cause, KeyTrouble, Severity};
use timeball_core::selection::State;
use timeball_core::settings::SourceKind;
use timeball_wire::KissCode;

use super::words::Limits;

/// The lines for an event, if it is worth any.
pub(super) fn lines(event: &Event, limits: &Limits) -> impl Iterator<Item = (Severity, String)> {
    line(event, limits).into_iter().chain(consequence(event, limits))
}

/// What chronyd would have to say of the clock besides.
fn consequence(event: &Event, limits: &Limits) -> Option<(Severity, String)> {
    match event {
        // It is wrong by what somebody else has stepped it.
        Event::ForeignStep { by } => wrong(0.0 - by.seconds(), limits),
        Event::Updated { offset, .. } if offset.abs() > limits.unsteppable => {
            Some((Severity::Error, "Could not step system clock".to_owned()))
        }
        _ => None,
    }
}

fn wrong(by: f64, limits: &Limits) -> Option<(Severity, String)> {
    (by.abs() > limits.change)
        .then(|| (Severity::Warning, format!("System clock wrong by {by:.6} seconds")))
}

fn line(event: &Event, limits: &Limits) -> Option<(Severity, String)> {
    use Severity::{Debug, Error, Info, Warning};
    Some(match event {
        Event::SystemPeer { name } => (Info, format!("Selected source {}", Label(name))),
        Event::Unsynchronised { cause, .. } => no_time(*cause)?,
        Event::SourceState { name, state, reason } => source_state(name, *state, reason, limits),
        Event::Updated { unforeseen, .. } => wrong(*unforeseen, limits)?,
        Event::OffsetIgnored { offset, limit } => {
            (Warning, refused_change(*offset, *limit, "ignored"))
        }
        Event::OffsetFatal { offset, limit } => (Error, refused_change(*offset, *limit, "exiting")),
        Event::Added { name, kind, place } => {
            (Info, format!("Added {} {}", what(*kind), added(name, *kind, *place)))
        }
        Event::Removed { name, kind } => (Info, format!("Removed {} {}", what(*kind), Label(name))),
        Event::Connectivity { name, connectivity } => {
            let now = match connectivity {
                Connectivity::Online | Connectivity::AutoOffline => "online",
                Connectivity::Offline => "offline",
            };
            (Info, format!("Source {} {now}", Label(name).address()))
        }
        Event::Modified { name, change } => (Info, modified(name, *change)),
        Event::KeyTrouble { name, key, trouble: KeyTrouble::Missing } => {
            let address = Label(name).address();
            (Warning, format!("Key {key} used by source {address} is missing"))
        }
        Event::KeyTrouble { name, key, trouble: KeyTrouble::Weak(Weakness::Short { .. }) } => {
            let address = Label(name).address();
            (Warning, format!("Key {key} used by source {address} is too short"))
        }
        Event::Kiss { name, code: KissCode::Rate } => {
            (Warning, format!("Received KoD RATE from {}", Label(name).address()))
        }
        Event::Replaced { name, old, new: Some(new), .. } => {
            let name = Label(name).name();
            (Info, format!("Source {} replaced with {} ({name})", old.ip(), new.ip()))
        }
        Event::KeysEstablished { name, server: Some(server), .. } => {
            let (address, name) = (Label(name).address(), Label(name).name());
            (Info, format!("Source {address} changed to {} ({name})", server.ip()))
        }
        Event::Stepped { by } => {
            (Warning, format!("System clock was stepped by {:.6} seconds", by.seconds()))
        }
        Event::ForeignStep { by } if by.is_negative() => {
            (Warning, "Backward time jump detected!".to_owned())
        }
        Event::ForeignStep { .. } | Event::Resumed { .. } => {
            (Warning, "Forward time jump detected!".to_owned())
        }
        Event::LeapArmed { direction } => {
            let what = match direction {
                1 => "set to insert",
                -1 => "set to delete",
                _ => "set to not insert/delete",
            };
            (Info, format!("System clock status {what} leap second"))
        }
        Event::LeapDone => (Info, "System clock status reset after leap second".to_owned()),
        Event::ResolveFailed { name, reason } => {
            (Debug, format!("Could not resolve address of {name} : {reason}"))
        }
        Event::ClockError { reason } => (Error, format!("Could not step system clock : {reason}")),
        // chronyd shows these in its reports alone.
        Event::Reachability { .. } | Event::Reconfigured { .. } | Event::StepRefused { .. } => {
            (Debug, event.to_string())
        }
        _ => (event.severity(), event.to_string()),
    })
}

fn no_time(cause: Cause) -> Option<(Severity, String)> {
    let why = match cause {
        Cause::NoSources => "no sources".to_owned(),
        Cause::NoneSelectable { unreachable } => {
            format!("no selectable sources ({unreachable} unreachable sources)")
        }
        Cause::NoMajority { agreeing, candidates } if agreeing < 2 => {
            format!("no majority (no agreement among {candidates} sources)")
        }
        Cause::NoMajority { agreeing, candidates } => {
            format!("no majority (only {agreeing} of {candidates} sources agree)")
        }
        Cause::TooFew => "not enough selectable sources".to_owned(),
        Cause::RequiredMissing => "no required source in selectable sources".to_owned(),
        // It will have more to say, or select a source, soon.
        Cause::Waiting | Cause::Aged => return None,
    };
    Some((Severity::Warning, format!("Can't synchronise: {why}")))
}

fn source_state(name: &str, state: State, reason: &str, limits: &Limits) -> (Severity, String) {
    let source = Label(name);
    match state {
        State::Falseticker => (Severity::Warning, format!("Detected falseticker {source}")),
        State::StratumTooLow => {
            let limit = limits.selection.minimum_stratum;
            (Severity::Warning, format!("Stratum of {source} below minstratum of {limit}"))
        }
        State::StratumTooHigh => {
            let limit = limits.selection.maximum_stratum;
            (Severity::Warning, format!("Stratum of {source} above maxstratum of {limit}"))
        }
        State::Distant => {
            let limit = limits.selection.maximum_distance;
            let line =
                format!("Root distance of {source} exceeds maxdistance of {limit:.3} seconds");
            (Severity::Warning, line)
        }
        State::Jittery => {
            let limit = limits.selection.maximum_jitter;
            let line = format!("Jitter of {source} exceeds maxjitter of {limit:.3} seconds");
            (Severity::Warning, line)
        }
        _ => (Severity::Debug, format!("Source {source}: {state}: {reason}")),
    }
}

/// A new source: one without an address yet has a number in the place of it.
fn added(name: &str, kind: SourceKind, place: usize) -> String {
    let has_address = Label(name).address().parse::<IpAddr>().is_ok();
    match kind {
        SourceKind::Server | SourceKind::Peer if !has_address => format!("ID#{place:010} ({name})"),
        _ => Label(name).to_string(),
    }
}

fn what(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Server | SourceKind::Peer => "source",
        SourceKind::Pool { .. } => "pool",
    }
}

fn refused_change(offset: f64, limit: f64, what_now: &str) -> String {
    format!(
        "Adjustment of {offset:.3} seconds exceeds the allowed maximum of {limit:.3} seconds \
         ({what_now}) "
    )
}

fn modified(name: &str, change: SourceChange) -> String {
    let address = Label(name).address();
    let new = match change {
        SourceChange::MinPoll(poll) => format!("minpoll {}", poll.exponent()),
        SourceChange::MaxPoll(poll) => format!("maxpoll {}", poll.exponent()),
        SourceChange::MaxDelay(delay) => format!("maxdelay {delay:.6}"),
        SourceChange::MaxDelayRatio(ratio) => format!("maxdelayratio {ratio:.6}"),
        SourceChange::MaxDelayDevRatio(ratio) => format!("maxdelaydevratio {ratio:.6}"),
        SourceChange::MinStratum(stratum) => format!("minstratum {stratum}"),
        SourceChange::PollTarget(target) => format!("polltarget {target}"),
        SourceChange::Offset(offset) => format!("offset {offset:.6}"),
        SourceChange::Options(_) => {
            return format!("Source {} selection options modified", Label(name));
        }
    };
    format!("Source {address} new {new}")
}

/// What we call a source: its name, and its address in parentheses if that is not the name. It is
/// displayed as chronyd does it, the other way round.
struct Label<'a>(&'a str);

impl std::fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.parts() {
            (Some(name), address) => write!(f, "{address} ({name})"),
            (None, address) => f.write_str(&address),
        }
    }
}

impl Label<'_> {
    fn address(&self) -> String {
        self.parts().1
    }

    fn name(&self) -> String {
        let (name, address) = self.parts();
        name.map_or(address, str::to_owned)
    }

    /// Name, if it is not the address itself, and address without a port.
    fn parts(&self) -> (Option<&str>, String) {
        let without_port = |text: &str| match text.parse::<SocketAddr>() {
            Ok(address) => address.ip().to_string(),
            Err(_) => text.to_owned(),
        };
        match self.0.strip_suffix(')').and_then(|label| label.split_once(" (")) {
            Some((name, address)) if name.parse::<IpAddr>().is_err() => {
                (Some(name), without_port(address))
            }
            Some((_, address)) => (None, without_port(address)),
            None => (None, without_port(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use timeball_core::association::PollInterval;
    use timeball_core::selection;
    use timeball_wire::Span;

    use super::*;

    fn said(event: &Event) -> Vec<String> {
        let selection =
            selection::Settings { maximum_distance: 3.0, ..selection::Settings::default() };
        let limits = Limits { change: 1.0, unsteppable: 3.0, selection };
        let audible = lines(event, &limits).filter(|(severity, _)| *severity > Severity::Debug);
        audible.map(|(_, line)| line).collect()
    }

    #[test]
    fn what_monitoring_looks_for_is_said_in_chronyds_words() {
        let name = || "ntp.example (192.0.2.1)".to_owned();
        let literal = || "192.0.2.1:1123".to_owned();
        let lost = |cause| Event::Unsynchronised { reason: String::new(), cause };
        let state = |state| Event::SourceState { name: name(), state, reason: String::new() };
        let [old, new] = [1, 2].map(|last| SocketAddr::from(([192, 0, 2, last], 123)));
        for (event, line) in [
            (Event::SystemPeer { name: name() }, "Selected source 192.0.2.1 (ntp.example)"),
            (Event::SystemPeer { name: literal() }, "Selected source 192.0.2.1"),
            (
                lost(Cause::NoMajority { agreeing: 2, candidates: 5 }),
                "Can't synchronise: no majority (only 2 of 5 sources agree)",
            ),
            (
                lost(Cause::NoMajority { agreeing: 1, candidates: 5 }),
                "Can't synchronise: no majority (no agreement among 5 sources)",
            ),
            (
                lost(Cause::NoneSelectable { unreachable: 1 }),
                "Can't synchronise: no selectable sources (1 unreachable sources)",
            ),
            (lost(Cause::NoSources), "Can't synchronise: no sources"),
            (state(State::Falseticker), "Detected falseticker 192.0.2.1 (ntp.example)"),
            (
                state(State::Distant),
                "Root distance of 192.0.2.1 (ntp.example) exceeds maxdistance of 3.000 seconds",
            ),
            (
                Event::Updated { offset: -2.5, unforeseen: -2.0 },
                "System clock wrong by -2.000000 seconds",
            ),
            (
                Event::OffsetFatal { offset: 2.0, limit: 0.1 },
                "Adjustment of 2.000 seconds exceeds the allowed maximum of 0.100 seconds (exiting) ",
            ),
            (
                Event::Stepped { by: Span::from_seconds(-1.5) },
                "System clock was stepped by -1.500000 seconds",
            ),
            (Event::ForeignStep { by: Span::from_seconds(-0.5) }, "Backward time jump detected!"),
            (Event::Resumed { after: Span::from_secs(60) }, "Forward time jump detected!"),
            (
                Event::Kiss { name: name(), code: KissCode::Rate },
                "Received KoD RATE from 192.0.2.1",
            ),
            (
                Event::Replaced { name: name(), old, new: Some(new), reason: String::new() },
                "Source 192.0.2.1 replaced with 192.0.2.2 (ntp.example)",
            ),
            (
                Event::KeysEstablished { name: name(), cookies: 8, server: Some(new) },
                "Source 192.0.2.1 changed to 192.0.2.2 (ntp.example)",
            ),
            (
                Event::Connectivity { name: name(), connectivity: Connectivity::Offline },
                "Source 192.0.2.1 offline",
            ),
            (
                Event::Modified {
                    name: literal(),
                    change: SourceChange::MinPoll(PollInterval::new(5)),
                },
                "Source 192.0.2.1 new minpoll 5",
            ),
            (
                Event::Added { name: "192.0.2.1".into(), kind: SourceKind::Server, place: 3 },
                "Added source 192.0.2.1",
            ),
            (
                Event::Added { name: "ntp.example".into(), kind: SourceKind::Server, place: 3 },
                "Added source ID#0000000003 (ntp.example)",
            ),
            (
                Event::Removed { name: "ntp.example".into(), kind: SourceKind::Pool { count: 4 } },
                "Removed pool ntp.example",
            ),
            (Event::LeapArmed { direction: 1 }, "System clock status set to insert leap second"),
        ] {
            assert_eq!(said(&event), [line]);
        }
    }

    #[test]
    fn what_chronyd_is_silent_about_is_not_heard() {
        let name = || "192.0.2.1".to_owned();
        for event in [
            Event::Updated { offset: 2.0, unforeseen: 0.5 },
            Event::Reachability { name: name(), reachable: false },
            Event::SourceState { name: name(), state: State::Combined, reason: String::new() },
            Event::Unsynchronised { reason: String::new(), cause: Cause::Waiting },
        ] {
            assert_eq!(said(&event), [""; 0], "{event:?}");
        }
    }

    #[test]
    fn some_events_mean_more_than_one_thing() {
        assert_eq!(
            said(&Event::ForeignStep { by: Span::from_seconds(1.5) }),
            ["Forward time jump detected!", "System clock wrong by -1.500000 seconds"]
        );
        assert_eq!(
            said(&Event::Updated { offset: -4.0, unforeseen: 0.0 }),
            ["Could not step system clock"]
        );
    }
}
