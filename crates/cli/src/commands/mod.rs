//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod firewall;
pub(crate) mod keys;
pub(crate) mod nts;
pub(crate) mod query;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod sources;
pub(crate) mod status;
pub(crate) mod step;
pub(crate) mod wait;
pub(crate) mod watch;

use timeball_core::report::Report;
use timeball_daemon::control::{self, Answer, Request, Response};

use crate::arguments::{Command, DaemonSocket};
use crate::outcome::{Failure, Outcome};
use crate::{chronyc, chronyd};

/// Runs the command.
pub(crate) fn run(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Chronyd(arguments) => Ok(chronyd::run(&arguments)),
        Command::Chronyc(options) => Ok(chronyc::run(&options)),
        Command::Query(arguments) => query::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Sources(arguments) => sources::run(&arguments),
        Command::Wait(arguments) => wait::run(&arguments),
        Command::Step(arguments) => step::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Firewall(arguments) => firewall::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Nts(arguments) => nts::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
    }
}

/// Asks the daemon; its refusal is a failure.
fn ask(daemon: &DaemonSocket, request: Request) -> Result<Answer, Failure> {
    match control::ask(&daemon.path, request)? {
        Response::Ok(answer) => Ok(answer),
        Response::Error(reason) => Err(Failure::Refused(reason)),
    }
}

/// Asks the daemon for its report.
fn ask_for_report(daemon: &DaemonSocket, request: Request) -> Result<Report, Failure> {
    match ask(daemon, request)? {
        Answer::Report(report) => Ok(*report),
        Answer::Done(_) => Err(unexpected_answer()),
    }
}

fn unexpected_answer() -> Failure {
    Failure::System("the daemon answered something else; is it of another version?".into())
}
