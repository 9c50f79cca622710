//! How keys are described. One description per key makes the reader, the suggestions, the writer and
//! the reference page.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;

use super::quantity::{DURATION, FREQUENCY};

/// A table: what it is about and which keys it has. `S` is what they are written into.
pub(crate) struct Section<S: 'static> {
    /// Dotted name: `serve.rate-limit`.
    pub(crate) name: &'static str,
    /// As it is written: `[serve.rate-limit]`, `[[server]]`.
    pub(crate) header: &'static str,
    /// What it is about.
    pub(crate) doc: &'static str,
    /// Its keys, in groups that tables share.
    pub(crate) keys: &'static [&'static [Key<S>]],
    /// Names of the tables within it.
    pub(crate) tables: &'static [&'static str],
}

/// One key.
pub(crate) struct Key<S: 'static> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind<S>,
    /// One sentence or two for the reference page.
    pub(crate) doc: &'static str,
}

/// What a key's value is, and the field it is kept in.
pub(crate) enum Kind<S: 'static> {
    /// `true` or `false`.
    Switch(Field<S, bool>),
    /// A whole number; `unit` says of what, and may be empty.
    Integer { range: RangeInclusive<i64>, unit: &'static str, field: Field<S, i64> },
    /// A whole number, or a word instead of one.
    IntegerOr { range: RangeInclusive<i64>, word: &'static str, field: Field<S, Option<i64>> },
    /// A number.
    Number { range: RangeInclusive<f64>, field: Field<S, f64> },
    /// Seconds, written as `"10 ms"` or as a number.
    Duration { range: RangeInclusive<f64>, field: Field<S, f64> },
    /// Seconds per second, written as `"500 ppm"`.
    Frequency { range: RangeInclusive<f64>, field: Field<S, f64> },
    /// One of some words.
    Word { words: fn() -> Vec<&'static str>, field: Field<S, &'static str> },
    /// A host name or address.
    Host(Field<S, String>),
    /// A network interface.
    Device(Field<S, String>),
    /// An address of this machine.
    Address(Field<S, IpAddr>),
    /// Addresses of this machine.
    Addresses(Field<S, Vec<IpAddr>>),
    /// Networks, `address/prefix`.
    Networks(Field<S, Vec<IpNet>>),
    /// An absolute path of at most so many bytes.
    Path { longest: usize, field: Field<S, PathBuf> },
    /// An absolute path of at most so many bytes; `false` or `""` for none.
    OptionalPath { longest: usize, field: Field<S, Option<PathBuf>> },
}

/// A way to a value: `get` is `None` while nothing has been set and there is no default.
pub(crate) struct Field<S: 'static, T> {
    pub(crate) get: fn(&S) -> Option<T>,
    pub(crate) set: fn(&mut S, T),
}

/// A field that always has a value.
macro_rules! field {
    ($($path:ident).+) => {
        Field { get: |s| Some(s.$($path).+.clone()), set: |s, value| s.$($path).+ = value }
    };
    // A number kept in a smaller type: the key's range must fit in it.
    ($($path:ident).+ as $type:ty) => {
        Field {
            get: |s| Some(s.$($path).+ as i64),
            set: |s, value| s.$($path).+ = value as $type,
        }
    };
}
pub(crate) use field;

impl<S> Section<S> {
    /// Every key, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key<S>> {
        self.keys.iter().flat_map(|group| group.iter())
    }

    /// The key of this name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key<S>> {
        self.keys().find(|key| key.name == name)
    }
}

