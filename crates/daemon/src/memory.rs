//! When the drift file is read and written, and what the log says of it.

use timeball_config::{DriftFile as Place, Files};
use timeball_core::discipline::Drift;
use timeball_wire::{Instant, Span, Timestamp};

use crate::drift_file::DriftFile;
use crate::logging::Words;

/// The memory of the oscillator.
#[derive(Debug)]
pub(crate) struct Memory {
    file: Option<DriftFile>,
    /// Least time (s) between two writings.
    interval: f64,
    next: Instant,
    recalled: Option<Drift>,
}

impl Memory {
    /// The memory that the configuration asks for, at the moment `now`.
    pub(crate) fn new(files: &Files, now: Instant) -> Self {
        let interval = match files.drift_file {
            // The engine says when it is worth it.
            Place::InStateDirectory | Place::None => 0.0,
            Place::At { interval, .. } => interval,
        };
        Self { file: DriftFile::configured(files), interval, next: now, recalled: None }
    }

    /// Reads what is remembered.
    pub(crate) fn recall(&mut self, words: &Words) {
        let Some(file) = &self.file else { return };
        match file.load() {
            Ok(drift) => self.recalled = drift,
            Err(error) => tracing::warn!("{}: {error}; it is ignored", file.path().display()),
        }
        if let Some(drift) = self.recalled {
            words.frequency_read(drift, file.path());
        }
    }

    /// What was remembered when it was read.
    pub(crate) const fn recalled(&self) -> Option<Drift> {
        self.recalled
    }

    /// When it was written last: it cannot be earlier than that.
    pub(crate) fn written(&self) -> Option<Timestamp> {
        self.file.as_ref()?.written()
    }

    /// Writes what is to be remembered, unless that was done a short while ago.
    pub(crate) fn keep(&mut self, drift: Drift, now: Instant, system: Timestamp) {
        let Some(file) = self.file.as_ref().filter(|_| self.next <= now) else { return };
        if !self.interval.is_finite() {
            return;
        }
        self.next = now + Span::from_seconds(self.interval);
        if let Err(error) = file.save(drift, system) {
            tracing::warn!("cannot write {}: {error}", file.path().display());
        }
    }

    /// There is no later: what comes is to be written whenever the last time was.
    pub(crate) fn last_chance(&mut self, now: Instant) {
        self.next = now;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use timeball_core::discipline::Drift;

    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(2_085_978_496_500_000_000);

    fn drift(ppm: f64) -> Drift {
        Drift { frequency: -ppm * 1e-6, uncertainty: 1e-6 }
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn it_is_written_every_so_often_and_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        let files = Files {
            drift_file: Place::At { path: path.clone(), interval: 3600.0 },
            ..Files::default()
        };
        let mut memory = Memory::new(&files, at(0));
        let content = || fs::read_to_string(&path).unwrap().trim().to_owned();
        memory.keep(drift(1.0), at(300), NOW);
        assert!(content().starts_with("1.000000 "));
        memory.keep(drift(2.0), at(3899), NOW);
        assert!(content().starts_with("1.000000 "));
        memory.keep(drift(3.0), at(3900), NOW);
        assert!(content().starts_with("3.000000 "));
        memory.last_chance(at(3901));
        memory.keep(drift(4.0), at(3901), NOW);
        assert!(content().starts_with("4.000000 "));
        assert!(memory.written().is_some());
    }

    #[test]
    fn a_glance_is_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        let place = Place::At { path: path.clone(), interval: f64::INFINITY };
        let files = Files { drift_file: place, ..Files::default() };
        let mut memory = Memory::new(&files, at(0));
        memory.last_chance(at(1));
        memory.keep(drift(1.0), at(1), NOW);
        assert!(!path.exists());
    }
}
