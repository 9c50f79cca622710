//! `timeball run` and `chronyd`: from a configuration to a running daemon, and out again.

use std::path::Path;

use timeball_host::pid_file::{PidFile, PidFileError};
use timeball_host::signals::{Signal, Signals};

use crate::configuration::Configuration;
use crate::directories::make_parent_of;
use crate::drift_file::DriftFile;
use crate::error::Error;
use crate::event_loop::{ClockControl, EventLoop};
use crate::logging::{self, Manner};
use crate::service::{Service, status_line};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to work by.
    pub configuration: Configuration,
    /// Who may adjust the clock.
    pub clock_control: ClockControl,
    /// How to log.
    pub log: logging::Options,
}

/// Runs a daemon until SIGTERM, SIGINT or SIGQUIT.
///
/// SIGHUP reads the configuration again, and ends what works in chronyd's manner. SIGUSR1 logs how
/// the clock is doing.
///
/// # Errors
/// See [`Error`]. It is not logged: the caller shows it.
pub fn run(options: &Options) -> Result<(), Error> {
    let manner = options.log.manner;
    let log = logging::start(&options.log).map_err(Error::Log)?;
    if manner == Manner::Chronyd {
        tracing::info!("chronyd version {} starting (timeball)", env!("CARGO_PKG_VERSION"));
    }
    let config = options.configuration.load()?;
    if let Some(log) = &log {
        log.configured(config.log.level);
    }
    // Caught from here on, so that a signal during the start is not lost.
    let signals = Signals::install().map_err(Error::Signals)?;
    let _pid_file = config.files.pid_file.as_deref().map(hold_pid_file).transpose()?;
    DriftFile::in_directory(&config.files.state_directory).make_directory();

    let mut event_loop = EventLoop::start(config, options.clock_control, manner)?;
    event_loop.configuration = Some(options.configuration.clone());
    event_loop.log = log;
    event_loop.catch_signals(signals);
    let mut service = Service::from_environment();
    if manner == Manner::Timeball {
        tracing::info!("timeball {} started", env!("CARGO_PKG_VERSION"));
    }
    service.describe(&event_loop.report()?.tracking);
    service.ready();
    let stopped_by = turn_until_told_to_stop(&mut event_loop, &mut service, manner)?;
    service.stopping();
    event_loop.stop()?;
    match manner {
        Manner::Timeball => tracing::info!("stopped by {stopped_by}"),
        Manner::Chronyd => tracing::info!("chronyd exiting"),
    }
    Ok(())
}

fn turn_until_told_to_stop(
    event_loop: &mut EventLoop,
    service: &mut Service,
    manner: Manner,
) -> Result<&'static str, Error> {
    loop {
        let next_ping = service.ping(event_loop.monotonic()?);
        event_loop.turn(next_ping)?;
        for signal in event_loop.signals_taken() {
            match (signal, manner) {
                (Signal::Terminate, _) => return Ok("SIGTERM"),
                (Signal::Interrupt, _) => return Ok("SIGINT"),
                (Signal::Quit, _) => return Ok("SIGQUIT"),
                (Signal::Reload, Manner::Chronyd) => return Ok("SIGHUP"),
                (Signal::Reload, Manner::Timeball) => {
                    service.reloading();
                    // What came of it is in the log.
                    let _ = event_loop.reload()?;
                    service.ready();
                }
                (Signal::User1, _) => {
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
