//! Quantities as a scenario file writes them: `"10 ms"` or a number of seconds, `"50 ppm"` or a
//! number of seconds per second.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

const TIME_UNITS: &[(&str, f64)] = &[
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];
const FREQUENCY_UNITS: &[(&str, f64)] = &[("ppb", 1e-9), ("ppm", 1e-6)];

/// Reads a duration, in seconds.
pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_any(Quantity {
        units: TIME_UNITS,
        expected: "a duration: a number of seconds, or one with a unit, like \"10 ms\"",
    })
}

/// Reads a duration that may be left out, in seconds.
pub fn optional_seconds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    seconds(deserializer).map(Some)
}

/// Reads a frequency, in s/s.
pub fn frequency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_any(Quantity {
        units: FREQUENCY_UNITS,
        expected: "a frequency: a number of s/s, or one with a unit, like \"50 ppm\"",
    })
}

/// Reads a share between 0 and 1.
pub fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let expected = "a share between 0 and 1";
    let value = deserializer.deserialize_any(Quantity { units: &[], expected })?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(Error::custom(format_args!("{value} is no share between 0 and 1")))
    }
}

struct Quantity {
    units: &'static [(&'static str, f64)],
    expected: &'static str,
}

impl Quantity {
    fn parse(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        let unit_at = text.find(|c: char| c.is_alphabetic() && c != 'e' && c != 'E')?;
        let (number, unit) = text.split_at(unit_at);
        let (_, scale) = self.units.iter().find(|(name, _)| *name == unit)?;
        let number: f64 = number.trim_end().parse().ok()?;
        number.is_finite().then_some(number * scale)
    }
}

impl Visitor<'_> for Quantity {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        if value.is_finite() {
            Ok(value)
        } else {
            Err(E::custom(format_args!("{value} is not {}", self.expected)))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        self.parse(text).ok_or_else(|| {
            let units: Vec<&str> = self.units.iter().map(|(name, _)| *name).collect();
            E::custom(format_args!(
                "`{text}` is not {} (units: {})",
                self.expected,
                units.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<f64> {
        Quantity { units: TIME_UNITS, expected: "" }.parse(text)
    }

    #[test]
    fn numbers_take_their_unit() {
        assert_eq!(time("10 ms"), Some(0.01));
        assert_eq!(time("-1.5h"), Some(-5400.0));
        assert_eq!(time("2e3 us"), Some(0.002));
        assert_eq!(time("7 d"), Some(604_800.0));
        let ppm = Quantity { units: FREQUENCY_UNITS, expected: "" }.parse("50 ppm");
        assert_eq!(ppm, Some(50.0 * 1e-6));
    }

    #[test]
    fn anything_else_is_no_quantity() {
        for text in ["", "10", "ms", "10 apples", "1 2 s", "inf s", "10 ppm"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
