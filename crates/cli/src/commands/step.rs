//! `timeball step`: the clock is set now, whatever the step policy says.

use clap::Args;
use timeball_daemon::control::{Answer, Request};

use super::{ask, unexpected_answer};
use crate::arguments::DaemonSocket;
use crate::display::{print, print_json};
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 if the daemon steps the clock, 1 if it refuses, 3 if it cannot be \
reached."
)]
pub(crate) struct StepArguments {
    #[command(flatten)]
    daemon: DaemonSocket,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &StepArguments) -> Result<Outcome, Failure> {
    match ask(&arguments.daemon, Request::Step)? {
        Answer::Done(done) if arguments.json => print_json(&serde_json::json!({ "done": done }))?,
        Answer::Done(done) => print(&done)?,
        Answer::Report(_) => return Err(unexpected_answer()),
    }
    Ok(Outcome::Yes)
}
