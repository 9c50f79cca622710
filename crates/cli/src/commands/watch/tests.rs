use std::collections::BTreeMap;

use timeball_guard::watch::plan::Schedule;
use timeball_guard::watch::{Alert, Event, Expectation, Observation, Port, Subject};
use timeball_host::listeners::Protocol;
use timeball_wire::Timestamp;

use super::*;
use crate::display::fixtures::plain;

/// An alert about a port that should be closed.
pub(super) fn alert(event: Event) -> Alert {
    let time = "2026-02-03T04:05:06.789Z".parse().unwrap();
    Alert {
        event,
        endpoint: "udp:192.0.2.1:123".into(),
        expected: "closed".into(),
        condition: "open".into(),
        was: None,
        detail: "something answers".into(),
        since: time,
        at: time,
        listeners: Vec::new(),
    }
}

#[test]
fn people_read_one_line_for_an_alert() {
    let lines: Vec<String> = Event::ALL.into_iter().map(|e| text::alert(&alert(e))).collect();
    insta::assert_snapshot!(plain(&lines.join("\n")));
}

#[test]
fn people_read_how_everything_stands() {
    let now = Moment { monotonic: Instant::from_nanos(0), system: Timestamp::from_nanos(0) };
    let port = Port { protocol: Protocol::Udp, number: 123 };
    let subject =
        |host: &str| Subject::Remote { host: host.into(), port, expected: Expectation::Closed };
    let schedule = Schedule { confirmations: 2, ..Schedule::default() };
    let subjects = vec![subject("192.0.2.1"), subject("192.0.2.2"), subject("192.0.2.3")];
    let mut watcher = Watcher::new(now, subjects, schedule, Extent::UntilSettled, BTreeMap::new());
    for (index, observation) in [
        (0, Observation::Closed),
        (0, Observation::Closed),
        (1, Observation::Silent),
        (1, Observation::Silent),
        (2, Observation::Closed),
    ] {
        watcher.handle(now, index, &observation.into());
    }
    insta::assert_snapshot!(plain(&text::standings(watcher.entries())));
}
