//! The report for people: the hosts, the worst first, and what to do about each.

use std::fmt::Write as _;

use anstyle::Style;
use timeball_guard::audit::finding::Severity;
use timeball_guard::audit::key_establishment::KeyReport;
use timeball_guard::audit::report::{
    Finding, Grade, HostReport, LeakedAddress, RateLimit, RateReport, Report, RestrictionReport,
    SystemReport, TimeReport,
};
use timeball_guard::audit::tcp::TcpPort;
use timeball_wire::NTP_PORT;

use crate::display::style::{BAD, DOUBTFUL, FAINT, GOOD, PLAIN, STRONG, paint};
use crate::display::units;

/// How much to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// What is wrong and what to do.
    Findings,
    /// Also each probe, and all that was told.
    Everything,
}

impl Detail {
    pub(super) const fn of(verbose: bool) -> Self {
        if verbose { Self::Everything } else { Self::Findings }
    }
}

/// The whole report.
pub(super) fn render(report: &Report, detail: Detail) -> String {
    let mut hosts: Vec<&HostReport> = report.hosts.iter().collect();
    hosts.sort_by_key(|host| (std::cmp::Reverse(host.grade), host.address));
    let mut text = String::new();
    for host in hosts {
        push_host(&mut text, host, detail);
        text.push('\n');
    }
    push_references(&mut text, report);
    let summary = &report.summary;
    line(
        &mut text,
        format_args!(
            "{} asked: {} answered, {} unreachable, {} silent",
            summary.asked, summary.answered, summary.unreachable, summary.silent
        ),
    );
    text
}

fn push_references(text: &mut String, report: &Report) {
    for reference in &report.references {
        let name = reference.name.as_deref().map(|name| format!("{name} "));
        let said = match (reference.offset, reference.uncertainty) {
            (Some(offset), Some(uncertainty)) => units::offset_and_bound(offset, Some(uncertainty)),
            _ => "gives no time".to_owned(),
        };
        let verdict = match (reference.agrees, reference.offset) {
            (false, Some(_)) => ": not believed, most others disagree",
            _ => "",
        };
        let (name, address) = (name.unwrap_or_default(), reference.address);
        line(text, format_args!("reference {name}{address} {said}{verdict}"));
    }
}

fn push_host(text: &mut String, host: &HostReport, detail: Detail) {
    let grade = paint(of_grade(host.grade), &host.grade.letter().to_string());
    line(text, format_args!("{grade}  {}", paint(STRONG, &host.title())));
    if let Some(software) = software(host) {
        line(text, format_args!("   software  {software}"));
    }
    if let Some(time) = &host.time {
        line(text, format_args!("   time      {}", self::time(time)));
    }
    if !host.time_versions.is_empty() {
        let versions: Vec<String> = host.time_versions.iter().map(u8::to_string).collect();
        let interleaved = if host.interleaved == Some(true) { ", interleaved" } else { "" };
        line(text, format_args!("   versions  {}{interleaved}", versions.join(", ")));
    }
    let tcp = [("123", host.tcp_123), ("4460 (NTS-KE)", host.tcp_4460)];
    let open = tcp.into_iter().filter(|(_, port)| *port == Some(TcpPort::Open));
    let open: Vec<&str> = open.map(|(name, _)| name).collect();
    if !open.is_empty() {
        line(text, format_args!("   TCP       {} open", open.join(", ")));
    }
    if let Some(keys) = &host.nts_ke {
        line(text, format_args!("   NTS       {}", self::keys(keys)));
    }
    if let Some(rate) = &host.rate {
        line(text, format_args!("   limit     {}", self::rate(rate)));
    }
    if let Some(uptime) = host.uptime {
        let uptime = units::age(uptime as f64);
        line(text, format_args!("   running   for {uptime}"));
    }
    if let Some(system) = &host.system {
        let SystemReport { peer, stratum, reference_id, .. } = system;
        line(
            text,
            format_args!(
                "   system    follows {peer}, stratum {stratum}, reference {reference_id}"
            ),
        );
    }
    if !host.restrictions.is_empty() {
        line(text, format_args!("   rules     {} of access", host.restrictions.len()));
    }
    push_leaks(text, "peers  ", &host.peers, detail);
    push_leaks(text, "clients", &host.clients, detail);
    if detail == Detail::Everything {
        push_details(text, host);
    }
    if host.findings.is_empty() {
        line(text, format_args!("   {}", paint(GOOD, "no finding")));
    }
    for finding in &host.findings {
        push_finding(text, finding);
    }
}

fn push_finding(text: &mut String, finding: &Finding) {
    let severity = paint(of_severity(finding.severity), finding.severity.name());
    line(text, format_args!("\n   {severity}  {}  [{}]", finding.title, finding.id.name()));
    line(text, format_args!("      seen      {}", finding.evidence));
    line(text, format_args!("      see       {}", finding.references.join(", ")));
    line(text, format_args!("      remedy    {}", finding.remedy));
    if let Some(firewall) = &finding.firewall {
        line(text, format_args!("      firewall  {firewall}"));
    }
}

