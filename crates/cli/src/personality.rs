//! Which program this is taken for, by the name it is called by.

use std::ffi::OsStr;
use std::path::Path;

/// A program that this one can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Personality {
    /// Itself.
    Timeball,
    /// chrony's daemon.
    Chronyd,
    /// The client of chrony's daemon.
    Chronyc,
}

impl Personality {
    /// The program that `called`, the first word of the command line, names.
    pub(crate) fn of(called: &OsStr) -> Self {
        match Path::new(called).file_name().and_then(OsStr::to_str) {
            Some("chronyd") => Self::Chronyd,
            Some("chronyc") => Self::Chronyc,
            _ => Self::Timeball,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_name_counts() {
        for (called, personality) in [
            ("/usr/sbin/chronyd", Personality::Chronyd),
            ("chronyd", Personality::Chronyd),
            ("./chronyc", Personality::Chronyc),
            ("chronyd/timeball", Personality::Timeball),
            ("chronyd2", Personality::Timeball),
            ("", Personality::Timeball),
        ] {
            assert_eq!(Personality::of(OsStr::new(called)), personality, "{called:?}");
        }
    }
}
