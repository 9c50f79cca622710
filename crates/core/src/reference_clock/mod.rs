//! A clock of this very machine as a source of time: a receiver, or a program that has the time from
//! one.
//!
//! It is [read](Settings::driver_poll) every now and then; each [`RawSample`] that keeps the rules
//! becomes true time minus oscillator, and at the end of a [poll](Settings::poll) the `filter` makes
//! one measurement of those in the middle. From there on it goes the way of every other source.

mod filter;
mod sample;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use timeball_wire::{Instant, LeapIndicator, Oscillator, Span, Timestamp};

pub use sample::{RawSample, SampleReject};
pub use settings::{Driver, Settings, TimeScale};

use crate::association::{LastMeasurement, Reachability};
use crate::discipline::LeapTable;
use crate::estimator::{Estimator, Surprise};
use crate::measurement::Measurement;
use crate::now::Now;
use crate::timeline::Timeline;
use filter::{Filter, Filtered, Sample};

/// So close to a leap second some clocks have made it and some have not.
const AROUND_LEAP_SECOND: Span = Span::from_secs(5);

/// Two clocks that are read in turn may seem to be in the wrong order by this.
const READING_NOISE: Span = Span::from_millis(1);

/// This machine, as far as its reference clocks have to know it.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Turns system clock readings into oscillator readings.
    pub timeline: &'a Timeline,
    /// Precision of the system clock (s).
    pub precision: f64,
    /// How fast true time gains on the oscillator (s/s), as far as all sources together know.
    pub frequency: f64,
    /// A leap second is due: its moment, by the system clock.
    pub leap_second: Option<Timestamp>,
    /// What makes UTC of TAI.
    pub leap_table: Option<&'a LeapTable>,
}

/// A sample that is worth something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoodSample {
    /// When it was taken, by the system clock.
    pub at: Timestamp,
    /// The reading within its poll that it came with, from 0.
    pub reading: usize,
    /// Clock minus system clock (s), as it was told.
    pub told: f64,
    /// True time minus system clock (s), by the clock and the settings.
    pub offset: f64,
    /// How finely the clock tells the time (s).
    pub dispersion: f64,
}

/// A measurement made of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The mean of the samples' times, on the oscillator's time scale.
    pub at: Oscillator,
    /// True time minus system clock then (s).
    pub offset: f64,
    /// Bound of what the samples' scatter makes of it (s).
    pub dispersion: f64,
    /// How it met the prediction.
    pub surprise: Option<Surprise>,
}

/// Numbers about a clock that only people need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Times that it was read.
    pub readings: u64,
    /// Samples that came of that.
    pub samples: u64,
    /// Those that are worth something.
    pub good: u64,
    /// Polls that made a measurement.
    pub measured: u64,
    /// Samples rejected, by rule.
    pub rejected: BTreeMap<SampleReject, u64>,
    /// What the driver itself rejected.
    pub malformed: u64,
    /// Measurements dropped because their samples were too scattered.
    pub scattered: u64,
}

