//! Numbers as people read them: the unit follows the size.

/// A time, to three digits: `12.3 µs`, `212 ms`, `1.50 s`, `2.00 h`.
pub(crate) fn seconds(seconds: f64) -> String {
    format(seconds, "")
}

/// A difference of times, always with its sign.
pub(crate) fn offset(seconds: f64) -> String {
    format(seconds, if seconds < 0.0 { "" } else { "+" })
}

/// A difference and the bound of its error.
pub(crate) fn offset_and_bound(offset: f64, bound: Option<f64>) -> String {
    match bound {
        Some(bound) => format!("{} ± {}", self::offset(offset), seconds(bound)),
        None => self::offset(offset),
    }
}

/// How long ago, or how long from now: `42 s`, `17 min`, `3 h`, `5 d`.
pub(crate) fn age(seconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1.0, "s"), (60.0, "min"), (3600.0, "h"), (86_400.0, "d")];
    // A unit is used up to two of the next one, so that no more than half is lost by rounding.
    let fits = |next: usize| UNITS.get(next).is_none_or(|(worth, _)| seconds.abs() < 2.0 * worth);
    let chosen = UNITS.iter().enumerate().find(|(at, _)| fits(at + 1)).map(|(_, unit)| *unit);
    let (worth, unit) = chosen.unwrap_or((1.0, "s"));
    format!("{:.0} {unit}", seconds / worth)
}

/// A poll interval from its exponent: `64 s`, `17 min`, `125 ms`.
pub(crate) fn poll(exponent: i8) -> String {
    let interval = f64::from(exponent).exp2();
    if interval < 1.0 { seconds(interval) } else { age(interval) }
}

/// A frequency and its uncertainty (ppm).
pub(crate) fn frequency_ppm(ppm: f64, sd: f64) -> String {
    // As many decimals as the uncertainty bears, and one more.
    let decimals = if sd > 0.0 { (1.0 - sd.log10().floor()).clamp(0.0, 6.0) as usize } else { 3 };
    format!("{ppm:+.decimals$} ± {sd:.decimals$} ppm")
}

fn format(seconds: f64, sign: &str) -> String {
    const UNITS: [(f64, &str); 6] =
        [(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (3600.0, "h"), (86_400.0, "d")];
    if !seconds.is_finite() {
        return "?".into();
    }
    if seconds == 0.0 {
        return "0 s".into();
    }
    // The largest unit of which there is one, after rounding to three digits.
    let size = seconds.abs() * 1.0005;
    let (worth, unit) =
        UNITS.iter().rev().find(|(worth, _)| size >= *worth).copied().unwrap_or((1e-9, "ns"));
    // Whole nanoseconds are as fine as it gets.
    let value = seconds / worth;
    let decimals = match value.abs() {
        _ if unit == "ns" => 0,
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{sign}{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        for (value, text) in [
            (0.0, "0 s"),
            (4e-10, "0 ns"),
            (1e-9, "1 ns"),
            (123.4e-9, "123 ns"),
            (999.7e-9, "1.00 µs"),
            (12.34e-6, "12.3 µs"),
            (-12.34e-6, "-12.3 µs"),
            (999.96e-6, "1.00 ms"),
            (0.212, "212 ms"),
            (1.5, "1.50 s"),
            (9.999, "10.0 s"),
            (99.99, "100 s"),
            (3599.0, "1.00 h"),
            (3500.0, "3500 s"),
            (90_000.0, "1.04 d"),
            (1e10, "115741 d"),
            (f64::NAN, "?"),
            (f64::INFINITY, "?"),
        ] {
            assert_eq!(seconds(value), text, "{value}");
        }
    }

    #[test]
    fn offsets_show_their_sign() {
        assert_eq!(offset(1e-3), "+1.00 ms");
        assert_eq!(offset(-1e-3), "-1.00 ms");
        assert_eq!(offset_and_bound(1e-3, Some(2e-6)), "+1.00 ms ± 2.00 µs");
        assert_eq!(offset_and_bound(1e-3, None), "+1.00 ms");
    }

    #[test]
    fn ages_keep_at_least_half_of_their_precision() {
        for (value, text) in [
            (0.0, "0 s"),
            (0.4, "0 s"),
            (119.0, "119 s"),
            (120.0, "2 min"),
            (7199.0, "120 min"),
            (7200.0, "2 h"),
            (86_400.0 * 5.0, "5 d"),
        ] {
            assert_eq!(age(value), text, "{value}");
        }
    }

    #[test]
    fn poll_intervals_are_powers_of_two() {
        assert_eq!(poll(6), "64 s");
        assert_eq!(poll(10), "17 min");
        assert_eq!(poll(-3), "125 ms");
        assert_eq!(poll(0), "1 s");
    }

    #[test]
    fn frequencies_are_as_precise_as_they_are_known() {
        assert_eq!(frequency_ppm(-12.345_678, 0.012_3), "-12.346 ± 0.012 ppm");
        assert_eq!(frequency_ppm(1.0, 100.0), "+1 ± 100 ppm");
        assert_eq!(frequency_ppm(0.0, 0.0), "+0.000 ± 0.000 ppm");
        assert_eq!(frequency_ppm(3.25, 1e-9), "+3.250000 ± 0.000000 ppm");
    }
}
