//! TAI − UTC by a list of leap seconds, such as the IERS publishes: history, and half a year ahead.

use std::sync::Arc;

use timeball_wire::{LeapIndicator, Span, Timestamp};

use super::leap::{KERNEL_AT_WORK, LeapSecond, day_end};

/// Moments from which TAI − UTC has another value, and how long the list is good for. Cheap to
/// clone.
#[derive(Clone, Debug, PartialEq)]
pub struct LeapTable {
    /// In the order of time.
    entries: Arc<[(Timestamp, i32)]>,
    expiry: Timestamp,
}

impl LeapTable {
    /// A table of `entries`, in any order: a moment of UTC, and TAI − UTC (s) from then on. Whether
    /// there is a leap second after `expiry` it does not know.
    pub fn new(mut entries: Vec<(Timestamp, i32)>, expiry: Timestamp) -> Self {
        entries.sort_by_key(|(from, _)| *from);
        Self { entries: entries.into(), expiry }
    }

    /// TAI − UTC (s) at `utc`; `None` before the first entry. After the expiry it is the last known
    /// value.
    pub fn tai_offset_at(&self, utc: Timestamp) -> Option<i32> {
        let later = self.entries.partition_point(|(from, _)| *from <= utc);
        self.entries.get(later.checked_sub(1)?).map(|(_, offset)| *offset)
    }

    /// UTC at a moment of TAI; `None` before the first entry. An inserted second is shown as the one
    /// after it, as a clock does that shows the last second of the day twice.
    pub fn utc_of(&self, tai: Timestamp) -> Option<Timestamp> {
        let offset = |seconds: i32| Span::from_secs(i64::from(seconds));
        let (_, seconds) =
            self.entries.iter().rev().find(|(from, seconds)| *from <= tai - offset(*seconds))?;
        Some(tai - offset(*seconds))
    }

    /// What to tell the kernel at `utc`: as [`tai_offset_at`](Self::tai_offset_at), but `None` while
    /// the kernel may be making a leap second, which it counts by itself: the clock shows the last
    /// second twice, and the offset differs between the two.
    pub fn settled_tai_offset_at(&self, utc: Timestamp) -> Option<i32> {
        let offset = self.tai_offset_at(utc);
        let around = [utc - KERNEL_AT_WORK, utc + KERNEL_AT_WORK];
        around.iter().all(|near| self.tai_offset_at(*near) == offset).then_some(offset)?
    }

    /// The leap second at the end of the UTC day of `now`, or that there is none; `Unknown` if the
    /// table expires before that.
    pub fn leap_at_end_of_day(&self, now: Timestamp) -> Foreseen {
        let midnight = day_end(now);
        if self.expiry < midnight {
            return Foreseen::Unknown;
        }
        let change = self.tai_offset_at(now).zip(self.tai_offset_at(midnight));
        let indicator = match change.map(|(before, after)| i64::from(after) - i64::from(before)) {
            Some(1) => LeapIndicator::Insert,
            Some(-1) => LeapIndicator::Delete,
            // No clock can make another change: that would be no leap second.
            _ => return Foreseen::None,
        };
        Foreseen::Leap(LeapSecond { indicator, midnight })
    }

    /// The end of what the table knows.
    pub const fn expiry(&self) -> Timestamp {
        self.expiry
    }
}

