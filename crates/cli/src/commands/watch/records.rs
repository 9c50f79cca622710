//! The file of state and the file of metrics.

use std::path::PathBuf;

use timeball_guard::watch::outbox::Outbox;
use timeball_guard::watch::state::Saved;
use timeball_guard::watch::{Plan, Watcher, metrics};
use timeball_host::atomic_file;
use timeball_wire::{Instant, Span};

use crate::outcome::Failure;

/// What was only looked at need not be written more often than this.
const PERIOD: Span = Span::from_secs(10);

/// When to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody has been told, or is about to be.
    AtOnce,
    /// Things may stand as before.
    WhenDue,
}

/// How the last attempt to write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// There was none yet.
    Untried,
    Good,
    /// Somebody has been told.
    Failing,
}

/// The files, and when they are to be written.
pub(super) struct Records {
    state: Option<PathBuf>,
    metrics: Option<PathBuf>,
    period: Span,
    /// When what has been seen since is to be written.
    due: Option<Instant>,
    health: Health,
}

impl Records {
    /// Reads what an earlier run has left.
    pub(super) fn open(plan: &Plan) -> Result<(Self, Saved), Failure> {
        let saved = match &plan.state_file {
            Some(path) => Saved::load(path)
                .map_err(|error| Failure::System(format!("{}: {error}", path.display())))?,
            None => Saved::default(),
        };
        Ok((Self::of(plan), saved))
    }

    /// Writes where this plan says, whatever is there.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            state: plan.state_file.clone(),
            metrics: plan.metrics_file.clone(),
            period: plan.schedule.interval.min(PERIOD),
            due: None,
            health: Health::Untried,
        }
    }

    /// Something has been seen.
    pub(super) fn note(&mut self, now: Instant) {
        self.due.get_or_insert(now + self.period);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Writes both files, if they are wanted and it is time to.
    ///
    /// # Errors
    /// If that was never possible. A disk that is full later is no reason to watch no longer, and to tell
    /// nobody: it is tried again.
    pub(super) fn write(
        &mut self,
        now: Instant,
        urgency: Urgency,
        watcher: &Watcher,
        outbox: Option<&Outbox>,
    ) -> Result<(), Failure> {
        match urgency {
            Urgency::AtOnce => {}
            Urgency::WhenDue if self.due.is_some_and(|due| due <= now) => {}
            Urgency::WhenDue => return Ok(()),
        }
        self.due = None;
        match (self.store(watcher, outbox), self.health) {
            (Ok(()), _) => self.health = Health::Good,
            (Err(failure), Health::Untried) => return Err(failure),
            (Err(failure), Health::Good) => {
                failure.print();
                self.health = Health::Failing;
                self.note(now);
            }
            (Err(_), Health::Failing) => self.note(now),
        }
        Ok(())
    }

    fn store(&self, watcher: &Watcher, outbox: Option<&Outbox>) -> Result<(), Failure> {
        if let Some(path) = &self.state {
            let undelivered = outbox.into_iter().flat_map(Outbox::waiting).cloned().collect();
            let saved = Saved { subjects: watcher.saved(), undelivered };
            saved.store(path).map_err(|error| cannot_write(path, &error))?;
        }
        if let Some(path) = &self.metrics {
            let page = metrics::render(watcher, outbox);
            atomic_file::replace(path, page.as_bytes())
                .map_err(|error| cannot_write(path, &error))?;
        }
        Ok(())
    }
}

fn cannot_write(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::System(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use timeball_guard::audit::scan::Moment;
    use timeball_guard::watch::watcher::Extent;
    use timeball_host::clock::Clock;

    use super::*;

    #[test]
    fn a_disk_that_fails_later_ends_nothing_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        let plan = Plan { state_file: Some(place.join("file")), ..Plan::default() };
        let clock = Clock::open().unwrap();
        let mut now =
            Moment { monotonic: clock.monotonic().unwrap(), system: clock.system().unwrap() };
        let watcher = Watcher::new(
            now,
            Vec::new(),
            plan.schedule,
            Extent::Forever,
            Saved::default().subjects,
        );
        let mut records = Records::of(&plan);
        // A mistake from the beginning is told at once.
        assert!(records.write(now.monotonic, Urgency::AtOnce, &watcher, None).is_err());
        fs::create_dir(&place).unwrap();
        records.write(now.monotonic, Urgency::AtOnce, &watcher, None).unwrap();
        fs::remove_dir_all(&place).unwrap();
        for _ in 0..2 {
            records.write(now.monotonic, Urgency::AtOnce, &watcher, None).unwrap();
        }
        fs::create_dir(&place).unwrap();
        now.monotonic = records.next_timeout().unwrap();
        records.write(now.monotonic, Urgency::WhenDue, &watcher, None).unwrap();
        assert!(place.join("file").exists());
        assert_eq!(records.next_timeout(), None);
    }
}
