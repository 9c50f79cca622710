//! `timeball query`: what time is it there? One-shot, without a daemon and without rights.

pub(super) mod probe;
mod signer;
mod summary;
pub(super) mod target;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use timeball_auth::key_file::Format;
use timeball_auth::{KeyId, Keys};
use timeball_host::resolver::AddressFamily;
use timeball_wire::Span;
use timeball_wire::nts_ke::NTS_KE_PORT;

use crate::arguments::some_seconds;
use crate::commands::config::word_of;
use crate::display::style::{BAD, paint};
use crate::display::{Align, Cell, Narrowing, Table, print, print_json, source, units, width};
use crate::key_establishment::{KeyArguments, KeyEstablishment};
use crate::outcome::{Failure, Outcome};
use crate::resolve;
pub(crate) use probe::{NoAnswer, Prober};
pub(crate) use signer::Signer;
use summary::{HostReport, Summary};
use target::Target;

/// Between two requests to one server; what a volley of the daemon leaves, which every server with
/// a rate limit bears.
const INTERVAL: Duration = Duration::from_secs(2);
/// The same on this machine, where nobody is in the way.
const LOOPBACK_INTERVAL: Duration = Duration::from_millis(100);
/// A host that is silent this many times at the start is not asked again.
const SILENCES: usize = 2;

#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 if every host answered, 1 if not.")]
pub(crate) struct QueryArguments {
    /// Whom to ask: `HOST`, `HOST:PORT`, an address, or `[IPv6]:PORT`
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<Target>,
    /// How many times to ask each
    #[arg(short = 'n', long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    samples: u16,
    /// How long to wait for each answer
    #[arg(short, long, value_name = "SECONDS", default_value = "2", value_parser = some_seconds)]
    timeout: f64,
    /// Protocol version to ask with
    #[arg(long, value_name = "1-4", default_value_t = 4, conflicts_with = "nts", value_parser = clap::value_parser!(u8).range(1..=4))]
    ntp_version: u8,
    /// Authenticate with this key of the key file
    #[arg(short, long, value_name = "ID", requires = "key_file")]
    key: Option<KeyId>,
    /// The file of symmetric keys
    #[arg(long, value_name = "FILE", env = "TIMEBALL_KEYS")]
    key_file: Option<PathBuf>,
    /// Whose format the key file has
    #[arg(long, default_value = "chrony", value_parser = word_of(Format::WORDS))]
    key_format: Format,
    /// Authenticate by Network Time Security: the host gives keys first, and has to prove its name
    #[arg(long, conflicts_with = "key")]
    nts: bool,
    /// IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// IPv6 addresses only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Print everything, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key_establishment: KeyArguments,
    /// TCP port at which hosts give keys
    #[arg(long, value_name = "PORT", default_value_t = NTS_KE_PORT)]
    nts_port: u16,
}

/// How requests are to be authenticated.
enum Authentication<'a> {
    None,
    Key { id: KeyId, keys: Arc<Keys> },
    Nts { port: u16, arguments: &'a KeyArguments },
}

impl Authentication<'_> {
    /// Whom to ask for the time instead of `server`, which is called `name`, and as whom.
    ///
    /// # Errors
    /// Why it gives no keys.
    fn introduce(
        &self,
        name: &str,
        server: SocketAddr,
        family: AddressFamily,
        prober: &Prober,
    ) -> Result<(SocketAddr, Signer), String> {
        match self {
            Self::None => Ok((server, Signer::Nobody)),
            Self::Key { id, keys } => Ok((server, Signer::Key { id: *id, keys: Arc::clone(keys) })),
            Self::Nts { port, arguments } => {
                let establishment = KeyEstablishment {
                    arguments,
                    timeout: prober.timeout.seconds(),
                    clock: &prober.clock,
                };
                let from = SocketAddr::new(server.ip(), *port);
                let established = establishment.run(name, from, &mut |_| Ok(()))?;
                let server = establishment.ntp_server(&established, server, family)?;
                let signer = Signer::nts(established).map_err(|error| error.to_string())?;
                Ok((server, signer))
            }
        }
    }
}

