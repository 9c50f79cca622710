//! Where log lines go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use timeball_host::system_log::{Priority, SystemLog};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Where log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Standard error.
    #[default]
    StandardError,
    /// The end of this file, which is made if it is missing.
    File(PathBuf),
    /// The system's log (syslog(3)).
    SystemLog,
}

/// The writer of each line.
#[derive(Debug)]
pub(super) enum Lines {
    StandardError,
    File(File),
    SystemLog(SystemLog),
}

impl Lines {
    pub(super) fn open(destination: &Destination) -> io::Result<Self> {
        Ok(match destination {
            Destination::StandardError => Self::StandardError,
            Destination::File(path) => {
                let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
                Self::File(file.map_err(|error| {
                    io::Error::new(
                        error.kind(),
                        format!("cannot open the log {}: {error}", path.display()),
                    )
                })?)
            }
            Destination::SystemLog => Self::SystemLog(SystemLog::open(c"chronyd")),
        })
    }

    fn line(&self, priority: Priority) -> Line<'_> {
        match self {
            Self::StandardError => Line::StandardError,
            Self::File(file) => Line::File(file),
            Self::SystemLog(log) => Line::SystemLog(log, priority),
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        self.line(Priority::Info)
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        self.line(priority(*metadata.level()))
    }
}

/// One line on its way.
#[derive(Debug)]
pub(super) enum Line<'a> {
    StandardError,
    File(&'a File),
    SystemLog(&'a SystemLog, Priority),
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::StandardError => io::stderr().write(bytes),
            Self::File(file) => file.write(bytes),
            Self::SystemLog(log, priority) => {
                log.write(*priority, bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::StandardError => io::stderr().flush(),
            Self::File(file) => file.flush(),
            Self::SystemLog(..) => Ok(()),
        }
    }
}

const fn priority(level: Level) -> Priority {
    match level {
        Level::ERROR => Priority::Error,
        Level::WARN => Priority::Warning,
        Level::INFO => Priority::Info,
        Level::DEBUG | Level::TRACE => Priority::Debug,
    }
}
