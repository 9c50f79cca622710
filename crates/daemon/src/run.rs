//! `timeball run` and `chronyd`: from a configuration to a running daemon, and out again.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use timeball_config::Config;
use timeball_host::inherited;
use timeball_host::pid_file::{PidFile, PidFileError};
use timeball_host::process::{Detached, Starting, detach};
use timeball_host::signals::{Signal, Signals};
use timeball_host::startup_code;
use timeball_wire::{Instant, Span};

use crate::configuration::{Complete, Configuration};
use crate::directories;
use crate::error::Error;
use crate::event_loop::{Beginning, ClockControl, EventLoop};
use crate::first_correction::{FirstCorrection, PAUSE, Progress, Purpose};
use crate::logging::{self, Log, Manner};
use crate::process;
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
    /// What to do.
    pub task: Task,
    /// Where to do it.
    pub place: Place,
    /// End after so long.
    pub time_limit: Option<Span>,
    /// Set the clock to the time of the last run, if it is behind that.
    pub restore_time: bool,
    /// Go on with the measurements that the last run has left.
    pub reload_measurements: bool,
    /// Write a line break to this descriptor when the daemon has started.
    pub notify: Option<i32>,
}

impl Options {
    /// A daemon in the foreground, with nothing special about it.
    pub fn new(configuration: Configuration) -> Self {
        Self {
            configuration,
            clock_control: ClockControl::default(),
            log: logging::Options::default(),
            task: Task::Run,
            place: Place::Foreground,
            time_limit: None,
            restore_time: false,
            reload_measurements: false,
            notify: None,
        }
    }
}

/// What a daemon is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Keep the clock right until told to stop.
    Run,
    /// Set the clock once.
    SetOnce,
    /// Say how far the clock is off.
    Measure,
}

/// Where a daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the process that was started.
    Foreground,
    /// In a process of its own; the one that was started ends when that has begun its work.
    Background,
}

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it was asked to, its task done.
    Done,
    /// As it was asked to, and the time was not to be had.
    WithoutTime,
}

/// Runs a daemon until SIGTERM, SIGINT or SIGQUIT, or until its task is done.
///
/// SIGHUP reads the configuration again, and ends what works in chronyd's manner. SIGUSR1 logs how
/// the clock is doing.
///
/// To be called before there is a second thread.
///
/// # Errors
/// See [`Error`]. It is not logged: the caller shows it.
pub fn run(options: &Options) -> Result<Ending, Error> {
    // Before anything takes a descriptor, and while the process is still the one that was started.
    inherited::adopt().map_err(Error::Inherited)?;
    match options.place {
        Place::Foreground => run_before(options, &mut Witness::default()),
        Place::Background => match detach().map_err(Error::Detach)? {
            Detached::Caller(Ok(())) => Ok(Ending::Done),
            Detached::Caller(Err(reason)) => Err(Error::InBackground(reason)),
            Detached::Daemon(starting) => {
                let mut witness = Witness { caller: Some(starting) };
                let ending = run_before(options, &mut witness);
                if let Err(error) = &ending {
                    witness.failed(error);
                }
                ending
            }
        },
    }
}

/// Whoever waits for the daemon to start.
#[derive(Debug, Default)]
struct Witness {
    caller: Option<Starting>,
}

impl Witness {
    /// The daemon has started.
    fn started(&mut self, descriptor: Option<i32>) -> Result<(), Error> {
        if let Some(Err(error)) = self.caller.take().map(Starting::done) {
            tracing::warn!("whoever started this does not wait for it any more: {error}");
        }
        match descriptor {
            Some(number) => notify(number).map_err(Error::Notify),
            None => Ok(()),
        }
    }

    fn failed(&mut self, error: &Error) {
        if let Some(caller) = self.caller.take() {
            // One that is gone does not want to know.
            let _ = caller.failed(&error.to_string());
        }
    }
}

/// Through its name, which needs no more rights than to own the descriptor.
fn notify(descriptor: i32) -> io::Result<()> {
    File::options().write(true).open(format!("/proc/self/fd/{descriptor}"))?.write_all(b"\n")
}

