//! Numbers in chronyc's columns: scripts cut them by position and read their units, so that
//! widths, thresholds and letters are an interface.

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;
const YEAR: f64 = 365.0 * DAY;

/// A time in the unit that keeps four or five digits; six characters wide: `  12us`, ` 1.5s`.
pub(super) fn magnitude(seconds: f64) -> String {
    let (value, decimals, unit) = scale(seconds.abs());
    let width = 6 - unit.len();
    format!("{value:width$.decimals$}{unit}")
}

/// The same with its sign, seven characters wide: `  +12us`.
pub(super) fn offset(seconds: f64) -> String {
    let (value, decimals, unit) = scale(seconds);
    let width = 7 - unit.len();
    format!("{value:+width$.decimals$}{unit}")
}

/// The value in its unit, and how many decimals it is shown with.
fn scale(seconds: f64) -> (f64, usize, &'static str) {
    // Half a digit below the power of ten, where rounding would make the number a digit longer.
    match seconds.abs() {
        size if size < 9999.5e-9 => (seconds * 1e9, 0, "ns"),
        size if size < 9999.5e-6 => (seconds * 1e6, 0, "us"),
        size if size < 9999.5e-3 => (seconds * 1e3, 0, "ms"),
        size if size < 999.5 => (seconds, 1, "s"),
        size if size < 99_999.5 => (seconds, 0, "s"),
        size if size < 99_999.5 * MINUTE => (seconds / MINUTE, 0, "m"),
        size if size < 99_999.5 * HOUR => (seconds / HOUR, 0, "h"),
        size if size < 99_999.5 * DAY => (seconds / DAY, 0, "d"),
        _ => (seconds / YEAR, 0, "y"),
    }
}

/// A frequency (ppm), ten characters wide.
pub(super) fn frequency(ppm: f64) -> String {
    format!("{ppm:10.*}", decimals_of_frequency(ppm))
}

/// The same with its sign.
pub(super) fn signed_frequency(ppm: f64) -> String {
    format!("{ppm:+10.*}", decimals_of_frequency(ppm))
}

fn decimals_of_frequency(ppm: f64) -> usize {
    if ppm.abs() < 99_999.5 { 3 } else { 0 }
}

/// A whole number of seconds, four characters wide: ` 999`, ` 20m`, ` 10h`, `  4d`, `  3y`, and
/// `   -` where there is none.
pub(super) fn interval(seconds: Option<u32>) -> String {
    match seconds {
        None => "   -".into(),
        Some(seconds @ ..1_200) => format!("{seconds:4}"),
        Some(seconds @ ..36_000) => format!("{:3}m", seconds / 60),
        Some(seconds @ ..345_600) => format!("{:3}h", seconds / 3600),
        Some(seconds) => match seconds / 86_400 {
            days @ ..1_000 => format!("{days:3}d"),
            days => format!("{:3}y", days / 365),
        },
    }
}

/// A poll interval from its exponent, two characters wide; `-` where there is none.
pub(super) fn log2_interval(exponent: Option<i8>) -> String {
    match exponent {
        None => " -".into(),
        Some(exponent) => format!("{exponent:2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_change_their_unit_where_they_would_need_another_digit() {
        for (seconds, text, signed) in [
            (0.0, "   0ns", "   +0ns"),
            (1e-9, "   1ns", "   +1ns"),
            (-12.4e-9, "  12ns", "  -12ns"),
            (9999.4e-9, "9999ns", "+9999ns"),
            (9999.6e-9, "  10us", "  +10us"),
            (-123.456e-6, " 123us", " -123us"),
            (9999.6e-6, "  10ms", "  +10ms"),
            (0.25, " 250ms", " +250ms"),
            (9.9994, "9999ms", "+9999ms"),
            (9.9996, " 10.0s", " +10.0s"),
            (-999.4, "999.4s", "-999.4s"),
            (999.6, " 1000s", " +1000s"),
            (99_999.4, "99999s", "+99999s"),
            (99_999.6, " 1667m", " +1667m"),
            (6e6, " 1667h", " +1667h"),
            (3.6e8, " 4167d", " +4167d"),
            (1e10, "  317y", "  +317y"),
        ] {
            assert_eq!(magnitude(seconds), text, "{seconds}");
            assert_eq!(offset(seconds), signed, "{seconds}");
        }
    }

    #[test]
    fn frequencies_lose_their_decimals_when_they_are_huge() {
        assert_eq!(frequency(0.012_4), "     0.012");
        assert_eq!(frequency(99_999.4), " 99999.400");
        assert_eq!(frequency(2_000_000.4), "   2000000");
        assert_eq!(signed_frequency(-1.5), "    -1.500");
        assert_eq!(signed_frequency(0.0), "    +0.000");
    }

    #[test]
    fn intervals_have_four_characters() {
        for (seconds, text) in [
            (None, "   -"),
            (Some(0), "   0"),
            (Some(1199), "1199"),
            (Some(1200), " 20m"),
            (Some(35_999), "599m"),
            (Some(36_000), " 10h"),
            (Some(345_599), " 95h"),
            (Some(345_600), "  4d"),
            (Some(86_400 * 999), "999d"),
            (Some(86_400 * 1000), "  2y"),
            (Some(u32::MAX - 1), "136y"),
        ] {
            assert_eq!(interval(seconds), text, "{seconds:?}");
        }
        assert_eq!(log2_interval(None), " -");
        assert_eq!(log2_interval(Some(6)), " 6");
        assert_eq!(log2_interval(Some(-4)), "-4");
    }
}
