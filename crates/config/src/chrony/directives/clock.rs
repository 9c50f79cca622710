//! The system clock and the battery clock.

use timeball_core::discipline::{LeapMode, MaxChange};

use super::super::Outcome;
use super::super::arguments::Arguments;
use super::super::draft::Draft;
use super::Directive;
use crate::config::{Compensation, DriftFile, Temperature};

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::unneeded("clockprecision", "The precision is measured."),
    Directive::honoured(
        "corrtimeratio",
        "How long a slew may take, against the time between two updates.",
        |draft, arguments| {
            draft.config.engine.discipline.correction_time_ratio =
                Some(arguments.ratio("the ratio")?);
            Ok(())
        },
    ),
    Directive::honoured(
        "driftfile",
        "File that remembers the clock's frequency, in chronyd's format. Without it none is kept.",
        driftfile,
    ),
    Directive::honoured(
        "fallbackdrift",
        "Averages of the frequency to run by when there are no updates any more.",
        |draft, arguments| {
            let mut bound =
                |what| arguments.integer(what, INTEGERS).map(|n| n.min(LONGEST_AVERAGE));
            let (least, most) = (bound("the shortest time")?, bound("the longest time")?);
            draft.config.engine.discipline.fallback_drift =
                (0 < least && least <= most).then_some((small(least), small(most)));
            Ok(())
        },
    ),
    Directive::honoured("leapsecmode", "How a leap second is made.", |draft, arguments| {
        draft.config.engine.discipline.leap_mode = arguments.one_of(
            "the mode",
            &[
                ("system", LeapMode::System),
                ("step", LeapMode::Step),
                ("slew", LeapMode::Slew),
                ("ignore", LeapMode::Ignore),
            ],
        )?;
        Ok(())
    }),
    Directive::honoured(
        "leapsectz",
        "Time zone whose rules contain the leap seconds.",
        |draft, arguments| {
            let zone = arguments.word("the time zone")?;
            draft.config.clock.leap_seconds_zone = Some(zone.text.to_owned());
            Ok(())
        },
    ),
    Directive::honoured(
        "leapseclist",
        "File of all leap seconds. One that cannot be used is a message, and is done without.",
        |draft, arguments| {
            // Its place is not noted: a list that is not there or not right is no mistake to chronyd.
            draft.config.clock.leap_seconds_list = Some(arguments.path("the file")?);
            Ok(())
        },
    ),
    Directive::honoured(
        "makestep",
        "Steps the clock if it is further off than the threshold, in the first updates only. Without \
         it the clock is never stepped.",
        |draft, arguments| {
            let threshold = arguments.difference("the threshold (s)")?;
            let limit = arguments.integer("the limit", INTEGERS)?;
            let discipline = &mut draft.config.engine.discipline;
            discipline.step_threshold = threshold.max(0.0);
            discipline.step_limit = u32::try_from(limit).ok().map(|limit| limit.min(MOST_UPDATES));
            Ok(())
        },
    ),
    Directive::honoured(
        "maxchange",
        "Offsets that are ignored, and end the program at last.",
        |draft, arguments| {
            let threshold = arguments.seconds("the offset (s)")?;
            let start = arguments.integer("the number of updates", INTEGERS)?;
            let ignore = arguments.integer("the number of ignored offsets", INTEGERS)?;
            draft.config.engine.discipline.max_change = u32::try_from(start)
                .ok()
                .map(|start| MaxChange { threshold, start, ignore: u32::try_from(ignore).ok() });
            Ok(())
        },
    ),
    Directive::honoured(
        "maxclockerror",
        "How fast the bound of the error grows without measurements (ppm).",
        |draft, arguments| {
            draft.config.engine.discipline.wander =
                arguments.ppm("the error (ppm)", 0.0..=FASTEST_RATE)?;
            Ok(())
        },
    ),
    Directive::honoured(
        "maxdrift",
        "Largest correction of the frequency (ppm), up to 100000.",
        |draft, arguments| {
            draft.config.engine.discipline.max_frequency =
                arguments.ppm("the drift (ppm)", SLOWEST_RATE..=FASTEST_RATE)?;
            Ok(())
        },
    ),
    Directive::honoured("maxslewrate", "Fastest slew (ppm), up to 100000.", |draft, arguments| {
        draft.config.engine.discipline.max_slew =
            arguments.ppm("the rate (ppm)", SLOWEST_RATE..=FASTEST_RATE)?;
        Ok(())
    }),
    Directive::honoured(
        "maxupdateskew",
        "A frequency less certain than this (ppm) is not used.",
        |draft, arguments| {
            draft.config.engine.discipline.max_update_skew =
                arguments.ppm("the skew (ppm)", 0.0..=1.0)?;
            Ok(())
        },
    ),
    Directive::honoured("tempcomp", "Corrects the frequency by a temperature.", tempcomp),
];

