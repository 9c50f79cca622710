//! One value: is it what its key asks for?

use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;

use ipnet::IpNet;
use timeball_wire::ReferenceId;
use toml::Spanned;
use toml::de::DeValue;

use super::quantity::{DURATION, FREQUENCY, Quantity};
use super::schema::{HOST, Key, Kind, PATH, in_quotes};
use super::table::kind_of;
use super::{host, path, suggest};
use crate::diagnostic::Diagnostic;
use crate::document::Document;

/// Longest name of an interface: `IFNAMSIZ` is 16, the last byte zero.
const LONGEST_DEVICE: usize = 15;

/// Puts the value into `settings`, or says what is wrong with it.
pub(super) fn read<S>(
    document: &Document,
    key: &Key<S>,
    value: &Spanned<DeValue<'_>>,
    settings: &mut S,
) -> Vec<Diagnostic> {
    let found = Found { document, name: key.name, expected: key.kind.expected(), value };
    let outcome = match &key.kind {
        Kind::Switch(field) => found.switch().map(|value| (field.set)(settings, value)),
        Kind::Integer { range, field, .. } => {
            found.integer(range).map(|value| (field.set)(settings, value))
        }
        Kind::IntegerOr { range, word, field } => {
            found.integer_or(range, word).map(|value| (field.set)(settings, value))
        }
        Kind::Number { range, field, .. } => found
            .number()
            .and_then(|value| found.within(value, range))
            .map(|value| (field.set)(settings, value)),
        Kind::Duration { range, field } => found
            .duration()
            .and_then(|value| found.within(value, range))
            .map(|value| (field.set)(settings, value)),
        Kind::DurationOr { range, word, field } => {
            found.duration_or(range, word).map(|value| (field.set)(settings, value))
        }
        Kind::Frequency { range, field } => found
            .frequency()
            .and_then(|value| found.within(value, range))
            .map(|value| (field.set)(settings, value)),
        Kind::Word { words, field } => {
            found.word(&words()).map(|value| (field.set)(settings, value))
        }
        Kind::Words { words, field } => {
            let words = words();
            let item = format!("one of {}", in_quotes(&words));
            found.list(&item, |found| found.word(&words)).map(|value| (field.set)(settings, value))
        }
        Kind::Text { field, .. } => found.plain_text().map(|value| (field.set)(settings, value)),
        Kind::Host(field) => found.host().map(|value| (field.set)(settings, value)),
        Kind::Hosts(field) => {
            found.list(HOST, Found::host).map(|value| (field.set)(settings, value))
        }
        Kind::ReferenceId(field) => found.reference_id().map(|value| (field.set)(settings, value)),
        Kind::Device(field) => found.device().map(|value| (field.set)(settings, value)),
        Kind::Address(field) => found.address().map(|value| (field.set)(settings, value)),
        Kind::Addresses(field) => {
            let item = "an address, such as \"192.0.2.1\" or \"2001:db8::1\"";
            found.list(item, Found::listening_address).map(|value| (field.set)(settings, value))
        }
        Kind::Destination(field) => found.destination().map(|value| (field.set)(settings, value)),
        Kind::Networks(field) => {
            let item = "a network or an address, such as \"192.0.2.0/24\" or \"2001:db8::1\"";
            found.list(item, Found::network).map(|value| (field.set)(settings, value))
        }
        Kind::Path { longest, field } => {
            found.path(*longest).map(|value| (field.set)(settings, value))
        }
        Kind::OptionalPath { longest, field } => {
            found.optional_path(*longest).map(|value| (field.set)(settings, value))
        }
        Kind::Paths { longest, field } => {
            found.list(PATH, |found| found.path(*longest)).map(|value| (field.set)(settings, value))
        }
    };
    outcome.err().unwrap_or_default()
}

/// A value with all that a complaint about it needs.
struct Found<'a, 'd> {
    document: &'a Document,
    name: &'static str,
    expected: String,
    value: &'a Spanned<DeValue<'d>>,
}

type Outcome<T> = Result<T, Vec<Diagnostic>>;

