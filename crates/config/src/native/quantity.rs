//! Durations and frequencies: a number and a unit, read and written without losing a bit.

use std::ops::{Range, RangeInclusive};

use super::suggest;

/// A unit and what it is worth.
#[derive(Clone, Copy, Debug)]
struct Unit {
    word: &'static str,
    worth: Worth,
    /// What others call it.
    elsewhere: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
enum Worth {
    /// 10ⁿ of the base unit. Such a number is read as one decimal, hence correctly rounded:
    /// `"500 ppm"` is the number nearest to 0.0005.
    PowerOfTen(i32),
    /// So many of the base unit.
    Times(f64),
}

/// A kind of quantity with its units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    /// "a duration".
    pub(crate) name: &'static str,
    /// A value as an example.
    pub(crate) example: &'static str,
    /// The unit that is suggested when there is none.
    usual: &'static str,
    /// From the largest to the smallest.
    units: &'static [Unit],
}

/// Time, in seconds.
pub(crate) const DURATION: Quantity = Quantity {
    name: "a duration",
    example: "10 ms",
    usual: "s",
    units: &[
        Unit { word: "d", worth: Worth::Times(86400.0), elsewhere: &["day", "days"] },
        Unit { word: "h", worth: Worth::Times(3600.0), elsewhere: &["hr", "hour", "hours"] },
        Unit { word: "min", worth: Worth::Times(60.0), elsewhere: &["m", "minute", "minutes"] },
        Unit {
            word: "s",
            worth: Worth::PowerOfTen(0),
            elsewhere: &["sec", "secs", "second", "seconds"],
        },
        Unit { word: "ms", worth: Worth::PowerOfTen(-3), elsewhere: &["msec", "milliseconds"] },
        Unit { word: "us", worth: Worth::PowerOfTen(-6), elsewhere: &["usec", "microseconds"] },
        Unit { word: "ns", worth: Worth::PowerOfTen(-9), elsewhere: &["nsec", "nanoseconds"] },
    ],
};

/// Relative frequency, in seconds per second.
pub(crate) const FREQUENCY: Quantity = Quantity {
    name: "a frequency",
    example: "500 ppm",
    usual: "ppm",
    units: &[
        Unit { word: "%", worth: Worth::Times(0.01), elsewhere: &["percent"] },
        Unit { word: "ppm", worth: Worth::PowerOfTen(-6), elsewhere: &["us/s"] },
        Unit { word: "ppb", worth: Worth::PowerOfTen(-9), elsewhere: &["ns/s"] },
    ],
};

/// What is wrong with a quantity.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    /// The bytes of the text that are wrong.
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Any number that is one.
pub(crate) const ANY: RangeInclusive<f64> = f64::MIN..=f64::MAX;

/// Any number that is not negative.
pub(crate) const NOT_NEGATIVE: RangeInclusive<f64> = 0.0..=f64::MAX;

/// " from 0 s to 10 s", without those bounds that only say that it must be a number.
pub(crate) fn bounds(range: &RangeInclusive<f64>, write: impl Fn(f64) -> String) -> String {
    let mut text = String::new();
    if *range.start() > f64::MIN {
        text += &format!(" from {}", write(*range.start()));
    }
    if *range.end() < f64::MAX {
        text += &format!(" to {}", write(*range.end()));
    }
    text
}

impl Quantity {
    /// Reads `"10 ms"`.
    pub(crate) fn parse(&self, text: &str) -> Result<f64, Problem> {
        let start = text.len() - text.trim_start().len();
        let trimmed = text.trim();
        let problem = |range: Range<usize>, message: String, help: Option<String>| Problem {
            range: start + range.start..start + range.end,
            message,
            help,
        };
        let digits = trimmed
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
            .unwrap_or(trimmed.len());
        let (number, rest) = trimmed.split_at(digits);
        let word = rest.trim_start();
        let word_range = trimmed.len() - word.len()..trimmed.len();

        if number.is_empty() {
            let message = if trimmed.is_empty() {
                format!("an empty text is not {}", self.name)
            } else {
                format!("`{trimmed}` does not begin with a number")
            };
            return Err(problem(0..trimmed.len(), message, None));
        }
        if word.is_empty() {
            let message = format!("`{number}` has no unit");
            let help = format!("write \"{number} {}\"", self.usual);
            return Err(problem(0..digits, message, Some(help)));
        }
        // Both of Unicode's micro signs are understood.
        let ascii = word.replace(['µ', 'μ'], "u");
        let Some(unit) = self.units.iter().find(|unit| unit.word == ascii) else {
            let help = self
                .units
                .iter()
                .find(|unit| unit.elsewhere.contains(&word))
                .map(|unit| unit.word)
                .or_else(|| suggest::nearest(word, self.words()))
                .map(|near| format!("did you mean `{near}`?"));
            return Err(problem(word_range, format!("unknown unit `{word}`"), help));
        };
        // Checked before the exponent is appended, so that "1e5" or "inf" cannot slip in.
        let plain = number.trim_start_matches(['+', '-']);
        let decimal = number.len() - plain.len() <= 1
            && plain.starts_with(|c: char| c.is_ascii_digit())
            && plain.ends_with(|c: char| c.is_ascii_digit());
        let value = match unit.worth {
            Worth::PowerOfTen(exponent) => format!("{number}e{exponent}").parse::<f64>(),
            Worth::Times(factor) => number.parse::<f64>().map(|number| number * factor),
        };
        match value {
            Ok(value) if decimal => Ok(value),
            _ => Err(problem(0..digits, format!("`{number}` is not a number"), None)),
        }
    }

