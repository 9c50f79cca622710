//! Correcting an offset without a jump: run a little faster or slower for a while.

use timeball_wire::Span;

/// A slew to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slew {
    /// Added to the frequency (s/s).
    pub rate: f64,
    /// For so long, by the clock that is slewed.
    pub duration: Span,
}

/// How much of a hurry there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Haste {
    /// Updates come this often: a share of that, so that clients who measure our frequency see no
    /// more of the slew than necessary.
    Pace(Span),
    /// Offset times duration is to be this (s²): what may well be noise is slewed slowly, what
    /// cannot be is slewed fast.
    Area(f64),
}

/// What the clock can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Largest rate (s/s).
    pub max_rate: f64,
    /// The frequency (s/s) that the clock runs at without a slew.
    pub frequency: f64,
    /// The rate (s/s) of a slew that has not ended yet. An update that finds what is left of its offset
    /// is no reason to take longer over it.
    pub under_way: f64,
}

/// An offset (s) too small to be worth a command: a tick of the clock.
const NEGLIGIBLE: f64 = 1e-9;

/// Shortest slew (s): a shorter one would end late by much of its length, and a client that happens
/// to look then would see a frequency that is none.
const SHORTEST: f64 = 2.0;

/// The same where the offset is what everybody sees,
const SHORTEST_IF_LARGE: f64 = 1.0;

/// that is from here on (s).
const LARGE: f64 = 10e-3;

/// Longest slew (s) of an offset that needs no longer, by the pace of updates…
const LONGEST: f64 = 16.0;

/// …unless this share of the time between two updates is more: after hours of silence there is no such
/// hurry. A rate that large would be taken for a bad frequency by clients.
const LONGEST_SHARE: f64 = 1.0 / 64.0;

/// The same by an area (s).
const LONGEST_FOR_AREA: f64 = 1e4;

/// Largest frequency (s/s) that a kernel can be told, slew included.
const KERNEL_LIMIT: f64 = 0.1;

/// Smallest rate (s/s) that is left to a clock whose frequency is at that limit.
const LEAST_RATE: f64 = 1e-6;

