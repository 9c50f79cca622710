//! How tables and keys are described. One description per key makes the reader, the suggestions, the
//! writer and the reference page.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;

use timeball_wire::ReferenceId;

use super::path;
use super::quantity::{DURATION, FREQUENCY, bounds};
use crate::config::Config;

/// A table of the file, and what of a configuration it is.
pub(crate) struct Table<S: 'static> {
    pub(crate) section: Section<S>,
    pub(crate) rows: Rows<S>,
    /// What it is with nothing written in it.
    pub(crate) fresh: fn() -> S,
}

/// How many there are of a table, and where.
pub(crate) enum Rows<S: 'static> {
    /// One, be it written or not.
    One { get: fn(&Config) -> &S, get_mut: fn(&mut Config) -> &mut S },
    /// One if it is written, even with nothing in it.
    Optional(Field<Config, S>),
    /// As many as are written: `[[card]]`.
    Many { get: fn(&Config) -> &Vec<S>, get_mut: fn(&mut Config) -> &mut Vec<S> },
}

/// Something to be done with every table, whatever it is kept in.
pub(crate) trait Visitor {
    fn visit<S: 'static>(&mut self, table: &'static Table<S>);
}

/// What a table is about and which keys it has. `S` is what they are written into.
pub(crate) struct Section<S: 'static> {
    /// Dotted name: `serve.rate-limit`.
    pub(crate) name: &'static str,
    /// As it is written: `[serve.rate-limit]`, `[[server]]`.
    pub(crate) header: &'static str,
    /// What it is about.
    pub(crate) doc: &'static str,
    /// Its keys, in groups that tables share.
    pub(crate) keys: &'static [&'static [Key<S>]],
    /// Keys that must be set, each with a value as an example.
    pub(crate) required: &'static [(&'static str, &'static str)],
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
    /// A number; `unit` says of what, and may be empty.
    Number { range: RangeInclusive<f64>, unit: &'static str, field: Field<S, f64> },
    /// Seconds, written as `"10 ms"` or as a number.
    Duration { range: RangeInclusive<f64>, field: Field<S, f64> },
    /// Seconds, or a word instead of them.
    DurationOr { range: RangeInclusive<f64>, word: &'static str, field: Field<S, Option<f64>> },
    /// Seconds per second, written as `"500 ppm"`.
    Frequency { range: RangeInclusive<f64>, field: Field<S, f64> },
    /// One of some words.
    Word { words: fn() -> Vec<&'static str>, field: Field<S, &'static str> },
    /// Any of some words.
    Words { words: fn() -> Vec<&'static str>, field: Field<S, Vec<&'static str>> },
    /// A text that means something to others; `what` says what.
    Text { what: &'static str, field: Field<S, String> },
    /// A host name or address.
    Host(Field<S, String>),
    /// Host names or addresses.
    Hosts(Field<S, Vec<String>>),
    /// A reference ID in letters.
    ReferenceId(Field<S, ReferenceId>),
    /// A network interface.
    Device(Field<S, String>),
    /// An address of this machine.
    Address(Field<S, IpAddr>),
    /// Addresses of this machine.
    Addresses(Field<S, Vec<IpAddr>>),
    /// An address to send to that may be a group's.
    Destination(Field<S, IpAddr>),
    /// Networks, `address/prefix`.
    Networks(Field<S, Vec<IpNet>>),
    /// A path of at most so many bytes.
    Path { longest: usize, field: Field<S, PathBuf> },
    /// A path of at most so many bytes; `false` or `""` for none.
    OptionalPath { longest: usize, field: Field<S, Option<PathBuf>> },
    /// Paths of at most so many bytes each.
    Paths { longest: usize, field: Field<S, Vec<PathBuf>> },
}

/// A way to a value: `get` is `None` while nothing has been set and there is no default.
pub(crate) struct Field<S: 'static, T> {
    pub(crate) get: fn(&S) -> Option<T>,
    pub(crate) set: fn(&mut S, T),
}

/// A field that always has a value, or, marked with `?`, one that has none until it is set.
macro_rules! field {
    ($($path:ident).+) => {
        Field { get: |s| Some(s.$($path).+.clone()), set: |s, value| s.$($path).+ = value }
    };
    ($($path:ident).+ ?) => {
        Field { get: |s| s.$($path).+.clone(), set: |s, value| s.$($path).+ = Some(value) }
    };
    // A number kept in a smaller type: the key's range must fit in it.
    ($($path:ident).+ as $type:ty) => {
        Field {
            get: |s| Some(s.$($path).+ as i64),
            set: |s, value| s.$($path).+ = value as $type,
        }
    };
    ($($path:ident).+ ? as $type:ty) => {
        Field {
            get: |s| s.$($path).+.map(|value| value as i64),
            set: |s, value| s.$($path).+ = Some(value as $type),
        }
    };
}
pub(crate) use field;

/// A field that is one of the values in a list of `(word, value)`.
macro_rules! word {
    ($words:expr, $($path:ident).+) => {
        Kind::Word {
            words: || words_of($words),
            field: Field {
                get: |s| word_of($words, &s.$($path).+),
                set: |s, word| {
                    if let Some(value) = find($words, word) {
                        s.$($path).+ = value;
                    }
                },
            },
        }
    };
}
pub(crate) use word;

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
                format!("an integer from {} to {}{}", range.start(), range.end(), of(unit))
            }
            Self::IntegerOr { range, word, .. } => {
                format!("an integer from {} to {}, or \"{word}\"", range.start(), range.end())
            }
            Self::Number { range, unit, .. } => {
                format!("a number{}{}", bounds(range, |bound| bound.to_string()), of(unit))
            }
            Self::Duration { range, .. } => DURATION.expected(range),
            Self::DurationOr { range, word, .. } => {
                format!("{}, or \"{word}\"", DURATION.expected(range))
            }
            Self::Frequency { range, .. } => FREQUENCY.expected(range),
            Self::Word { words, .. } => format!("one of {}", in_quotes(&words())),
            Self::Words { words, .. } => format!("a list of any of {}", in_quotes(&words())),
            Self::Text { what, .. } => (*what).into(),
            Self::Host(_) => HOST.into(),
            Self::Hosts(_) => {
                "a list of host names and addresses, such as [\"ntp.example.net\", \"192.0.2.1\"]"
                    .into()
            }
            Self::ReferenceId(_) => "one to four letters, such as \"GPS\"".into(),
            Self::Device(_) => "the name of a network interface, such as \"eth0\"".into(),
            Self::Address(_) => {
                "an address of this machine, such as \"192.0.2.1\" or \"2001:db8::1\"".into()
            }
            Self::Addresses(_) => {
                "a list of addresses, such as [\"192.0.2.1\", \"2001:db8::1\"]".into()
            }
            Self::Destination(_) => {
                "an address, also of a group, such as \"192.0.2.255\" or \"ff05::101\"".into()
            }
            Self::Networks(_) => {
                "a list of networks, such as [\"192.0.2.0/24\", \"2001:db8::/32\"]".into()
            }
            Self::Path { .. } => PATH.into(),
            Self::OptionalPath { .. } => format!("{PATH}, or false for none"),
            Self::Paths { .. } => "a list of absolute paths".into(),
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
            Self::DurationOr { field, word, .. } => {
                (field.get)(settings).map(|value| match value {
                    Some(value) => quoted(&DURATION.write(value)),
                    None => quoted(word),
                })
            }
            Self::Frequency { field, .. } => {
                (field.get)(settings).map(|value| quoted(&FREQUENCY.write(value)))
            }
            Self::Word { field, .. } => (field.get)(settings).map(quoted),
            Self::Words { field, .. } => (field.get)(settings).map(list),
            Self::Text { field, .. } | Self::Host(field) | Self::Device(field) => {
                (field.get)(settings).map(|value| quoted(&value))
            }
            Self::Hosts(field) => (field.get)(settings).map(list),
            Self::ReferenceId(field) => {
                (field.get)(settings).map(|id| quoted(&super::reference_id_letters(id)))
            }
            Self::Address(field) | Self::Destination(field) => {
                (field.get)(settings).map(|value| quoted(&value.to_string()))
            }
            Self::Addresses(field) => (field.get)(settings).map(list),
            Self::Networks(field) => (field.get)(settings).map(list),
            Self::Path { field, .. } => {
                (field.get)(settings).map(|value| quoted(&path::written(&value)))
            }
            Self::OptionalPath { field, .. } => (field.get)(settings).map(|value| match value {
                Some(value) => quoted(&path::written(&value)),
                None => "false".into(),
            }),
            Self::Paths { field, .. } => (field.get)(settings)
                .map(|values| list(values.iter().map(|value| path::written(value)))),
        }
    }
}

/// What a [`Kind::Host`] may be.
pub(super) const HOST: &str =
    "a host name or an address, such as \"ntp.example.net\", \"192.0.2.1\" or \"2001:db8::1\"";

/// What a [`Kind::Path`] may be.
pub(super) const PATH: &str = "an absolute path";

fn of(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" ({unit})") }
}

pub(super) fn in_quotes(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(", ")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = values.into_iter().map(|value| quoted(&value.to_string())).collect();
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