impl Found<'_, '_> {
    fn switch(&self) -> Outcome<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            DeValue::String(text) => {
                Err(self.wrong_type(match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" => Some("write true, without quotes".into()),
                    "false" | "no" | "off" => Some("write false, without quotes".into()),
                    _ => None,
                }))
            }
            DeValue::Integer(integer) => Err(self.wrong_type(match integer.as_str() {
                "1" => Some("write true".into()),
                "0" => Some("write false".into()),
                _ => None,
            })),
            _ => Err(self.wrong_type(None)),
        }
    }

    fn integer(&self, range: &RangeInclusive<i64>) -> Outcome<i64> {
        match self.value.get_ref() {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .filter(|value| range.contains(value))
                .ok_or_else(|| self.wrong(format!("`{}` cannot be {integer}", self.name), None)),
            DeValue::String(text) if text.trim().parse::<i64>().is_ok() => {
                Err(self.wrong_type(Some(format!("write {}, without quotes", text.trim()))))
            }
            _ => Err(self.wrong_type(None)),
        }
    }

    fn integer_or(&self, range: &RangeInclusive<i64>, word: &'static str) -> Outcome<Option<i64>> {
        match self.value.get_ref() {
            DeValue::String(text) if text == word => Ok(None),
            DeValue::String(text) if text.trim().parse::<i64>().is_err() => {
                let help =
                    suggest::nearest(text, [word]).map(|word| format!("did you mean \"{word}\"?"));
                Err(self.wrong(format!("`{}` cannot be \"{text}\"", self.name), help))
            }
            _ => self.integer(range).map(Some),
        }
    }

    fn number(&self) -> Outcome<f64> {
        match self.value.get_ref() {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map(|value| value as f64)
                .map_err(|_| self.wrong(format!("`{}` cannot be {integer}", self.name), None)),
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => Err(self.wrong(format!("`{}` cannot be {float}", self.name), None)),
            },
            DeValue::String(text) if text.trim().parse::<f64>().is_ok_and(f64::is_finite) => {
                Err(self.wrong_type(Some(format!("write {}, without quotes", text.trim()))))
            }
            _ => Err(self.wrong_type(None)),
        }
    }

    fn duration(&self) -> Outcome<f64> {
        match self.value.get_ref() {
            DeValue::String(text) => self.quantity(&DURATION, text),
            _ => self.number(),
        }
    }

    fn duration_or(&self, range: &RangeInclusive<f64>, word: &'static str) -> Outcome<Option<f64>> {
        match self.value.get_ref() {
            DeValue::String(text) if text == word => Ok(None),
            _ => self.duration().and_then(|value| self.within(value, range)).map(Some),
        }
    }

    fn frequency(&self) -> Outcome<f64> {
        match self.value.get_ref() {
            DeValue::String(text) => self.quantity(&FREQUENCY, text),
            // A number alone would be read as ppm by some and as seconds per second by others.
            DeValue::Integer(_) | DeValue::Float(_) => {
                let written = self.document.slice(&self.value.span());
                Err(self.wrong(
                    format!("`{}` needs a unit", self.name),
                    Some(format!("write \"{written} ppm\"")),
                ))
            }
            _ => Err(self.wrong_type(None)),
        }
    }

    fn quantity(&self, quantity: &Quantity, text: &str) -> Outcome<f64> {
        quantity.parse(text).map_err(|problem| {
            self.wrong_within(text, problem.range, problem.message, problem.help)
        })
    }

    fn within(&self, value: f64, range: &RangeInclusive<f64>) -> Outcome<f64> {
        if range.contains(&value) {
            return Ok(value);
        }
        let problem = if value < 0.0 && *range.start() >= 0.0 {
            "cannot be negative"
        } else if value < *range.start() {
            "is too small"
        } else {
            "is too large"
        };
        Err(self.wrong(format!("`{}` {problem}", self.name), None))
    }

    fn word(&self, words: &[&'static str]) -> Outcome<&'static str> {
        let text = self.text()?;
        words.iter().copied().find(|word| *word == text).ok_or_else(|| {
            let help = suggest::nearest(text, words.iter().copied())
                .map(|near| format!("did you mean \"{near}\"?"));
            self.wrong(format!("`{}` cannot be \"{text}\"", self.name), help)
        })
    }

    /// A text for others to judge.
    fn plain_text(&self) -> Outcome<String> {
        let text = self.text()?;
        if text.trim().is_empty() {
            return Err(self.wrong(format!("`{}` is empty", self.name), None));
        }
        if text.contains(char::is_control) {
            return Err(
                self.wrong(format!("`{}` cannot contain control characters", self.name), None)
            );
        }
        Ok(text.to_string())
    }

    fn host(&self) -> Outcome<String> {
        let text = self.text()?;
        match host::check(text) {
            Ok(()) => Ok(text.to_string()),
            Err(problem) => Err(self.wrong(problem.message, problem.help)),
        }
    }

    fn reference_id(&self) -> Outcome<ReferenceId> {
        let text = self.text()?;
        super::reference_id(text)
            .ok_or_else(|| self.wrong(format!("\"{text}\" cannot be a reference ID"), None))
    }

    fn device(&self) -> Outcome<String> {
        let text = self.text()?;
        let message = if text.is_empty() {
            "the name of the interface is empty".to_string()
        } else if text.len() > LONGEST_DEVICE {
            format!(
                "an interface's name has at most {LONGEST_DEVICE} bytes, this has {}",
                text.len()
            )
        } else if text
            .contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
            || matches!(text, "." | "..")
        {
            format!("`{text}` cannot be the name of an interface")
        } else {
            return Ok(text.to_string());
        };
        Err(self.wrong(message, None))
    }

    fn address(&self) -> Outcome<IpAddr> {
        let address = self.any_address()?;
        match host::unicast(address) {
            Ok(()) => Ok(address),
            Err(problem) => Err(self.wrong(problem.message, problem.help)),
        }
    }

    /// An address to listen on: all of a family is one, too.
    fn listening_address(&self) -> Outcome<IpAddr> {
        let address = self.any_address()?;
        if address.is_unspecified() { Ok(address) } else { self.address() }
    }

    /// An address to send to: of one or of many, but not of nobody.
    fn destination(&self) -> Outcome<IpAddr> {
        let address = self.any_address()?;
        if address.is_unspecified() {
            return Err(self.wrong(format!("`{address}` is the address of no machine"), None));
        }
        Ok(address)
    }

    fn any_address(&self) -> Outcome<IpAddr> {
        let text = self.text()?;
        text.parse().map_err(|_| {
            let help = text
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .map(|inside| format!("write \"{inside}\", without brackets"));
            self.wrong(format!("\"{text}\" is not an address"), help)
        })
    }

    fn network(&self) -> Outcome<IpNet> {
        let text = self.text()?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(IpNet::from(address));
        }
        let network: IpNet = text.parse().map_err(|_| self.not_a_network(text))?;
        if network.trunc() == network {
            return Ok(network);
        }
        let message =
            format!("{} is a host within {}, not a network", network.addr(), network.trunc(),);
        let help = format!(
            "write \"{}\" for the network, or \"{}\" for this host alone",
            network.trunc(),
            network.addr()
        );
        Err(self.wrong(message, Some(help)))
    }

    fn not_a_network(&self, text: &str) -> Vec<Diagnostic> {
        let help = match text.split_once('/') {
            _ if matches!(text, "all" | "any" | "0/0" | "*") => {
                Some("write \"0.0.0.0/0\" and \"::/0\" for everybody".to_string())
            }
            Some((address, mask)) => {
                match (address.parse::<IpAddr>(), mask.parse::<std::net::Ipv4Addr>()) {
                    (Ok(IpAddr::V4(v4)), Ok(mask)) => IpNet::with_netmask(v4.into(), mask.into())
                        .ok()
                        .map(|network| format!("write \"{}\"", network.trunc())),
                    (Ok(IpAddr::V4(_)), Err(_)) => {
                        Some("an IPv4 prefix is from 0 to 32".to_string())
                    }
                    (Ok(IpAddr::V6(_)), Err(_)) => {
                        Some("an IPv6 prefix is from 0 to 128".to_string())
                    }
                    _ => None,
                }
            }
            None => None,
        };
        self.wrong(format!("\"{text}\" is not a network"), help)
    }

    fn path(&self, longest: usize) -> Outcome<PathBuf> {
        let text = self.text()?;
        if text.is_empty() {
            return Err(self.wrong(format!("`{}` is empty", self.name), None));
        }
        path::read(text, longest).map_err(|problem| self.wrong(problem.message, problem.help))
    }

    fn optional_path(&self, longest: usize) -> Outcome<Option<PathBuf>> {
        match self.value.get_ref() {
            DeValue::Boolean(false) => Ok(None),
            DeValue::String(text) if text.is_empty() => Ok(None),
            _ => self.path(longest).map(Some),
        }
    }

    fn text(&self) -> Outcome<&str> {
        self.value.get_ref().as_str().ok_or_else(|| self.wrong_type(None))
    }

    /// Reads every item and collects what is wrong with each.
    fn list<T>(&self, item: &str, read: impl Fn(&Self) -> Outcome<T>) -> Outcome<Vec<T>> {
        let DeValue::Array(items) = self.value.get_ref() else {
            let help = self.value.get_ref().as_str().map(|text| format!("write [\"{text}\"]"));
            return Err(self.wrong_type(help));
        };
        let mut values = Vec::new();
        let mut diagnostics = Vec::new();
        for value in items {
            let found = Found { value, expected: item.to_string(), ..*self };
            match read(&found) {
                Ok(value) => values.push(value),
                Err(wrong) => diagnostics.extend(wrong),
            }
        }
        if diagnostics.is_empty() { Ok(values) } else { Err(diagnostics) }
    }

    fn wrong_type(&self, help: Option<String>) -> Vec<Diagnostic> {
        let message = format!("`{}` cannot be {}", self.name, kind_of(self.value.get_ref()));
        self.wrong(message, help)
    }

    fn wrong(&self, message: impl Into<String>, help: Option<String>) -> Vec<Diagnostic> {
        self.wrong_at(self.value.span(), message.into(), help)
    }

    /// Points at a part of a string, unless escapes make the text differ from what is written.
    fn wrong_within(
        &self,
        text: &str,
        part: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> Vec<Diagnostic> {
        let span = self.value.span();
        let inside = span.start + 1..span.end.saturating_sub(1);
        let as_written = self.document.slice(&inside) == text && !part.is_empty();
        let part = inside.start + part.start..inside.start + part.end;
        self.wrong_at(if as_written { part } else { span }, message, help)
    }

    fn wrong_at(
        &self,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> Vec<Diagnostic> {
        vec![Diagnostic::error(message).at(span).expected(self.expected.clone()).help_if(help)]
    }
}