    /// Writes a value so that [`Quantity::parse`] gives the same bits again.
    pub(crate) fn write(&self, value: f64) -> String {
        let suits = |unit: &&Unit| match unit.worth {
            // Only what is a whole multiple, and comes back without rounding.
            Worth::Times(factor) => {
                let times = value / factor;
                times.abs() >= 1.0 && times.fract() == 0.0 && times * factor == value
            }
            Worth::PowerOfTen(exponent) => {
                value.abs() >= 10f64.powi(exponent) || value == 0.0 && unit.word == self.usual
            }
        };
        let Some(unit) = self.units.iter().find(suits).or(self.units.last()) else {
            return value.to_string();
        };
        match unit.worth {
            Worth::Times(factor) => format!("{} {}", value / factor, unit.word),
            Worth::PowerOfTen(exponent) => format!("{} {}", shifted(value, -exponent), unit.word),
        }
    }

    /// What may stand there, for people: "a duration from …".
    pub(crate) fn expected(&self, range: &RangeInclusive<f64>) -> String {
        format!(
            "{}{}, such as \"{}\" (units: {})",
            self.name,
            bounds(range, |bound| self.write(bound)),
            self.example,
            self.words().collect::<Vec<_>>().join(", "),
        )
    }

    /// The units' words, for people.
    pub(crate) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.units.iter().map(|unit| unit.word)
    }
}

/// `value` × 10^`exponent` in plain decimal notation, by moving the point and not by arithmetic.
fn shifted(value: f64, exponent: i32) -> String {
    // Rust's shortest notation that reads back as the same number: "5e-4", "-1.25e3".
    let scientific = format!("{value:e}");
    let Some((mantissa, power)) = scientific.split_once('e') else {
        return scientific;
    };
    let power = power.parse::<i32>().unwrap_or_default() + exponent;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let point = power + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let (whole, fraction) = match usize::try_from(point) {
        Ok(point) if point >= digits.len() => {
            (format!("{digits}{}", "0".repeat(point - digits.len())), String::new())
        }
        Ok(point) if point > 0 => {
            let (whole, fraction) = digits.split_at(point);
            (whole.to_string(), fraction.to_string())
        }
        _ => ("0".to_string(), format!("{}{digits}", zeros(-point))),
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_correctly_rounded() {
        for (text, seconds) in [
            ("1 s", 1.0),
            ("3s", 3.0),
            ("10 ms", 0.01),
            ("0.1 ms", 1e-4),
            ("5 us", 5e-6),
            ("5 µs", 5e-6),
            ("7 ns", 7e-9),
            ("2 h", 7200.0),
            ("1.5 min", 90.0),
            ("1 d", 86400.0),
            ("-3 s", -3.0),
        ] {
            assert_eq!(DURATION.parse(text), Ok(seconds), "{text}");
        }
        assert_eq!(FREQUENCY.parse("500 ppm"), Ok(500e-6));
        assert_eq!(FREQUENCY.parse("100000 ppm"), Ok(0.1));
        assert_eq!(FREQUENCY.parse("0.1 ppb"), Ok(1e-10));
    }

    #[test]
    fn problems_point_at_the_wrong_part() {
        for (text, range, message) in [
            ("10 mz", 3..5, "unknown unit `mz`"),
            (" 10", 1..3, "`10` has no unit"),
            ("s", 0..1, "`s` does not begin with a number"),
            ("1.2.3 s", 0..5, "`1.2.3` is not a number"),
            ("--1 s", 0..3, "`--1` is not a number"),
            ("1e5 s", 1..5, "unknown unit `e5 s`"),
            ("", 0..0, "an empty text is not a duration"),
            (". s", 0..1, "`.` is not a number"),
            ("inf s", 0..5, "`inf s` does not begin with a number"),
        ] {
            let problem = DURATION.parse(text).unwrap_err();
            assert_eq!((problem.range, problem.message.as_str()), (range, message), "{text:?}");
        }
    }

    #[test]
    fn values_are_written_in_a_unit_that_fits() {
        for (value, text) in [
            (3.0, "3 s"),
            (1000.0, "1000 s"),
            (90.0, "90 s"),
            (120.0, "2 min"),
            (86400.0, "1 d"),
            (1e-3, "1 ms"),
            (1e-4, "100 us"),
            (2.5e-9, "2.5 ns"),
            (0.0, "0 s"),
            (-0.25, "-250 ms"),
            (-7200.0, "-2 h"),
            (1e-12, "0.001 ns"),
        ] {
            assert_eq!(DURATION.write(value), text);
        }
        assert_eq!(FREQUENCY.write(500e-6), "500 ppm");
        assert_eq!(FREQUENCY.write(1e-6), "1 ppm");
        assert_eq!(FREQUENCY.write(0.1), "10 %");
        assert_eq!(FREQUENCY.write(0.0), "0 ppm");
    }

    proptest::proptest! {
        #[test]
        fn written_values_read_back_bit_by_bit(value in proptest::num::f64::NORMAL) {
            proptest::prop_assert_eq!(DURATION.parse(&DURATION.write(value)), Ok(value));
            proptest::prop_assert_eq!(FREQUENCY.parse(&FREQUENCY.write(value)), Ok(value));
        }
    }
}