/// How to remove `offset` (s).
pub fn plan(offset: f64, haste: Haste, limits: Limits) -> Option<Slew> {
    if offset.abs() < NEGLIGIBLE {
        return None;
    }
    let shortest = if offset.abs() < LARGE { SHORTEST } else { SHORTEST_IF_LARGE };
    let unhurried = match haste {
        Haste::Pace(pace) => {
            let pace = pace.seconds();
            (pace / 4.0).clamp(shortest, LONGEST.max(LONGEST_SHARE * pace))
        }
        Haste::Area(area) => {
            let anew = area / offset.abs();
            let on = offset / limits.under_way;
            let goes_on = limits.under_way != 0.0 && on > 0.0;
            (if goes_on { anew.min(on) } else { anew }).clamp(shortest, LONGEST_FOR_AREA)
        }
    };
    let room = (KERNEL_LIMIT - limits.frequency * offset.signum()).max(LEAST_RATE);
    let max_rate = limits.max_rate.min(room);
    // The clock itself tells how long the slew lasts, and it runs at another rate meanwhile: at
    // `1 + frequency + rate` against the oscillator, by which `rate` is measured.
    let nominal = 1.0 + limits.frequency;
    let duration = unhurried.max(offset.abs() * nominal / max_rate + offset);
    let rate = offset * nominal / (duration - offset);
    let rate = rate.clamp(-max_rate, max_rate);
    Some(Slew { rate, duration: Span::from_seconds(duration) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_rate: 1000e-6, frequency: 0.0, under_way: 0.0 };

    /// What a clock gains by the slew against one that runs at the frequency alone.
    fn removed(slew: Slew, limits: Limits) -> f64 {
        let shown = slew.duration.seconds();
        shown - shown * (1.0 + limits.frequency) / (1.0 + limits.frequency + slew.rate)
    }

    #[test]
    fn a_slew_removes_the_whole_offset_within_the_rate_limit() {
        for offset in [3e-9, 40e-6, -2e-3, 0.5, -0.9] {
            for pace in [0, 1, 64, 1024] {
                let haste = Haste::Pace(Span::from_secs(pace));
                let slew = plan(offset, haste, LIMITS).expect("worth a slew");
                let error = removed(slew, LIMITS) - offset;
                assert!(error.abs() < 1e-9 + offset.abs() * 1e-6, "{offset} {pace}");
                assert!(slew.rate.abs() <= 1000e-6, "{offset} {pace}");
            }
        }
    }

    #[test]
    fn a_fast_slew_of_a_fast_clock_is_exact() {
        for frequency in [-0.05, -5e-3, 0.0, 5e-3, 0.05] {
            let limits = Limits { max_rate: 83_333e-6, frequency, ..LIMITS };
            for offset in [-100.0, -0.3, 0.3, 100.0] {
                for haste in [Haste::Pace(Span::ZERO), Haste::Area(1.0), Haste::Area(1e-3)] {
                    let slew = plan(offset, haste, limits).expect("worth a slew");
                    let error = removed(slew, limits) - offset;
                    assert!(error.abs() < 2e-9, "{offset} at {frequency}: {error}");
                    assert!(slew.rate.abs() <= limits.max_rate, "{offset} at {frequency}");
                    assert!((frequency + slew.rate).abs() <= KERNEL_LIMIT + 1e-12, "{frequency}");
                }
            }
        }
    }

    #[test]
    fn what_everybody_sees_is_gone_in_a_second() {
        let limits = Limits { max_rate: 1.0 / 12.0, ..LIMITS };
        let duration = |offset| {
            let slew = plan(offset, Haste::Area(1e-6), limits).expect("worth a slew");
            slew.duration.seconds()
        };
        assert_eq!(duration(9e-3), 2.0);
        assert_eq!(duration(50e-3), 1.0);
    }

    #[test]
    fn a_hundred_seconds_take_no_longer_than_they_must() {
        let limits = Limits { max_rate: 1.0 / 12.0, ..LIMITS };
        let slew = plan(-100.0, Haste::Area(1e-3), limits).expect("worth a slew");
        assert_eq!(slew.duration, Span::from_secs(1100), "the clock is the slower one");
    }

    #[test]
    fn an_unhurried_slew_takes_a_share_of_the_time_between_updates() {
        for (pace, seconds) in [(32, 8), (64, 16), (1024, 16), (6400, 100)] {
            let haste = Haste::Pace(Span::from_secs(pace));
            let slew = plan(20e-6, haste, LIMITS).expect("worth a slew");
            assert_eq!(slew.duration, Span::from_secs(seconds), "{pace}");
        }
    }

    #[test]
    fn by_area_small_offsets_take_long_and_large_ones_do_not() {
        let duration = |offset| {
            let slew = plan(offset, Haste::Area(1e-2), LIMITS).expect("worth a slew");
            slew.duration.seconds()
        };
        assert_eq!(duration(1e-4), 100.0);
        assert_eq!(duration(-1e-3), 10.0);
        assert_eq!(duration(1e-7), LONGEST_FOR_AREA);
        assert!((duration(0.1) - 100.1).abs() < 1e-9, "the rate limit");
    }

    #[test]
    fn what_is_left_of_an_offset_takes_no_longer_than_it_was_to_take() {
        let duration = |offset, under_way| {
            let limits = Limits { under_way, ..LIMITS };
            let slew = plan(offset, Haste::Area(1e-2), limits).expect("worth a slew");
            slew.duration.seconds()
        };
        assert_eq!(duration(1e-3, 0.0), 10.0);
        assert_eq!(duration(0.5e-3, 1e-4), 5.0, "and not 20");
        assert_eq!(duration(-0.5e-3, -1e-4), 5.0);
        assert_eq!(duration(-0.5e-3, 1e-4), 20.0, "the other way");
        assert_eq!(duration(0.5e-3, 1e-6), 20.0, "more than was thought");
        assert_eq!(duration(1e-5, 1e-4), SHORTEST);
    }

    #[test]
    fn nothing_is_done_about_nothing() {
        assert_eq!(plan(0.4e-9, Haste::Pace(Span::from_secs(64)), LIMITS), None);
    }
}