impl QueryArguments {
    /// # Errors
    /// If there is no such key, or its file is not as it should be.
    fn authentication(&self) -> Result<Authentication<'_>, Failure> {
        if self.nts {
            let arguments = &self.key_establishment;
            return Ok(Authentication::Nts { port: self.nts_port, arguments });
        }
        let (Some(id), Some(path)) = (self.key, &self.key_file) else {
            return Ok(Authentication::None);
        };
        let keys = timeball_daemon::keys::read(path, self.key_format)
            .map_err(|error| Failure::Configuration(error.to_string()))?;
        if keys.get(id).is_none() {
            let message = format!("there is no key {id} in {}", path.display());
            return Err(Failure::Configuration(message));
        }
        Ok(Authentication::Key { id, keys: Arc::new(keys) })
    }

    fn family(&self) -> AddressFamily {
        match (self.ipv4, self.ipv6) {
            (true, _) => AddressFamily::V4,
            (_, true) => AddressFamily::V6,
            _ => AddressFamily::Any,
        }
    }
}

/// Exits with 1 unless every host answered.
pub(crate) fn run(arguments: &QueryArguments) -> Result<Outcome, Failure> {
    let authentication = arguments.authentication()?;
    let reports = ask_all(arguments, &authentication);
    if arguments.json {
        print_json(&reports)?;
    } else {
        show(&reports)?;
    }
    Ok(reports.iter().all(HostReport::answered).into())
}

/// Asks every host, all at the same time.
fn ask_all(arguments: &QueryArguments, authentication: &Authentication<'_>) -> Vec<HostReport> {
    let requests = u64::from(arguments.samples) * arguments.hosts.len() as u64;
    let progress = progress_bar(requests);
    let reports = thread::scope(|scope| {
        let asked: Vec<_> = arguments
            .hosts
            .iter()
            .map(|target| {
                let ask = || ask_host(target, arguments, authentication, &progress);
                (target, scope.spawn(ask))
            })
            .collect();
        let joined = asked.into_iter().map(|(target, thread)| {
            thread.join().unwrap_or_else(|_| HostReport {
                error: Some("the thread that asked has failed".into()),
                ..HostReport::of(target)
            })
        });
        joined.collect()
    });
    progress.finish_and_clear();
    reports
}

/// On standard error, and only on a terminal.
fn progress_bar(requests: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} requests");
    ProgressBar::new(requests).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn ask_host(
    target: &Target,
    arguments: &QueryArguments,
    authentication: &Authentication<'_>,
    progress: &ProgressBar,
) -> HostReport {
    let mut report = HostReport::of(target);
    let family = arguments.family();
    let addresses = match resolve::addresses(&target.host, family, arguments.timeout) {
        Ok(addresses) => addresses,
        Err(reason) => {
            report.error = Some(reason);
            return report;
        }
    };
    let timeout = Span::from_seconds(arguments.timeout);
    let mut prober = match Prober::new(timeout, arguments.ntp_version) {
        Ok(prober) => prober,
        Err(error) => {
            report.error = Some(error.to_string());
            return report;
        }
    };
    let ask = |prober: &mut Prober, server: SocketAddr, report: &mut HostReport| {
        let introduced = authentication.introduce(&target.host, server, family, prober);
        let (server, signer) = match introduced {
            Ok(introduced) => introduced,
            Err(reason) => {
                report.error = Some(format!("no keys: {reason}"));
                return Sampled::Unreachable;
            }
        };
        report.address = Some(server.ip());
        report.authentication = signer.authentication();
        prober.signer = signer;
        sample(prober, server, arguments.samples, progress, report)
    };
    ask_addresses(&addresses, &mut report, |server, report| ask(&mut prober, server, report));
    report
}

