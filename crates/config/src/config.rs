//! The configuration itself, free of any dialect.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use timeball_core::server::RateLimit;

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
    /// chronyc's protocol.
    pub chronyc: Chronyc,
    /// The process itself.
    pub process: Process,
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
                SourceKind::Server | SourceKind::Peer => 1,
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
    /// A time zone whose rules contain the leap seconds, such as `right/UTC`; used if there is no
    /// list.
    pub leap_seconds_zone: Option<String>,
    /// Servers to measure first; the clock is stepped if it is further off than the threshold, else
    /// slewed, before anything else is done.
    pub initial: Option<InitialCorrection>,
    /// Correction of the frequency by the temperature.
    pub temperature: Option<Temperature>,
    /// The operator may say what time it is.
    pub manual: bool,
    /// Let the kernel copy the system clock to the battery clock every eleven minutes.
    pub sync_battery_clock: bool,
}

/// The first correction of the clock.
#[derive(Clone, Debug, PartialEq)]
pub struct InitialCorrection {
    /// Larger offsets (s) are stepped, smaller ones slewed.
    pub threshold: f64,
    /// Names or addresses of servers to measure.
    pub servers: Vec<String>,
}

/// Correction of the frequency by the temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct Temperature {
    /// File that the temperature is read from, in thousandths of a degree or whatever the
    /// compensation counts in.
    pub file: PathBuf,
    /// How often (s).
    pub interval: f64,
    /// Frequency by temperature.
    pub compensation: Compensation,
}

/// Frequency by temperature.
#[derive(Clone, Debug, PartialEq)]
pub enum Compensation {
    /// `k0 + (T − t0)·k1 + (T − t0)²·k2`, in ppm.
    Quadratic {
        /// Reference temperature.
        t0: f64,
        /// Constant term (ppm).
        k0: f64,
        /// Linear term (ppm per unit).
        k1: f64,
        /// Quadratic term (ppm per unit²).
        k2: f64,
    },
    /// Points between which to interpolate: temperature and frequency (ppm), by temperature.
    Points(PathBuf),
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            leap_seconds_list: Some("/usr/share/zoneinfo/leap-seconds.list".into()),
            leap_seconds_zone: None,
            initial: None,
            temperature: None,
            manual: false,
            sync_battery_clock: true,
        }
    }
}

/// The server's sockets.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve {
    /// UDP port to listen on.
    pub port: u16,
    /// Local addresses to listen on; empty: all.
    pub bind_addresses: Vec<IpAddr>,
    /// Network interface to listen on; `None`: all.
    pub bind_device: Option<String>,
}

impl Default for Serve {
    fn default() -> Self {
        Self { port: 123, bind_addresses: Vec::new(), bind_device: None }
    }
}

/// Every NTP socket, client or server.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Differentiated services code point of outgoing packets (RFC 2474), 0 to 63.
    pub dscp: u8,
    /// Best timestamps to ask for.
    pub timestamping: Timestamping,
    /// Local port of requests.
    pub client_port: ClientPort,
    /// What network cards are to do; empty: with hardware timestamping, all that can, as they are.
    pub cards: Vec<Card>,
}

/// Local port of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPort {
    /// A new random one for every request (RFC 9109).
    PerRequest,
    /// One for all, chosen by the system.
    Shared,
    /// This one for all.
    Fixed(u16),
}

/// How one network card stamps.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Its interface; `*` for every one that can.
    pub interface: String,
    /// Added to transmit timestamps (s).
    pub transmit_compensation: f64,
    /// Added to receive timestamps (s).
    pub receive_compensation: f64,
    /// Precision of its clock (s).
    pub precision: f64,
    /// Which packets it stamps on arrival.
    pub receive_filter: ReceiveFilter,
}

/// Which packets a network card stamps on arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveFilter {
    /// All, if it can; else NTP's, if it can.
    Best,
    /// All.
    All,
    /// NTP's.
    Ntp,
    /// PTP's.
    Ptp,
    /// None.
    None,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            dscp: 0,
            timestamping: Timestamping::Kernel,
            client_port: ClientPort::PerRequest,
            cards: Vec::new(),
        }
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
    /// The drift file.
    pub drift_file: DriftFile,
    /// Where measurements are kept over a restart.
    pub dump_directory: Option<PathBuf>,
    /// Directory of the logs of measurements.
    pub log_directory: Option<PathBuf>,
    /// Directories of `*.sources` files, which can be read anew while running.
    pub source_directories: Vec<PathBuf>,
}

