//! `timeball audit`: is any of these servers usable as a weapon, or leaking, or wrong?

#[cfg(test)]
mod tests;
mod text;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rustls::RootCertStore;
use timeball_daemon::nts::TrustError;
use timeball_guard::audit::finding::Severity;
use timeball_guard::audit::journal::{self, Entry, Journal};
use timeball_guard::audit::judge::{Limits, judge};
use timeball_guard::audit::reference::ReferenceTime;
use timeball_guard::audit::report::{ReferenceReport, Report};
use timeball_guard::audit::run::Looks;
use timeball_guard::audit::scan::{Questions, Settings};
use timeball_guard::audit::target::Targets;
use timeball_guard::audit::{csv, link, run as scan, sarif};
use timeball_wire::Span;

use crate::arguments::{seconds, some_seconds};
use crate::display::{print, print_json};
use crate::key_establishment::TrustArguments;
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 no finding; 2 a mistake on the command line; 3 the system \
refused something; by the worst finding 11 low, 12 medium, 13 high, 14 critical; 1 nobody answered.")]
pub(crate) struct AuditArguments {
    /// Whom to ask: an address, a name, a range such as 192.0.2.0/24, `-` for a list on standard input
    #[arg(required_unless_present_any = ["file", "local_link"], value_name = "TARGET")]
    targets: Vec<String>,
    /// A list of targets, one to a line
    #[arg(short, long, value_name = "PATH")]
    file: Vec<PathBuf>,
    /// You may ask every address of these ranges; needed for one that holds public addresses
    #[arg(long)]
    authorized: bool,
    /// Requests per second, to all together
    #[arg(long, value_name = "N", default_value = "100", value_parser = some_seconds)]
    rate: f64,
    /// Between two requests to the same host; more for servers that limit the rate of their clients
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    interval: f64,
    /// How long to wait for an answer
    #[arg(short, long, value_name = "SECONDS", default_value = "2", value_parser = some_seconds)]
    timeout: f64,
    /// How often to ask again who does not answer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=5))]
    retries: u32,
    /// The UDP port of NTP
    #[arg(short, long, default_value_t = timeball_wire::NTP_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Do not look whether TCP ports 123 and 4460 of those that answer are open
    #[arg(long)]
    no_tcp: bool,
    #[command(flatten)]
    trust: TrustArguments,
    /// Compare with the time of these servers, on which most of them agree, and not with this machine's
    #[arg(long, value_name = "HOST", num_args = 1..)]
    reference: Vec<String>,
    /// Also ask who gives the time twenty times in two seconds, to see what it does about that
    #[arg(long)]
    rate_test: bool,
    /// Also ask everybody at this network interface, by broadcast and by multicast
    #[arg(long, value_name = "INTERFACE")]
    local_link: Vec<String>,
    /// Also listen there so long for servers that tell everybody the time; most do so once a minute
    #[arg(long, value_name = "SECONDS", requires = "local_link", value_parser = some_seconds)]
    listen: Option<f64>,
    /// How far a server's clock may be from the time it is compared with, beyond what it admits
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = seconds)]
    max_offset: f64,
    /// Keep what is finished in this file, and leave out what is in it already
    #[arg(long, value_name = "PATH")]
    resume: Option<PathBuf>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Show each probe, what came back, and all that was told
    #[arg(short, long)]
    verbose: bool,
}

/// The authorities; none on a machine that has none, if nobody has named any.
fn roots(trust: &TrustArguments) -> Result<Option<Arc<RootCertStore>>, Failure> {
    match trust.roots() {
        Ok(roots) => Ok(Some(roots)),
        Err(TrustError::Nobody(_)) => {
            anstream::eprintln!(
                "note: no certificates are trusted (--trust PATH), so nobody is asked for keys of NTS"
            );
            Ok(None)
        }
        Err(error) => Err(Failure::Configuration(format!("error: {error}"))),
    }
}

/// How to print the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs, as docs/guide/port-123.md describes it
    Json,
    /// For code scanning services
    Sarif,
    /// For spreadsheets
    Csv,
}

