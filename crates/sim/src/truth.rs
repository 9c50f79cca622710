//! True time, which no clock in the world knows.

use std::ops::{Add, Sub};

use timeball_wire::{LeapIndicator, Span, Timestamp};

const DAY: i64 = 86_400;

/// A moment of true time: nanoseconds since the start of the simulation. Leap seconds are seconds
/// like any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The start of the simulation.
    pub const START: Self = Self(0);

    /// `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The moment nearest to `seconds` after the start.
    pub fn from_seconds(seconds: f64) -> Self {
        Self(Span::from_seconds(seconds).nanos())
    }

    /// Nanoseconds since the start.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds since the start.
    pub fn seconds(self) -> f64 {
        Span::from_nanos(self.0).seconds()
    }
}

impl Add<Span> for Moment {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.nanos()))
    }
}

impl Sub for Moment {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A leap second in the world's UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeapSecond {
    /// When UTC, as a computer counts it, jumps.
    pub at: Moment,
    /// By how much: −1 s for an inserted second, +1 s for a deleted one.
    pub jump: Span,
}

/// UTC of the world: what a perfect clock shows at each moment.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    start: Timestamp,
    leap: Option<LeapSecond>,
}

impl Calendar {
    /// A calendar that shows `start` at [`Moment::START`]; `leap` happens at the end of the UTC day
    /// whose first second is `day`.
    pub fn new(start: Timestamp, leap: Option<(Timestamp, LeapIndicator)>) -> Self {
        let leap = leap.and_then(|(day, kind)| {
            let end = day + Span::from_secs(DAY);
            let until = |second: i64| Moment::START + ((end - start) + Span::from_secs(second));
            match kind {
                // The counting goes back when 24:00:00 is reached: 23:59:59 is shown twice.
                LeapIndicator::Insert => {
                    Some(LeapSecond { at: until(0), jump: Span::from_secs(-1) })
                }
                LeapIndicator::Delete => {
                    Some(LeapSecond { at: until(-1), jump: Span::from_secs(1) })
                }
                LeapIndicator::NoWarning | LeapIndicator::Unsynchronised => None,
            }
        });
        Self { start, leap }
    }

    /// UTC at a moment.
    pub fn utc(&self, at: Moment) -> Timestamp {
        let jumped = match self.leap {
            Some(leap) if at >= leap.at => leap.jump,
            _ => Span::ZERO,
        };
        self.start + (at - Moment::START) + jumped
    }

    /// What honest servers announce at a moment: the leap second during the 24 hours before it.
    pub fn announcement(&self, at: Moment) -> LeapIndicator {
        match self.leap {
            Some(leap) if at < leap.at && leap.at - at <= Span::from_secs(DAY) => {
                if leap.jump.is_negative() { LeapIndicator::Insert } else { LeapIndicator::Delete }
            }
            _ => LeapIndicator::NoWarning,
        }
    }

    /// The leap second, if there is one.
    pub const fn leap_second(&self) -> Option<LeapSecond> {
        self.leap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVE: Timestamp = Timestamp::from_nanos(1_483_142_400_000_000_000); // 2016-12-31

    fn noon(kind: LeapIndicator) -> Calendar {
        Calendar::new(EVE + Span::from_secs(DAY / 2), Some((EVE, kind)))
    }

    #[test]
    fn inserted_second_is_counted_twice() {
        let calendar = noon(LeapIndicator::Insert);
        let at = |seconds: f64| (calendar.utc(Moment::from_seconds(seconds)) - EVE).seconds();
        assert_eq!(at(43_199.5), 86_399.5);
        assert_eq!(at(43_200.5), 86_399.5);
        assert_eq!(at(43_201.0), 86_400.0);
    }

    #[test]
    fn deleted_second_is_never_shown() {
        let calendar = noon(LeapIndicator::Delete);
        let at = |seconds: f64| (calendar.utc(Moment::from_seconds(seconds)) - EVE).seconds();
        assert_eq!(at(43_198.5), 86_398.5);
        assert_eq!(at(43_199.0), 86_400.0);
    }

    #[test]
    fn announced_during_the_day_before_and_not_after() {
        let calendar = noon(LeapIndicator::Insert);
        assert_eq!(calendar.announcement(Moment::START), LeapIndicator::Insert);
        assert_eq!(calendar.announcement(Moment::from_seconds(43_200.0)), LeapIndicator::NoWarning);
    }
}
