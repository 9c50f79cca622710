//! `timeball run`: the daemon, in the foreground.

use std::path::PathBuf;

use clap::Args;
use timeball_config::{Dialect, Level, Style};
use timeball_daemon::{ClockControl, ConfigFile, Configuration, Ending, Error, Options, logging};

use super::config::{dialect_of, word_of};
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "/etc/timeball/timeball.toml")]
    config: PathBuf,
    /// Watch the clock, never adjust it
    #[arg(long)]
    no_clock: bool,
    /// The language of the configuration file
    #[arg(long, value_parser = word_of(Dialect::WORDS))]
    dialect: Option<Dialect>,
    /// The least important message to log, whatever the configuration says
    #[arg(long, value_name = "LEVEL", value_parser = word_of(Level::WORDS))]
    log_level: Option<Level>,
}

pub(crate) fn run(arguments: &RunArguments) -> Result<Outcome, Failure> {
    let dialect = arguments.dialect.unwrap_or_else(|| dialect_of(&arguments.config));
    let file = ConfigFile { path: arguments.config.clone(), dialect };
    let options = Options {
        clock_control: if arguments.no_clock {
            ClockControl::Never
        } else {
            ClockControl::AsConfigured
        },
        log: logging::Options { level: arguments.log_level, ..logging::Options::default() },
        ..Options::new(Configuration::file(file))
    };
    match timeball_daemon::run(&options) {
        Ok(ending) => Ok(Outcome::from(ending == Ending::Done)),
        Err(Error::Configuration(mistakes)) => {
            Err(Failure::Configuration(mistakes.render(Style::of_stderr())))
        }
        Err(error) => Err(Failure::system(error)),
    }
}
