//! Numbers with exponents in the form that C gives them, which programs expect in files.

use std::fmt;

/// As C prints `value` by `%WIDTH.PRECISIONe`: an exponent with a sign and two digits at least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exponent {
    pub(crate) value: f64,
    pub(crate) width: usize,
    pub(crate) precision: usize,
}

impl fmt::Display for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self { value, width, precision } = self;
        let text = format!("{value:.precision$e}");
        let text = match text.split_once('e') {
            Some((mantissa, exponent)) => {
                let (sign, digits) = match exponent.strip_prefix('-') {
                    Some(digits) => ('-', digits),
                    None => ('+', exponent),
                };
                format!("{mantissa}e{sign}{digits:0>2}")
            }
            // Infinite, or no number at all.
            None => text,
        };
        write!(f, "{text:>width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_c() {
        for (value, text) in [
            (-4.966e-3, "-4.966e-03"),
            (0.0, " 0.000e+00"),
            (123_456.0, " 1.235e+05"),
            (1e-100, "1.000e-100"),
            (f64::INFINITY, "       inf"),
        ] {
            assert_eq!(Exponent { value, width: 10, precision: 3 }.to_string(), text);
        }
        let short = Exponent { value: 0.078, width: 7, precision: 1 };
        assert_eq!(short.to_string(), "7.8e-02");
    }
}