impl<S> Kind<S> {
    /// What may stand there, for people: the end of "expected …".
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Switch(_) => "true or false".into(),
            Self::Integer { range, unit, .. } => {
                let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
                format!("an integer from {} to {}{unit}", range.start(), range.end())
            }
            Self::IntegerOr { range, word, .. } => {
                format!("an integer from {} to {}, or \"{word}\"", range.start(), range.end())
            }
            Self::Number { range, .. } => {
                format!("a number from {} to {}", range.start(), range.end())
            }
            Self::Duration { range, .. } => format!(
                "a duration from {} to {}, such as \"{}\" (units: {})",
                DURATION.write(*range.start()),
                DURATION.write(*range.end()),
                DURATION.example,
                DURATION.words().collect::<Vec<_>>().join(", "),
            ),
            Self::Frequency { range, .. } => format!(
                "a frequency from {} to {}, such as \"{}\" (units: {})",
                FREQUENCY.write(*range.start()),
                FREQUENCY.write(*range.end()),
                FREQUENCY.example,
                FREQUENCY.words().collect::<Vec<_>>().join(", "),
            ),
            Self::Word { words, .. } => {
                let quoted: Vec<String> = words().iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", quoted.join(", "))
            }
            Self::Host(_) => "a host name or an address, such as \"ntp.example.net\", \"192.0.2.1\" or \"2001:db8::1\"".into(),
            Self::Device(_) => "the name of a network interface, such as \"eth0\"".into(),
            Self::Address(_) => "an address of this machine, such as \"192.0.2.1\" or \"2001:db8::1\"".into(),
            Self::Addresses(_) => {
                "a list of addresses, such as [\"192.0.2.1\", \"2001:db8::1\"]".into()
            }
            Self::Networks(_) => {
                "a list of networks, such as [\"192.0.2.0/24\", \"2001:db8::/32\"]".into()
            }
            Self::Path { .. } => "an absolute path".into(),
            Self::OptionalPath { .. } => "an absolute path, or false for none".into(),
        }
    }

    /// The value in `settings` as TOML, or `None` if there is none.
    pub(crate) fn write(&self, settings: &S) -> Option<String> {
        match self {
            Self::Switch(field) => (field.get)(settings).map(|value| value.to_string()),
            Self::Integer { field, .. } => (field.get)(settings).map(|value| value.to_string()),
            Self::IntegerOr { field, word, .. } => (field.get)(settings).map(|value| match value {
                Some(value) => value.to_string(),
                None => quoted(word),
            }),
            Self::Number { field, .. } => (field.get)(settings).map(|value| format!("{value:?}")),
            Self::Duration { field, .. } => {
                (field.get)(settings).map(|value| quoted(&DURATION.write(value)))
            }
            Self::Frequency { field, .. } => {
                (field.get)(settings).map(|value| quoted(&FREQUENCY.write(value)))
            }
            Self::Word { field, .. } => (field.get)(settings).map(quoted),
            Self::Host(field) | Self::Device(field) => {
                (field.get)(settings).map(|value| quoted(&value))
            }
            Self::Address(field) => (field.get)(settings).map(|value| quoted(&value.to_string())),
            Self::Addresses(field) => (field.get)(settings).map(|values| list(&values)),
            Self::Networks(field) => (field.get)(settings).map(|values| list(&values)),
            Self::Path { field, .. } => {
                (field.get)(settings).map(|value| quoted(&value.display().to_string()))
            }
            Self::OptionalPath { field, .. } => (field.get)(settings).map(|value| match value {
                Some(path) => quoted(&path.display().to_string()),
                None => "false".into(),
            }),
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list<T: ToString>(values: &[T]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quoted(&value.to_string())).collect();
    format!("[{}]", quoted.join(", "))
}

/// The value that stands for `word`.
pub(crate) fn find<T: Copy>(words: &[(&'static str, T)], word: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)
}

/// The word that stands for `value`.
pub(crate) fn word_of<T: PartialEq>(
    words: &[(&'static str, T)],
    value: &T,
) -> Option<&'static str> {
    words.iter().find(|(_, known)| known == value).map(|(word, _)| *word)
}

/// Every word.
pub(crate) fn words_of<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
    words.iter().map(|(word, _)| *word).collect()
}
