//! A plan in TOML: `[watch]`, `[alerts]`, `[[endpoint]]`, `[[local]]`.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use timeball_auth::KeyId;
use timeball_auth::key_file::Format;
use timeball_config::{Diagnostic, Document, Mistakes, check_host, duration};
use timeball_host::listeners::Protocol;
use timeball_wire::nts_ke::NTS_KE_PORT;
use timeball_wire::{NTP_PORT, Span};
use toml::Spanned;

use super::plan::{KeyFile, Plan, Schedule};
use super::subject::{Expectation, Port, Proof, Subject, TimeLimits};

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    watch: WatchTable,
    #[serde(default)]
    alerts: AlertsTable,
    #[serde(default)]
    endpoint: Vec<Spanned<EndpointTable>>,
    #[serde(default)]
    local: Vec<LocalTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WatchTable {
    interval: Option<Seconds>,
    confirm_interval: Option<Seconds>,
    confirmations: Option<Spanned<u32>>,
    timeout: Option<Seconds>,
    reminder: Option<Reminder>,
    key_file: Option<PathBuf>,
    key_format: Option<KeyFormat>,
    #[serde(default)]
    trust: Vec<PathBuf>,
    state_file: Option<PathBuf>,
    metrics_file: Option<PathBuf>,
    metrics_listen: Option<SocketAddr>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AlertsTable {
    #[serde(default)]
    journal: bool,
    #[serde(default)]
    command: Vec<String>,
    webhook: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct EndpointTable {
    address: Spanned<String>,
    port: Option<Spanned<u16>>,
    transport: Option<Spanned<Transport>>,
    expect: Spanned<Expect>,
    within: Option<Spanned<Seconds>>,
    max_stratum: Option<Spanned<u8>>,
    key: Option<Spanned<KeyId>>,
    nts: Option<Spanned<bool>>,
    nts_port: Option<Spanned<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LocalTable {
    port: Option<Spanned<u16>>,
    #[serde(default)]
    transport: Transport,
    #[serde(default)]
    processes: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Transport {
    #[default]
    Udp,
    Tcp,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expect {
    Closed,
    Filtered,
    ClosedOrFiltered,
    Open,
    Time,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KeyFormat {
    Chrony,
    Ntp,
}

/// A duration above nothing, written as `"10 ms"`.
#[derive(Clone, Copy)]
struct Seconds(f64);

/// The longest duration that has a meaning here: a year.
const LONGEST: f64 = 366.0 * 86400.0;

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        if seconds > 0.0 && seconds <= LONGEST {
            Ok(Self(seconds))
        } else {
            Err(D::Error::custom("a duration above 0 s and up to a year is needed"))
        }
    }
}

/// How long to wait for it, or `"never"`.
enum Reminder {
    After(Seconds),
    Never,
}

impl<'de> Deserialize<'de> for Reminder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self::Never);
        }
        Seconds::deserialize(serde::de::value::StringDeserializer::new(text)).map(Self::After)
    }
}

/// Reads the file at `path`.
///
/// # Errors
///
/// Every mistake that is found, or why it cannot be read.
pub fn load(path: &Path) -> Result<Plan, Mistakes> {
    read(Document::open(path)?)
}

/// Reads a text; `name` stands for the file's name in diagnostics.
///
/// # Errors
///
/// Every mistake that is found.
pub fn parse(name: &str, text: &str) -> Result<Plan, Mistakes> {
    read(Document::new(name, text))
}

fn read(document: Document) -> Result<Plan, Mistakes> {
    let file = match toml::from_str::<File>(document.text()) {
        Ok(file) => file,
        Err(error) => {
            let diagnostic = Diagnostic::error(error.message().trim()).at(error.span());
            return Err(Mistakes { document, diagnostics: vec![diagnostic] });
        }
    };
    let mut reader = Reader { diagnostics: Vec::new() };
    let plan = reader.plan(file);
    let mut diagnostics = reader.diagnostics;
    if diagnostics.is_empty() {
        return Ok(plan);
    }
    diagnostics
        .sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(usize::MAX, |span| span.start));
    Err(Mistakes { document, diagnostics })
}

