//! Moments in UTC, as chronyc writes and reads them.

use jiff::Timestamp;
use timeball_wire::cmdmon::Timespec;

/// `Sun Nov 22 04:22:15 2026`; nothing for a year that has no name.
pub(super) fn in_words(time: Timespec) -> String {
    format(time, "%a %b %d %H:%M:%S %Y").unwrap_or_default()
}

/// `2026-11-22 04:22:15`, as in chrony's logs.
pub(super) fn in_a_log(time: Timespec) -> String {
    format(time, "%Y-%m-%d %H:%M:%S").unwrap_or_else(|| "INVALID    INVALID ".into())
}

/// `2026-11-22T04:22:15.5Z`, for JSON.
pub(super) fn in_iso_8601(time: Timespec) -> Option<String> {
    timestamp(time).map(|timestamp| timestamp.to_string())
}

/// Seconds since 1970 with nine decimals.
pub(super) fn since_epoch(time: Timespec) -> String {
    format!("{}.{:09}", time.seconds, time.nanoseconds)
}

/// The time that a person entered, in this machine's time zone unless the text names another:
/// `Sep 25, 2026 16:30:05`, `16:30:05` of today, `@1790000000`.
pub(super) fn parse(text: &str) -> Option<Timespec> {
    let parsed = parse_datetime::parse_datetime(text).ok()?;
    Some(Timespec { seconds: parsed.unix_epoch_second(), nanoseconds: 0 })
}

fn format(time: Timespec, pattern: &str) -> Option<String> {
    Some(timestamp(time)?.strftime(pattern).to_string())
}

fn timestamp(time: Timespec) -> Option<Timestamp> {
    Timestamp::new(time.seconds, i32::try_from(time.nanoseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timespec {
        Timespec { seconds, nanoseconds: 5_000_000 }
    }

    #[test]
    fn dates_are_chronys() {
        assert_eq!(in_words(Timespec::NEVER), "Thu Jan 01 00:00:00 1970");
        assert_eq!(in_words(at(1_795_321_335)), "Sun Nov 22 04:22:15 2026");
        assert_eq!(in_words(at(-3_786_825_600)), "Tue Jan 01 00:00:00 1850");
        assert_eq!(in_words(at(i64::MAX)), "");
        assert_eq!(in_a_log(at(1_795_321_335)), "2026-11-22 04:22:15");
        assert_eq!(in_a_log(at(i64::MIN)), "INVALID    INVALID ");
        assert_eq!(since_epoch(at(1_795_321_335)), "1795321335.005000000");
        assert_eq!(in_iso_8601(at(1_795_321_335)).as_deref(), Some("2026-11-22T04:22:15.005Z"));
    }

    #[test]
    fn times_are_entered_as_people_write_them() {
        for text in ["@1795321335", "2026-11-22 04:22:15 UTC", "Nov 22 2026 04:22:15 UTC"] {
            assert_eq!(parse(text).map(|time| time.seconds), Some(1_795_321_335), "{text}");
        }
        assert_eq!(
            parse("Nov 22, 2026 04:22:15 UTC").map(|time| time.seconds),
            Some(1_795_321_335)
        );
        assert!(parse("16:30:05").is_some());
        for bad in ["yesterday's news", "25:61:61", "Foo 12, 2026"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
