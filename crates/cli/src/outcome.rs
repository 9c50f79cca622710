//! How a command ends, and what its exit status says.
//!
//! | status | meaning |
//! |---|---|
//! | 0 | fine |
//! | 1 | the answer is no: not synchronised, no answer from the host, the daemon refuses |
//! | 2 | a mistake on the command line or in the configuration |
//! | 3 | the daemon cannot be reached, or the system refused something |

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use timeball_daemon::control::ClientError;

/// The command did what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// And all is well.
    Yes,
    /// And the answer, already printed, is no.
    No,
    /// And the answer, already printed, has more degrees than yes and no.
    Status(u8),
}

impl Outcome {
    pub(crate) fn exit_status(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Status(status) => status,
        }
    }
}

impl From<bool> for Outcome {
    fn from(well: bool) -> Self {
        if well { Self::Yes } else { Self::No }
    }
}

/// The command could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong; the text is its diagnostics, which need no introduction.
    Configuration(String),
    /// The daemon says no.
    Refused(String),
    /// The daemon cannot be reached, or the system refused something.
    System(String),
}

impl Failure {
    pub(crate) fn system(error: impl Display) -> Self {
        Self::System(error.to_string())
    }

    pub(crate) fn print(&self) {
        match self {
            Self::Configuration(diagnostics) => anstream::eprintln!("{}", diagnostics.trim_end()),
            Self::Refused(message) | Self::System(message) => {
                let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
                anstream::eprintln!("{red}error:{red:#} {message}");
            }
        }
    }

    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Configuration(_) => 2,
            Self::System(_) => 3,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::system(error)
    }
}