impl Statistics {
    /// All that came to nothing, by rule.
    pub fn rejected_by_name(&self) -> BTreeMap<String, u64> {
        let by_rule = self.rejected.iter().map(|(reject, count)| (reject.name(), *count));
        let others = [
            ("clock-sample-malformed", self.malformed),
            ("clock-samples-scattered", self.scattered),
        ];
        let all = by_rule.chain(others).filter(|(_, count)| *count > 0);
        all.map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

/// A clock of this very machine as a source of time.
#[derive(Clone, Debug)]
pub struct ReferenceClock {
    settings: Settings,
    next_reading: Instant,
    /// Readings since the last poll ended.
    readings: usize,
    newest: Option<Oscillator>,
    filter: Filter,
    estimator: Estimator,
    reachability: Reachability,
    leap: Option<LeapIndicator>,
    last_measurement: Option<LastMeasurement>,
    /// Why it cannot be read at present.
    failure: Option<String>,
    statistics: Statistics,
}

impl ReferenceClock {
    /// A clock that is first read at `first_reading`.
    pub fn new(settings: Settings, estimator: Estimator, first_reading: Instant) -> Self {
        Self {
            settings,
            next_reading: first_reading,
            readings: 0,
            newest: None,
            filter: Filter::default(),
            estimator,
            reachability: Reachability::default(),
            leap: None,
            last_measurement: None,
            failure: None,
            statistics: Statistics::default(),
        }
    }

    /// Works by other settings of the same clock from now on.
    pub fn configure(&mut self, settings: Settings) {
        let more = Span::from_seconds(settings.offset - self.settings.offset);
        self.estimator.shift(more);
        self.filter.shift(more);
        self.settings = settings;
    }

    /// The settings in use.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The reach register: polls with a measurement.
    pub const fn reachability(&self) -> Reachability {
        self.reachability
    }

    /// It has told nothing for so long that its measurements are worth nothing, however good they
    /// were.
    pub const fn is_given_up(&self) -> bool {
        self.reachability.unreachable_for() > self.settings.max_unreach
    }

    /// What the measurements say.
    pub const fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// The leap warning of the last good sample; `None` before the first.
    pub const fn leap(&self) -> Option<LeapIndicator> {
        self.leap
    }

    /// The last measurement.
    pub const fn last_measurement(&self) -> Option<&LastMeasurement> {
        self.last_measurement.as_ref()
    }

    /// Why it cannot be read at present, in the system's words.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Counters.
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// When it is read next.
    pub const fn next_reading(&self) -> Instant {
        self.next_reading
    }

    /// True if it is to be read now, once: the samples that come of it, and at last
    /// [`reading_over`](Self::reading_over), are expected next.
    pub fn poll_reading(&mut self, now: Instant) -> bool {
        if now < self.next_reading {
            return false;
        }
        let interval = self.settings.reading_interval().span();
        let next = self.next_reading + interval;
        self.next_reading = if next > now { next } else { now + interval };
        self.readings = self.readings.saturating_add(1);
        self.statistics.readings = self.statistics.readings.saturating_add(1);
        true
    }

    /// A sample.
    ///
    /// # Errors
    /// The rule that it breaks, already counted. Nothing else has changed then.
    pub fn handle_sample(
        &mut self,
        now: Now,
        sample: &RawSample,
        surroundings: &Surroundings<'_>,
    ) -> Result<GoodSample, SampleReject> {
        self.statistics.samples = self.statistics.samples.saturating_add(1);
        self.failure = None;
        let result = self.judge(now, sample, surroundings);
        match result {
            Ok(_) => self.statistics.good = self.statistics.good.saturating_add(1),
            Err(reject) => {
                let count = self.statistics.rejected.entry(reject).or_default();
                *count = count.saturating_add(1);
            }
        }
        result
    }

    /// The driver could make nothing of what it found.
    pub fn handle_malformed(&mut self, count: u64) {
        self.statistics.malformed = self.statistics.malformed.saturating_add(count);
    }

    /// It cannot be read. True if that is news.
    pub fn handle_failure(&mut self, reason: String) -> bool {
        let news = self.failure.as_ref() != Some(&reason);
        self.failure = Some(reason);
        news
    }

    fn judge(
        &mut self,
        now: Now,
        sample: &RawSample,
        surroundings: &Surroundings<'_>,
    ) -> Result<GoodSample, SampleReject> {
        if sample.leap == LeapIndicator::Unsynchronised {
            return Err(SampleReject::Unsynchronised);
        }
        let age = now.system - sample.received;
        if age < Span::ZERO - READING_NOISE {
            return Err(SampleReject::Future);
        }
        let oldest = self.settings.poll.span();
        if age > oldest + oldest {
            return Err(SampleReject::Stale);
        }
        let around = |leap: Timestamp| (sample.received - leap).abs() <= AROUND_LEAP_SECOND;
        if surroundings.leap_second.is_some_and(around) {
            return Err(SampleReject::NearLeapSecond);
        }
        let utc = match self.settings.time_scale {
            TimeScale::Utc => Some(sample.reference),
            TimeScale::Tai => {
                surroundings.leap_table.and_then(|table| table.utc_of(sample.reference))
            }
        };
        let utc = utc.ok_or(SampleReject::NoTaiOffset)?;
        let timeline = surroundings.timeline;
        let at = timeline.oscillator_at(sample.received);
        if self.newest.is_some_and(|newest| at <= newest) {
            return Err(SampleReject::NotNewer);
        }
        self.newest = Some(at);
        self.leap = Some(sample.leap);
        let truth = timeline.continuous(utc) + Span::from_seconds(self.settings.offset);
        let offset = Span::from_nanos(truth.nanos().saturating_sub(at.nanos()));
        self.filter.add(Sample { at, offset }, self.settings.filter_length());
        Ok(GoodSample {
            at: sample.received,
            reading: self.readings.saturating_sub(1),
            told: (sample.reference - sample.received).seconds(),
            offset: (offset - timeline.correction()).seconds(),
            dispersion: self.precision(surroundings),
        })
    }

    /// All samples of a reading have been handed over. If that ends a poll: the measurement that
    /// came of it, if any did.
    pub fn reading_over(&mut self, surroundings: &Surroundings<'_>) -> Option<Option<Measured>> {
        if self.readings < self.settings.readings_per_poll() {
            return None;
        }
        self.readings = 0;
        self.reachability.asked();
        let frequency = surroundings.frequency;
        let filtered = self.filter.take(self.settings.filter_length(), frequency);
        let Some(filtered) = filtered.filter(|filtered| self.is_close(filtered)) else {
            return Some(None);
        };
        self.reachability.answered();
        self.statistics.measured = self.statistics.measured.saturating_add(1);
        let measurement = self.measurement(&filtered, surroundings);
        let surprise = self.estimator.add(&measurement);
        let timeline = surroundings.timeline;
        let elapsed = (timeline.now() - filtered.at).seconds();
        let offset = (filtered.offset - timeline.correction()).seconds() + elapsed * frequency;
        self.last_measurement = Some(LastMeasurement { measurement, offset });
        Some(Some(Measured {
            at: filtered.at,
            offset,
            dispersion: measurement.dispersion,
            surprise,
        }))
    }

    fn is_close(&mut self, filtered: &Filtered) -> bool {
        let close = self.settings.max_dispersion.is_none_or(|most| filtered.dispersion <= most);
        if !close {
            self.statistics.scattered = self.statistics.scattered.saturating_add(1);
        }
        close
    }

    fn precision(&self, surroundings: &Surroundings<'_>) -> f64 {
        self.settings.precision.unwrap_or(surroundings.precision)
    }

    fn measurement(&self, filtered: &Filtered, surroundings: &Surroundings<'_>) -> Measurement {
        let half = Span::from_seconds(self.settings.delay / 2.0);
        Measurement {
            at: filtered.at,
            outbound: filtered.offset + half,
            inbound: half - filtered.offset,
            dispersion: self.precision(surroundings) + filtered.dispersion,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
        }
    }

    /// Begins with what was known of the same clock before; measurements are oldest first. False if
    /// nothing was left of that.
    pub fn restore(
        &mut self,
        reach: u8,
        leap: LeapIndicator,
        measurements: &[Measurement],
    ) -> bool {
        if measurements.is_empty() || !self.estimator.is_empty() {
            return false;
        }
        for measurement in measurements {
            self.estimator.add(measurement);
        }
        self.reachability = Reachability::from_register(reach);
        self.leap = Some(leap);
        true
    }

    /// See [`Estimator::doubt`].
    pub fn doubt(&mut self, since: Oscillator, by: f64) {
        self.estimator.doubt(since, by);
    }

    /// What is known of the offset is void (the machine slept, or an operator wants so); what is
    /// known of the frequency stays.
    pub fn restart(&mut self) {
        self.estimator.restart();
        self.filter.clear();
        self.readings = 0;
        self.newest = None;
    }
}
