//! Which of NTP's eras is meant.
//!
//! A timestamp on the wire counts seconds modulo 2³² (RFC 5905 §6), 136 years. The system clock is
//! no help to tell which 136 years: a machine without a battery clock starts in 1970, and it is the
//! system clock that is to be set. But no time long before this program was built can be the
//! present. The window of all that can be begins fifty years before that, as in chronyd, so that
//! clocks of the past may still be looked at.

use timeball_wire::{NtpTimestamp, Span, Timestamp};

/// Days between the begin of the window and the day of the build.
const DAYS_BEFORE: i64 = 50 * 365;

/// The build, in seconds since 1970.
const BUILT: i64 = match i64::from_str_radix(env!("TIMEBALL_BUILT"), 10) {
    Ok(seconds) => seconds,
    Err(_) => panic!("SOURCE_DATE_EPOCH is not a number of seconds"),
};

/// So far beyond the window's edges it is the system clock that says which of the two it is: builds
/// that are no further apart agree about every clock that is right.
const EDGE: Span = Span::from_secs(3600);

/// 2³² seconds.
const ERA: Span = Span::from_secs(1 << 32);

/// Begin of the 2³² seconds in which every timestamp on the wire is taken to lie.
pub const START: Timestamp = Timestamp::from_nanos((BUILT - DAYS_BEFORE * 86_400) * 1_000_000_000);

/// The moment meant, as read when the system clock shows `clock`.
pub fn unfold(timestamp: NtpTimestamp, clock: Timestamp) -> Timestamp {
    let near = timestamp.unfold(clock);
    if START - EDGE <= near && near < START + ERA + EDGE {
        return near;
    }
    timestamp.unfold(START + Span::from_secs(1 << 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_begins_at_its_start_and_is_an_era_long() {
        let second = Span::from_secs(1);
        for clock in [START, START + Span::from_secs(1 << 31), START + ERA - second] {
            let unfolded = |moment: Timestamp| unfold(NtpTimestamp::from(moment), clock);
            assert_eq!(unfolded(START + EDGE), START + EDGE, "{clock}");
            assert_eq!(unfolded(START + ERA - EDGE - second), START + ERA - EDGE - second);
            assert_eq!(unfolded(START - EDGE - second), START + ERA - EDGE - second);
            assert_eq!(unfolded(START + ERA + EDGE), START + EDGE);
        }
    }

    #[test]
    fn at_an_edge_a_clock_that_is_right_is_believed() {
        let second = Span::from_secs(1);
        let unfolded = |moment: Timestamp| unfold(NtpTimestamp::from(moment), moment + second);
        for moment in [START - EDGE, START - second, START, START + second] {
            assert_eq!(unfolded(moment), moment);
            assert_eq!(unfolded(moment + ERA), moment + ERA);
        }
        let before = START - EDGE - second;
        assert_eq!(unfolded(before), before + ERA);
        let after = START + ERA + EDGE;
        assert_eq!(unfolded(after), after - ERA);
    }

    #[test]
    fn a_clock_without_a_battery_is_set_from_any_moment_of_the_window() {
        let clock = Timestamp::from_nanos(0);
        for years in [51, 90, 135] {
            let moment = START + Span::from_secs(years * 365 * 86_400);
            assert_eq!(unfold(NtpTimestamp::from(moment), clock), moment);
        }
    }

    #[test]
    fn what_comes_after_the_rollover_of_2036_is_no_time_long_past() {
        // 7 February 2036, 06:28:16 UTC: the era of 1900 ends.
        let rollover = Timestamp::from_nanos(2_085_978_496_000_000_000);
        let after = rollover + Span::from_secs(1000);
        assert_eq!(unfold(NtpTimestamp::from(after), rollover), after);
        assert_eq!(unfold(NtpTimestamp::from(after), Timestamp::from_nanos(0)), after);
    }
}
