//! What a line asks for.

mod access;
mod add;
mod change;
mod keygen;
mod local;
mod place;
mod words;

use timeball_host::resolver::AddressFamily;
use timeball_wire::Span;
use timeball_wire::cmdmon::{Address, Request, Timespec};

pub(super) use self::keygen::Key;
use self::words::Words;
use super::dates;
use super::trouble::{Outcome, Trouble};

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// Show something that the daemon knows.
    Show(Report),
    /// Have the daemon do something.
    Do(Box<Request>),
    /// Tell the daemon the right time.
    SetTime(Timespec),
    /// Wait until the clock is synchronised.
    WaitSync(Limits),
    /// Make a key.
    KeyGen(Key),
    /// How names are looked up from now on.
    Dns(Lookup),
    /// How long the first answer is waited for.
    Timeout(Span),
    /// How often a request is repeated.
    Retries(u16),
    /// What commands there are.
    Help,
    /// No more commands.
    Quit,
    /// A command of the past, which scripts may still have.
    Obsolete(&'static str),
}

/// What the daemon can be asked to show.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Report {
    Tracking,
    Sources(SourceOptions),
    SourceStats(SourceOptions),
    SelectData(SourceOptions),
    AuthData(SourceOptions),
    /// Of one source, or of all.
    NtpData(Option<Address>),
    SourceName(Address),
    Activity,
    Clients(ClientOptions),
    ServerStats,
    Smoothing,
    RtcData,
    ManualList,
}

/// How sources are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SourceOptions {
    /// Those without an address too.
    pub(super) all: bool,
    /// With a legend.
    pub(super) verbose: bool,
}

/// How clients are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientOptions {
    /// What stands beside the NTP requests.
    pub(super) beside_ntp: BesideNtp,
    /// Only clients with so many requests.
    pub(super) min_hits: u32,
    /// The counts start again.
    pub(super) reset: bool,
}

/// What a list of clients shows beside their NTP requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BesideNtp {
    #[default]
    Commands,
    KeyEstablishments,
}

/// When a wait for synchronisation ends. Zero: no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    pub(super) tries: u32,
    /// Seconds.
    pub(super) correction: f64,
    /// ppm.
    pub(super) skew: f64,
    pub(super) interval: Span,
}

/// How names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Addresses of these families.
    Family(AddressFamily),
    /// The host names of addresses, or not.
    HostNames(bool),
}

impl Command {
    /// The command of a line; `None` for an empty line or a comment. May wait for the name service.
    ///
    /// # Errors
    ///
    /// [`Trouble::Usage`].
    pub(super) fn parse(line: &str, family: AddressFamily) -> Outcome<Option<Self>> {
        let mut words = Words::of(line);
        let Some(name) = words.next() else {
            return Ok(None);
        };
        let usage = |message: &str| Trouble::usage(message);
        Ok(Some(match name {
            "tracking" => Self::Show(Report::Tracking),
            "sources" => Self::Show(Report::Sources(source_options(words))),
            "sourcestats" => Self::Show(Report::SourceStats(source_options(words))),
            "selectdata" => Self::Show(Report::SelectData(source_options(words))),
            "authdata" => Self::Show(Report::AuthData(source_options(words))),
            "ntpdata" => Self::Show(Report::NtpData(match words.next() {
                Some(word) => Some(place::source(word, family)?),
                None => None,
            })),
            "sourcename" => match words.next() {
                Some(word) => Self::Show(Report::SourceName(place::source(word, family)?)),
                None => return Err(usage("Could not read address")),
            },
            "activity" => Self::Show(Report::Activity),
            "clients" => Self::Show(Report::Clients(client_options(words)?)),
            "serverstats" => Self::Show(Report::ServerStats),
            "smoothing" => Self::Show(Report::Smoothing),
            "rtcdata" => Self::Show(Report::RtcData),
            "manual" if words.clone().next() == Some("list") => Self::Show(Report::ManualList),
            "settime" => match dates::parse(&words.rest()) {
                Some(time) => Self::SetTime(time),
                None => return Err(usage("510 - Could not parse date string")),
            },
            "waitsync" => Self::WaitSync(limits(words)?),
            "keygen" => Self::KeyGen(Key::parse(words)?),
            "dns" => Self::Dns(match words.next() {
                Some("-n") => Lookup::HostNames(false),
                Some("+n") => Lookup::HostNames(true),
                Some("-4") => Lookup::Family(AddressFamily::V4),
                Some("-6") => Lookup::Family(AddressFamily::V6),
                Some("-46") => Lookup::Family(AddressFamily::Any),
                _ => return Err(usage("Unrecognized dns command")),
            }),
            "timeout" => match words.parse() {
                Some(milliseconds @ 100..=i64::MAX) => {
                    Self::Timeout(Span::from_millis(milliseconds.min(MAX_TIMEOUT)))
                }
                _ => return Err(usage("Timeout must be at least 100 milliseconds")),
            },
            "retries" => match words.parse() {
                Some(retries @ 0..=30) => Self::Retries(retries),
                _ => return Err(usage("Invalid maximum number of retries")),
            },
            "help" => Self::Help,
            "exit" | "quit" => Self::Quit,
            "authhash" | "password" => Self::Obsolete("Authentication is no longer supported"),
            name => match change::parse(name, words, family)? {
                Some(request) => Self::Do(Box::new(request)),
                None => return Err(usage("Unrecognized command")),
            },
        }))
    }