/// Addresses that are shown unless everything is.
const SHOWN: usize = 5;

fn push_leaks(text: &mut String, title: &str, leaked: &[LeakedAddress], detail: Detail) {
    if leaked.is_empty() {
        return;
    }
    let shown = match detail {
        Detail::Findings => SHOWN,
        Detail::Everything => leaked.len(),
    };
    let mut words: Vec<String> = leaked.iter().take(shown).map(leak).collect();
    if leaked.len() > shown {
        words.push(format!("and {} more", leaked.len() - shown));
    }
    line(text, format_args!("   {title}   {}", words.join(", ")));
}

fn leak(leaked: &LeakedAddress) -> String {
    let private = if leaked.private { " (private)" } else { "" };
    match leaked.packets {
        Some(packets) => format!("{}{private} × {packets}", leaked.address),
        None => format!("{}{private}", leaked.address),
    }
}

fn push_details(text: &mut String, host: &HostReport) {
    for RestrictionReport { address, mask, packets, flags } in &host.restrictions {
        let name = paint(FAINT, "rule     ");
        line(text, format_args!("   {name} {address} mask {mask}: {flags:#06x} × {packets}"));
    }
    for (name, value) in &host.variables {
        line(text, format_args!("   {:<9} {name}={value}", paint(FAINT, "variable")));
    }
    for probe in &host.probes {
        let outcome = match (&probe.refusal, probe.packets) {
            (Some(refusal), _) => refusal.clone(),
            (None, 0) => "silence".to_owned(),
            (None, _) => format!("first {}", probe.first),
        };
        line(
            text,
            format_args!(
                "   probe     {}: {} bytes in {} sent, {} in {} received, × {:.1}: {outcome}",
                probe.probe.name(),
                probe.bytes_sent,
                probe.requests,
                probe.bytes_received,
                probe.packets,
                probe.amplification,
            ),
        );
    }
}

fn software(host: &HostReport) -> Option<String> {
    let name = host.software.implementation.name();
    let system = host.variables.get("system").map(|system| format!(" on {system}"));
    let system = system.unwrap_or_default();
    match (&host.software.version, name) {
        (None, "unknown") => None,
        (Some(version), "unknown") => Some(format!("{version}{system}")),
        (Some(version), name) => Some(format!("{name} {version}{system}")),
        (None, name) => Some(format!("{name}{system}")),
    }
}

fn time(time: &TimeReport) -> String {
    let mut text = format!("stratum {}, reference {}", time.stratum, time.reference_id);
    if time.leap == 3 {
        text.push_str(", not synchronised");
    }
    if let (Some(offset), Some(delay)) = (time.offset, time.delay) {
        let (offset, than) = match time.offset_from_references {
            Some(offset) => (offset, " by the references"),
            None => (offset, ""),
        };
        let (offset, delay) = (units::offset(offset), units::seconds(delay));
        // Writing to a string cannot fail.
        let _ = write!(text, ", {offset}{than} after {delay}");
    }
    text
}

fn keys(keys: &KeyReport) -> String {
    if keys.algorithms.is_empty() {
        return "no keys".to_owned();
    }
    let numbers: Vec<String> = keys.algorithms.iter().map(u16::to_string).collect();
    let mut text = format!(
        "certificate for {}, until {}; ciphers {}; {} cookies of {} bytes",
        keys.name,
        keys.valid_until.as_deref().unwrap_or("nobody knows when"),
        numbers.join(", "),
        keys.cookies,
        keys.cookie_length,
    );
    if keys.server.is_some() || keys.port.is_some() {
        let server = keys.server.as_deref().unwrap_or("this host");
        // Writing to a string cannot fail.
        let _ = write!(text, "; for {server}, port {}", keys.port.unwrap_or(NTP_PORT));
    }
    text
}

fn rate(rate: &RateReport) -> String {
    let what = match rate.limit {
        RateLimit::None => return format!("none: all of {} requests answered", rate.requests),
        RateLimit::Silence => "silence".to_owned(),
        RateLimit::Kisses | RateLimit::KissesAndSilence => {
            format!("{} kisses-o'-death ({})", rate.kisses, rate.kiss_codes.join(", "))
        }
    };
    format!(
        "after {} of {} requests {} s apart: {what}; {} answered with the time",
        rate.before_limit, rate.requests, rate.interval, rate.times
    )
}

const fn of_grade(grade: Grade) -> Style {
    match grade {
        Grade::A => GOOD,
        Grade::B => PLAIN,
        Grade::C => DOUBTFUL,
        Grade::D | Grade::F => BAD,
    }
}

const fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::Low => PLAIN,
        Severity::Medium => DOUBTFUL,
        Severity::High | Severity::Critical => BAD,
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