fn run_before(options: &Options, witness: &mut Witness) -> Result<Ending, Error> {
    let manner = options.log.manner;
    let log = logging::start(&options.log).map_err(Error::Log)?;
    if manner == Manner::Chronyd {
        tracing::info!("chronyd version {} starting (timeball)", env!("CARGO_PKG_VERSION"));
    }
    let Complete { config, found } = options.configuration.load()?;
    if let Some(log) = &log {
        log.configured(config.log.level);
    }
    // Caught from here on, so that a signal during the start is not lost.
    let signals = Signals::install().map_err(Error::Signals)?;
    let user = process::user_to_become(&config)?;
    directories::make_for(&config, user);
    let _pid_file = config.files.pid_file.as_deref().map(hold_pid_file).transpose()?;
    let purpose = purpose(options.task, &config);
    let mut daemon = Daemon::start(config, options, purpose, log, signals)?;
    daemon.event_loop.found = found;
    process::settle(daemon.event_loop.configuration_in_force(), user)?;
    match daemon.work(options, purpose, witness) {
        // The event before this has said why, and the clock is still to be left in order.
        Err(Error::GivenUp) => {
            daemon.stop(Stop::Task)?;
            Ok(Ending::WithoutTime)
        }
        Err(error) => {
            // Whatever it was, no slew goes on without anybody to end it.
            if let Err(second) = daemon.event_loop.stop() {
                tracing::warn!("the clock could not be left in order: {second}");
            }
            Err(error)
        }
        Ok(ending) => Ok(ending),
    }
}

/// What to correct the clock for before anything else, if there is such a thing.
fn purpose(task: Task, config: &Config) -> Option<Purpose> {
    match task {
        Task::SetOnce => Some(Purpose::SetOnce),
        Task::Measure => Some(Purpose::Measure),
        Task::Run => {
            let initial = config.clock.initial.as_ref().filter(|it| !it.servers.is_empty());
            initial.map(|initial| Purpose::Start { threshold: initial.threshold })
        }
    }
}

/// Why a daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Signal(&'static str),
    TimeLimit,
    Task,
}

/// A daemon at work.
struct Daemon {
    event_loop: EventLoop,
    service: Service,
    manner: Manner,
    /// When the time is up.
    end: Option<Instant>,
    /// The clock has been synchronised.
    settled: bool,
}

impl Daemon {
    fn start(
        config: Config,
        options: &Options,
        purpose: Option<Purpose>,
        log: Option<Log>,
        signals: Signals,
    ) -> Result<Self, Error> {
        let manner = options.log.manner;
        let family = options.configuration.overrides.family;
        let beginning = Beginning {
            clock_control: match options.task {
                Task::Measure => ClockControl::Never,
                Task::Run | Task::SetOnce => options.clock_control,
            },
            manner,
            first_settings: purpose.map(|purpose| purpose.settings(&config, family)),
            restore_time: options.restore_time,
        };
        let mut event_loop = EventLoop::start(config, beginning)?;
        event_loop.configuration = Some(options.configuration.clone());
        event_loop.log = log;
        event_loop.catch_signals(signals);
        let end = match options.time_limit {
            Some(limit) => Some(event_loop.monotonic()? + limit),
            None => None,
        };
        Ok(Self { event_loop, service: Service::from_environment(), manner, end, settled: false })
    }

    fn work(
        &mut self,
        options: &Options,
        purpose: Option<Purpose>,
        witness: &mut Witness,
    ) -> Result<Ending, Error> {
        if let Some(purpose) = purpose {
            let began = self.event_loop.monotonic()?;
            match self.correct_first(&FirstCorrection::new(purpose, began))? {
                Ok(progress) if options.task != Task::Run => {
                    self.stop(Stop::Task)?;
                    return Ok(match progress {
                        Progress::NoSource => Ending::WithoutTime,
                        Progress::Waiting | Progress::Corrected(_) => Ending::Done,
                    });
                }
                Ok(Progress::Corrected(offset)) if !purpose.steps(offset) => {
                    self.event_loop.begin_in_earnest(offset)?;
                }
                Ok(_) => self.event_loop.begin_in_earnest(0.0)?,
                Err(stop) => return self.end(stop),
            }
        }
        self.event_loop.announce_found_sources()?;
        self.event_loop.restore_measurements(options.reload_measurements)?;
        self.event_loop.restore_sessions()?;
        if self.manner == Manner::Timeball {
            tracing::info!("timeball {} started", env!("CARGO_PKG_VERSION"));
        }
        self.service.describe(&self.event_loop.report()?.tracking);
        self.service.ready();
        witness.started(options.notify)?;
        release_startup_code();
        let stop = loop {
            if let Some(stop) = self.turn(None)? {
                break stop;
            }
        };
        self.end(stop)
    }

