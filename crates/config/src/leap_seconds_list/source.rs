//! Which list, or which time zone, a configuration means.

use std::path::Path;

use timeball_core::discipline::LeapTable;

use super::{LeapSecondsError, LeapSecondsList};
use crate::{Diagnostic, LeapZoneError, Loaded, Mistakes, Scope, leap_seconds_zone};

const CLOCK: Scope = Scope::Section("clock");
const KEY: &str = "leap-seconds-list";

/// What may be known of leap seconds.
#[derive(Debug)]
pub enum LeapSeconds {
    /// The list.
    Listed(LeapSecondsList),
    /// The text names no list, and the one that most systems have is not there or not right.
    Unavailable(LeapSecondsError),
    /// There is no list, but a time zone that has them.
    Zone(LeapTable),
    /// There is no list, and the time zone that the text names does not help.
    ZoneUnavailable(LeapZoneError),
    /// The text asks to do without.
    Unwanted,
}

impl Loaded {
    /// Reads the list of leap seconds, or else the time zone that has them.
    ///
    /// # Errors
    ///
    /// A list that the text names must be there and be right; what is wrong points at that line.
    pub fn leap_seconds(&self) -> Result<LeapSeconds, Mistakes> {
        let Some(path) = &self.config.clock.leap_seconds_list else {
            return Ok(self.zone().unwrap_or(LeapSeconds::Unwanted));
        };
        match LeapSecondsList::open(path) {
            Ok(list) => Ok(LeapSeconds::Listed(list)),
            Err(error) => match self.places.value(CLOCK, KEY) {
                Some(span) => {
                    let diagnostic = unusable(path, &error).at(span);
                    Err(Mistakes::of(self.document.clone(), diagnostic))
                }
                None => Ok(self.zone().unwrap_or(LeapSeconds::Unavailable(error))),
            },
        }
    }

    fn zone(&self) -> Option<LeapSeconds> {
        let zone = self.config.clock.leap_seconds_zone.as_deref()?;
        Some(match leap_seconds_zone::open(zone) {
            Ok(table) => LeapSeconds::Zone(table),
            Err(error) => LeapSeconds::ZoneUnavailable(error),
        })
    }
}

fn unusable(path: &Path, error: &LeapSecondsError) -> Diagnostic {
    Diagnostic::error(format!("no leap seconds from {}: {error}", path.display()))
        .expected("a leap-seconds.list, as the package tzdata of most distributions has it")
        .help(format!("name another file, or do without: {KEY} = false"))
}