/// Turns what is written into what is meant, and notes what cannot be meant.
struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn plan(&mut self, file: File) -> Plan {
        let defaults = Plan::default();
        let File { watch, alerts, endpoint, local } = file;
        let span = |seconds: Option<Seconds>, default: Span| {
            seconds.map_or(default, |Seconds(seconds)| Span::from_seconds(seconds))
        };
        let confirmations = match &watch.confirmations {
            Some(count) => self.count(count),
            None => defaults.schedule.confirmations,
        };
        let reminder = match watch.reminder {
            Some(Reminder::After(Seconds(seconds))) => Some(Span::from_seconds(seconds)),
            Some(Reminder::Never) => None,
            None => defaults.schedule.reminder,
        };
        let format = match watch.key_format {
            Some(KeyFormat::Ntp) => Format::Ntp,
            Some(KeyFormat::Chrony) | None => Format::Chrony,
        };
        if let Some(webhook) = &alerts.webhook {
            self.webhook(webhook);
        }
        let mut outlets = defaults.outlets;
        outlets.journal = alerts.journal;
        outlets.command = alerts.command;
        outlets.webhook = alerts.webhook.map(Spanned::into_inner);
        let mut subjects: Vec<Subject> = Vec::new();
        for endpoint in endpoint {
            let place = endpoint.span();
            subjects.extend(self.remote(endpoint.into_inner(), place));
        }
        subjects.extend(local.into_iter().map(|local| self.local(local)));
        Plan {
            subjects,
            schedule: Schedule {
                interval: span(watch.interval, defaults.schedule.interval),
                confirm_interval: span(watch.confirm_interval, defaults.schedule.confirm_interval),
                confirmations,
                reminder,
            },
            timeout: span(watch.timeout, defaults.timeout),
            keys: watch.key_file.map(|path| KeyFile { path, format }),
            trust: watch.trust,
            outlets,
            state_file: watch.state_file,
            metrics_file: watch.metrics_file,
            metrics_listen: watch.metrics_listen,
        }
    }

    fn remote(&mut self, table: EndpointTable, place: Range<usize>) -> Option<Subject> {
        let transport = table.transport.as_ref().map(|transport| *transport.get_ref());
        let protocol = protocol(transport.unwrap_or_default());
        if let Err(problem) = check_host(table.address.get_ref()) {
            self.refuse(table.address.span(), &problem, "a name or an address is needed");
        }
        let port = Port { protocol, number: self.port(table.port.as_ref()) };
        let expected = match table.expect.get_ref() {
            Expect::Closed => Expectation::Closed,
            Expect::Filtered => Expectation::Filtered,
            Expect::ClosedOrFiltered => Expectation::ClosedOrFiltered,
            Expect::Open => Expectation::Open,
            Expect::Time => Expectation::Time(self.limits(&table)),
        };
        match expected {
            Expectation::Time(_) if protocol == Protocol::Tcp => {
                let message = "NTP is not served over TCP";
                let place = table.transport.map_or(place, |transport| transport.span());
                self.refuse(place, message, "remove the transport");
                return None;
            }
            Expectation::Time(_) => {}
            _ => {
                let limits = [
                    table.within.map(|within| within.span()),
                    table.max_stratum.map(|stratum| stratum.span()),
                    table.key.map(|key| key.span()),
                    table.nts.map(|nts| nts.span()),
                    table.nts_port.map(|port| port.span()),
                ];
                for limit in limits.into_iter().flatten() {
                    let message = "this is about a server's time, which is not asked for here";
                    self.diagnostics.push(
                        Diagnostic::error(message)
                            .at(limit)
                            .help("write expect = \"time\"")
                            .related(Some(place.clone()), "of this endpoint"),
                    );
                }
            }
        }
        Some(Subject::Remote { host: table.address.into_inner(), port, expected })
    }

    fn limits(&mut self, table: &EndpointTable) -> TimeLimits {
        let mut limits = TimeLimits::default();
        if let Some(within) = &table.within {
            limits.within = within.get_ref().0;
        }
        if let Some(stratum) = &table.max_stratum {
            limits.max_stratum = *stratum.get_ref();
            if !(1..=15).contains(&limits.max_stratum) {
                self.refuse(stratum.span(), "there is no such stratum", "write 1 to 15");
            }
        }
        let nts = table.nts.as_ref().filter(|nts| *nts.get_ref());
        limits.proof = match (&table.key, nts) {
            (Some(_), Some(nts)) => {
                let message = "it cannot prove itself in two ways at once";
                self.refuse(nts.span(), message, "keep either `key` or `nts`");
                None
            }
            (Some(key), None) => Some(Proof::Key(*key.get_ref())),
            (None, Some(_)) => {
                let port = table.nts_port.as_ref().map(|port| self.port(Some(port)));
                Some(Proof::Nts { port: port.unwrap_or(NTS_KE_PORT) })
            }
            (None, None) => None,
        };
        if let (Some(port), None) = (&table.nts_port, nts) {
            let message = "keys for NTS are not asked for here";
            self.refuse(port.span(), message, "write nts = true too, or remove this");
        }
        limits
    }

    fn local(&mut self, table: LocalTable) -> Subject {
        let number = self.port(table.port.as_ref());
        let port = Port { protocol: protocol(table.transport), number };
        Subject::Local { port, processes: table.processes }
    }

    fn port(&mut self, port: Option<&Spanned<u16>>) -> u16 {
        let Some(port) = port else { return NTP_PORT };
        if *port.get_ref() == 0 {
            self.refuse(port.span(), "port 0 cannot be watched", "write 1 to 65535");
        }
        *port.get_ref()
    }

    fn count(&mut self, count: &Spanned<u32>) -> u32 {
        if !(1..=1000).contains(count.get_ref()) {
            let message = "so many confirmations never come, or always";
            self.refuse(count.span(), message, "write 1 to 1000");
        }
        *count.get_ref()
    }

    fn webhook(&mut self, url: &Spanned<String>) {
        if let Err(problem) = check_url(url.get_ref()) {
            let help = "write a URL such as \"https://alerts.example/ntp\"";
            self.refuse(url.span(), problem, help);
        }
    }

    fn refuse(&mut self, span: Range<usize>, message: &str, help: &str) {
        self.diagnostics.push(Diagnostic::error(message).at(span).help(help));
    }
}

/// Accepts what can be posted to.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => {
            let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic());
            if is_plain { Ok(()) } else { Err("a URL has neither spaces nor foreign letters") }
        }
        _ => Err("this is no URL of http or https"),
    }
}

const fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Udp => Protocol::Udp,
        Transport::Tcp => Protocol::Tcp,
    }
}

#[cfg(test)]
mod tests;
