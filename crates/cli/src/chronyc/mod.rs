//! `chronyc`: chrony's own client, for this daemon or chrony's.
//!
//! A line becomes a [`command::Command`]; a [`report`] asks the [`Daemon`] and lays the answer out as
//! a [`record::Record`], which is printed as text, as comma-separated values or as JSON. Columns,
//! widths, units and status words are an interface: scripts and exporters read them. The exit status
//! is 0 if the (last) command was done, and 1 if not.

mod command;
mod daemon;
mod dates;
mod help;
mod names;
mod options;
mod output;
mod prompt;
mod record;
mod report;
mod session;
mod trouble;
mod units;

use std::io::{BufWriter, Stdout, stdout};

use clap::Parser as _;
use timeball_host::resolver::AddressFamily;

use self::daemon::Daemon;
use self::names::NameStyle;
use self::options::Chronyc;
pub(crate) use self::options::Options;
use self::output::Output;
use self::prompt::Prompt;
use self::session::{End, Session};
use self::trouble::Trouble;
use crate::outcome::Outcome;

/// The program `chronyc`, by the command line of this process.
pub(crate) fn main() -> Outcome {
    match Chronyc::try_parse() {
        Ok(chronyc) => run(&chronyc.options),
        Err(error) => {
            // Nobody can be told that it cannot be printed.
            let _ = error.print();
            Outcome::from(!error.use_stderr())
        }
    }
}

/// Does what the command line asks for. What goes wrong is said in chronyc's words, where chronyc
/// says it.
pub(crate) fn run(options: &Options) -> Outcome {
    if options.version {
        println!("chronyc (timeball) version {}", env!("CARGO_PKG_VERSION"));
        return Outcome::Yes;
    }
    let done = match open_session(options) {
        Ok(session) if options.command.is_empty() => run_from_standard_input(session),
        Ok(session) => run_arguments(session, options),
        Err(trouble) => {
            eprintln!("{trouble}");
            false
        }
    };
    Outcome::from(done)
}

type StandardSession = Session<BufWriter<Stdout>>;

fn open_session(options: &Options) -> Result<StandardSession, Trouble> {
    let family = match (options.ipv4, options.ipv6) {
        (true, _) => AddressFamily::V4,
        (false, true) => AddressFamily::V6,
        (false, false) => AddressFamily::Any,
    };
    let names = match (options.names_as_configured, options.numeric) {
        (true, _) => NameStyle::AsConfigured,
        (false, true) => NameStyle::Numeric,
        (false, false) => NameStyle::HostName,
    };
    Ok(Session {
        daemon: Daemon::connect(&options.hosts, options.port, family)?,
        output: Output::new(BufWriter::new(stdout()), options.presentation()),
        names,
        family,
        end_dot: options.end_dot,
    })
}

/// The arguments are one command, or each of them is one. True if all are done.
fn run_arguments(mut session: StandardSession, options: &Options) -> bool {
    let lines =
        if options.multiple { options.command.clone() } else { vec![options.command.join(" ")] };
    for line in lines {
        match session.run(&line) {
            End::Done => {}
            End::Failed => return false,
            End::Quit(done) => return done,
        }
    }
    true
}

/// True if the last command is done.
fn run_from_standard_input(mut session: StandardSession) -> bool {
    let mut prompt = match Prompt::new() {
        Ok(prompt) => prompt,
        Err(error) => {
            eprintln!("cannot read standard input: {error}");
            return false;
        }
    };
    let mut done = true;
    while let Some(line) = prompt.next_line(session.daemon.signals()) {
        match session.run(&line) {
            End::Done => done = true,
            End::Failed => done = false,
            End::Quit(well) => return well,
        }
    }
    done
}
