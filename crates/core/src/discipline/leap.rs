//! Leap seconds.
//!
//! The kernel makes them: it is told on the day, and repeats or skips the last second. That there
//! is one a [`LeapTable`](super::LeapTable) knows best. Without a good one the announcements of the
//! sources count, but only on the last day of June and December, where every leap second has been,
//! so that a server with a stuck warning does no harm on any other day (RFC 8633 §4.6).

use timeball_wire::{LeapIndicator, Span, Timestamp};

const DAY: i64 = 86_400;
const SECOND: Span = Span::from_secs(1);

/// This close to a leap second the kernel may be making it, and is not to be disturbed. It does so
/// with its next tick, a little after midnight has shown.
pub(super) const KERNEL_AT_WORK: Span = Span::from_secs(2);

/// A step this close to one second, this close to midnight, is the leap second (s).
const STEP_TOLERANCE: f64 = 0.1;
const MIDNIGHT_TOLERANCE: f64 = 60.0;

/// A leap second at the end of this UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeapSecond {
    /// `Insert` or `Delete`.
    pub indicator: LeapIndicator,
    /// The midnight at which it is over.
    pub midnight: Timestamp,
}

impl LeapSecond {
    /// The leap second that sources announce, if this is its day.
    pub fn announced(indicator: LeapIndicator, now: Timestamp) -> Option<Self> {
        let announced = matches!(indicator, LeapIndicator::Insert | LeapIndicator::Delete);
        let midnight = day_end(now);
        (announced && begins_half_year(midnight)).then_some(Self { indicator, midnight })
    }

    /// +1 for an inserted second, −1 for a deleted one.
    pub const fn direction(&self) -> i8 {
        match self.indicator {
            LeapIndicator::Insert => 1,
            LeapIndicator::Delete => -1,
            LeapIndicator::NoWarning | LeapIndicator::Unsynchronised => 0,
        }
    }

    /// What the clock shows when it has to be made: a deleted second is the one before midnight.
    pub fn moment(&self) -> Timestamp {
        match self.indicator {
            LeapIndicator::Delete => self.midnight - SECOND,
            _ => self.midnight,
        }
    }

    /// Its moment has come, and perhaps the kernel has not made it yet.
    pub fn is_being_made(&self, now: Timestamp) -> bool {
        now >= self.moment() && now - self.midnight < KERNEL_AT_WORK
    }

    /// A step of the clock by `by`, seen at `now`, is this leap second.
    pub fn explains(&self, now: Timestamp, by: Span) -> bool {
        let expected = Span::from_secs(-i64::from(self.direction()));
        (by - expected).seconds().abs() < STEP_TOLERANCE
            && (now - self.midnight).seconds().abs() < MIDNIGHT_TOLERANCE
    }
}

/// The midnight that ends the UTC day of `now`.
pub(super) fn day_end(now: Timestamp) -> Timestamp {
    let day = now.nanos().div_euclid(DAY * 1_000_000_000);
    Timestamp::from_nanos(0) + Span::from_secs((day + 1).saturating_mul(DAY))
}

/// The midnight before a 1 January or a 1 July.
fn begins_half_year(midnight: Timestamp) -> bool {
    let (_, month, day_of_month) = midnight.civil_date();
    day_of_month == 1 && matches!(month, 1 | 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSERT: LeapIndicator = LeapIndicator::Insert;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn announcements_count_on_the_last_day_of_june_and_december_only() {
        // 2016-12-31T12:00:00Z, the day of the last leap second so far.
        let leap = LeapSecond::announced(INSERT, at(1_483_185_600)).expect("its day");
        assert_eq!(leap.midnight, at(1_483_228_800));
        assert_eq!(leap.direction(), 1);
        // 2015-06-30T23:59:59Z
        assert!(LeapSecond::announced(INSERT, at(1_435_708_799)).is_some());
        for other_day in [1_483_142_399, 1_483_228_800, 1_435_622_399, 1_459_468_799, 951_827_696] {
            assert_eq!(LeapSecond::announced(INSERT, at(other_day)), None, "{other_day}");
        }
        assert_eq!(LeapSecond::announced(LeapIndicator::NoWarning, at(1_483_185_600)), None);
    }

    #[test]
    fn only_the_right_step_at_the_right_time_is_the_leap_second() {
        let leap = LeapSecond::announced(INSERT, at(1_483_185_600)).expect("its day");
        assert!(leap.explains(at(1_483_228_799), Span::from_millis(-1000)));
        assert!(!leap.explains(at(1_483_228_799), Span::from_millis(1000)));
        assert!(!leap.explains(at(1_483_228_799), Span::from_millis(-5000)));
        assert!(!leap.explains(at(1_483_225_000), Span::from_millis(-1000)));
    }

    #[test]
    fn the_kernel_has_two_seconds() {
        let leap = LeapSecond::announced(INSERT, at(1_483_185_600)).expect("its day");
        let made = [-1, 0, 1, 2].map(|after| leap.is_being_made(at(1_483_228_800 + after)));
        assert_eq!(made, [false, true, true, false]);
        let leap = LeapSecond { indicator: LeapIndicator::Delete, ..leap };
        let made = [-2, -1, 1, 2].map(|after| leap.is_being_made(at(1_483_228_800 + after)));
        assert_eq!(made, [false, true, true, false]);
    }
}
