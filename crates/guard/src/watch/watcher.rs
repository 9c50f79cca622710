//! All subjects: when to look at which, and what to tell. No I/O: moments and observations come in,
//! looks and alerts come out.

use std::collections::{BTreeMap, VecDeque};

use timeball_host::listeners::Listener;
use timeball_wire::{Instant, Span, Timestamp};

use super::alert::{Alert, Event, ListenerSeen};
use super::finding::{Observation, Seen, Verdict, judge};
use super::plan::Schedule;
use super::standing::{Standing, Time};
use super::state::SavedSubject;
use super::subject::Subject;
use crate::audit::scan::Moment;

/// How long to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// For ever.
    Forever,
    /// Until it is clear how everything stands.
    UntilSettled,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Look at the subject of this index.
    Look(usize),
    /// Nothing before this moment, unless an observation comes in; `None` for nothing at all.
    WaitUntil(Option<Instant>),
    /// It is clear how everything stands.
    Finished,
}

/// Everything that is watched.
#[derive(Debug)]
pub struct Watcher {
    schedule: Schedule,
    extent: Extent,
    entries: Vec<Entry>,
    alerts: VecDeque<Alert>,
}

/// A subject and all that is known of it.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub subject: Subject,
    /// How it stands.
    pub standing: Standing,
    /// Who listens, for a port of this host.
    pub listeners: Vec<ListenerSeen>,
    /// Looks since the start.
    pub looks: u64,
    /// Alerts since the start.
    pub alerts: BTreeMap<Event, u64>,
    /// The server's clock minus this machine's at the last look (s), if it gave its time.
    pub offset: Option<f64>,
    /// When to look next; `None` while a look is under way.
    next_look: Option<Instant>,
    /// When to say again that it is wrong.
    next_reminder: Option<Instant>,
    /// When it was said last.
    told: Option<Time>,
}

/// Looks without a result that is clear, in multiples of what would make one.
const PATIENCE: u64 = 4;

impl Watcher {
    /// A watch that goes on where an earlier one has ended. Everything is looked at at once.
    pub fn new(
        now: Moment,
        subjects: Vec<Subject>,
        schedule: Schedule,
        extent: Extent,
        mut saved: BTreeMap<String, SavedSubject>,
    ) -> Self {
        let entries = subjects.into_iter().map(|subject| {
            let saved = saved.remove(&subject.name()).unwrap_or_default();
            Entry::new(now, subject, saved, &schedule)
        });
        Self { schedule, extent, entries: entries.collect(), alerts: VecDeque::new() }
    }

    /// Watches by another plan from now on. What is known of subjects that stay is kept. Everything is
    /// looked at at once; what looks under way bring no longer counts, as the indices are others.
    pub fn replan(&mut self, now: Moment, subjects: Vec<Subject>, schedule: Schedule) {
        let known = std::mem::take(&mut self.entries).into_iter();
        let mut known: BTreeMap<String, Entry> =
            known.map(|entry| (entry.subject.name(), entry)).collect();
        let entries = subjects.into_iter().map(|subject| match known.remove(&subject.name()) {
            Some(entry) => {
                let saved = entry.saved();
                let Entry { looks, alerts, offset, .. } = entry;
                Entry { looks, alerts, offset, ..Entry::new(now, subject, saved, &schedule) }
            }
            None => Entry::new(now, subject, SavedSubject::default(), &schedule),
        });
        self.entries = entries.collect();
        self.schedule = schedule;
    }

