//! Logs.

use super::super::arguments::wrong;
use super::super::draft::Draft;
use super::Directive;
use crate::config::Record;

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::honoured(
        "log",
        "Files of measurements, in chronyd's formats.",
        |draft, arguments| {
            while let Some(word) = arguments.next() {
                let Some((_, record)) = RECORDS.iter().find(|(known, _)| word.is(known)) else {
                    let known: Vec<_> = RECORDS.iter().map(|(known, _)| *known).collect();
                    return Err(wrong(word, "a log", format!("one of {}", known.join(", "))));
                };
                draft.records.insert(*record);
            }
            Ok(())
        },
    ),
    Directive::honoured(
        "logbanner",
        "Lines between two repetitions of the headings.",
        |draft, arguments| {
            let lines = arguments.count_of("the number of lines", 0)?;
            draft.config.log.banner = u32::try_from(lines).unwrap_or(u32::MAX);
            Ok(())
        },
    ),
    Directive::honoured(
        "logchange",
        "Corrections above this (s) are worth a message.",
        |draft, arguments| {
            draft.config.log.change_threshold = arguments.seconds("the threshold (s)")?;
            Ok(())
        },
    ),
    Directive::honoured("logdir", "Directory of the logs.", |draft, arguments| {
        draft.config.files.log_directory = Some(arguments.path("the directory")?);
        Ok(())
    }),
    Directive::warned(
        "mailonchange",
        "No mail is sent. Corrections above `logchange` are messages that a log watcher can mail.",
    ),
];

const RECORDS: &[(&str, Record)] = &[
    ("rawmeasurements", Record::RawMeasurements),
    ("measurements", Record::Measurements),
    ("selection", Record::Selection),
    ("statistics", Record::Statistics),
    ("tracking", Record::Tracking),
    ("rtc", Record::BatteryClock),
    ("refclocks", Record::ReferenceClocks),
    ("tempcomp", Record::Temperature),
];
