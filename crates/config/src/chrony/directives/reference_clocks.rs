//! `refclock DRIVER PARAMETER[:OPTIONS] [OPTIONS]`.

use timeball_core::association::PollInterval;
use timeball_core::reference_clock::{Driver, Settings, TimeScale};
use timeball_wire::ReferenceId;

use super::super::Outcome;
use super::super::arguments::{Arguments, path, wrong};
use super::super::draft::{Draft, DraftClock};
use super::super::line::Word;
use super::{Directive, Fate};
use crate::diagnostic::Diagnostic;

/// An option of `refclock`.
pub(in crate::chrony) type ClockOption = Directive<DraftClock>;

/// All of them.
pub(in crate::chrony) const CLOCK_OPTIONS: &[ClockOption] = &[
    ClockOption::honoured(
        "poll",
        "Time between two measurements (log₂ s).",
        |clock, arguments| {
            clock.settings.poll = poll(arguments)?;
            Ok(())
        },
    ),
    ClockOption::honoured("dpoll", "Time between two samples (log₂ s).", |clock, arguments| {
        clock.settings.driver_poll = poll(arguments)?;
        Ok(())
    }),
    ClockOption::honoured("refid", "Its reference ID, up to four letters.", |clock, arguments| {
        let word = arguments.word("the reference ID")?;
        clock.settings.reference_id = reference_id(word)?;
        Ok(())
    }),
    ClockOption::honoured("offset", "Added to every sample (s).", |clock, arguments| {
        clock.settings.offset = arguments.difference("the offset (s)")?;
        Ok(())
    }),
    ClockOption::honoured("delay", "Delay to the clock (s).", |clock, arguments| {
        clock.settings.delay = arguments.seconds("the delay (s)")?.min(LONGEST_DELAY);
        Ok(())
    }),
    ClockOption::honoured("stratum", "Its stratum.", |clock, arguments| {
        let stratum = arguments.integer("the stratum", 0..=15)?;
        clock.settings.stratum = u8::try_from(stratum).unwrap_or_default();
        Ok(())
    }),
    ClockOption::honoured(
        "precision",
        "How finely it tells the time (s); 0 is as finely as the system clock.",
        |clock, arguments| {
            clock.settings.precision = if_any(arguments.seconds("the precision (s)")?);
            Ok(())
        },
    ),
    ClockOption::honoured(
        "maxdispersion",
        "A measurement whose samples are more scattered (s) is dropped; 0 drops none.",
        |clock, arguments| {
            clock.settings.max_dispersion = if_any(arguments.seconds("the dispersion (s)")?);
            Ok(())
        },
    ),
    ClockOption::honoured("filter", "Most samples that make a measurement.", |clock, arguments| {
        let samples = arguments.count_of("the number of samples", 1)?;
        clock.settings.filter =
            usize::try_from(samples).unwrap_or(usize::MAX).clamp(1, LONGEST_FILTER);
        Ok(())
    }),
    ClockOption::honoured("minsamples", "Least measurements to keep.", |clock, arguments| {
        clock.min_samples = Some(arguments.count_of("the number of samples", 0)?);
        Ok(())
    }),
    ClockOption::honoured("maxsamples", "Most measurements to keep.", |clock, arguments| {
        clock.max_samples = Some(arguments.count_of("the number of samples", 0)?);
        Ok(())
    }),
    ClockOption::honoured(
        "maxunreach",
        "After so many polls without a sample it is not selected.",
        |clock, arguments| {
            let polls = arguments.count_of("the number of polls", 0)?;
            clock.settings.max_unreach = u32::try_from(polls).unwrap_or(u32::MAX);
            Ok(())
        },
    ),
    ClockOption::honoured(
        "tai",
        "It counts TAI; `leapseclist` or `leapsectz` makes UTC of it.",
        |clock, _| {
            clock.settings.time_scale = TimeScale::Tai;
            Ok(())
        },
    ),
    ClockOption::honoured("prefer", "Used instead of all that are not preferred.", |clock, _| {
        clock.settings.options.prefer = true;
        Ok(())
    }),
    ClockOption::honoured("noselect", "Measured, never followed.", |clock, _| {
        clock.settings.options.noselect = true;
        Ok(())
    }),
    ClockOption::honoured("trust", "Counts as right.", |clock, _| {
        clock.settings.options.trust = true;
        Ok(())
    }),
    ClockOption::honoured("require", "None is selected unless this one agrees.", |clock, _| {
        clock.settings.options.require = true;
        Ok(())
    }),
    ClockOption::refused(
        "pps",
        "Pulses are not supported yet: taken for whole samples they would be seconds wrong.",
    ),
    ClockOption::refused(
        "lock",
        "Pulses are not supported yet, and nothing else can be locked to another clock.",
    ),
    ClockOption::refused(
        "local",
        "A clock that is stable and not right cannot stabilise the system clock yet; taken for one \
         that is right it would set it wrong.",
    ),
    ClockOption {
        name: "rate",
        fate: Fate::Unneeded,
        words: "Means something only with pulses.",
        read: skip_value,
    },
    ClockOption {
        name: "width",
        fate: Fate::Unneeded,
        words: "Means something only with pulses.",
        read: skip_value,
    },
    ClockOption {
        name: "maxlockage",
        fate: Fate::Unneeded,
        words: "Means something only with pulses.",
        read: skip_value,
    },
];