    /// Turns until the clock is known and corrected for the first time, and a moment longer; or
    /// until something ends the daemon.
    fn correct_first(&mut self, first: &FirstCorrection) -> Result<Result<Progress, Stop>, Error> {
        let progress = loop {
            match first.progress(&mut self.event_loop)? {
                Progress::Waiting => {}
                progress => break progress,
            }
            if let Some(stop) = self.turn(None)? {
                return Ok(Err(stop));
            }
        };
        if let Purpose::Start { .. } = first.purpose() {
            let pause = self.event_loop.monotonic()? + PAUSE;
            while self.event_loop.monotonic()? < pause {
                if let Some(stop) = self.turn(Some(pause))? {
                    return Ok(Err(stop));
                }
            }
        }
        Ok(Ok(progress))
    }

    /// One turn, `until` at most; answers why it was the last, if it was.
    fn turn(&mut self, until: Option<Instant>) -> Result<Option<Stop>, Error> {
        let now = self.event_loop.monotonic()?;
        if self.end.is_some_and(|end| end <= now) {
            return Ok(Some(Stop::TimeLimit));
        }
        let next_ping = self.service.ping(now);
        let until = [until, self.end].into_iter().flatten().fold(next_ping, Instant::min);
        self.event_loop.turn(until)?;
        for signal in self.event_loop.signals_taken() {
            match (signal, self.manner) {
                (Signal::Terminate, _) => return Ok(Some(Stop::Signal("SIGTERM"))),
                (Signal::Interrupt, _) => return Ok(Some(Stop::Signal("SIGINT"))),
                (Signal::Quit, _) => return Ok(Some(Stop::Signal("SIGQUIT"))),
                (Signal::Reload, Manner::Chronyd) => return Ok(Some(Stop::Signal("SIGHUP"))),
                (Signal::Reload, Manner::Timeball) => {
                    self.service.reloading();
                    // What came of it is in the log.
                    let _ = self.event_loop.reload()?;
                    self.service.ready();
                }
                (Signal::User1, _) => {
                    tracing::info!("{}", status_line(&self.event_loop.report()?.tracking));
                }
            }
        }
        if self.event_loop.has_news() {
            let tracking = self.event_loop.report()?.tracking;
            self.service.describe(&tracking);
            if tracking.synchronised && !std::mem::replace(&mut self.settled, true) {
                // Getting there took code as well that is not needed to stay there.
                release_startup_code();
            }
        }
        Ok(None)
    }

    fn end(&mut self, stop: Stop) -> Result<Ending, Error> {
        let synchronised = self.event_loop.report()?.tracking.synchronised;
        self.stop(stop)?;
        Ok(match stop {
            Stop::TimeLimit if !synchronised => Ending::WithoutTime,
            Stop::TimeLimit | Stop::Signal(_) | Stop::Task => Ending::Done,
        })
    }

    fn stop(&mut self, stop: Stop) -> Result<(), Error> {
        self.service.stopping();
        if stop == Stop::TimeLimit {
            tracing::info!("Timeout reached");
        }
        self.event_loop.stop()?;
        match (self.manner, stop) {
            (Manner::Timeball, Stop::Signal(name)) => tracing::info!("stopped by {name}"),
            (Manner::Timeball, Stop::TimeLimit | Stop::Task) => tracing::info!("stopped"),
            (Manner::Chronyd, _) => tracing::info!("chronyd exiting"),
        }
        Ok(())
    }
}

/// Gives back the memory of code that is not in use; what is needed again comes back by itself.
fn release_startup_code() {
    if let Err(error) = startup_code::release() {
        tracing::debug!("the code of the start stays in memory: {error}");
    }
}

fn hold_pid_file(path: &Path) -> Result<PidFile, PidFileError> {
    directories::make_parent_of(path);
    PidFile::create(path)
}
