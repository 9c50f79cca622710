//! `timeball status`: is the clock right, and how do we know?

use std::net::IpAddr;

use clap::Args;
use timeball_core::report::{Report, Tracking};
use timeball_core::selection::State;
use timeball_core::server::Counters;
use timeball_daemon::control::Request;

use super::ask_for_report;
use crate::arguments::DaemonSocket;
use crate::display::style::{BAD, FAINT, GOOD, paint};
use crate::display::{Align, Cell, Table, authentication, print, print_json, source, units};
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 if the clock is synchronised, 1 if not, 3 if the daemon cannot be \
reached."
)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    daemon: DaemonSocket,
    /// Print everything, as JSON
    #[arg(long)]
    json: bool,
}

/// Exits with 1 while the clock is not synchronised.
pub(crate) fn run(arguments: &StatusArguments) -> Result<Outcome, Failure> {
    let report = ask_for_report(&arguments.daemon, Request::Status)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&screen(&report))?;
    }
    Ok(report.tracking.synchronised.into())
}

/// The whole screen.
fn screen(report: &Report) -> String {
    let tracking = &report.tracking;
    let mut facts = facts(report);
    if let Some(counters) = report.server.as_ref().filter(|counters| counters.received() > 0) {
        facts.row([Cell::styled(FAINT, "Clients"), clients(counters).into()]);
    }
    let (headline, facts) = (headline(tracking), facts.render("  "));
    format!("{headline}\n\n{facts}\n{}", sources(report))
}

/// Synchronised or not, and why.
pub(super) fn headline(tracking: &Tracking) -> String {
    let (style, word) = if tracking.panicked {
        (BAD, "Panic")
    } else if tracking.synchronised {
        (GOOD, "Synchronised")
    } else {
        (BAD, "Not synchronised")
    };
    format!("{}: {}", paint(style.bold(), word), tracking.reason)
}

fn facts(report: &Report) -> Table {
    let tracking = &report.tracking;
    let mut facts = Table::headless(&[Align::Left, Align::Left]);
    let mut fact = |name: &str, value: String| {
        facts.row([Cell::styled(FAINT, name), value.into()]);
    };
    match tracking.offset {
        Some(offset) => {
            fact("Offset", units::offset_and_bound(offset, tracking.offset_bound));
        }
        None => fact("Offset", "not known yet".into()),
    }
    let sd = tracking.frequency_sd_ppm;
    // Without an uncertainty nobody has measured it.
    let frequency = (sd > 0.0).then(|| units::frequency_ppm(tracking.frequency_ppm, sd));
    fact("Frequency", frequency.unwrap_or_else(|| "not known yet".into()));
    fact("Stratum", stratum(tracking.stratum));
    if tracking.synchronised {
        fact("Reference", reference(report));
    }
    fact("Leap second", source::leap(tracking.leap).into());
    if let Some(seconds) = tracking.tai_offset {
        fact("TAI − UTC", format!("{seconds} s"));
    }
    if tracking.synchronised {
        fact("Root delay", units::seconds(tracking.root_delay));
        fact("Root dispersion", units::seconds(tracking.root_dispersion));
    }
    if let Some(age) = tracking.update_age {
        fact(
            "Last update",
            format!("{} ago; {} since the start", units::age(age), tracking.updates),
        );
    }
    fact("Clock", clock(tracking));
    facts
}

fn stratum(stratum: u8) -> String {
    match stratum {
        0..16 => stratum.to_string(),
        _ => "none".into(),
    }
}

/// What clients are told that we follow. Of an IPv6 address that is a hash, which would look like
/// an IPv4 address that nobody has (RFC 5905 §7.3).
fn reference(report: &Report) -> String {
    let Tracking { reference, reference_id, system_peer_name, .. } = &report.tracking;
    let peer = report.sources.iter().find(|source| source.state == State::Selected);
    let address = peer.and_then(|peer| peer.address).filter(IpAddr::is_ipv6);
    let hash = u32::from_be_bytes(reference_id.to_bytes());
    match (system_peer_name, address) {
        (Some(name), Some(_)) => format!("{name} (reference ID {hash:08X})"),
        (Some(name), None) if name != reference => format!("{reference} ({name})"),
        _ => reference.clone(),
    }
}

/// Who corrects the clock, and what has happened to it.
fn clock(tracking: &Tracking) -> String {
    let mut parts = vec![if tracking.clock_control {
        "corrected by the daemon".to_owned()
    } else {
        "watched, not corrected".to_owned()
    }];
    if tracking.clock_control && tracking.remaining_correction != 0.0 {
        parts.push(format!("{} still to go", units::offset(tracking.remaining_correction)));
    }
    for (count, what) in [
        (tracking.steps, "stepped by us"),
        (tracking.foreign_steps, "stepped by others"),
        (tracking.suspends, "suspended"),
    ] {
        match count {
            0 => {}
            1 => parts.push(format!("{what} once")),
            count => parts.push(format!("{what} {count} times")),
        }
    }
    parts.join(", ")
}

/// What became of the requests of clients.
fn clients(counters: &Counters) -> String {
    let Counters { answered, kissed, .. } = counters;
    let refused = counters.received().saturating_sub(answered.saturating_add(*kissed));
    let mut words =
        format!("{answered} requests answered, {kissed} slowed down, {refused} refused");
    let Counters { key_exchanges, nts_authenticated, .. } = counters;
    if key_exchanges.saturating_add(*nts_authenticated) > 0 {
        words.push_str(&format!(
            "; NTS: {nts_authenticated} authentic, keys given {key_exchanges} times"
        ));
    }
    words
}

/// A column that says something if there is a source that proves who it is.
const AUTHENTICATION: &str = "authentication";

/// One line per source.
fn sources(report: &Report) -> String {
    if report.sources.is_empty() {
        return "No sources are configured.\n".into();
    }
    let mut table = Table::new(&[
        (Align::Left, ""),
        (Align::Left, "source"),
        (Align::Left, "state"),
        (Align::Right, "offset"),
        (Align::Left, AUTHENTICATION),
    ]);
    for report in &report.sources {
        table.row([
            source::mark_cell(report),
            source::name(report).into(),
            source::state_cell(report),
            Cell::or_dash(source::offset(report)),
            Cell::or_dash(authentication::account(report)),
        ]);
    }
    if !report.sources.iter().any(|source| source.authenticated) {
        table.take_column(AUTHENTICATION);
    }
    table.render("  ")
}

#[cfg(test)]
mod tests;
