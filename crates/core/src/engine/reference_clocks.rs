//! Reference clocks: when they are read, and what follows from that.

use timeball_wire::Timestamp;

use super::source::label_of_clock;
use super::{ClockReading, Engine, Output};
use crate::estimator::Estimator;
use crate::event::Event;
use crate::now::Now;
use crate::record::{ClockSample, Stage};
use crate::reference_clock::{self, GoodSample, Measured, ReferenceClock, Surroundings};
use crate::selection::{Reach, SourceId, Standing, State, Verdict};

/// A reference clock among the sources.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) id: SourceId,
    pub(super) clock: ReferenceClock,
    pub(super) verdict: Verdict,
    /// The numbers behind the verdict.
    pub(super) standing: Option<Standing>,
    /// Has a measurement that selection has not seen.
    pub(super) updated: bool,
    /// What the log calls it.
    pub(super) label: String,
    /// It tells the time or does not, as far as the log has been told.
    reachable: Option<bool>,
}

impl Clock {
    fn new(id: SourceId, clock: ReferenceClock) -> Self {
        let verdict = Verdict { state: State::Measuring, reason: "no measurement yet".to_owned() };
        let label = label_of_clock(clock.settings());
        Self { id, clock, verdict, standing: None, updated: false, label, reachable: None }
    }

    /// Whether it tells the time.
    pub(super) fn reach(&self) -> Reach {
        let reachability = self.clock.reachability();
        if self.clock.is_given_up() {
            Reach::GivenUp
        } else if reachability.is_reachable() {
            Reach::Reachable
        } else {
            Reach::Silent { polls: reachability.unanswered() }
        }
    }
}

impl Engine {
    /// Has these reference clocks from now on; of those that it had already, what was measured stays.
    pub(super) fn configure_reference_clocks(
        &mut self,
        now: Now,
        wanted: &[reference_clock::Settings],
    ) {
        let mut old = std::mem::take(&mut self.reference_clocks);
        for settings in wanted {
            let kept = old.iter().position(|had| had.clock.settings().reads_like(settings));
            let clock = match kept.map(|index| old.swap_remove(index)) {
                Some(mut kept) => {
                    kept.clock.configure(settings.clone());
                    kept
                }
                None => self.new_clock(now, settings),
            };
            self.reference_clocks.push(clock);
        }
    }

    fn new_clock(&mut self, now: Now, settings: &reference_clock::Settings) -> Clock {
        let id = SourceId(self.next_source);
        self.next_source += 1;
        let estimator = Estimator::new(settings.estimator, self.discipline.frequency());
        Clock::new(id, ReferenceClock::new(settings.clone(), estimator, now.monotonic))
    }

    fn clock_surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            timeline: &self.timeline,
            precision: self.precision,
            frequency: self.discipline.frequency().value,
            leap_second: self.discipline.leap_midnight(),
            leap_table: self.settings.discipline.leap_table.as_ref(),
        }
    }

    /// Asks for the readings that are due.
    pub(super) fn read_clocks(&mut self, now: Now) {
        for clock in &mut self.reference_clocks {
            if clock.clock.poll_reading(now.monotonic) {
                let driver = clock.clock.settings().driver.clone();
                self.outbox.push(Output::ReadClock { clock: clock.id, driver });
            }
        }
    }

    /// A clock has been read.
    pub(super) fn handle_clock_reading(
        &mut self,
        now: Now,
        id: SourceId,
        reading: &ClockReading<'_>,
    ) {
        // It may have been configured away meanwhile.
        let Some(index) = self.reference_clocks.iter().position(|clock| clock.id == id) else {
            return;
        };
        let mut clocks = std::mem::take(&mut self.reference_clocks);
        let Clock { clock, label, .. } = &mut clocks[index];
        let surroundings = self.clock_surroundings();
        let mut events = Vec::new();
        let mut samples = Vec::new();
        match reading {
            ClockReading::Samples { samples: raw, malformed } => {
                clock.handle_malformed(*malformed);
                for sample in *raw {
                    match clock.handle_sample(now, sample, &surroundings) {
                        Ok(good) => samples.push(good),
                        Err(reject) => {
                            let name = label.clone();
                            events.push(Event::SampleRejected { name, reject });
                        }
                    }
                }
            }
            ClockReading::Failed(reason) => {
                if clock.handle_failure((*reason).to_owned()) {
                    let (name, reason) = (label.clone(), (*reason).to_owned());
                    events.push(Event::ClockUnreadable { name, reason });
                }
            }
        }
        let poll = clock.reading_over(&surroundings);
        self.reference_clocks = clocks;
        for event in events {
            self.outbox.event(event);
        }
        for sample in &samples {
            self.record_sample(now, index, sample);
        }
        if let Some(measured) = poll {
            self.clock_polled(now, index, measured);
        }
    }

    fn clock_polled(&mut self, now: Now, index: usize, measured: Option<Measured>) {
        let Some(clock) = self.reference_clocks.get_mut(index) else { return };
        let (id, name) = (clock.id, clock.label.clone());
        clock.updated |= measured.is_some();
        if let Some(measured) = measured {
            if let Some(by) = measured.surprise.and_then(|surprise| surprise.stepped) {
                self.outbox.event(Event::SourceStepped { name, by });
            }
            self.record_measured(now, index, &measured);
            self.record_estimate(now, id);
        }
        self.note_clocks();
        self.select(now);
    }

    /// Tells the log which clocks tell the time, and which no longer do or never did.
    fn note_clocks(&mut self) {
        for clock in &mut self.reference_clocks {
            let reachability = clock.clock.reachability();
            let reachable = reachability.is_reachable();
            let certain = reachable || reachability.is_lost();
            if certain && clock.reachable != Some(reachable) {
                clock.reachable = Some(reachable);
                let name = clock.label.clone();
                self.outbox.event(Event::Reachability { name, reachable });
            }
        }
    }

    fn record_sample(&mut self, now: Now, index: usize, sample: &GoodSample) {
        let stage = Stage::Raw { reading: sample.reading, told: sample.told };
        self.record_clock(now, index, stage, sample.at, (sample.offset, sample.dispersion));
    }

    fn record_measured(&mut self, now: Now, index: usize, measured: &Measured) {
        // The system clock of then, had it been as it is now.
        let at = now.system - (self.timeline.now() - measured.at);
        let numbers = (measured.offset, measured.dispersion);
        self.record_clock(now, index, Stage::Filtered, at, numbers);
    }

    fn record_clock(
        &mut self,
        now: Now,
        index: usize,
        stage: Stage,
        at: Timestamp,
        (offset, dispersion): (f64, f64),
    ) {
        if !self.settings.records.clock_samples {
            return;
        }
        let Some(clock) = self.reference_clocks.get(index) else { return };
        let sample = ClockSample {
            reference_id: clock.clock.settings().reference_id,
            at,
            stage,
            leap: clock.clock.leap().unwrap_or_default(),
            offset,
            dispersion,
        };
        self.record_clock_sample(now, sample);
    }
}
