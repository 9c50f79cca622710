//! `local`: the time of the local clock is served while there is no better one.

use timeball_wire::cmdmon::{Float, Request};

use super::words::Words;
use crate::chronyc::trouble::{Outcome, Trouble};

const DEFAULT_STRATUM: i32 = 10;
const DEFAULT_DISTANCE: f64 = 1.0;
/// Orphans hear each other before they begin.
const DEFAULT_ORPHAN_WAIT: f64 = 300.0;

pub(super) fn parse(words: Words<'_>) -> Outcome<Request> {
    let request = if words.clone().eq(["off"]) { Some(off()) } else { on(words) };
    request.ok_or_else(|| Trouble::usage("Invalid syntax for local command"))
}

fn off() -> Request {
    Request::Local {
        on: 0,
        stratum: 0,
        distance: Float::ZERO,
        orphan: 0,
        activate: Float::ZERO,
        wait_synchronised: Float::ZERO,
        wait_unsynchronised: Float::ZERO,
    }
}

fn on(mut words: Words<'_>) -> Option<Request> {
    let (mut stratum, mut orphan) = (DEFAULT_STRATUM, false);
    let (mut distance, mut activate) = (DEFAULT_DISTANCE, 0.0);
    let (mut wait_synchronised, mut wait_unsynchronised) = (0.0, None);
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_str() {
            "stratum" => stratum = words.parse().filter(|stratum| (1..=15).contains(stratum))?,
            "orphan" => orphan = true,
            "distance" => distance = words.parse()?,
            "activate" => activate = words.parse()?,
            "waitsynced" => wait_synchronised = words.parse()?,
            "waitunsynced" => wait_unsynchronised = words.parse().map(Some)?,
            _ => return None,
        }
    }
    let default_wait = if orphan { DEFAULT_ORPHAN_WAIT } else { 0.0 };
    Some(Request::Local {
        on: 1,
        stratum,
        distance: distance.into(),
        orphan: orphan.into(),
        activate: f64::into(activate),
        wait_synchronised: f64::into(wait_synchronised),
        wait_unsynchronised: wait_unsynchronised.unwrap_or(default_wait).into(),
    })
}

/// The same for a daemon of chrony 4.3 or older, if that can do it.
pub(super) fn for_older_daemons(request: &Request) -> Option<Request> {
    match *request {
        Request::Local { on, stratum, distance, orphan, activate, wait_synchronised, .. }
            if activate == Float::ZERO && wait_synchronised == Float::ZERO =>
        {
            Some(Request::Local2 { on, stratum, distance, orphan })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_options() {
        let local = |stratum, distance: f64, orphan, activate: f64, wait: f64| Request::Local {
            on: 1,
            stratum,
            distance: distance.into(),
            orphan,
            activate: activate.into(),
            wait_synchronised: Float::ZERO,
            wait_unsynchronised: wait.into(),
        };
        let ask = |line| parse(Words::of(line));
        assert_eq!(ask("").unwrap(), local(10, 1.0, 0, 0.0, 0.0));
        assert_eq!(ask("off").unwrap(), off());
        assert_eq!(ask("stratum 5 Orphan").unwrap(), local(5, 1.0, 1, 0.0, 300.0));
        let request = ask("distance 0.1 activate 0.5 orphan waitunsynced 0").unwrap();
        assert_eq!(request, local(10, 0.1, 1, 0.5, 0.0));
        assert_eq!(for_older_daemons(&request), None, "it knows no activation");
        let older = for_older_daemons(&local(5, 1.0, 1, 0.0, 300.0));
        assert!(matches!(older, Some(Request::Local2 { on: 1, stratum: 5, orphan: 1, .. })));
        for bad in ["stratum 16", "stratum", "on", "off now", "distance far"] {
            assert!(ask(bad).is_err(), "{bad}");
        }
    }
}
