//! Where log lines go, in whose words, and what they look like.
//!
//! The engine says what happened as an [`Event`](timeball_core::Event). In which words that reaches
//! the log is chosen once, at the start: those of this program, or those that monitoring expects of
//! chronyd ([`Manner`]).

mod chronyd;
mod destination;
mod layout;
mod words;

use std::io::{self, Write as _};

use timeball_config::Level;
use timeball_host::clock::Clock;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::Layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::{Layer as _, reload};

use crate::error::Error;
pub use destination::Destination;
use destination::Lines;
use layout::{Format, Layout};
pub(crate) use words::Words;

/// Whose habits a log follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// This program's.
    #[default]
    Timeball,
    /// chronyd's.
    Chronyd,
}

/// How to log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where lines go.
    pub destination: Destination,
    /// Whose habits they follow.
    pub manner: Manner,
    /// Log from this level up, whatever the configuration says.
    pub level: Option<Level>,
}

/// The log of this process, once started.
#[derive(Clone, Debug)]
pub struct Log {
    filter: reload::Handle<LevelFilter, Registry>,
    choice: Choice,
}

/// Who chose the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// The command line, for good.
    CommandLine,
    /// The configuration, each time it is read.
    Configuration,
}

/// Sends what the program traces where `options` say: from the level that they name, else as
/// [`Log::configured`] says, which is "info" until then.
///
/// Does nothing, and answers `None`, if something else in this process collects traces already.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(options: &Options) -> io::Result<Option<Log>> {
    let choice = options.level.map_or(Choice::Configuration, |_| Choice::CommandLine);
    let (filter, handle) = reload::Layer::new(filter(options.level.unwrap_or(Level::Info)));
    let layout = Layout::of(&options.destination, options.manner);
    let lines = Layer::new()
        .event_format(Format { layout, clock: Clock::open().ok() })
        .with_writer(Lines::open(&options.destination)?)
        .with_filter(filter);
    let subscriber = Registry::default().with(lines);
    Ok(match tracing::subscriber::set_global_default(subscriber) {
        Ok(()) => Some(Log { filter: handle, choice }),
        Err(_) => None,
    })
}

impl Log {
    /// The configuration asks for lines from `level` up.
    pub fn configured(&self, level: Level) {
        match self.choice {
            Choice::CommandLine => {}
            // Fails only if the subscriber is gone, and then there is nothing to set.
            Choice::Configuration => {
                let _ = self.filter.modify(|current| *current = self::filter(level));
            }
        }
    }
}

const fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// Says why the daemon did not start, or had to stop, in chronyd's manner: in the log, and to
/// whoever started it and does not see that.
pub fn fatal(error: &Error, options: &Options) {
    let text = match error {
        Error::Configuration(mistakes) => {
            format!("Fatal error : the configuration has mistakes\n{mistakes}")
        }
        error => format!("Fatal error : {error}"),
    };
    let logged = tracing::dispatcher::has_been_set();
    if logged {
        error_lines(text.trim_end());
    }
    if !logged || options.destination != Destination::StandardError {
        // Nobody is left to tell if this fails.
        let _ = writeln!(io::stderr(), "{}", text.trim_end());
    }
}

/// Warns in several lines, such as a diagnostic with its caret.
pub(crate) fn warn_lines(text: &str) {
    text.lines().for_each(|line| tracing::warn!("{line}"));
}

/// Like [`warn_lines`], louder.
pub(crate) fn error_lines(text: &str) {
    text.lines().for_each(|line| tracing::error!("{line}"));
}
