//! `timeball run`: from a configuration file to a running daemon, and out again.

use std::path::{Path, PathBuf};

use timeball_config::{Dialect, Level};
use timeball_host::pid_file::{PidFile, PidFileError};
use timeball_host::signals::{Signal, Signals};

use crate::directories::make_parent_of;
use crate::drift_file::DriftFile;
use crate::error::Error;
use crate::event_loop::{ClockControl, EventLoop};
use crate::logging;
use crate::reload::ConfigFile;
use crate::service::{Service, status_line};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config_path: PathBuf,
    /// The language it is written in.
    pub dialect: Dialect,
    /// Who may adjust the clock.
    pub clock_control: ClockControl,
    /// Log from this level up, whatever the configuration says.
    pub log_level: Option<Level>,
}

/// Runs a daemon in the foreground until SIGTERM or SIGINT.
///
/// SIGHUP reads the configuration again; SIGUSR1 logs how the clock is doing.
///
/// # Errors
/// See [`Error`]. It is not logged: the caller shows it.
pub fn run(options: &Options) -> Result<(), Error> {
    let log = logging::start(options.log_level);
    let config_file = ConfigFile { path: options.config_path.clone(), dialect: options.dialect };
    let config = config_file.load()?;
    if let Some(log) = &log {
        log.configured(config.log.level);
    }
    // Caught from here on, so that a signal during the start is not lost.
    let signals = Signals::install().map_err(Error::Signals)?;
    let _pid_file = config.files.pid_file.as_deref().map(hold_pid_file).transpose()?;
    DriftFile::in_directory(&config.files.state_directory).make_directory();

    let mut event_loop = EventLoop::new(config, options.clock_control)?;
    event_loop.config_file = Some(config_file);
    event_loop.log = log;
    event_loop.catch_signals(signals);
    let mut service = Service::from_environment();
    tracing::info!("timeball {} started", env!("CARGO_PKG_VERSION"));
    service.describe(&event_loop.report()?.tracking);
    service.ready();
    let stopped_by = turn_until_told_to_stop(&mut event_loop, &mut service)?;
    service.stopping();
    event_loop.stop()?;
    tracing::info!("stopped by {stopped_by}");
    Ok(())
}

fn turn_until_told_to_stop(
    event_loop: &mut EventLoop,
    service: &mut Service,
) -> Result<&'static str, Error> {
    loop {
        let next_ping = service.ping(event_loop.monotonic()?);
        event_loop.turn(next_ping)?;
        for signal in event_loop.signals_taken() {
            match signal {
                Signal::Terminate => return Ok("SIGTERM"),
                Signal::Interrupt => return Ok("SIGINT"),
                Signal::Reload => {
                    service.reloading();
                    // What came of it is in the log.
                    let _ = event_loop.reload()?;
                    service.ready();
                }
                Signal::User1 => {
                    tracing::info!("{}", status_line(&event_loop.report()?.tracking));
                }
            }
        }
        if event_loop.has_news() {
            service.describe(&event_loop.report()?.tracking);
        }
    }
}

fn hold_pid_file(path: &Path) -> Result<PidFile, PidFileError> {
    make_parent_of(path);
    PidFile::create(path)
}
