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
