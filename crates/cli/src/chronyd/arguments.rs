//! chronyd's command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};
use timeball_config::Level;
use timeball_daemon::logging::Destination;
use timeball_wire::Span;

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
    timeout: Option<i32>,
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

    pub(crate) fn level(&self) -> Level {
        match self.log_level {
            _ if self.debug > 1 => Level::Debug,
            ..=-1 => Level::Debug,
            0 => Level::Info,
            1 => Level::Warn,
            2.. => Level::Error,
        }
    }

    /// How long to run; a negative number has no end.
    pub(crate) fn time_limit(&self) -> Option<Span> {
        self.timeout.filter(|&limit| limit >= 0).map(|limit| Span::from_secs(limit.into()))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(words: &[&str]) -> ChronydArguments {
        let all = std::iter::once("chronyd").chain(words.iter().copied());
        Chronyd::try_parse_from(all).unwrap().arguments
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Chronyd::command().debug_assert();
    }

    #[test]
    fn options_may_stand_together_and_come_twice() {
        let arguments = parse(&["-nd", "-d", "-4", "-6", "-u", "ntp", "-u", "root", "-f/x.conf"]);
        assert_eq!((arguments.debug, arguments.foreground), (2, true));
        assert_eq!((arguments.ipv4, arguments.ipv6), (false, true));
        assert_eq!(arguments.user.as_deref(), Some("root"));
        assert_eq!(arguments.file(), PathBuf::from("/x.conf"));
        assert_eq!(arguments.level(), Level::Debug);
    }

    #[test]
    fn negative_numbers_are_values() {
        let arguments = parse(&["-F", "-1", "-L", "-1", "-t", "-5"]);
        assert_eq!((arguments.filter, arguments.level()), (-1, Level::Debug));
        assert_eq!(arguments.time_limit(), None);
        assert_eq!(parse(&["-t", "0"]).time_limit(), Some(Span::ZERO));
    }

    #[test]
    fn the_daemon_stays_where_people_watch_it() {
        for (words, stays, destination) in [
            (&[][..], false, Destination::SystemLog),
            (&["-n"], true, Destination::SystemLog),
            (&["-d"], true, Destination::StandardError),
            (&["-q"], true, Destination::StandardError),
            (&["-Q"], true, Destination::StandardError),
            (&["-l", "/x.log"], false, Destination::File("/x.log".into())),
            (&["-d", "-l", "/x.log"], true, Destination::File("/x.log".into())),
        ] {
            let arguments = parse(words);
            assert_eq!(arguments.stays(), stays, "{words:?}");
            assert_eq!(arguments.log_destination(), destination, "{words:?}");
        }
    }

    #[test]
    fn directives_take_the_place_of_the_file() {
        let arguments = parse(&["-Q", "server ntp.example iburst", "maxupdateskew 5"]);
        assert_eq!(arguments.directives, ["server ntp.example iburst", "maxupdateskew 5"]);
        assert!(arguments.print_offset && !arguments.set_once);
        assert!(parse(&["-Q", "-q"]).set_once);
    }

    #[test]
    fn nonsense_is_an_error() {
        for words in [&["-Z"][..], &["-t", "x"], &["-f"], &["-P", "300"], &["--quiet"]] {
            let all = std::iter::once(&"chronyd").chain(words);
            assert!(Chronyd::try_parse_from(all).is_err(), "{words:?}");
        }
    }
}
