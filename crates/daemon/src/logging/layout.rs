//! What a log line looks like.
//!
//! | layout | a line |
//! |---|---|
//! | a terminal's | `2036-02-07T06:28:16.500Z  WARN source b: falseticker: …`, coloured unless `NO_COLOR` is set |
//! | the journal's | `<4>source b: falseticker: …`; the journal knows the time and makes the priority of the digit |
//! | a file's | as on a terminal, without colours |
//! | chronyd's | `2036-02-07T06:28:16Z Detected falseticker 192.0.2.1` |
//! | the system log's | the message alone |

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;

use timeball_host::clock::Clock;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::{Destination, Manner};

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// For people on a terminal.
    Coloured,
    /// For people.
    Plain,
    /// For the journal.
    Journal,
    /// As chronyd does on standard error and in files.
    Chronyd,
    /// The message alone.
    Bare,
}

impl Layout {
    /// The layout of lines for `destination`.
    pub(super) fn of(destination: &Destination, manner: Manner) -> Self {
        match (destination, manner) {
            (Destination::SystemLog, _) => Self::Bare,
            (_, Manner::Chronyd) => Self::Chronyd,
            (Destination::StandardError, Manner::Timeball) => Self::of_standard_error(),
            (Destination::File(_), Manner::Timeball) => Self::Plain,
        }
    }

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

/// Lays lines out.
pub(super) struct Format {
    pub(super) layout: Layout,
    pub(super) clock: Option<Clock>,
}

impl Format {
    fn write_prefix(&self, writer: &mut Writer<'_>, level: tracing::Level) -> fmt::Result {
        match self.layout {
            Layout::Bare => Ok(()),
            Layout::Journal => write!(writer, "<{}>", syslog_priority(level)),
            Layout::Chronyd => self.write_time(writer, 0),
            Layout::Plain => {
                self.write_time(writer, 3)?;
                write!(writer, "{level:>5} ")
            }
            Layout::Coloured => {
                self.write_time(writer, 3)?;
                write!(writer, "\x1b[{}m{level:>5}\x1b[0m ", colour(level))
            }
        }
    }

    fn write_time(&self, writer: &mut Writer<'_>, digits: usize) -> fmt::Result {
        match self.clock.as_ref().and_then(|clock| clock.system().ok()) {
            Some(now) => write!(writer, "{now:.digits$} "),
            None => writer.write_str("- "),
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

    use timeball_core::Event as EngineEvent;
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::fmt::Layer;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry::Registry;

    use super::super::Words;
    use super::*;

    #[test]
    fn the_style_follows_standard_error() {
        let file = Some((8, 4711));
        assert_eq!(Layout::choose(true, true, None, file), Layout::Coloured);
        assert_eq!(Layout::choose(true, false, None, file), Layout::Plain);
        assert_eq!(Layout::choose(true, true, Some("8:99"), file), Layout::Coloured);
        assert_eq!(Layout::choose(false, true, None, file), Layout::Plain);
        assert_eq!(Layout::choose(false, true, Some("8:4711"), file), Layout::Journal);
    }

    #[test]
    fn a_file_is_not_taken_for_the_journal_that_a_parent_writes_to() {
        for stream in ["8:99", "9:4711", "8", "", "8:4711:1", "a:b"] {
            let layout = Layout::choose(false, true, Some(stream), Some((8, 4711)));
            assert_eq!(layout, Layout::Plain, "{stream}");
        }
        assert_eq!(Layout::choose(false, true, Some("x"), None), Layout::Plain);
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

    fn lines(layout: Layout, log: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = Registry::default().with(
            Layer::new()
                .event_format(Format { layout, clock: None })
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
        assert_eq!(lines(Layout::Journal, log), "<4>source b: falseticker\n");
        assert_eq!(lines(Layout::Plain, log), "-  WARN source b: falseticker\n");
        assert_eq!(
            lines(Layout::Coloured, log),
            "- \u{1b}[33m WARN\u{1b}[0m source b: falseticker\n"
        );
    }

    #[test]
    fn outside_text_stays_on_its_line() {
        let log = || tracing::error!("evil\n<0>name \u{1b}[2J");
        assert_eq!(lines(Layout::Journal, log), "<3>evil\\n<0>name \\x1b[2J\n");
    }

    #[test]
    fn engine_events_are_as_loud_as_they_say() {
        let log = || {
            let words = Words::new(Manner::Timeball, &timeball_config::Config::default());
            words.log(&EngineEvent::Panic { offset: 2000.0, bound: 1000.0 });
            words.log(&EngineEvent::LeapDone);
        };
        let text = lines(Layout::Journal, log);
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("<3>all sources are +2000.000 s away"));
        assert_eq!(lines.next(), Some("<6>the leap second has passed"));
        assert_eq!(lines.next(), None);
    }
}
