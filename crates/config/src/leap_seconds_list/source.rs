//! Which file a configuration means.

use std::path::Path;

use super::{LeapSecondsError, LeapSecondsList};
use crate::{Diagnostic, Loaded, Mistakes, Scope};

const CLOCK: Scope = Scope::Section("clock");
const KEY: &str = "leap-seconds-list";

/// What may be known of leap seconds.
#[derive(Debug)]
pub enum LeapSeconds {
    /// The list.
    Listed(LeapSecondsList),
    /// The text names no list, and the one that most systems have is not there or not right.
    Unavailable(LeapSecondsError),
    /// The text asks to do without.
    Unwanted,
}

impl Loaded {
    /// Reads the list of leap seconds.
    ///
    /// # Errors
    ///
    /// A list that the text names must be there and be right; what is wrong points at that line.
    pub fn leap_seconds(&self) -> Result<LeapSeconds, Mistakes> {
        let Some(path) = &self.config.clock.leap_seconds_list else {
            return Ok(LeapSeconds::Unwanted);
        };
        match LeapSecondsList::open(path) {
            Ok(list) => Ok(LeapSeconds::Listed(list)),
            Err(error) => match self.places.value(CLOCK, KEY) {
                Some(span) => {
                    let diagnostic = unusable(path, &error).at(span);
                    Err(Mistakes::of(self.document.clone(), diagnostic))
                }
                None => Ok(LeapSeconds::Unavailable(error)),
            },
        }
    }
}

fn unusable(path: &Path, error: &LeapSecondsError) -> Diagnostic {
    Diagnostic::error(format!("no leap seconds from {}: {error}", path.display()))
        .expected("a leap-seconds.list, as the package tzdata of most distributions has it")
        .help(format!("name another file, or do without: {KEY} = false"))
}
