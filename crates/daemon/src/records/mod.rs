//! Logs of measurements, in files of their own: what chronyd writes into its `logdir`, column by
//! column, so that everything that reads those files goes on reading them.

mod columns;
mod log_file;

use std::collections::{HashMap, HashSet};

use timeball_config::{Config, Record as Kind};
use timeball_core::record::{Content, Record, Wanted};
use timeball_core::report::SourceReport;
use timeball_core::selection::SourceId;
use timeball_wire::Timestamp;

use columns::Stress;
use log_file::LogFile;

/// The logs that are kept.
#[derive(Debug, Default)]
pub(crate) struct Records {
    answers: Option<Answers>,
    estimates: Option<LogFile>,
    selections: Option<LogFile>,
    updates: Option<LogFile>,
    temperature: Option<LogFile>,
    reference_clocks: Option<LogFile>,
    /// The last estimate of each source, to compare the next with.
    stress: HashMap<SourceId, Stress>,
    /// Bound of the clock's error that the last update left over.
    left_over: f64,
}

#[derive(Debug)]
struct Answers {
    file: LogFile,
    which: Which,
}

/// Which answers of a source are worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// All.
    All,
    /// Those of sources that have time to give.
    Synchronised,
}

impl Records {
    /// The logs that `config` asks for.
    pub(crate) fn new(config: &Config) -> Self {
        let kinds = &config.log.records;
        let wanted = |kind| kinds.contains(&kind);
        let Some(directory) = &config.files.log_directory else {
            if !kinds.is_empty() {
                tracing::warn!("logdir not specified");
            }
            return Self::default();
        };
        let file = |name, heading| LogFile::new(directory, name, heading, config.log.banner);
        let which = match (wanted(Kind::RawMeasurements), wanted(Kind::Measurements)) {
            (true, _) => Some(Which::All),
            (false, true) => Some(Which::Synchronised),
            (false, false) => None,
        };
        Self {
            answers: which
                .map(|which| Answers { file: file("measurements", columns::ANSWERS), which }),
            estimates: wanted(Kind::Statistics).then(|| file("statistics", columns::ESTIMATES)),
            selections: wanted(Kind::Selection).then(|| file("selection", columns::SELECTIONS)),
            updates: wanted(Kind::Tracking).then(|| file("tracking", columns::UPDATES)),
            temperature: wanted(Kind::Temperature).then(|| file("tempcomp", columns::TEMPERATURES)),
            reference_clocks: wanted(Kind::ReferenceClocks)
                .then(|| file("refclocks", columns::REFERENCE_CLOCKS)),
            stress: HashMap::new(),
            left_over: 0.0,
        }
    }

    /// What the engine has to record for that.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            answers: self.answers.is_some(),
            estimates: self.estimates.is_some(),
            selections: self.selections.is_some(),
            updates: self.updates.is_some(),
            clock_samples: self.reference_clocks.is_some(),
        }
    }

    /// Adds a record to its log.
    pub(crate) fn write(&mut self, record: &Record) {
        let at = record.at;
        match &record.content {
            Content::Answer(source) => self.answer(at, source),
            Content::Estimate(source) => {
                let stress = self.stress(source);
                let line = columns::estimate(at, source, stress);
                append(&mut self.estimates, line.as_deref());
            }
            Content::Selection(sources) => {
                let there: HashSet<SourceId> = sources.iter().filter_map(|it| it.id).collect();
                self.stress.retain(|id, _| there.contains(id));
                for source in sources {
                    let line = columns::selection(at, source);
                    append(&mut self.selections, line.as_deref());
                }
            }
            Content::Update(update) => {
                let line = columns::update(at, update, self.left_over);
                self.left_over = (update.unforeseen + update.remaining).abs();
                append(&mut self.updates, Some(&line));
            }
            Content::ClockSample(sample) => {
                append(&mut self.reference_clocks, Some(&columns::clock_sample(sample)));
            }
        }
    }

    /// The temperature has been read, and compensated by this much (ppm).
    pub(crate) fn write_temperature(&mut self, at: Timestamp, temperature: f64, ppm: f64) {
        append(&mut self.temperature, Some(&columns::temperature(at, temperature, ppm)));
    }

    /// Closes all files; each is opened, and perhaps made, again for its next line. For those who
    /// have moved them away.
    pub(crate) fn cycle(&mut self) {
        let answers = self.answers.as_mut().map(|answers| &mut answers.file);
        let others = [
            self.estimates.as_mut(),
            self.selections.as_mut(),
            self.updates.as_mut(),
            self.temperature.as_mut(),
            self.reference_clocks.as_mut(),
        ];
        answers.into_iter().chain(others.into_iter().flatten()).for_each(LogFile::close);
    }

    fn answer(&mut self, at: Timestamp, source: &SourceReport) {
        let Some(Answers { file, which }) = &mut self.answers else { return };
        let synchronised = source.last_exchange.as_ref().is_some_and(columns::is_synchronised);
        if (*which == Which::All || synchronised)
            && let Some(line) = columns::answer(at, source)
        {
            file.append(&line);
        }
    }

    /// How much the source's frequency has changed, by what was to be expected.
    fn stress(&mut self, source: &SourceReport) -> f64 {
        let (Some(id), Some(now)) = (source.id, Stress::of(source)) else { return 0.0 };
        let before = self.stress.insert(id, now);
        before.map_or(0.0, |before| before.until(&now))
    }
}

fn append(file: &mut Option<LogFile>, line: Option<&str>) {
    if let (Some(file), Some(line)) = (file, line) {
        file.append(line);
    }
}
