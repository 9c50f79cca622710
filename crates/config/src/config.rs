//! The configuration itself, free of any dialect.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use timeball_auth::key_file::Format;
use timeball_auth::nts::AeadAlgorithm;
use timeball_core::server::RateLimit;
use timeball_wire::nts_ke::NTS_KE_PORT;

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
    /// Network Time Security, of sources and of the server alike.
    pub nts: Nts,
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

    /// True if clients are to be given keys, and there is a cipher for them.
    pub fn gives_keys(&self) -> bool {
        let certificates = &self.serve.key_establishment.certificates;
        !certificates.is_empty() && !self.nts.algorithms.is_empty()
    }

    /// How many sources this configuration asks for, pools counted in full, and those that may only
    /// be watched left out.
    pub fn selectable_sources(&self) -> usize {
        use timeball_core::settings::SourceKind;
        let clocks = self.engine.reference_clocks.iter().filter(|clock| !clock.options.noselect);
        let others: usize = self
            .engine
            .sources
            .iter()
            .filter(|source| !source.options.noselect)
            .map(|source| match source.kind {
                SourceKind::Server | SourceKind::Peer => 1,
                SourceKind::Pool { count } => count,
            })
            .sum();
        clocks.count() + others
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
    /// Keys for clients whose requests NTS protects (RFC 8915).
    pub key_establishment: KeyEstablishment,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            port: 123,
            bind_addresses: Vec::new(),
            bind_device: None,
            key_establishment: KeyEstablishment::default(),
        }
    }
}

/// How a server gives keys to clients (NTS-KE), and keeps its own. The networks that may ask it for the
/// time may ask it for keys.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyEstablishment {
    /// Who it can prove to be; empty: it gives no keys.
    pub certificates: Vec<Certificate>,
    /// TCP port to listen on.
    pub port: u16,
    /// In a thread of its own; else between one thing and the next that the daemon does.
    pub own_thread: bool,
    /// Clients at once.
    pub max_connections: usize,
    /// The NTP server that clients shall ask; `None`: this one.
    pub ntp_server: Option<String>,
    /// How often the keys of cookies change (s); `None`: somebody else changes them, in their file.
    pub rotation: Option<f64>,
    /// Limit of connections per client.
    pub rate_limit: Option<RateLimit>,
}

/// Who a server can prove to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its certificate and those of who vouches for it (PEM).
    pub file: PathBuf,
    /// The private key that belongs to it (PEM).
    pub private_key: PathBuf,
}

impl Default for KeyEstablishment {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            port: NTS_KE_PORT,
            own_thread: true,
            max_connections: 100,
            ntp_server: None,
            rotation: Some(86_400.0),
            rate_limit: None,
        }
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
    /// [`card`](Self::card) knows which of them counts.
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

/// How network cards stamp.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Their interface, or with `*` at its end the beginning of its name.
    pub interface: String,
    /// How much later than stamped a packet really leaves (s).
    pub transmit_compensation: f64,
    /// How much earlier than stamped a packet really arrives (s).
    pub receive_compensation: f64,
    /// Which packets they stamp on arrival.
    pub receive_filter: ReceiveFilter,
    /// A card that can is to latch its own clock and the system clock together.
    pub cross_timestamps: bool,
}

impl Card {
    /// The cards of `interface`, as they are.
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            transmit_compensation: 0.0,
            receive_compensation: 0.0,
            receive_filter: ReceiveFilter::Best,
            cross_timestamps: true,
        }
    }

    /// The beginning of the names that it holds for, if it does not hold for one alone.
    fn beginning(&self) -> Option<&str> {
        self.interface.strip_suffix('*')
    }
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

impl Network {
    /// What the card of `interface` is to do; `None` if it is not to stamp. Its own name counts more
    /// than the beginning of it, and of beginnings the first.
    pub fn card(&self, interface: &str) -> Option<Card> {
        match self.timestamping {
            Timestamping::Kernel | Timestamping::Daemon => return None,
            Timestamping::Hardware if self.cards.is_empty() => return Some(Card::new(interface)),
            Timestamping::Hardware => {}
        }
        let named = self.cards.iter().find(|card| card.interface == interface);
        let begins = |card: &&Card| card.beginning().is_some_and(|it| interface.starts_with(it));
        let card = named.or_else(|| self.cards.iter().find(begins))?;
        Some(Card { interface: interface.to_owned(), ..card.clone() })
    }

    /// The interfaces whose cards are named to stamp.
    pub fn named_cards(&self) -> impl Iterator<Item = &str> {
        let stamp = self.timestamping == Timestamping::Hardware;
        let named = self.cards.iter().filter(move |card| stamp && card.beginning().is_none());
        named.map(|card| card.interface.as_str())
    }
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

/// Network Time Security (RFC 8915), of sources and of the server alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nts {
    /// Ciphers to offer and to choose from, the best first.
    pub algorithms: Vec<AeadAlgorithm>,
    /// Whose certificates are trusted.
    pub trusted: Vec<TrustedCertificates>,
    /// The system's certificates are trusted, too; they belong to set 0.
    pub system_certificates: bool,
    /// Until the clock was updated so often, certificates need not be valid by it.
    pub unchecked_updates: u32,
    /// While they need not, what their servers say of the time has to lie within their validity, and
    /// they must not have expired before the time that was saved last.
    pub bound_by_certificates: bool,
    /// Where keys and cookies are kept over a restart.
    pub directory: Option<PathBuf>,
}

/// Certificates that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedCertificates {
    /// The set that they belong to.
    pub set: u32,
    /// A file, or a directory of files.
    pub path: PathBuf,
}

impl Default for Nts {
    fn default() -> Self {
        Self {
            algorithms: vec![AeadAlgorithm::Aes128GcmSiv, AeadAlgorithm::AesSivCmac256],
            trusted: Vec::new(),
            system_certificates: true,
            unchecked_updates: 0,
            bound_by_certificates: true,
            directory: None,
        }
    }
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
    /// The symmetric keys that this machine shares with others.
    pub key_file: Option<PathBuf>,
    /// Whose format that file has.
    pub key_format: Format,
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
            key_file: None,
            key_format: Format::Chrony,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_own_name_counts_more_than_the_beginning_of_it() {
        let by_hardware = |cards: &[Card]| Network {
            timestamping: Timestamping::Hardware,
            cards: cards.to_vec(),
            ..Network::default()
        };
        let every = by_hardware(&[]);
        assert_eq!(every.card("eth0"), Some(Card::new("eth0")));
        let compensated =
            |name: &str, transmit_compensation| Card { transmit_compensation, ..Card::new(name) };
        let network = by_hardware(&[
            compensated("eno*", 1e-6),
            compensated("en*", 2e-6),
            compensated("eno2", 3e-6),
        ]);
        let found = |name: &str| network.card(name).map(|card| card.transmit_compensation);
        assert_eq!(
            ["eno1", "eno2", "enp1s0", "eth0"].map(found),
            [Some(1e-6), Some(3e-6), Some(2e-6), None]
        );
        assert_eq!(network.card("eno1").map(|card| card.interface).as_deref(), Some("eno1"));
        assert_eq!(network.named_cards().collect::<Vec<_>>(), ["eno2"]);
        let by_kernel = Network { timestamping: Timestamping::Kernel, ..network };
        assert_eq!(by_kernel.card("eno1"), None);
        assert_eq!(by_kernel.named_cards().count(), 0);
    }
}
