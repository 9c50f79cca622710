//! The configuration itself, free of any dialect.

use std::net::IpAddr;
use std::path::PathBuf;

/// Everything an operator can ask for: what the engine shall do, and the matters of the daemon
/// around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Sources, selection, clock, and whom to serve.
    pub engine: timeball_core::Settings,
    /// What the engine has to be told of the clock besides.
    pub clock: Clock,
    /// The server's sockets.
    pub serve: Serve,
    /// Every NTP socket.
    pub network: Network,
    /// What is kept on disk.
    pub files: Files,
    /// The control socket.
    pub control: Control,
    /// Messages.
    pub log: Log,
}

impl Config {
    /// True if clients are to be answered: only then is the server's port opened.
    pub fn serves(&self) -> bool {
        !self.engine.server.allow.is_empty()
    }

    /// How many sources this configuration asks for, pools counted in full, and those that may only
    /// be watched left out.
    pub fn selectable_sources(&self) -> usize {
        use timeball_core::settings::SourceKind;
        self.engine
            .sources
            .iter()
            .filter(|source| !source.options.noselect)
            .map(|source| match source.kind {
                SourceKind::Server => 1,
                SourceKind::Pool { count } => count,
            })
            .sum()
    }
}

/// The clock, as far as files say something of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock {
    /// The list of leap seconds; [`Loaded::leap_seconds`](crate::Loaded::leap_seconds) reads it.
    pub leap_seconds_list: Option<PathBuf>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { leap_seconds_list: Some("/usr/share/zoneinfo/leap-seconds.list".into()) }
    }
}

/// The server's sockets.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve {
    /// UDP port to listen on.
    pub port: u16,
    /// Local addresses to listen on; empty: all.
    pub bind_addresses: Vec<IpAddr>,
}

impl Default for Serve {
    fn default() -> Self {
        Self { port: 123, bind_addresses: Vec::new() }
    }
}

/// Every NTP socket, client or server.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Differentiated services code point of outgoing packets (RFC 2474), 0 to 63.
    pub dscp: u8,
    /// Best timestamps to ask for.
    pub timestamping: Timestamping,
}

impl Default for Network {
    fn default() -> Self {
        Self { dscp: 0, timestamping: Timestamping::Kernel }
    }
}

/// Who notes the time of a packet. What is not to be had falls back to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamping {
    /// The network interface.
    Hardware,
    /// The kernel, as the packet passes through it.
    Kernel,
    /// The daemon, after the system call.
    Daemon,
}

impl Timestamping {
    /// Every value with the word that stands for it in a file.
    pub const WORDS: &[(&str, Self)] =
        &[("hardware", Self::Hardware), ("kernel", Self::Kernel), ("daemon", Self::Daemon)];
}

/// What is kept on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Files {
    /// Directory of the drift file and other memory.
    pub state_directory: PathBuf,
    /// Where to write the process ID.
    pub pid_file: Option<PathBuf>,
}

impl Default for Files {
    fn default() -> Self {
        Self { state_directory: "/var/lib/timeball".into(), pid_file: None }
    }
}

/// The control socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Path of the Unix socket that `timeball status` and the rest talk to.
    pub socket: Option<PathBuf>,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: Some("/run/timeball/timeball.sock".into()) }
    }
}

/// Messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The least important message to write.
    pub level: Level,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info }
    }
}

/// Importance of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something may stop working.
    Warn,
    /// What an operator likes to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Every packet.
    Trace,
}

impl Level {
    /// Every level with the word that stands for it in a file.
    pub const WORDS: &[(&str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
