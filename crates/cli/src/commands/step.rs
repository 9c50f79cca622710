//! `timeball step`: the clock is set now, whatever the step policy says.

use clap::Args;
use timeball_daemon::control::{Answer, Request};

use super::{ask, unexpected_answer};
use crate::arguments::DaemonSocket;
use crate::display::print;
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
pub(crate) struct StepArguments {
    #[command(flatten)]
    daemon: DaemonSocket,
}

pub(crate) fn run(arguments: &StepArguments) -> Result<Outcome, Failure> {
    match ask(&arguments.daemon, Request::Step)? {
        Answer::Done(done) => print(&done)?,
        Answer::Report(_) | Answer::Server(_) => return Err(unexpected_answer()),
    }
    Ok(Outcome::Yes)
}
