//! The command line.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

use crate::chronyc;
use crate::chronyd::ChronydArguments;
use crate::commands::{
    audit, config, demo, firewall, keys, nts, query, run, sim, sources, status, step, wait, watch,
};

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
    /// Find servers that leak, can be turned against others, or are wrong
    Audit(audit::AuditArguments),
    /// Look at ports again and again, and tell when one is not as it should be
    Watch(Box<watch::WatchArguments>),
    /// Print or install the firewall rules that NTP needs, and why
    Firewall(firewall::FirewallArguments),
    /// Check configuration files, or print what may be in one
    Config(config::ConfigArguments),
    /// Make symmetric keys, or check a file of them
    Keys(keys::KeysArguments),
    /// Try servers with Network Time Security, and make certificates for them
    Nts(nts::NtsArguments),
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

/// A time with its unit, such as `60s` or `2 min`, or seconds without; more than none.
pub(crate) fn some_time(text: &str) -> Result<f64, String> {
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    let time = if has_unit { timeball_config::duration(text)? } else { seconds(text)? };
    if time > 0.0 { Ok(time) } else { Err("must be more than no time".into()) }
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

    #[test]
    fn a_time_may_have_a_unit() {
        for (text, seconds) in [("60", 60.0), ("60s", 60.0), ("60 s", 60.0), ("2 min", 120.0)] {
            assert_eq!(some_time(text), Ok(seconds), "{text}");
        }
        for bad in ["", "0", "0 s", "-1 s", "1 fortnight", "inf", "NaN", "keep"] {
            assert!(some_time(bad).is_err(), "{bad}");
        }
    }
}