/// What a table says of the end of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// The day ends with a leap second.
    Leap(LeapSecond),
    /// It does not.
    None,
    /// The table has expired.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(utc: &str) -> Timestamp {
        utc.parse().expect("a timestamp")
    }

    /// The end of the list as it stood in the second half of 2016, and a second taken out in a
    /// future that may never come.
    fn table() -> LeapTable {
        LeapTable::new(
            vec![
                (at("2017-01-01T00:00:00Z"), 37),
                (at("2012-07-01T00:00:00Z"), 35),
                (at("2015-07-01T00:00:00Z"), 36),
                (at("2029-04-01T00:00:00Z"), 36),
            ],
            at("2029-06-28T00:00:00Z"),
        )
    }

    #[test]
    fn an_offset_holds_from_its_moment_to_the_next_and_beyond_the_expiry() {
        for (utc, offset) in [
            ("2012-06-30T23:59:59.999999999Z", None),
            ("2012-07-01T00:00:00Z", Some(35)),
            ("2016-12-31T23:59:59.999999999Z", Some(36)),
            ("2017-01-01T00:00:00Z", Some(37)),
            ("2029-03-31T23:59:59Z", Some(37)),
            ("2029-04-01T00:00:00Z", Some(36)),
            ("2100-01-01T00:00:00Z", Some(36)),
        ] {
            assert_eq!(table().tai_offset_at(at(utc)), offset, "{utc}");
        }
        assert_eq!(
            LeapTable::new(vec![], at("2029-06-28T00:00:00Z"))
                .tai_offset_at(at("2020-01-01T00:00:00Z")),
            None
        );
    }

    #[test]
    fn tai_is_utc_and_the_offset_of_its_moment() {
        for (tai, utc) in [
            ("2012-07-01T00:00:34.999Z", None),
            ("2012-07-01T00:00:35Z", Some("2012-07-01T00:00:00Z")),
            ("2017-01-01T00:00:35Z", Some("2016-12-31T23:59:59Z")),
            // 23:59:60.5
            ("2017-01-01T00:00:36.5Z", Some("2017-01-01T00:00:00.5Z")),
            ("2017-01-01T00:00:37Z", Some("2017-01-01T00:00:00Z")),
            // The last second of the day is left out.
            ("2029-04-01T00:00:35.5Z", Some("2029-03-31T23:59:58.5Z")),
            ("2029-04-01T00:00:36Z", Some("2029-04-01T00:00:00Z")),
        ] {
            assert_eq!(table().utc_of(at(tai)), utc.map(at), "{tai}");
        }
    }

    #[test]
    fn around_a_leap_second_the_kernel_is_left_alone() {
        for (utc, offset) in [
            ("2016-12-31T23:59:57.9Z", Some(36)),
            ("2016-12-31T23:59:58.1Z", None),
            ("2016-12-31T23:59:59.5Z", None),
            ("2017-01-01T00:00:00Z", None),
            ("2017-01-01T00:00:01.9Z", None),
            ("2017-01-01T00:00:02Z", Some(37)),
        ] {
            assert_eq!(table().settled_tai_offset_at(at(utc)), offset, "{utc}");
        }
    }

    #[test]
    fn a_leap_second_is_due_on_its_day_only() {
        let leap =
            |indicator, midnight| Foreseen::Leap(LeapSecond { indicator, midnight: at(midnight) });
        let inserted = leap(LeapIndicator::Insert, "2017-01-01T00:00:00Z");
        let deleted = leap(LeapIndicator::Delete, "2029-04-01T00:00:00Z");
        for (now, foreseen) in [
            ("2016-12-30T23:59:59.999999999Z", Foreseen::None),
            ("2016-12-31T00:00:00Z", inserted),
            ("2016-12-31T23:59:59.999999999Z", inserted),
            ("2017-01-01T00:00:00Z", Foreseen::None),
            ("2029-03-31T12:00:00Z", deleted),
            // Of the time before it the table knows nothing that could change.
            ("2012-06-30T12:00:00Z", Foreseen::None),
        ] {
            assert_eq!(table().leap_at_end_of_day(at(now)), foreseen, "{now}");
        }
    }

    #[test]
    fn an_expired_table_neither_announces_nor_denies() {
        let foreseen = |now| table().leap_at_end_of_day(at(now));
        assert_eq!(foreseen("2029-06-27T12:00:00Z"), Foreseen::None);
        assert_eq!(foreseen("2029-06-28T00:00:00Z"), Foreseen::Unknown);
        assert_eq!(foreseen("2029-12-31T12:00:00Z"), Foreseen::Unknown);
        // Its own last entry counts no more if the expiry comes first.
        let early = LeapTable::new(
            vec![(at("2015-07-01T00:00:00Z"), 36), (at("2017-01-01T00:00:00Z"), 37)],
            at("2016-12-31T12:00:00Z"),
        );
        assert_eq!(early.leap_at_end_of_day(at("2016-12-31T06:00:00Z")), Foreseen::Unknown);
    }

    #[test]
    fn a_jump_of_several_seconds_is_no_leap_second() {
        let wild = LeapTable::new(
            vec![(at("2015-07-01T00:00:00Z"), i32::MIN), (at("2017-01-01T00:00:00Z"), i32::MAX)],
            at("2029-06-28T00:00:00Z"),
        );
        assert_eq!(wild.leap_at_end_of_day(at("2016-12-31T06:00:00Z")), Foreseen::None);
    }

    #[test]
    fn the_ends_of_time_are_survived() {
        for utc in [i64::MIN, i64::MAX].map(Timestamp::from_nanos) {
            let _ = table().leap_at_end_of_day(utc);
            let _ = table().settled_tai_offset_at(utc);
            let _ = table().utc_of(utc);
        }
    }
}