/// The drift file.
#[derive(Clone, Debug, PartialEq)]
pub enum DriftFile {
    /// `drift` in the state directory.
    InStateDirectory,
    /// This one, written at most every so often (s).
    At {
        /// Where.
        path: PathBuf,
        /// How often (s).
        interval: f64,
    },
    /// None.
    None,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            state_directory: "/var/lib/timeball".into(),
            pid_file: None,
            drift_file: DriftFile::InStateDirectory,
            dump_directory: None,
            log_directory: None,
            source_directories: Vec::new(),
        }
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

/// Access by chronyc and other programs that speak its protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Chronyc {
    /// Path of the Unix socket, over which everything may be asked.
    pub socket: Option<PathBuf>,
    /// UDP port; `None`: not over the network, not even over loopback.
    pub port: Option<u16>,
    /// Local addresses to listen on.
    pub bind_addresses: Vec<IpAddr>,
    /// Network interface to listen on; `None`: all.
    pub bind_device: Option<String>,
    /// Networks that may ask over UDP, beside this machine itself.
    pub allow: Vec<IpNet>,
    /// Networks within those that may not.
    pub deny: Vec<IpNet>,
    /// Limit of requests per client.
    pub rate_limit: Option<RateLimit>,
    /// What may be asked over UDP, in chronyc's words.
    pub open_commands: Vec<String>,
}

impl Chronyc {
    /// What may be opened at all: it tells something and changes nothing.
    pub const OPENABLE_COMMANDS: &[&str] = &[
        "activity",
        "authdata",
        "clients",
        "manual",
        "ntpdata",
        "rtcdata",
        "selectdata",
        "serverstats",
        "smoothing",
        "sourcename",
        "sources",
        "sourcestats",
        "tracking",
    ];

    /// What chronyd answers over UDP unless it is told otherwise.
    pub const OPEN_COMMANDS: &[&str] = &[
        "activity",
        "manual",
        "rtcdata",
        "smoothing",
        "sourcename",
        "sources",
        "sourcestats",
        "tracking",
    ];
}

impl Default for Chronyc {
    fn default() -> Self {
        Self {
            socket: None,
            port: None,
            bind_addresses: Vec::new(),
            bind_device: None,
            allow: Vec::new(),
            deny: Vec::new(),
            rate_limit: None,
            open_commands: Self::OPEN_COMMANDS.iter().map(|&word| word.to_owned()).collect(),
        }
    }
}

/// The process itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Run as this user once the privileged work is done.
    pub user: Option<String>,
    /// Keep all memory out of swap space.
    pub lock_memory: bool,
    /// Real-time priority, 1 to 99; `None`: an ordinary process.
    pub priority: Option<u8>,
}

/// Messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The least important message to write.
    pub level: Level,
    /// Corrections of the clock above this (s) are worth a message.
    pub change_threshold: f64,
    /// Logs of measurements, in files of their own.
    pub records: Vec<Record>,
    /// Lines between two repetitions of the headings in those files; 0 for none.
    pub banner: u32,
}

/// A log of measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Record {
    /// Every answer of a server.
    RawMeasurements,
    /// Every accepted answer.
    Measurements,
    /// Every selection.
    Selection,
    /// Every estimate of a source.
    Statistics,
    /// Every update of the clock.
    Tracking,
    /// The battery clock.
    BatteryClock,
    /// Reference clocks.
    ReferenceClocks,
    /// Every reading of the temperature.
    Temperature,
}

impl Record {
    /// Every record with the word that stands for it in a file.
    pub const WORDS: &[(&str, Self)] = &[
        ("raw-measurements", Self::RawMeasurements),
        ("measurements", Self::Measurements),
        ("selection", Self::Selection),
        ("statistics", Self::Statistics),
        ("tracking", Self::Tracking),
        ("battery-clock", Self::BatteryClock),
        ("reference-clocks", Self::ReferenceClocks),
        ("temperature", Self::Temperature),
    ];
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, change_threshold: 1.0, records: Vec::new(), banner: 32 }
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
