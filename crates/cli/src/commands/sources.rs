//! `timeball sources`: every source, what was made of it, and why.

use clap::Args;
use timeball_core::report::{Report, SourceReport};
use timeball_daemon::control::Request;

use super::ask_for_report;
use crate::arguments::DaemonSocket;
use crate::display::style::{FAINT, STRONG, paint};
use crate::display::{
    Align, Cell, Narrowing, Table, authentication, print, print_json, source, units, width,
};
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
pub(crate) struct SourcesArguments {
    #[command(flatten)]
    daemon: DaemonSocket,
    /// Print everything, as JSON
    #[arg(long)]
    json: bool,
    /// Explain, and show what was rejected
    #[arg(short, long)]
    verbose: bool,
}

pub(crate) fn run(arguments: &SourcesArguments) -> Result<Outcome, Failure> {
    let report = ask_for_report(&arguments.daemon, Request::Sources)?;
    if arguments.json {
        print_json(&report.sources)?;
    } else {
        print(&overview(&report, width()))?;
        if arguments.verbose {
            print(&explanations(&report))?;
        }
    }
    Ok(Outcome::Yes)
}

/// The table, in lines of this length at most if that can be done.
fn overview(report: &Report, width: Option<usize>) -> String {
    if report.sources.is_empty() {
        return "No sources are configured.\n".into();
    }
    let mut table = table(&report.sources);
    if !report.sources.iter().any(|source| source.authenticated) {
        table.take_column(AUTHENTICATION);
    }
    table.render_within(width, &NARROWING)
}

/// `--verbose` tells what is left out.
const NARROWING: Narrowing = Narrowing {
    below: Some("reason"),
    dispensable: &["last", "stratum", "poll", "jitter", "reach", "delay", AUTHENTICATION],
};

/// A column that says something if there is a source that proves who it is.
const AUTHENTICATION: &str = "auth";

fn table(sources: &[SourceReport]) -> Table {
    let mut table = Table::new(&[
        (Align::Left, ""),
        (Align::Left, "source"),
        (Align::Left, AUTHENTICATION),
        (Align::Right, "stratum"),
        (Align::Right, "reach"),
        (Align::Right, "poll"),
        (Align::Right, "last"),
        (Align::Right, "delay"),
        (Align::Right, "offset"),
        (Align::Right, "jitter"),
        (Align::Left, "state"),
        (Align::Left, "reason"),
    ]);
    for report in sources {
        table.row([
            source::mark_cell(report),
            source::name(report).into(),
            Cell::or_dash(authentication::kind(report)),
            Cell::or_dash(report.stratum.map(|stratum| stratum.to_string())),
            format!("{:o}", report.reach).into(),
            units::poll(report.poll).into(),
            Cell::or_dash(report.last_answer.map(units::age)),
            Cell::or_dash(report.delay.map(units::seconds)),
            Cell::or_dash(source::offset(report)),
            Cell::or_dash(report.jitter.map(units::seconds)),
            source::state_cell(report),
            report.reason.clone().into(),
        ]);
    }
    table
}

/// What the marks and columns mean, and each source's own story.
fn explanations(report: &Report) -> String {
    let mut text = format!(
        "\n{}reach: the last eight polls as octal digits, 377 if all were answered\n\
         offset ± bound: what must be added to this clock, and how wrong that can be if the \
         source\nis right\n",
        source::LEGEND
    );
    for report in &report.sources {
        text.push('\n');
        text.push_str(&paint(STRONG, &source::name(report)));
        text.push('\n');
        text.push_str(&story(report).render("  "));
    }
    text
}

fn story(report: &SourceReport) -> Table {
    let mut story = Table::headless(&[Align::Left, Align::Left]);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            story.row([Cell::styled(FAINT, name), value.into()]);
        }
    };
    fact("state", Some(format!("{}: {}", report.state, report.reason)));
    fact("authentication", authentication::account(report));
    fact("options", options(report));
    fact("reference", Some(report.reference.clone()).filter(|reference| !reference.is_empty()));
    fact("leap second", report.leap.map(|leap| source::leap(leap).to_owned()));
    fact(
        "frequency",
        report
            .frequency_ppm
            .map(|ppm| units::frequency_ppm(ppm, report.frequency_sd_ppm.unwrap_or_default())),
    );
    fact("delay", report.delay.map(units::seconds));
    fact("jitter", report.jitter.map(units::seconds));
    fact("stratum", report.stratum.map(|stratum| stratum.to_string()));
    fact("poll interval", Some(units::poll(report.poll)));
    fact("last answer", report.last_answer.map(|age| format!("{} ago", units::age(age))));
    fact("root delay", report.root_delay.map(units::seconds));
    fact("root dispersion", report.root_dispersion.map(units::seconds));
    fact("next request", report.next_poll.map(|wait| format!("in {}", units::age(wait))));
    fact("timestamps", timestamps(report));
    fact(
        "exchanges",
        Some(format!(
            "{} sent, {} answered, {} in use",
            report.sent, report.accepted, report.samples
        )),
    );
    for (rule, count) in &report.rejected {
        fact("rejected", Some(format!("{count} as {rule}")));
    }
    story
}

fn options(report: &SourceReport) -> Option<String> {
    let options = report.options;
    let named = [
        (report.pool, "from a pool"),
        (options.noselect, "noselect"),
        (options.prefer, "prefer"),
        (options.trust, "trust"),
        (options.require, "require"),
    ];
    let set: Vec<&str> = named.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    (!set.is_empty()).then(|| set.join(", "))
}

fn timestamps(report: &SourceReport) -> Option<String> {
    let transmit = report.transmit_stamp?;
    let receive = report.receive_stamp?;
    let word = |quality| match quality {
        timeball_core::engine::StampQuality::Daemon => "daemon",
        timeball_core::engine::StampQuality::Kernel => "kernel",
        timeball_core::engine::StampQuality::Hardware => "hardware",
    };
    Some(format!("{} when sent, {} when received", word(transmit), word(receive)))
}

#[cfg(test)]
mod tests;
