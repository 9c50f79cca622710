//! The list of leap seconds, read when the configuration is.

use std::io;

use timeball_config::{LeapSeconds, LeapSecondsError, LeapSecondsList, Loaded, Mistakes};
use timeball_core::discipline::LeapTable;

/// What the engine shall know of leap seconds. Says in the log where it has it from, or why it has
/// nothing.
///
/// # Errors
/// A list that the configuration names is missing or wrong.
pub(crate) fn load(loaded: &Loaded) -> Result<Option<LeapTable>, Mistakes> {
    let path = loaded.config.clock.leap_seconds_list.as_deref().unwrap_or("".as_ref()).display();
    let zone = loaded.config.clock.leap_seconds_zone.as_deref().unwrap_or_default();
    match loaded.leap_seconds()? {
        LeapSeconds::Listed(LeapSecondsList { table, verified }) => {
            // Whether that has passed is known when the clock is right.
            tracing::info!("{path}: leap seconds until {:.0}", table.expiry());
            if !verified {
                tracing::warn!("{path} has no hash: lines of it may be missing");
            }
            Ok(Some(table))
        }
        LeapSeconds::Unavailable(error) => {
            let without = "TAI − UTC is not known, leap seconds are those that sources announce";
            match &error {
                LeapSecondsError::Unreadable(cause) if cause.kind() == io::ErrorKind::NotFound => {
                    tracing::info!("there is no {path}: {without}");
                }
                _ => tracing::warn!("{path} is not used: {error}; {without}"),
            }
            Ok(None)
        }
        LeapSeconds::Zone(table) => {
            tracing::info!("Using {zone} timezone to obtain leap second data");
            Ok(Some(table))
        }
        LeapSeconds::ZoneUnavailable(error) => {
            tracing::warn!("Timezone {zone} failed leap second check, ignoring: {error}");
            Ok(None)
        }
        LeapSeconds::Unwanted => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use timeball_config::{Dialect, parse};
    use timeball_wire::Timestamp;

    use super::*;

    /// A configuration that names no list, on a system that has its list there.
    fn system_with(list: &Path) -> Loaded {
        let text = "[[server]]\naddress = '192.0.2.1'\n";
        let mut loaded = parse("t.toml", text, Dialect::Native).unwrap();
        loaded.config.clock.leap_seconds_list = Some(list.to_owned());
        loaded
    }

    #[test]
    fn the_list_of_the_system_is_used_if_it_can_be() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("leap-seconds.list");
        assert_eq!(load(&system_with(&list)).unwrap(), None);
        fs::write(&list, "3692217600 37\n").unwrap();
        assert_eq!(load(&system_with(&list)).unwrap(), None);
        fs::write(&list, "#@ 3991593600\n3692217600 37\n").unwrap();
        let table = load(&system_with(&list)).unwrap().unwrap();
        let new_year: Timestamp = "2017-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(table.tai_offset_at(new_year), Some(37));
        let mut unwanted = system_with(&list);
        unwanted.config.clock.leap_seconds_list = None;
        assert_eq!(load(&unwanted).unwrap(), None);
    }

    #[test]
    fn a_list_that_is_named_must_be_right() {
        let text = "[[server]]\naddress = '192.0.2.1'\n\
                    [clock]\nleap-seconds-list = '/nonexistent/leap-seconds.list'\n";
        let mistakes = load(&parse("t.toml", text, Dialect::Native).unwrap()).unwrap_err();
        assert!(mistakes.to_string().starts_with("t.toml:4:21: error: "), "{mistakes}");
    }
}
