//! How everything stands, for Prometheus, in its text format.

use std::fmt::Write as _;

use super::alert::Event;
use super::finding::Verdict;
use super::outbox::Outbox;
use super::watcher::{Entry, Watcher};

/// The whole page.
pub fn render(watcher: &Watcher, outbox: Option<&Outbox>) -> String {
    let mut page = Page::default();
    let entries = watcher.entries();
    let known = |entry: &Entry| entry.standing.confirmed().cloned();
    page.family(
        "as_expected",
        "gauge",
        "1 if a subject is confirmed to be as expected, 0 if it is confirmed not to be.",
    );
    for entry in entries {
        let Some(known) = known(entry) else { continue };
        let value = if known.verdict == Verdict::AsExpected { 1.0 } else { 0.0 };
        let (name, condition) = (entry.subject.name(), known.condition.to_string());
        page.sample("as_expected", &[("endpoint", &name), ("condition", &condition)], value);
    }
    page.family("since_timestamp_seconds", "gauge", "When it was first seen so (Unix time).");
    for entry in entries {
        let Some(known) = known(entry) else { continue };
        let since = known.since.as_millisecond() as f64 / 1e3;
        page.sample("since_timestamp_seconds", &[("endpoint", &entry.subject.name())], since);
    }
    page.family("offset_seconds", "gauge", "A server's clock minus this machine's.");
    for entry in entries {
        if let Some(offset) = entry.offset {
            page.sample("offset_seconds", &[("endpoint", &entry.subject.name())], offset);
        }
    }
    page.family("looks_total", "counter", "Looks since the start.");
    for entry in entries {
        let looks = entry.looks as f64;
        page.sample("looks_total", &[("endpoint", &entry.subject.name())], looks);
    }
    page.family("alerts_total", "counter", "Alerts since the start.");
    for entry in entries {
        for event in Event::ALL {
            let count = entry.alerts.get(&event).copied().unwrap_or_default() as f64;
            let labels = [("endpoint", &*entry.subject.name()), ("event", event.name())];
            page.sample("alerts_total", &labels, count);
        }
    }
    if let Some(outbox) = outbox {
        page.family("webhook_waiting", "gauge", "Alerts that the webhook has not taken yet.");
        page.sample("webhook_waiting", &[], outbox.waiting().len() as f64);
        page.family("webhook_lost_total", "counter", "Alerts that made room for newer ones.");
        page.sample("webhook_lost_total", &[], outbox.lost() as f64);
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP timeball_watch_{name} {help}");
        let _ = writeln!(self.text, "# TYPE timeball_watch_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.text, "timeball_watch_{name}{labels} {value}");
    }
}

/// The names of processes can be anything.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use timeball_host::listeners::{Listener, Process, Protocol};
    use timeball_wire::{Instant, Timestamp};

    use super::*;
    use crate::audit::scan::Moment;
    use crate::watch::finding::{Observation, TimeSeen};
    use crate::watch::plan::Schedule;
    use crate::watch::subject::{Expectation, Port, Subject, TimeLimits};
    use crate::watch::watcher::Extent;

    #[test]
    fn the_page_has_a_line_for_everything() {
        let now = Moment {
            monotonic: Instant::from_nanos(0),
            system: Timestamp::from_nanos(1_800_000_000_500_000_000),
        };
        let port = Port { protocol: Protocol::Udp, number: 123 };
        let expected = Expectation::Time(TimeLimits::default());
        let subjects = vec![
            Subject::Remote { host: "ntp.example".into(), port, expected },
            Subject::Local { port, processes: Vec::new() },
        ];
        let schedule = Schedule { confirmations: 1, ..Schedule::default() };
        let mut watcher = Watcher::new(now, subjects, schedule, Extent::Forever, BTreeMap::new());
        let seen = TimeSeen { offset: 0.25, uncertainty: 0.0, stratum: 2 };
        watcher.handle(now, 0, &Observation::Time(seen).into());
        let process = Some(Process { pid: 1, name: "a\"b\\c\nd".into() });
        let listener = Listener { address: "[::]:123".parse().unwrap(), process };
        watcher.handle(now, 1, &Observation::Listeners(vec![listener]).into());
        let mut outbox = Outbox::new(Vec::new());
        while let Some(alert) = watcher.poll_alert() {
            outbox.push(alert);
        }
        insta::assert_snapshot!(render(&watcher, Some(&outbox)));
    }
}
