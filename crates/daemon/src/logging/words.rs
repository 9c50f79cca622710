//! What the daemon says, in the words chosen.

use std::path::Path;

use timeball_config::Config;
use timeball_core::discipline::Drift;
use timeball_core::event::Severity;
use timeball_core::{Event, selection};

use super::{Manner, chronyd};

/// Puts what happens into words.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    manner: Manner,
    limits: Limits,
}

/// What is worth a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Corrections of the clock above this (s).
    pub(super) change: f64,
    /// Offsets of the clock above this (s) should be stepped, and cannot be; infinite if they are.
    pub(super) unsteppable: f64,
    /// What selection asks of sources.
    pub(super) selection: selection::Settings,
}

impl Words {
    /// Words in this manner, by the limits in `config`.
    pub(crate) fn new(manner: Manner, config: &Config) -> Self {
        let discipline = &config.engine.discipline;
        let unsteppable = match (discipline.control, discipline.step_limit) {
            (false, None) => discipline.step_threshold,
            (true, _) | (false, Some(_)) => f64::INFINITY,
        };
        let selection = config.engine.selection;
        let change = config.log.change_threshold;
        Self { manner, limits: Limits { change, unsteppable, selection } }
    }

    /// Goes by the limits in `config` from now on.
    pub(crate) fn configure(&mut self, config: &Config) {
        *self = Self::new(self.manner, config);
    }

    /// Logs what the engine says.
    pub(crate) fn log(&self, event: &Event) {
        match self.manner {
            Manner::Timeball => {
                let severity = match event {
                    Event::Updated { unforeseen, .. } if unforeseen.abs() > self.limits.change => {
                        Severity::Warning
                    }
                    _ => event.severity(),
                };
                write(severity, &event.to_string());
            }
            Manner::Chronyd => {
                for (severity, line) in chronyd::lines(event, &self.limits) {
                    write(severity, &line);
                }
            }
        }
    }

    /// The drift file has been read.
    pub(crate) fn frequency_read(&self, drift: Drift, path: &Path) {
        let (frequency, skew) = (drift.frequency * 1e6, drift.uncertainty * 1e6);
        let path = path.display();
        match self.manner {
            Manner::Timeball => {
                tracing::info!("{path}: frequency {frequency:+.3} ± {skew:.3} ppm");
            }
            // chronyd says how fast the clock is, which is what is to be taken away.
            Manner::Chronyd => tracing::info!(
                "Frequency {:.3} +/- {skew:.3} ppm read from {path}",
                0.0 - frequency
            ),
        }
    }

    /// The kernel knows TAI − UTC (s) from now on.
    pub(crate) fn tai_offset(&self, offset: i32) {
        match self.manner {
            Manner::Timeball => tracing::info!("the kernel knows TAI: {offset} s"),
            Manner::Chronyd => {
                tracing::info!("System clock TAI offset set to {offset} seconds");
            }
        }
    }

    /// The clock has been set to the time of the last run.
    pub(crate) fn time_restored(&self) {
        match self.manner {
            Manner::Timeball => tracing::info!("the clock is set to the time of the last run"),
            Manner::Chronyd => tracing::info!("System time restored from driftfile"),
        }
    }
}

fn write(severity: Severity, line: &str) {
    match severity {
        Severity::Debug => tracing::debug!("{line}"),
        Severity::Info => tracing::info!("{line}"),
        Severity::Warning => tracing::warn!("{line}"),
        Severity::Error => tracing::error!("{line}"),
    }
}
