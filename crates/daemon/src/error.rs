//! Why the daemon did not start, or had to stop.

use std::io;

use thiserror::Error;
use timeball_config::Mistakes;
use timeball_core::engine::{ClockError, CommandError};
use timeball_host::pid_file::PidFileError;
use timeball_host::process::UserError;

use crate::keys::KeyFileError;

/// Why [`run`](crate::run) came back with an error.
#[derive(Debug, Error)]
pub enum Error {
    /// The configuration file is missing or has mistakes. `Display` is the diagnostics with their
    /// carets.
    #[error("{0}")]
    Configuration(#[from] Mistakes),
    /// The pid file is held by a running daemon, or cannot be written.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// There is no such user, or its rights are not to be had.
    #[error(transparent)]
    User(#[from] UserError),
    /// The daemon has no process of its own.
    #[error("cannot go into the background: {0}")]
    Detach(#[source] io::Error),
    /// The daemon in the background did not start.
    #[error("{0}")]
    InBackground(String),
    /// A socket that the service manager says it has passed is not there.
    #[error("the service manager has not passed what $LISTEN_FDS says: {0}")]
    Inherited(#[source] io::Error),
    /// Whoever wants to know that the daemon has started cannot be told.
    #[error("cannot tell that the daemon has started: {0}")]
    Notify(#[source] io::Error),
    /// The log cannot be opened.
    #[error("{0}")]
    Log(#[source] io::Error),
    /// A clock of this machine cannot be read.
    #[error("the clocks of this machine cannot be read: {0}")]
    Clock(#[source] io::Error),
    /// The symmetric keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The operating system gives no entropy.
    #[error("the operating system gives no random numbers: {0}")]
    Random(#[source] io::Error),
    /// Waiting for sockets failed.
    #[error("waiting for sockets failed: {0}")]
    Poll(#[source] io::Error),
    /// The sources want changes of the clock that the configuration does not believe.
    #[error("the clock may not be changed as much as the sources want")]
    GivenUp,
    /// The kernel refuses a correction of the clock that it has allowed.
    #[error("the clock cannot be corrected: {0}")]
    Adjust(#[source] ClockError),
    /// The engine refuses what it is told.
    #[error("the engine refuses: {0}")]
    Command(#[source] CommandError),
    /// There are no descriptors to be had.
    #[error("no descriptors are left: {0}")]
    Descriptors(#[source] io::Error),
    /// Signals cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(#[source] io::Error),
}
