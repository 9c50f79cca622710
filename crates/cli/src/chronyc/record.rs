//! One report, or one row of a table, in three presentations: text for people and for scripts that
//! cut columns, comma-separated values in the same order, and JSON with names.

use serde::{Serialize, Serializer};
use serde_json::Value;
use timeball_wire::cmdmon::Timespec;

use super::{dates, units};

/// How answers are presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Presentation {
    /// As chronyc prints by default.
    #[default]
    Text,
    /// As `chronyc -c`: raw numbers, no header, no units.
    Csv,
    /// An object, or an array of them; the unit is in the name of each member.
    Json,
}

/// Values in their order, with the words between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Record(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    /// For text alone.
    Words(&'static str),
    /// For text and comma-separated values.
    Cell(Cell),
    /// For JSON alone.
    Member(&'static str, Value),
}

/// A value as text and as comma-separated values have it.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    csv: String,
}

impl Record {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Words of the text alone.
    pub(super) fn words(mut self, words: &'static str) -> Self {
        self.0.push(Part::Words(words));
        self
    }

    /// A value that JSON does not have, or has in another form.
    pub(super) fn cell(mut self, cell: Cell) -> Self {
        self.0.push(Part::Cell(cell));
        self
    }

    /// A value for JSON alone.
    pub(super) fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push(Part::Member(name, value.into()));
        self
    }

    /// A value for all three.
    pub(super) fn value(self, name: &'static str, value: impl Into<Value>, cell: Cell) -> Self {
        self.member(name, value).cell(cell)
    }

    pub(super) fn text(&self) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Words(words) => words,
                Part::Cell(cell) => cell.text.as_str(),
                Part::Member(..) => "",
            })
            .collect()
    }

    pub(super) fn csv(&self) -> String {
        let values: Vec<&str> = self
            .0
            .iter()
            .filter_map(|part| match part {
                Part::Cell(cell) => Some(cell.csv.as_str()),
                Part::Words(_) | Part::Member(..) => None,
            })
            .collect();
        values.join(",")
    }

    #[cfg(test)]
    pub(super) fn json(&self) -> Value {
        serde_json::to_value(self).unwrap()
    }
}

/// An object with its members in their order.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter_map(|part| match part {
            Part::Member(name, value) => Some((name, value)),
            Part::Words(_) | Part::Cell(_) => None,
        }))
    }
}

/// The kinds of values. Comma-separated values are never padded and never have a unit.
impl Cell {
    /// Any text, the same in both.
    pub(super) fn plain(value: impl ToString) -> Self {
        let text = value.to_string();
        Self { csv: text.clone(), text }
    }

    /// A sign in text, and words in its place where there is no column to keep.
    pub(super) fn sign(sign: char, words: &str) -> Self {
        Self { text: sign.into(), csv: words.to_owned() }
    }

    /// Text, padded on its right.
    pub(super) fn left(value: &str, width: usize) -> Self {
        Self { text: format!("{value:<width$}"), csv: value.to_owned() }
    }

    /// A whole number or a word, padded on its left.
    pub(super) fn right(value: impl ToString, width: usize) -> Self {
        let csv = value.to_string();
        Self { text: format!("{csv:>width$}"), csv }
    }

    /// A number with so many decimals.
    pub(super) fn decimals(value: f64, decimals: usize) -> Self {
        Self::plain(format!("{value:.decimals$}"))
    }

    /// A number with so many decimals, padded on its left.
    pub(super) fn decimals_right(value: f64, decimals: usize, width: usize) -> Self {
        Self::right(format!("{value:.decimals$}"), width)
    }

    /// A number with so many decimals; in text always with its sign.
    pub(super) fn signed(value: f64, decimals: usize) -> Self {
        Self { text: format!("{value:+.decimals$}"), csv: format!("{value:.decimals$}") }
    }

    /// A time without sign, in the unit that fits.
    pub(super) fn magnitude(seconds: f64) -> Self {
        Self { text: units::magnitude(seconds), csv: format!("{seconds:.9}") }
    }

    /// A time with its sign, in the unit that fits.
    pub(super) fn offset(seconds: f64) -> Self {
        Self { text: units::offset(seconds), csv: format!("{seconds:.9}") }
    }

    /// A frequency without sign.
    pub(super) fn frequency(ppm: f64) -> Self {
        Self { text: units::frequency(ppm), csv: format!("{ppm:.3}") }
    }

    /// A frequency with its sign.
    pub(super) fn signed_frequency(ppm: f64) -> Self {
        Self { text: units::signed_frequency(ppm), csv: format!("{ppm:.3}") }
    }

    /// A clock's offset in words: `0.000001234 seconds fast`. It is to be added to the clock, so
    /// that a clock with a positive one is slow.
    pub(super) fn correction(seconds: f64) -> Self {
        let word = if seconds > 0.0 { "slow" } else { "fast" };
        Self { text: format!("{:.9} seconds {word}", seconds.abs()), csv: format!("{seconds:.9}") }
    }

    /// A clock's frequency in words: `12.345 ppm slow`.
    pub(super) fn rate(ppm: f64) -> Self {
        let word = if ppm > 0.0 { "fast" } else { "slow" };
        Self { text: format!("{:.3} ppm {word}", ppm.abs()), csv: format!("{ppm:.3}") }
    }

    /// A whole number of seconds with a unit; comma-separated values have 2³²−1 where there is none.
    pub(super) fn interval(seconds: Option<u32>) -> Self {
        Self { text: units::interval(seconds), csv: seconds.unwrap_or(u32::MAX).to_string() }
    }

    /// An exponent of two seconds; comma-separated values have 127 where there is none.
    pub(super) fn log2_interval(exponent: Option<i8>) -> Self {
        Self { text: units::log2_interval(exponent), csv: exponent.unwrap_or(i8::MAX).to_string() }
    }

    /// `Yes` or `No`.
    pub(super) fn yes_or_no(yes: bool) -> Self {
        Self::plain(if yes { "Yes" } else { "No" })
    }

    /// A date in UTC; comma-separated values have seconds since 1970.
    pub(super) fn time(time: Timespec) -> Self {
        Self { text: dates::in_words(time), csv: dates::since_epoch(time) }
    }
}
