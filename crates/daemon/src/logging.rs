//! Where log lines go and what they look like.
//!
//! | standard error is | a line |
//! |---|---|
//! | a terminal | `2036-02-07T06:28:16.500Z  WARN source b: falseticker: …`, coloured unless `NO_COLOR` is set |
//! | the journal | `<4>source b: falseticker: …`; the journal knows the time and makes the priority of the digit |
//! | anything else | as on a terminal, without colours |

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;

use timeball_config::Level;
use timeball_core::Event as EngineEvent;
use timeball_core::event::Severity;
use timeball_host::clock::Clock;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, Layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::{Layer as _, reload};

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

/// Sends what the program traces to standard error: from `level` up if the command line says so,
/// else as [`Log::configured`] says, which is "info" until then.
///
/// Does nothing, and answers `None`, if something else in this process collects traces already.
pub fn start(level: Option<Level>) -> Option<Log> {
    let choice = level.map_or(Choice::Configuration, |_| Choice::CommandLine);
    let (filter, handle) = reload::Layer::new(filter(level.unwrap_or(Level::Info)));
    let lines = Layer::new()
        .event_format(Format { style: Style::of_standard_error(), clock: Clock::open().ok() })
        .with_writer(io::stderr)
        .with_filter(filter);
    let subscriber = Registry::default().with(lines);
    tracing::subscriber::set_global_default(subscriber).ok()?;
    Some(Log { filter: handle, choice })
}

