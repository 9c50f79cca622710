//! Seconds as a person reads them.

use std::fmt;

/// Seconds that were measured: "3.412 s", "212.0 ms", "1.3 µs".
pub(super) struct Measured(pub(super) f64);

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        // The thresholds are where the number would round up to the next unit.
        match seconds.abs() {
            s if s < 0.999_5e-6 => write!(f, "{:.0} ns", seconds * 1e9),
            s if s < 0.999_95e-3 => write!(f, "{:.1} µs", seconds * 1e6),
            s if s < 0.999_95 => write!(f, "{:.1} ms", seconds * 1e3),
            _ => write!(f, "{seconds:.3} s"),
        }
    }
}

/// Seconds that somebody configured: "3 s", "1.5 ms".
pub(super) struct Configured(pub(super) f64);

impl fmt::Display for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scaled, unit) = match self.0.abs() {
            s if s >= 1.0 || s == 0.0 => (self.0, "s"),
            s if s >= 1e-3 => (self.0 * 1e3, "ms"),
            _ => (self.0 * 1e6, "µs"),
        };
        // Three decimals at most, without the binary fraction's tail.
        write!(f, "{} {unit}", (scaled * 1e3).round() / 1e3)
    }
}

/// "1 source", "2 sources".
pub(super) struct Sources(pub(super) usize);

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} source{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// "1 other", "2 others".
pub(super) struct Others(pub(super) usize);

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} other{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_seconds_keep_the_digits_that_matter() {
        for (seconds, words) in [
            (3.412, "3.412 s"),
            (0.212, "212.0 ms"),
            (-0.0013, "-1.3 ms"),
            (0.999_96, "1.000 s"),
            (0.000_999_96, "1.0 ms"),
            (15.26e-6, "15.3 µs"),
            (0.999_6e-6, "1.0 µs"),
            (4.2e-8, "42 ns"),
            (0.0, "0 ns"),
        ] {
            assert_eq!(Measured(seconds).to_string(), words);
        }
    }

    #[test]
    fn configured_seconds_read_as_they_were_written() {
        for (seconds, words) in
            [(3.0, "3 s"), (1.5, "1.5 s"), (0.1, "100 ms"), (1e-4, "100 µs"), (0.0, "0 s")]
        {
            assert_eq!(Configured(seconds).to_string(), words);
        }
    }
}
