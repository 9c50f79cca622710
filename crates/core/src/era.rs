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

/// Builds of the same two hours read timestamps alike, in seconds.
const GRAIN: i64 = 7200;

/// Begin of the 2³² seconds in which every timestamp on the wire is taken to lie.
pub const START: Timestamp =
    Timestamp::from_nanos((BUILT - DAYS_BEFORE * 86_400).div_euclid(GRAIN) * GRAIN * 1_000_000_000);

/// The moment meant.
pub fn unfold(timestamp: NtpTimestamp) -> Timestamp {
    timestamp.unfold(START + Span::from_secs(1 << 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_begins_at_its_start_and_is_an_era_long() {
        let second = Span::from_secs(1);
        let era = Span::from_secs(1 << 32);
        let unfolded = |moment: Timestamp| unfold(NtpTimestamp::from(moment));
        assert_eq!(unfolded(START), START);
        assert_eq!(unfolded(START + era - second), START + era - second);
        assert_eq!(unfolded(START - second), START + era - second);
        assert_eq!(unfolded(START + era), START);
    }

    #[test]
    fn what_comes_after_the_rollover_of_2036_is_no_time_long_past() {
        // 7 February 2036, 06:28:16 UTC: the era of 1900 ends.
        let rollover = Timestamp::from_nanos(2_085_978_496_000_000_000);
        let after = rollover + Span::from_secs(1000);
        assert_eq!(unfold(NtpTimestamp::from(after)), after);
    }
}
