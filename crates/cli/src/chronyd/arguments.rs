//! chronyd's command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};
use timeball_config::Level;
use timeball_daemon::logging::Destination;

/// The program `chronyd`.
#[derive(Debug, Parser)]
#[command(name = "chronyd", disable_version_flag = true)]
pub(crate) struct Chronyd {
    #[command(flatten)]
    pub(crate) arguments: ChronydArguments,
}

#[derive(Args, Clone, Debug)]
#[command(args_override_self = true)]
pub(crate) struct ChronydArguments {
    /// Use IPv4 addresses only
    #[arg(short = '4', overrides_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Use IPv6 addresses only
    #[arg(short = '6', overrides_with = "ipv4")]
    pub(crate) ipv6: bool,
    /// Stay in the foreground, and log to standard error; twice: more than that
    #[arg(short = 'd', action = ArgAction::Count)]
    pub(crate) debug: u8,
    /// The configuration file, in chrony's language; otherwise /etc/chrony/chrony.conf or, without
    /// that, /etc/chrony.conf
    #[arg(short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    /// Level of the system call filter; it is accepted, and there is none
    #[arg(short = 'F', value_name = "LEVEL", default_value = "0", allow_negative_numbers = true)]
    pub(crate) filter: i32,
    /// Log to this file
    #[arg(short = 'l', value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// The least important messages to log: -1 debug, 0 information, 1 warnings, 2 errors
    #[arg(short = 'L', value_name = "LEVEL", default_value = "0", allow_negative_numbers = true)]
    pub(crate) log_level: i32,
    /// Keep all memory out of swap space
    #[arg(short = 'm')]
    pub(crate) lock_memory: bool,
    /// Stay in the foreground
    #[arg(short = 'n')]
    pub(crate) foreground: bool,
    /// Write a line break to this descriptor when the daemon has started
    #[arg(short = 'N', value_name = "FD")]
    pub(crate) notify: Option<i32>,
    /// Print the configuration, included files and all, and exit
    #[arg(short = 'p')]
    pub(crate) print_configuration: bool,
    /// Run at this real-time priority
    #[arg(short = 'P', value_name = "PRIORITY")]
    pub(crate) priority: Option<u8>,
    /// Set the clock once, and exit
    #[arg(short = 'q', overrides_with = "print_offset")]
    pub(crate) set_once: bool,
    /// Print how far the clock is off, and exit
    #[arg(short = 'Q', overrides_with = "set_once")]
    pub(crate) print_offset: bool,
    /// Go on with the measurements kept by the last run
    #[arg(short = 'r')]
    pub(crate) reload: bool,
    /// This is a restart: no first correction, and no steps but those that are always allowed
    #[arg(short = 'R')]
    pub(crate) restarted: bool,
    /// Set the clock to the time of the last run, if it is behind that
    #[arg(short = 's')]
    pub(crate) restore_time: bool,
    /// Exit after this many seconds
    #[arg(short = 't', value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) timeout: Option<i32>,
    /// Run as this user
    #[arg(short = 'u', value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Do not insist on being started by root
    #[arg(short = 'U')]
    pub(crate) any_user: bool,
    /// Watch the clock, never adjust it
    #[arg(short = 'x')]
    pub(crate) no_clock: bool,
    /// Print the version, and exit
    #[arg(short = 'v', long = "version")]
    pub(crate) version: bool,
    /// The configuration, one directive in each argument, in place of the file
    #[arg(value_name = "DIRECTIVE")]
    pub(crate) directives: Vec<String>,
}

/// Where distributions have the configuration file.
const FILES: [&str; 2] = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"];

impl ChronydArguments {
    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        let [first, second] = FILES.map(PathBuf::from);
        match &self.file {
            Some(file) => file.clone(),
            None if !first.exists() && second.exists() => second,
            None => first,
        }
    }

    /// Runs in the foreground.
    pub(crate) fn stays(&self) -> bool {
        self.foreground
            || self.debug > 0
            || self.set_once
            || self.print_offset
            || self.print_configuration
    }

    pub(crate) fn log_destination(&self) -> Destination {
        let to_people =
            self.debug > 0 || self.set_once || self.print_offset || self.print_configuration;
        match &self.log_file {
            Some(path) => Destination::File(path.clone()),
            None if to_people => Destination::StandardError,
            None => Destination::SystemLog,
        }
    }

    pub(crate) fn level(&self) -> Option<Level> {
        Some(match self.log_level {
            _ if self.debug > 1 => Level::Debug,
            _ if self.print_configuration => Level::Warn,
            ..=-1 => Level::Debug,
            0 => Level::Info,
            1 => Level::Warn,
            2.. => Level::Error,
        })
    }
}