impl Log {
    /// The configuration asks for lines from `level` up.
    pub fn configured(&self, level: Level) {
        match self.choice {
            Choice::CommandLine => {}
            // Fails only if the subscriber is gone, and then there is nothing to set.
            Choice::Configuration => {
                let _ = self.filter.modify(|current| *current = filter(level));
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

/// Logs what the engine says, as loud as it says.
pub fn engine_event(event: &EngineEvent) {
    match event.severity() {
        Severity::Debug => tracing::debug!("{event}"),
        Severity::Info => tracing::info!("{event}"),
        Severity::Warning => tracing::warn!("{event}"),
        Severity::Error => tracing::error!("{event}"),
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

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// For people on a terminal.
    Coloured,
    /// For people.
    Plain,
    /// For the journal.
    Journal,
}

impl Style {
    fn of_standard_error() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        // Two descriptors are one file if device and inode are the same.
        let file = fs::metadata("/proc/self/fd/2").ok().map(|file| (file.dev(), file.ino()));
        let colours = variable("NO_COLOR").is_none();
        let journal = variable("JOURNAL_STREAM");
        Self::choose(io::stderr().is_terminal(), colours, journal.as_deref(), file)
    }

    /// `JOURNAL_STREAM` is device and inode of the service's standard error (systemd.exec(5)).
    /// Whatever a service starts inherits the variable, and may write elsewhere.
    fn choose(
        terminal: bool,
        colours: bool,
        journal: Option<&str>,
        standard_error: Option<(u64, u64)>,
    ) -> Self {
        let journal = journal.and_then(|stream| {
            let (device, inode) = stream.split_once(':')?;
            Some((device.parse().ok()?, inode.parse().ok()?))
        });
        match (terminal, colours) {
            (true, true) => Self::Coloured,
            (true, false) => Self::Plain,
            (false, _) if journal.is_some() && journal == standard_error => Self::Journal,
            (false, _) => Self::Plain,
        }
    }
}

struct Format {
    style: Style,
    clock: Option<Clock>,
}

impl Format {
    fn write_prefix(&self, writer: &mut Writer<'_>, level: tracing::Level) -> fmt::Result {
        if self.style == Style::Journal {
            return write!(writer, "<{}>", syslog_priority(level));
        }
        match self.clock.as_ref().and_then(|clock| clock.system().ok()) {
            Some(now) => write!(writer, "{now:.3} ")?,
            None => writer.write_str("- ")?,
        }
        match self.style {
            Style::Coloured => write!(writer, "\x1b[{}m{level:>5}\x1b[0m ", colour(level)),
            Style::Plain | Style::Journal => write!(writer, "{level:>5} "),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        self.write_prefix(&mut writer, *event.metadata().level())?;
        let mut message = String::new();
        context.field_format().format_fields(Writer::new(&mut message), event)?;
        write_on_one_line(&mut writer, &message)?;
        writeln!(writer)
    }
}

/// Text from outside (a host name, an error from the network) must not make lines of its own, nor
/// speak to the terminal.
fn write_on_one_line(writer: &mut impl fmt::Write, message: &str) -> fmt::Result {
    for character in message.chars() {
        if character.is_control() {
            write!(writer, "{}", character.escape_default())?;
        } else {
            writer.write_char(character)?;
        }
    }
    Ok(())
}

/// As sd-daemon(3) wants them: `LOG_ERR` to `LOG_DEBUG`.
const fn syslog_priority(level: tracing::Level) -> u8 {
    match level {
        tracing::Level::ERROR => 3,
        tracing::Level::WARN => 4,
        tracing::Level::INFO => 6,
        tracing::Level::DEBUG | tracing::Level::TRACE => 7,
    }
}

const fn colour(level: tracing::Level) -> u8 {
    match level {
        tracing::Level::ERROR => 31,
        tracing::Level::WARN => 33,
        tracing::Level::INFO => 32,
        tracing::Level::DEBUG => 34,
        tracing::Level::TRACE => 35,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn the_style_follows_standard_error() {
        let file = Some((8, 4711));
        assert_eq!(Style::choose(true, true, None, file), Style::Coloured);
        assert_eq!(Style::choose(true, false, None, file), Style::Plain);
        assert_eq!(Style::choose(true, true, Some("8:99"), file), Style::Coloured);
        assert_eq!(Style::choose(false, true, None, file), Style::Plain);
        assert_eq!(Style::choose(false, true, Some("8:4711"), file), Style::Journal);
    }

    #[test]
    fn a_file_is_not_taken_for_the_journal_that_a_parent_writes_to() {
        for stream in ["8:99", "9:4711", "8", "", "8:4711:1", "a:b"] {
            let style = Style::choose(false, true, Some(stream), Some((8, 4711)));
            assert_eq!(style, Style::Plain, "{stream}");
        }
        assert_eq!(Style::choose(false, true, Some("x"), None), Style::Plain);
    }

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(style: Style, log: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = Registry::default().with(
            Layer::new()
                .event_format(Format { style, clock: None })
                .with_writer(move || writer.clone())
                .with_filter(LevelFilter::INFO),
        );
        tracing::subscriber::with_default(subscriber, log);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_look_as_documented() {
        let log = || {
            tracing::warn!("source {}: falseticker", "b");
            tracing::debug!("hidden");
        };
        assert_eq!(lines(Style::Journal, log), "<4>source b: falseticker\n");
        assert_eq!(lines(Style::Plain, log), "-  WARN source b: falseticker\n");
        assert_eq!(
            lines(Style::Coloured, log),
            "- \u{1b}[33m WARN\u{1b}[0m source b: falseticker\n"
        );
    }

    #[test]
    fn outside_text_stays_on_its_line() {
        let log = || tracing::error!("evil\n<0>name \u{1b}[2J");
        assert_eq!(lines(Style::Journal, log), "<3>evil\\n<0>name \\x1b[2J\n");
    }

    #[test]
    fn engine_events_are_as_loud_as_they_say() {
        let log = || {
            engine_event(&EngineEvent::Panic { offset: 2000.0, bound: 1000.0 });
            engine_event(&EngineEvent::LeapDone);
        };
        let text = lines(Style::Journal, log);
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("<3>all sources are +2000.000 s away"));
        assert_eq!(lines.next(), Some("<6>the leap second has passed"));
        assert_eq!(lines.next(), None);
    }
}
