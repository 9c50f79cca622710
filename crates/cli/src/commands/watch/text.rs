//! What people read.

use timeball_guard::watch::finding::Verdict;
use timeball_guard::watch::watcher::Entry;
use timeball_guard::watch::{Alert, Event, Subject};

use crate::display::style::{BAD, DOUBTFUL, GOOD, paint};
use crate::display::{Align, Cell, Table};

/// One line for an alert.
pub(super) fn alert(alert: &Alert) -> String {
    let style = match alert.event {
        Event::Violated | Event::Changed => BAD,
        Event::Reminder => DOUBTFUL,
        Event::Recovered => GOOD,
    };
    // People do not read fractions of a second.
    let at = alert.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("{at} {} {}", paint(style, alert.event.name()), alert.sentence())
}

/// How everything stands.
pub(super) fn standings(entries: &[Entry]) -> String {
    let mut table = Table::new(&[
        (Align::Left, "endpoint"),
        (Align::Left, "expected"),
        (Align::Left, "is"),
        (Align::Left, "detail"),
    ]);
    for entry in entries {
        let (condition, detail) = match entry.standing.confirmed() {
            Some(known) if entry.standing.is_settled() => {
                let style = match known.verdict {
                    Verdict::AsExpected => GOOD,
                    Verdict::Wrong => BAD,
                };
                (Cell::styled(style, known.condition.to_string()), known.detail.clone())
            }
            _ => (Cell::styled(DOUBTFUL, "unsettled"), "looks do not agree".to_owned()),
        };
        table.row([
            entry.subject.name().into(),
            entry.subject.expected().into(),
            condition,
            detail.into(),
        ]);
    }
    table.render("")
}

/// What is watched, and how it should be.
pub(super) fn subjects(subjects: &[Subject]) -> String {
    let mut table = Table::new(&[(Align::Left, "endpoint"), (Align::Left, "expected")]);
    for subject in subjects {
        table.row([subject.name().into(), subject.expected().into()]);
    }
    table.render("")
}
