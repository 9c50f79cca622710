//! The engine's events in the words that monitoring expects of chronyd.
//!
//! What chronyd has no words for is said in ours.

use std::net::{IpAddr, SocketAddr};

use timeball_core::Event;
use timeball_core::event::Severity;
use timeball_core::selection::State;
use timeball_wire::KissCode;

/// The lines for an event, which may be none.
pub(super) fn lines(event: &Event) -> Vec<(Severity, String)> {
    let (info, warning) = (Severity::Info, Severity::Warning);
    let one = |severity, line: String| vec![(severity, line)];
    match event {
        Event::SystemPeer { name } => one(info, format!("Selected source {}", source(name))),
        Event::Unsynchronised { reason, .. } => one(warning, format!("Can't synchronise: {reason}")),
        Event::SourceState { name, state, reason } => match state {
            State::Falseticker => one(warning, format!("Detected falseticker {}", source(name))),
            _ => one(event.severity(), format!("Source {}: {state}: {reason}", source(name))),
        },
        Event::Kiss { name, code: KissCode::Rate } => {
            one(warning, format!("Received KoD RATE from {}", address(name)))
        }
        Event::Replaced { name, old, new: Some(new), .. } => one(
            info,
            format!("Source {} replaced with {} ({})", old.ip(), new.ip(), plain_name(name)),
        ),
        Event::Stepped { by } => {
            one(warning, format!("System clock was stepped by {:.6} seconds", by.seconds()))
        }
        Event::ForeignStep { by } => {
            let way = if by.seconds() < 0.0 { "Backward" } else { "Forward" };
            one(warning, format!("{way} time jump detected!"))
        }
        Event::Resumed { .. } => one(warning, "Forward time jump detected!".to_owned()),
        Event::LeapArmed { direction: 1 } => {
            one(info, "System clock status set to insert leap second".to_owned())
        }
        Event::LeapArmed { direction: -1 } => {
            one(info, "System clock status set to delete leap second".to_owned())
        }
        Event::LeapArmed { .. } => {
            one(info, "System clock status reset after leap second".to_owned())
        }
        Event::ResolveFailed { name, reason } => {
            one(Severity::Debug, format!("Could not resolve {name} : {reason}"))
        }
        Event::ClockError { reason } => {
            one(Severity::Error, format!("Could not adjust system clock : {reason}"))
        }
        Event::Reachability { .. } | Event::Reconfigured { .. } => {
            one(Severity::Debug, event.to_string())
        }
        _ => one(event.severity(), event.to_string()),
    }
}

/// `ADDRESS (NAME)` of what we call `NAME (ADDRESS)`.
fn source(label: &str) -> String {
    match split(label) {
        (Some(name), address) => format!("{address} ({name})"),
        (None, address) => address,
    }
}

fn address(label: &str) -> String {
    split(label).1
}

fn plain_name(label: &str) -> String {
    let (name, address) = split(label);
    name.unwrap_or(address)
}

/// Name, if it is not the address itself, and address without a port.
fn split(label: &str) -> (Option<String>, String) {
    let without_port = |text: &str| match text.parse::<SocketAddr>() {
        Ok(address) => address.ip().to_string(),
        Err(_) => text.to_owned(),
    };
    let parts = label.strip_suffix(')').and_then(|label| label.split_once(" ("));
    match parts {
        Some((name, address)) if name.parse::<IpAddr>().is_err() => {
            (Some(name.to_owned()), without_port(address))
        }
        Some((_, address)) => (None, without_port(address)),
        None => (None, without_port(label)),
    }
}
