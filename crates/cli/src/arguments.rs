//! The command line.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

use crate::chronyc;
use crate::chronyd::ChronydArguments;
use crate::commands::{config, demo, query, run, sim, sources, status, step, wait};

/// Keeps the clock right, serves the time to others, and says why it believes what it believes.
#[derive(Debug, Parser)]
#[command(name = "timeball", version, styles = STYLES, subcommand_required = true)]
#[command(arg_required_else_help = true, infer_subcommands = false)]
#[command(
    after_help = "Exit status: 0 fine; 1 the answer is no; 2 a mistake on the command line or in \
the configuration; 3 the daemon cannot be reached, or the system refused something."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon in the foreground
    Run(run::RunArguments),
    /// Run the daemon by chronyd's command line and configuration
    Chronyd(ChronydArguments),
    /// Ask a daemon, this one or chrony's, by chronyc's command line and commands
    Chronyc(chronyc::Options),
    /// Ask servers for the time once, without a daemon and without setting anything
    Query(query::QueryArguments),
    /// Show whether the clock is synchronised, and why
    Status(status::StatusArguments),
    /// Show every source, its state and the reason for it
    Sources(sources::SourcesArguments),
    /// Wait until the clock is synchronised
    Wait(wait::WaitArguments),
    /// Have the daemon step the clock now
    Step(step::StepArguments),
    /// Check configuration files, or print what may be in one
    Config(config::ConfigArguments),
    /// Simulate the engine in a world whose true time is known
    Sim(sim::SimArguments),
    /// Watch a daemon find the liar among three servers; needs nothing and touches nothing
    Demo(demo::DemoArguments),
}

/// Where the daemon listens for commands.
#[derive(Args, Clone, Debug)]
pub(crate) struct DaemonSocket {
    /// The daemon's control socket
    #[arg(
        long = "socket",
        value_name = "PATH",
        env = "TIMEBALL_SOCKET",
        default_value = "/run/timeball/timeball.sock"
    )]
    pub(crate) path: PathBuf,
}

/// Seconds, neither negative nor endless.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        Ok(_) => Err("must be a number of seconds, zero or more".into()),
        Err(_) => Err("must be a number of seconds, such as 0.01".into()),
    }
}

/// Seconds, more than none.
pub(crate) fn some_seconds(text: &str) -> Result<f64, String> {
    seconds(text).and_then(|seconds| {
        if seconds > 0.0 { Ok(seconds) } else { Err("must be more than zero seconds".into()) }
    })
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        assert_eq!(seconds("0.01"), Ok(0.01));
        assert_eq!(seconds("0"), Ok(0.0));
        for bad in ["-1", "inf", "NaN", "", "1 s"] {
            assert!(seconds(bad).is_err(), "{bad}");
            assert!(some_seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(some_seconds("0.01"), Ok(0.01));
        assert!(some_seconds("0").is_err(), "no answer comes in no time");
    }
}
