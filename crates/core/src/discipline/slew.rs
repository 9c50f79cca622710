//! Correcting an offset without a jump: run a little faster or slower for a while.

use timeball_wire::Span;

/// A slew to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slew {
    /// Added to the frequency (s/s).
    pub rate: f64,
    /// For so long.
    pub duration: Span,
}

/// An offset (s) too small to be worth a command: a tick of the clock.
const NEGLIGIBLE: f64 = 1e-9;

/// Shortest slew (s): a shorter one would end late by much of its length.
const SHORTEST: f64 = 1.0;

/// Longest slew (s) of an offset that needs no longer.
const LONGEST: f64 = 16.0;

/// How to remove `offset` (s) when updates come every `pace`: within a quarter of the time to the
/// next one, so that clients who measure our frequency see no more of it than necessary, and never
/// faster than `max_rate` (s/s).
pub fn plan(offset: f64, pace: Span, max_rate: f64) -> Option<Slew> {
    if offset.abs() < NEGLIGIBLE {
        return None;
    }
    let unhurried = (pace.seconds() / 4.0).clamp(SHORTEST, LONGEST);
    let duration = unhurried.max(offset.abs() / max_rate);
    Some(Slew { rate: offset / duration, duration: Span::from_seconds(duration) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slew_removes_the_whole_offset_within_the_rate_limit() {
        for offset in [3e-9, 40e-6, -2e-3, 0.5, -0.9] {
            for pace in [0, 1, 64, 1024] {
                let slew = plan(offset, Span::from_secs(pace), 1000e-6).expect("worth a slew");
                let removed = slew.rate * slew.duration.seconds();
                assert!((removed - offset).abs() < 1e-9 + offset.abs() * 1e-6, "{offset} {pace}");
                assert!(slew.rate.abs() <= 1000e-6 * (1.0 + 1e-9), "{offset} {pace}");
            }
        }
    }

    #[test]
    fn an_unhurried_slew_takes_a_quarter_of_the_time_between_updates() {
        let slew = plan(20e-6, Span::from_secs(32), 1000e-6).expect("worth a slew");
        assert_eq!(slew.duration, Span::from_secs(8));
    }

    #[test]
    fn nothing_is_done_about_nothing() {
        assert_eq!(plan(0.4e-9, Span::from_secs(64), 1000e-6), None);
    }
}