pub(super) const BATTERY: &[Directive<Draft>] = &[
    Directive::honoured(
        "rtcsync",
        "The kernel copies the system clock to the battery clock. Without it the kernel is not told \
         to.",
        |draft, _| {
            draft.config.clock.sync_battery_clock = true;
            Ok(())
        },
    ),
    Directive::warned(
        "rtcfile",
        "The battery clock's drift is not tracked; with `rtcsync` the kernel keeps it right.",
    ),
    Directive::warned(
        "rtcautotrim",
        "The battery clock is not trimmed; with `rtcsync` the kernel keeps it right.",
    ),
    Directive::unneeded("rtcdevice", "Means something only with `rtcfile`."),
    Directive::unneeded("rtconutc", "Means something only with `rtcfile`."),
    Directive::unneeded("hwclockfile", "Means something only with `rtcfile`."),
];

const INTEGERS: std::ops::RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;
/// The kernel's tick can be changed by a tenth.
const FASTEST_RATE: f64 = 0.1;
/// How often a temperature may be read (s).
const SHORTEST_INTERVAL: f64 = 1e-3;
/// Beyond any temperature, in whatever unit, and what can be made of it.
const LARGEST_COEFFICIENT: f64 = 1e12;
/// chronyd would take any number of updates; a million is as good as all.
const MOST_UPDATES: u32 = 1_000_000;
/// Longest time for an average (log₂ s).
const LONGEST_AVERAGE: i64 = 63;
/// As good as none.
const SLOWEST_RATE: f64 = 1e-9;

fn small(value: i64) -> i8 {
    i8::try_from(value).unwrap_or(i8::MAX)
}

/// `FILE [interval S]`.
fn driftfile(draft: &mut Draft, arguments: &mut Arguments<'_>) -> Outcome<()> {
    let path = arguments.path("the file")?;
    let mut interval = 3600.0;
    if let Some(word) = arguments.next() {
        if !word.is("interval") {
            return Err(super::super::arguments::wrong(word, "the option", "interval"));
        }
        interval = arguments.integer("the interval (s)", 0..=i64::from(i32::MAX))? as f64;
    }
    draft.config.files.drift_file = DriftFile::At { path, interval };
    Ok(())
}

/// `FILE INTERVAL T0 k0 k1 k2` or `FILE INTERVAL POINTS`.
fn tempcomp(draft: &mut Draft, arguments: &mut Arguments<'_>) -> Outcome<()> {
    let any = -LARGEST_COEFFICIENT..=LARGEST_COEFFICIENT;
    let file = arguments.path("the sensor's file")?;
    let interval = arguments.seconds("the interval (s)")?.max(SHORTEST_INTERVAL);
    let compensation = if arguments.count() == 3 {
        Compensation::Points(arguments.path("the file of points")?)
    } else {
        Compensation::Quadratic {
            t0: arguments.number("T0", any.clone())?,
            k0: arguments.number("k0 (ppm)", any.clone())?,
            k1: arguments.number("k1", any.clone())?,
            k2: arguments.number("k2", any)?,
        }
    };
    draft.config.clock.temperature = Some(Temperature { file, interval, compensation });
    Ok(())
}
