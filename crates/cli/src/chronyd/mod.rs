//! `chronyd`: its command line, its messages and its exit status, with our daemon behind them.

mod arguments;

use std::process::ExitCode;

use clap::Parser as _;
use timeball_config::Dialect;
use timeball_core::settings::Family;
use timeball_daemon::{
    ClockControl, ConfigFile, ConfigText, Configuration, Options, Overrides, logging,
};

use crate::outcome::Outcome;
pub(crate) use arguments::{Chronyd, ChronydArguments};

/// The program `chronyd`, by the command line of this process.
pub(crate) fn main() -> ExitCode {
    match Chronyd::try_parse() {
        Ok(chronyd) => run(&chronyd.arguments).exit_code(),
        Err(error) => {
            // Nobody can be told that it cannot be printed.
            let _ = error.print();
            Outcome::from(!error.use_stderr()).exit_code()
        }
    }
}

/// Does what the command line asks for. chronyd knows two exit statuses, and so [`Outcome`]s are
/// enough: what went wrong is in its log.
pub(crate) fn run(arguments: &ChronydArguments) -> Outcome {
    if arguments.version {
        println!("chronyd (timeball) version {}", env!("CARGO_PKG_VERSION"));
        return Outcome::Yes;
    }
    match timeball_daemon::run(&options(arguments)) {
        Ok(()) => Outcome::Yes,
        Err(error) => {
            logging::fatal(&error);
            Outcome::No
        }
    }
}

/// The daemon's options that mean the same.
fn options(arguments: &ChronydArguments) -> Options {
    Options {
        configuration: Configuration { text: text(arguments), overrides: overrides(arguments) },
        clock_control: if arguments.no_clock {
            ClockControl::Never
        } else {
            ClockControl::AsConfigured
        },
        log: logging::Options {
            destination: arguments.log_destination(),
            manner: logging::Manner::Chronyd,
            level: arguments.level(),
        },
    }
}

fn text(arguments: &ChronydArguments) -> ConfigText {
    let dialect = Dialect::Chrony;
    if arguments.directives.is_empty() {
        ConfigText::File(ConfigFile { path: arguments.file(), dialect })
    } else {
        ConfigText::Arguments { directives: arguments.directives.clone(), dialect }
    }
}

fn overrides(arguments: &ChronydArguments) -> Overrides {
    Overrides {
        family: match (arguments.ipv4, arguments.ipv6) {
            (true, false) => Some(Family::Ipv4),
            (false, true) => Some(Family::Ipv6),
            _ => None,
        },
        user: arguments.user.clone(),
        priority: arguments.priority.filter(|&priority| priority > 0),
        lock_memory: arguments.lock_memory,
        restarted: arguments.restarted,
        client_only: arguments.print_offset,
    }
}
