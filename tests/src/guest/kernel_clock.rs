//! What the guest's kernel says of its clock, by busybox's `adjtimex`.

use std::collections::HashMap;

/// `STA_UNSYNC` of `adjtimex(2)`.
const UNSYNCHRONISED: i64 = 0x40;
/// A tick (µs) at the nominal rate.
const NOMINAL_TICK: f64 = 10_000.0;

/// The kernel's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelClock {
    /// The kernel takes its clock for synchronised.
    pub synchronised: bool,
    /// Rate against the oscillator's own, tick and frequency together, in ppm.
    pub frequency_ppm: f64,
    /// Bound of its error, in seconds.
    pub maximum_error: f64,
    /// Its estimated error, in seconds.
    pub estimated_error: f64,
}

impl KernelClock {
    /// Reads the listing that `adjtimex` prints.
    pub(super) fn read(listing: &str) -> Self {
        // "-f  freq.adjust:  0 (65536 = 1ppm)", "    status:       64 (UNSYNC)"
        let fields: HashMap<&str, i64> = listing
            .lines()
            .filter_map(|line| {
                let (name, value) = line.split_once(':')?;
                let value = value.split_whitespace().next()?.parse().ok()?;
                Some((name.split_whitespace().last()?, value))
            })
            .collect();
        let field = |name: &str| {
            *fields.get(name).unwrap_or_else(|| panic!("adjtimex printed no {name}:\n{listing}"))
        };
        let real = |name: &str| {
            f64::from(i32::try_from(field(name)).expect("adjtimex prints small numbers"))
        };
        Self {
            synchronised: field("status") & UNSYNCHRONISED == 0,
            frequency_ppm: real("freq.adjust") / 65536.0
                + (real("tick") - NOMINAL_TICK) / NOMINAL_TICK * 1e6,
            maximum_error: real("maxerror") * 1e-6,
            estimated_error: real("esterror") * 1e-6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: &str = "\
    mode:         0
-o  offset:       0 us
-f  freq.adjust:  -655360 (65536 = 1ppm)
    maxerror:     16000000
    esterror:     250000
    status:       64 (UNSYNC)
-p  timeconstant: 2
    precision:    1 us
    tolerance:    32768000
-t  tick:         10009 us
    time.tv_sec:  1795315263
    time.tv_usec: 781903
    return value: 5 (clock not synchronized)";

    #[test]
    fn the_listing_is_read_in_seconds_and_ppm() {
        let clock = KernelClock::read(FRESH);
        assert!(!clock.synchronised);
        assert!((clock.frequency_ppm - 890.0).abs() < 1e-6, "{clock:?}");
        assert_eq!((clock.maximum_error, clock.estimated_error), (16.0, 0.25));
        assert!(KernelClock::read(&FRESH.replace("64 (UNSYNC)", "1 (PLL)")).synchronised);
    }
}