    /// The same request for a daemon that is older than chrony 4.4, if it is another one there.
    pub(super) fn for_older_daemons(request: &Request) -> Option<Request> {
        local::for_older_daemons(request)
    }
}

/// A day, in milliseconds.
const MAX_TIMEOUT: i64 = 86_400_000;

/// Unknown words are passed over, as in chronyc.
fn source_options(words: Words<'_>) -> SourceOptions {
    let mut options = SourceOptions::default();
    for word in words {
        match word {
            "-a" => options.all = true,
            "-v" => options.verbose = true,
            _ => {}
        }
    }
    options
}

fn client_options(mut words: Words<'_>) -> Outcome<ClientOptions> {
    let mut options = ClientOptions::default();
    while let Some(word) = words.next() {
        match word {
            "-k" => options.beside_ntp = BesideNtp::KeyEstablishments,
            "-r" => options.reset = true,
            "-p" => {
                let invalid = || Trouble::usage("Invalid syntax for clients command");
                options.min_hits = words.parse().ok_or_else(invalid)?;
            }
            _ => {}
        }
    }
    Ok(options)
}

fn limits(mut words: Words<'_>) -> Outcome<Limits> {
    const DEFAULT_INTERVAL: f64 = 10.0;
    const SHORTEST_INTERVAL: f64 = 0.1;
    let mut number = |absent: f64| match words.next() {
        None => Ok(absent),
        Some(word) => match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(Trouble::usage("Invalid syntax for waitsync command")),
        },
    };
    Ok(Limits {
        // Saturates; negative is no limit.
        tries: number(0.0)? as u32,
        correction: number(0.0)?,
        skew: number(0.0)?,
        interval: Span::from_seconds(number(DEFAULT_INTERVAL)?.max(SHORTEST_INTERVAL)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Command {
        Command::parse(line, AddressFamily::Any).unwrap().unwrap()
    }

    fn complaint(line: &str) -> String {
        match Command::parse(line, AddressFamily::Any) {
            Err(Trouble::Usage(message)) => message,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn nothing_and_comments_ask_for_nothing() {
        for line in ["", "   \t", "# tracking", "  ! tracking", "; x", "% x"] {
            assert_eq!(Command::parse(line, AddressFamily::Any).unwrap(), None, "{line}");
        }
    }

    #[test]
    fn reports_and_their_options() {
        assert_eq!(parse(" tracking "), Command::Show(Report::Tracking));
        let options = SourceOptions { all: true, verbose: true };
        assert_eq!(parse("sources -v -a"), Command::Show(Report::Sources(options)));
        let options =
            ClientOptions { beside_ntp: BesideNtp::KeyEstablishments, min_hits: 7, reset: true };
        assert_eq!(parse("clients -p 7 -k -r"), Command::Show(Report::Clients(options)));
        assert_eq!(parse("ntpdata"), Command::Show(Report::NtpData(None)));
        assert_eq!(parse("ntpdata ID#5"), Command::Show(Report::NtpData(Some(Address::Id(5)))));
        assert_eq!(parse("manual list"), Command::Show(Report::ManualList));
        assert_eq!(parse("manual on"), Command::Do(Box::new(Request::Manual { option: 1 })));
    }

    #[test]
    fn waiting_has_limits() {
        let limits = |tries, correction, skew, interval| {
            Command::WaitSync(Limits {
                tries,
                correction,
                skew,
                interval: Span::from_seconds(interval),
            })
        };
        assert_eq!(parse("waitsync"), limits(0, 0.0, 0.0, 10.0));
        assert_eq!(parse("waitsync 5 0.01 1.5 0.001"), limits(5, 0.01, 1.5, 0.1));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        assert_eq!(complaint("trakcing"), "Unrecognized command");
        assert_eq!(complaint("dns"), "Unrecognized dns command");
        assert_eq!(complaint("timeout 99"), "Timeout must be at least 100 milliseconds");
        assert_eq!(complaint("retries 31"), "Invalid maximum number of retries");
        assert_eq!(complaint("clients -p x"), "Invalid syntax for clients command");
        assert_eq!(complaint("waitsync x"), "Invalid syntax for waitsync command");
    }
}