/// Asks one address after the other until one of them answers.
fn ask_addresses(
    addresses: &[IpAddr],
    report: &mut HostReport,
    mut ask: impl FnMut(SocketAddr, &mut HostReport) -> Sampled,
) {
    let mut silent = Vec::new();
    for &address in addresses {
        // A name may have addresses of a family that leads nowhere from here. One silent address
        // of each family is enough waiting.
        if silent.contains(&address.is_ipv6()) {
            continue;
        }
        report.address = Some(address);
        match ask(SocketAddr::new(address, report.port), report) {
            Sampled::Enough => break,
            Sampled::Unreachable => {}
            Sampled::Silence => silent.push(address.is_ipv6()),
        }
    }
}

/// What asking one address came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampled {
    /// Answers, or a refusal.
    Enough,
    /// The network says that nobody is there.
    Unreachable,
    /// Nothing at all.
    Silence,
}

/// Asks one address as often as wanted, or until it is hopeless.
fn sample(
    prober: &mut Prober,
    server: SocketAddr,
    samples: u16,
    progress: &ProgressBar,
    report: &mut HostReport,
) -> Sampled {
    let interval =
        if server.ip().to_canonical().is_loopback() { LOOPBACK_INTERVAL } else { INTERVAL };
    let limit = SILENCES.min(usize::from(samples));
    let mut answers = Vec::new();
    for number in 0..samples {
        if number > 0 {
            thread::sleep(interval);
        }
        report.sent += 1;
        let answer = prober.ask(server);
        progress.inc(1);
        match answer {
            Ok(answer) => {
                report.error = None;
                answers.push(answer);
            }
            Err(reason) => {
                report.error = Some(reason.to_string());
                let nothing_yet = answers.is_empty();
                let hopeless = nothing_yet && usize::from(number) + 1 >= limit;
                match reason {
                    NoAnswer::Unreachable(_) if nothing_yet => return Sampled::Unreachable,
                    NoAnswer::Silence { .. } if hopeless => return Sampled::Silence,
                    reason if hopeless || reason.is_final() => break,
                    _ => {}
                }
            }
        }
    }
    report.summary = Summary::of(&answers);
    Sampled::Enough
}

/// The answers as a table on standard output; what went wrong on standard error.
fn show(reports: &[HostReport]) -> Result<(), Failure> {
    if reports.iter().any(HostReport::answered) {
        print(&table(reports).render_within(width(), &NARROWING))?;
    }
    for report in reports {
        if let Some(line) = complaint(report) {
            anstream::eprintln!("{line}");
        }
    }
    Ok(())
}

/// `--json` tells what is left out.
const NARROWING: Narrowing = Narrowing {
    below: None,
    dispensable: &["root disp.", "root delay", "answers", "jitter", "leap", "reference"],
};

fn table(reports: &[HostReport]) -> Table {
    let mut table = Table::new(&[
        (Align::Left, "host"),
        (Align::Right, "offset ± root distance"),
        (Align::Right, "delay"),
        (Align::Right, "jitter"),
        (Align::Right, "stratum"),
        (Align::Left, "reference"),
        (Align::Left, "leap"),
        (Align::Right, "root delay"),
        (Align::Right, "root disp."),
        (Align::Right, "answers"),
    ]);
    for report in reports {
        let Some(summary) = &report.summary else { continue };
        table.row([
            shown_name(report).into(),
            units::offset_and_bound(summary.offset, Some(summary.offset_bound)).into(),
            units::seconds(summary.delay).into(),
            Cell::or_dash(summary.jitter.map(units::seconds)),
            summary.stratum.to_string().into(),
            summary.reference.clone().into(),
            source::leap_word(summary.leap).into(),
            units::seconds(summary.root_delay).into(),
            units::seconds(summary.root_dispersion).into(),
            format!("{}/{}", summary.samples, report.sent).into(),
        ]);
    }
    table
}

fn shown_name(report: &HostReport) -> String {
    source::name_of(&report.host, report.port, report.address)
}

/// What to say of a host that did not answer, or not to the end.
fn complaint(report: &HostReport) -> Option<String> {
    let reason = report.error.as_ref()?;
    let name = paint(BAD, &format!("{}:", shown_name(report)));
    Some(format!("{name} {reason}"))
}

#[cfg(test)]
mod tests;
