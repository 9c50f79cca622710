//! `chronyd`: its command line, its messages and its exit status, with our daemon behind them.

mod arguments;

use clap::Parser as _;
use timeball_config::{Dialect, Style};
use timeball_core::settings::Family;
use timeball_daemon::{
    ClockControl, ConfigFile, ConfigText, Configuration, Ending, Options, Overrides, Place, Task,
    logging,
};
use timeball_host::process;

use crate::outcome::Outcome;
pub(crate) use arguments::{Chronyd, ChronydArguments};

/// The program `chronyd`, by the command line of this process.
pub(crate) fn main() -> Outcome {
    match Chronyd::try_parse() {
        Ok(chronyd) => run(&chronyd.arguments),
        Err(error) => {
            // Nobody can be told that it cannot be printed.
            let _ = error.print();
            Outcome::from(!error.use_stderr())
        }
    }
}

/// Does what the command line asks for. chronyd knows two exit statuses, and so [`Outcome`]s are
/// enough: what went wrong is in its log.
pub(crate) fn run(arguments: &ChronydArguments) -> Outcome {
    if arguments.version {
        println!("chronyd (timeball) version {}", env!("CARGO_PKG_VERSION"));
        return Outcome::Yes;
    }
    if let Some(reason) = refusal(arguments) {
        eprintln!("Fatal error : {reason}");
        return Outcome::No;
    }
    if arguments.print_configuration {
        return print_configuration(arguments);
    }
    let options = options(arguments);
    match timeball_daemon::run(&options) {
        Ok(Ending::Done) => Outcome::Yes,
        Ok(Ending::WithoutTime) => Outcome::No,
        Err(error) => {
            logging::fatal(&error, &options.log);
            Outcome::No
        }
    }
}

/// Why nothing is done at all.
fn refusal(arguments: &ChronydArguments) -> Option<&'static str> {
    let needs_no_rights = arguments.any_user || arguments.print_offset;
    (!needs_no_rights && !arguments.print_configuration && !process::is_superuser())
        .then_some("Not superuser")
}

/// Prints the directives in force: those of included files follow in place of what includes them.
fn print_configuration(arguments: &ChronydArguments) -> Outcome {
    match text(arguments).read() {
        Ok(loaded) => {
            directives(loaded.document.text()).for_each(|line| println!("{line}"));
            Outcome::Yes
        }
        Err(mistakes) => {
            eprintln!("{}", mistakes.render(Style::of_stderr()).trim_end());
            Outcome::No
        }
    }
}

/// The lines of chrony.conf that say something, but for those that only name other files.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let inclusions = ["include", "confdir", "sourcedir"];
    let includes = move |line: &str| {
        let first = line.split_ascii_whitespace().next().unwrap_or_default();
        inclusions.iter().any(|inclusion| first.eq_ignore_ascii_case(inclusion))
    };
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['!', ';', '#', '%']))
        .filter(move |line| !includes(line))
}

/// The daemon's options that mean the same.
fn options(arguments: &ChronydArguments) -> Options {
    Options {
        configuration: Configuration { text: text(arguments), overrides: overrides(arguments) },
        clock_control: if arguments.no_clock {
            ClockControl::Never
        } else {
            ClockControl::AsConfigured
        },
        log: logging::Options {
            destination: arguments.log_destination(),
            manner: logging::Manner::Chronyd,
            level: Some(arguments.level()),
        },
        task: match (arguments.set_once, arguments.print_offset) {
            (true, _) => Task::SetOnce,
            (false, true) => Task::Measure,
            (false, false) => Task::Run,
        },
        place: if arguments.stays() { Place::Foreground } else { Place::Background },
        time_limit: arguments.time_limit(),
        restore_time: arguments.restore_time,
        reload_measurements: arguments.reload,
        notify: arguments.notify,
    }
}

fn text(arguments: &ChronydArguments) -> ConfigText {
    let dialect = Dialect::Chrony;
    if arguments.directives.is_empty() {
        ConfigText::File(ConfigFile { path: arguments.file(), dialect })
    } else {
        ConfigText::Arguments(arguments.directives.clone())
    }
}

/// The users that distributions make for chronyd, and build into it.
const USUAL_USERS: [&str; 2] = ["_chrony", "chrony"];

fn overrides(arguments: &ChronydArguments) -> Overrides {
    Overrides {
        family: match (arguments.ipv4, arguments.ipv6) {
            (true, false) => Some(Family::Ipv4),
            (false, true) => Some(Family::Ipv6),
            _ => None,
        },
        user: arguments.user.clone(),
        usual_users: USUAL_USERS.map(str::to_owned).to_vec(),
        priority: arguments.priority.filter(|&priority| priority > 0),
        lock_memory: arguments.lock_memory,
        restarted: arguments.restarted,
        client_only: arguments.print_offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_are_directives() {
        let text =
            "# comment\n\n  server a.example iburst\nInclude /etc/x/*.conf\n! no\nmakestep 1 3\n";
        let lines: Vec<&str> = directives(text).collect();
        assert_eq!(lines, ["server a.example iburst", "makestep 1 3"]);
    }

    #[test]
    fn the_daemon_does_what_the_options_ask_for() {
        let parse = |words: &[&str]| {
            let all = std::iter::once("chronyd").chain(words.iter().copied());
            options(&Chronyd::try_parse_from(all).unwrap().arguments)
        };
        let measure = parse(&["-Q", "-t", "3", "server 192.0.2.1"]);
        assert_eq!((measure.task, measure.place), (Task::Measure, Place::Foreground));
        assert_eq!(measure.time_limit, Some(timeball_wire::Span::from_secs(3)));
        assert!(measure.configuration.overrides.client_only);
        let daemon = parse(&["-R", "-r", "-s", "-m", "-P", "10", "-u", "chrony", "-x", "-6"]);
        assert_eq!((daemon.task, daemon.place), (Task::Run, Place::Background));
        assert_eq!(daemon.clock_control, ClockControl::Never);
        assert!(daemon.restore_time && daemon.reload_measurements);
        assert_eq!(
            daemon.configuration.overrides,
            Overrides {
                family: Some(Family::Ipv6),
                user: Some("chrony".to_owned()),
                usual_users: vec!["_chrony".to_owned(), "chrony".to_owned()],
                priority: Some(10),
                lock_memory: true,
                restarted: true,
                client_only: false,
            }
        );
        assert_eq!(parse(&["-q"]).task, Task::SetOnce);
        assert_eq!(parse(&["-P", "0"]).configuration.overrides.priority, None);
    }
}
