//! What the engine says, in the words chosen.

use timeball_core::Event;
use timeball_core::event::Severity;

use super::{Manner, chronyd};

/// Puts events into words.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    manner: Manner,
    /// Corrections above this (s) are worth a message.
    pub(crate) change_threshold: f64,
}

impl Words {
    pub(crate) const fn new(manner: Manner, change_threshold: f64) -> Self {
        Self { manner, change_threshold }
    }

    /// Logs what the engine says, as loud as it says.
    pub(crate) fn log(&self, event: &Event) {
        match self.manner {
            Manner::Timeball => write(event.severity(), &event.to_string()),
            Manner::Chronyd => {
                for (severity, line) in chronyd::lines(event) {
                    write(severity, &line);
                }
            }
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