    /// Everything that is watched, by the indices of [`Action::Look`].
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What to do next. To be called until it says to wait.
    pub fn poll(&mut self, now: Moment) -> Action {
        self.remind(now);
        let mut next: Option<Instant> = None;
        let mut is_over = self.extent == Extent::UntilSettled;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let wanted = match self.extent {
                Extent::Forever => true,
                Extent::UntilSettled => !entry.is_clear(self.schedule.confirmations),
            };
            is_over &= !wanted;
            match entry.next_look.filter(|_| wanted) {
                Some(at) if at <= now.monotonic => {
                    entry.next_look = None;
                    return Action::Look(index);
                }
                look => next = earliest(next, earliest(look, entry.reminder())),
            }
        }
        if is_over { Action::Finished } else { Action::WaitUntil(next) }
    }

    /// Takes what a look at the subject of this index has seen.
    pub fn handle(&mut self, now: Moment, index: usize, seen: &Seen) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        let at = wall(now.system);
        if let Observation::Listeners(listeners) = &seen.observation {
            entry.see(listeners, at);
        }
        let finding = judge(&entry.subject, seen);
        entry.looks = entry.looks.saturating_add(1);
        entry.offset = finding.offset;
        let change = entry.standing.take(&finding, at, self.schedule.confirmations);
        let pause = if entry.standing.is_settled() {
            self.schedule.interval
        } else {
            self.schedule.confirm_interval.min(self.schedule.interval)
        };
        entry.next_look = Some(now.monotonic + pause);
        if let Some(change) = change {
            let was = change.was.map(|was| was.to_string());
            self.alerts.extend(entry.tell(now, change.event, was, &self.schedule));
        }
    }

    /// The next thing to tell.
    pub fn poll_alert(&mut self) -> Option<Alert> {
        self.alerts.pop_front()
    }

    /// Whether everything is known to be as expected.
    pub fn is_as_expected(&self) -> bool {
        self.entries.iter().all(|entry| {
            let confirmed = entry.standing.confirmed();
            confirmed.is_some_and(|known| known.verdict == Verdict::AsExpected)
                && entry.standing.is_settled()
        })
    }

    /// What outlives the process.
    pub fn saved(&self) -> BTreeMap<String, SavedSubject> {
        self.entries.iter().map(|entry| (entry.subject.name(), entry.saved())).collect()
    }

    fn remind(&mut self, now: Moment) {
        for entry in &mut self.entries {
            if entry.reminder().is_some_and(|at| at <= now.monotonic) {
                let alert = entry.tell(now, Event::Reminder, None, &self.schedule);
                self.alerts.extend(alert);
            }
        }
    }
}

impl Entry {
    fn new(now: Moment, subject: Subject, saved: SavedSubject, schedule: &Schedule) -> Self {
        let SavedSubject { standing, told, listeners } = saved;
        let next_reminder = told.zip(schedule.reminder).map(|(told, period)| {
            // A clock that was set must neither silence nor hurry it.
            let since = wall(now.system).duration_since(told).as_secs_f64();
            let left = period.seconds() - since.clamp(0.0, period.seconds());
            now.monotonic + Span::from_seconds(left)
        });
        Self {
            subject,
            standing,
            listeners,
            looks: 0,
            alerts: BTreeMap::new(),
            offset: None,
            next_look: Some(now.monotonic),
            next_reminder,
            told,
        }
    }

    /// What outlives the process.
    fn saved(&self) -> SavedSubject {
        let Self { standing, told, listeners, .. } = self;
        SavedSubject { standing: standing.clone(), told: *told, listeners: listeners.clone() }
    }

    /// Whether more looks would tell nothing more.
    fn is_clear(&self, confirmations: u32) -> bool {
        let enough = u64::from(confirmations).saturating_mul(PATIENCE);
        self.looks > 0 && self.standing.is_settled() || self.looks >= enough
    }

    /// When to say again that it is wrong: not before a look has seen that it still is.
    fn reminder(&self) -> Option<Instant> {
        self.next_reminder.filter(|_| self.looks > 0 && self.standing.is_settled())
    }

    /// Notes who listens, and since when.
    fn see(&mut self, listeners: &[Listener], at: Time) {
        let before = std::mem::take(&mut self.listeners);
        self.listeners = listeners
            .iter()
            .map(|listener| {
                let new = ListenerSeen {
                    address: listener.address,
                    process: listener.process.as_ref().map(|process| process.name.clone()),
                    pid: listener.process.as_ref().map(|process| process.pid),
                    first_seen: at,
                };
                let known = before
                    .iter()
                    .find(|known| ListenerSeen { first_seen: at, ..(*known).clone() } == new);
                known.cloned().unwrap_or(new)
            })
            .collect();
    }

    /// What to tell of it, and when to do so again.
    fn tell(
        &mut self,
        now: Moment,
        event: Event,
        was: Option<String>,
        schedule: &Schedule,
    ) -> Option<Alert> {
        let at = wall(now.system);
        let is_wrong = event != Event::Recovered;
        self.told = is_wrong.then_some(at);
        self.next_reminder =
            schedule.reminder.filter(|_| is_wrong).map(|period| now.monotonic + period);
        let confirmed = self.standing.confirmed()?;
        let count = self.alerts.entry(event).or_default();
        *count = count.saturating_add(1);
        Some(Alert {
            event,
            endpoint: self.subject.name(),
            expected: self.subject.expected(),
            condition: confirmed.condition.to_string(),
            was,
            detail: confirmed.detail.clone(),
            since: confirmed.since,
            at,
            listeners: self.listeners.clone(),
        })
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Every time of the system clock is one of the calendar.
fn wall(at: Timestamp) -> Time {
    Time::from_nanosecond(at.nanos().into()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