/// Exits by the worst finding.
pub(crate) fn run(arguments: &AuditArguments) -> Result<Outcome, Failure> {
    let targets = targets(arguments)?;
    let settings = Settings {
        questions: match arguments.rate_test {
            true => Questions::EverythingAndBurst,
            false => Questions::Everything,
        },
        port: arguments.port,
        pace: Span::from_seconds(1.0 / arguments.rate),
        interval: Span::from_seconds(arguments.interval),
        timeout: Span::from_seconds(arguments.timeout),
        retries: arguments.retries,
    };
    let looks = match arguments.no_tcp {
        true => Looks::UdpAlone,
        false => Looks::AlsoTcp { roots: roots(&arguments.trust)? },
    };
    let (reference, references) = references(&arguments.reference, &settings)?;
    let limits = Limits { max_offset: arguments.max_offset, reference };
    let patience = link::Patience {
        answers: settings.timeout,
        broadcasts: arguments.listen.map(Span::from_seconds),
    };
    let mut entries = ask_links(&arguments.local_link, patience, &settings, &limits)?;
    entries.extend(ask(arguments.resume.as_deref(), targets, &settings, &limits, looks)?);
    let report = scan::report(entries, references);
    match if arguments.json { Format::Json } else { arguments.format } {
        Format::Text => print(&text::render(&report, text::Detail::of(arguments.verbose)))?,
        Format::Json => print_json(&report)?,
        Format::Sarif => print_json(&sarif::render(&report))?,
        Format::Csv => print(&csv::render(&report))?,
    }
    Ok(outcome(&report))
}

fn outcome(report: &Report) -> Outcome {
    match report.summary.worst {
        None if report.summary.answered == 0 => Outcome::No,
        None => Outcome::Yes,
        Some(Severity::Low) => Outcome::Status(11),
        Some(Severity::Medium) => Outcome::Status(12),
        Some(Severity::High) => Outcome::Status(13),
        Some(Severity::Critical) => Outcome::Status(14),
    }
}

fn targets(arguments: &AuditArguments) -> Result<Targets, Failure> {
    let mut targets = Targets::default();
    let mistake = |error: &dyn std::fmt::Display| Failure::Configuration(format!("error: {error}"));
    for text in &arguments.targets {
        let added = match text.as_str() {
            "-" => targets.add_list("standard input", io::stdin().lock()),
            text => targets.add(text),
        };
        added.map_err(|error| mistake(&error))?;
    }
    for path in &arguments.file {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| mistake(&format!("{name}: {error}")))?;
        targets.add_list(&name, BufReader::new(file)).map_err(|error| mistake(&error))?;
    }
    for sentence in targets.left_out() {
        anstream::eprintln!("note: {sentence}");
    }
    if targets.count() == 0 && !targets.left_out().is_empty() {
        return Err(mistake(&"nobody is left to be asked"));
    }
    if !arguments.authorized
        && let Some(range) = targets.public_ranges().next()
    {
        return Err(mistake(&format!(
            "{range} holds public addresses: ask for your own or with leave only, and say so with \
             --authorized"
        )));
    }
    Ok(targets)
}

/// The time of the reference servers, and what each of them says.
fn references(
    hosts: &[String],
    settings: &Settings,
) -> Result<(Option<ReferenceTime>, Vec<ReferenceReport>), Failure> {
    if hosts.is_empty() {
        return Ok((None, Vec::new()));
    }
    let mut references = Targets::default();
    for host in hosts {
        let added = references.add(host);
        added.map_err(|error| Failure::Configuration(format!("error: {error}")))?;
    }
    let (time, said) = scan::ask_references(references, settings).map_err(Failure::system)?;
    Ok((Some(time), said))
}

/// Whoever answers what is sent to everybody at these interfaces.
fn ask_links(
    interfaces: &[String],
    patience: link::Patience,
    settings: &Settings,
    limits: &Limits,
) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for interface in interfaces {
        let outcomes = link::ask(interface, settings.port, patience)
            .map_err(|error| Failure::System(format!("{interface}: {error}")))?;
        let hosts = outcomes.iter().filter_map(|outcome| judge(outcome, settings.port, limits));
        entries.extend(hosts.map(|host| Entry::Answered(Box::new(host))));
    }
    Ok(entries)
}

/// Asks them all, with progress on standard error where that is a terminal.
fn ask(
    resume: Option<&Path>,
    targets: Targets,
    settings: &Settings,
    limits: &Limits,
    looks: Looks,
) -> Result<Vec<Entry>, Failure> {
    let (mut journal, mut entries) = match resume {
        Some(path) => {
            let opened = Journal::open(path);
            let (journal, entries) =
                opened.map_err(|error| Failure::System(format!("{}: {error}", path.display())))?;
            (Some(journal), entries)
        }
        None => (None, Vec::new()),
    };
    let done = journal::addresses(&entries);
    let progress = progress_bar(targets.count());
    progress.set_position(done.len() as u64);
    let mut answered = 0_u64;
    scan::run(targets, &done, settings, limits, looks, |entry| {
        if matches!(entry, Entry::Answered(_)) {
            answered += 1;
            progress.set_message(format!("{answered} answer"));
        }
        progress.inc(1);
        if let Some(journal) = &mut journal {
            journal.add(&entry)?;
        }
        entries.push(entry);
        Ok(())
    })
    .map_err(Failure::system)?;
    progress.finish_and_clear();
    Ok(entries)
}

fn progress_bar(hosts: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} addresses, {msg} ({eta} left)");
    ProgressBar::new(hosts).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