/// Longest delay, precision or dispersion (s).
const LONGEST_DELAY: f64 = 1000.0;
/// No clock is finer (s).
const FINEST: f64 = 1e-9;
/// Beyond this no measurement would ever come of it.
const LONGEST_FILTER: usize = 1024;
/// Longest path of a Unix socket on Linux: `sun_path` has 108 bytes, the last is zero.
const LONGEST_SOCKET_PATH: usize = 107;

/// Reads the whole line.
pub(super) fn read(draft: &mut Draft, arguments: &mut Arguments<'_>) -> Outcome<()> {
    let line = arguments.line();
    let (driver, name) = driver(arguments)?;
    let place = draft.reference_clocks.len();
    let mut clock = DraftClock {
        settings: Settings::new(driver, default_id(name, place)),
        min_samples: None,
        max_samples: None,
        line,
    };
    while let Some(word) = arguments.next() {
        let Some(option) = CLOCK_OPTIONS.iter().find(|option| word.is(option.name)) else {
            let known = CLOCK_OPTIONS.iter().map(|option| option.name);
            let near = crate::native::nearest(word.text, known);
            return Err(Box::new(
                Diagnostic::error(format!("`refclock` has no option `{}`", word.text))
                    .at(word.span.clone())
                    .help_if(near.map(|near| format!("did you mean `{near}`?"))),
            ));
        };
        if option.fate == Fate::Refused {
            return Err(refused(word, option.name, option.words));
        }
        (option.read)(&mut clock, arguments)?;
    }
    draft.reference_clocks.push(clock);
    Ok(())
}

/// The driver, and the name that reference IDs are made of.
fn driver(arguments: &mut Arguments<'_>) -> Outcome<(Driver, [u8; 3])> {
    let driver = arguments.word("the driver")?;
    match driver.text {
        "SHM" => {
            let word = arguments.word("the number of the segment")?;
            Ok((shared_memory(word)?, *b"SHM"))
        }
        "SOCK" => {
            let word = arguments.word("the socket's path")?;
            let path = path(word, "the socket's path", LONGEST_SOCKET_PATH)?;
            Ok((Driver::Socket { path }, *b"SOC"))
        }
        "PPS" | "PHC" | "RTC" => Err(refused(
            driver,
            driver.text,
            "of reference clocks, SHM and SOCK are: without this one the file would mean something \
             else",
        )),
        _ => Err(wrong(driver, "the driver", "SHM or SOCK")),
    }
}

/// `UNIT[:perm=OCTAL]`.
fn shared_memory(word: &Word<'_>) -> Outcome<Driver> {
    let mut parts = word.text.split(':');
    let unit = parts.next().and_then(|unit| unit.parse().ok());
    let malformed =
        || wrong(word, "the segment", "a number from 0 to 255, perhaps with `:perm=0600`");
    let unit = unit.ok_or_else(malformed)?;
    let mut permissions = 0o600;
    for part in parts {
        let octal = part.strip_prefix("perm=").ok_or_else(malformed)?;
        permissions = u16::from_str_radix(octal, 8)
            .ok()
            .filter(|permissions| *permissions <= 0o777)
            .ok_or_else(malformed)?;
    }
    Ok(Driver::SharedMemory { unit, permissions })
}

/// Three letters of the driver and the clock's place among all of them.
fn default_id([a, b, c]: [u8; 3], place: usize) -> ReferenceId {
    let digit = u8::try_from(place % 10).unwrap_or_default();
    ReferenceId::from_bytes([a, b, c, b'0' + digit])
}

fn reference_id(word: &Word<'_>) -> Outcome<ReferenceId> {
    crate::native::reference_id(word.text)
        .ok_or_else(|| wrong(word, "the reference ID", "one to four letters"))
}

fn refused(word: &Word<'_>, name: &str, help: &'static str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(format!("`{name}` is not supported")).at(word.span.clone()).help(help),
    )
}

/// 0 says that it is not known.
fn if_any(seconds: f64) -> Option<f64> {
    (seconds > 0.0).then_some(seconds.clamp(FINEST, LONGEST_DELAY))
}

fn poll(arguments: &mut Arguments<'_>) -> Outcome<PollInterval> {
    let exponent = arguments.integer("the poll interval", -32..=32)?;
    Ok(PollInterval::new(i8::try_from(exponent).unwrap_or_default()))
}

fn skip_value(_: &mut DraftClock, arguments: &mut Arguments<'_>) -> Outcome<()> {
    arguments.word("a value of its option").map(|_| ())
}
