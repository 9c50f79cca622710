//! What was measured, in a form that outlives the program: by the system clock, for the oscillator's
//! time scale begins anew with each engine.
//!
//! Every moment and offset is as the system clock would have had it, had it run since then as it
//! should by what is known of the oscillator now. So neither adjustments since nor the time until it is
//! taken in again make a difference, as long as the machine is not switched off.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use timeball_wire::{LeapIndicator, ReferenceId, Span, Timestamp};

use super::Engine;
use super::reference_clocks::Clock;
use crate::measurement::Measurement;
use crate::now::Now;
use crate::timeline::Timeline;

/// By what a source is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A server's or peer's address.
    Address(IpAddr),
    /// A reference clock's identifier.
    Clock(ReferenceId),
}

/// What is known of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceDump {
    /// Whose measurements these are.
    pub origin: Origin,
    /// A key has proved all of it.
    #[serde(default)]
    pub authenticated: bool,
    /// The reach register.
    pub reach: u8,
    /// Its stratum.
    pub stratum: u8,
    /// Its leap warning.
    pub leap: LeapIndicator,
    /// Its measurements, oldest first.
    pub samples: Vec<Sample>,
}

/// One measurement (s).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When, by the system clock.
    pub time: Timestamp,
    /// True time minus system clock.
    pub offset: f64,
    /// Round-trip delay.
    pub delay: f64,
    /// Error of the four timestamps.
    pub dispersion: f64,
    /// The server's root delay.
    pub root_delay: f64,
    /// The server's root dispersion.
    pub root_dispersion: f64,
}

/// Measurements older than this are worth nothing.
const OLDEST: Span = Span::from_secs(7 * 86_400);

impl Engine {
    /// All that sources have measured, as of `now`.
    pub fn dump(&self, now: Now) -> Vec<SourceDump> {
        let mut timeline = self.timeline.clone();
        timeline.observe(now);
        let scale =
            Scale { timeline: &timeline, now, frequency: self.discipline.frequency().value };
        let associations = self
            .members()
            .map(|member| &member.association)
            .filter(|association| !association.estimator().is_empty())
            .map(|association| SourceDump {
                origin: Origin::Address(association.address().ip()),
                authenticated: association.settings().authentication.is_required(),
                reach: association.reachability().register(),
                stratum: association.server().map_or(0, |server| server.stratum),
                leap: association.leap().unwrap_or_default(),
                samples: association.estimator().measurements().map(|m| scale.sample(m)).collect(),
            });
        let clocks = self
            .reference_clocks
            .iter()
            .map(|Clock { clock, .. }| clock)
            .filter(|clock| !clock.estimator().is_empty())
            .map(|clock| SourceDump {
                origin: Origin::Clock(clock.settings().reference_id),
                authenticated: false,
                reach: clock.reachability().register(),
                stratum: clock.settings().stratum,
                leap: clock.leap().unwrap_or_default(),
                samples: clock.estimator().measurements().map(|m| scale.sample(m)).collect(),
            });
        associations.chain(clocks).collect()
    }

    /// Takes in what an engine before this one [dumped](Self::dump). Sources whose addresses are not
    /// known yet get it when they are.
    pub fn restore(&mut self, now: Now, dumps: Vec<SourceDump>) {
        self.observe(now);
        self.dumps.extend(dumps);
        for source in 0..self.sources.len() {
            for member in 0..self.sources[source].members.len() {
                self.recall(now, source, member);
            }
        }
        self.recall_clocks(now);
        self.select(now);
    }

    /// Gives an association what was dumped of its server, unless that is worth less than what it
    /// will measure itself.
    pub(super) fn recall(&mut self, now: Now, source: usize, member: usize) {
        let association = &self.sources[source].members[member].association;
        let address = association.address().ip().to_canonical();
        let has_key = association.settings().authentication.is_required();
        let found = self.dumps.iter().position(|dump| {
            let Origin::Address(dumped) = dump.origin else { return false };
            dumped.to_canonical() == address && (dump.authenticated || !has_key)
        });
        let Some(dump) = found.map(|index| self.dumps.swap_remove(index)) else { return };
        let measurements = self.measurements(now, &dump);
        let member = &mut self.sources[source].members[member];
        if member.association.restore(dump.reach, dump.stratum, dump.leap, &measurements) {
            member.updated = true;
        }
    }

    /// The same for the reference clocks, which are all there from the start.
    fn recall_clocks(&mut self, now: Now) {
        for index in 0..self.reference_clocks.len() {
            let origin = Origin::Clock(self.reference_clocks[index].clock.settings().reference_id);
            let found = self.dumps.iter().position(|dump| dump.origin == origin);
            let Some(dump) = found.map(|found| self.dumps.swap_remove(found)) else { continue };
            let measurements = self.measurements(now, &dump);
            let Clock { clock, updated, .. } = &mut self.reference_clocks[index];
            *updated |= clock.restore(dump.reach, dump.leap, &measurements);
        }
    }

    fn measurements(&self, now: Now, dump: &SourceDump) -> Vec<Measurement> {
        let frequency = self.discipline.frequency().value;
        let scale = Scale { timeline: &self.timeline, now, frequency };
        dump.samples.iter().filter_map(|sample| scale.measurement(sample)).collect()
    }
}

/// Between the oscillator's time scale and the system clock's, as both are `now`.
struct Scale<'a> {
    timeline: &'a Timeline,
    now: Now,
    /// How fast true time gains on the oscillator (s/s).
    frequency: f64,
}

impl Scale<'_> {
    fn sample(&self, measurement: Measurement) -> Sample {
        let elapsed = self.timeline.now() - measurement.at;
        let time = self.now.system - elapsed - gained(elapsed, self.frequency);
        let shown = Span::from_nanos(time.nanos().saturating_sub(measurement.at.nanos()));
        Sample {
            time,
            offset: (measurement.offset() - shown).seconds(),
            delay: measurement.delay(),
            dispersion: measurement.dispersion,
            root_delay: measurement.root_delay,
            root_dispersion: measurement.root_dispersion,
        }
    }

    /// `None` if it is too old, or cannot be.
    fn measurement(&self, sample: &Sample) -> Option<Measurement> {
        let elapsed = self.now.system - sample.time;
        let numbers = [
            sample.offset,
            sample.delay,
            sample.dispersion,
            sample.root_delay,
            sample.root_dispersion,
        ];
        let plausible = !elapsed.is_negative()
            && elapsed < OLDEST
            && numbers.iter().all(|number| number.is_finite());
        plausible.then(|| {
            let at = self.timeline.now() - (elapsed - gained(elapsed, self.frequency));
            let shown = Span::from_nanos(sample.time.nanos().saturating_sub(at.nanos()));
            let offset = shown + Span::from_seconds(sample.offset);
            let half = Span::from_seconds(sample.delay / 2.0);
            Measurement {
                at,
                outbound: half + offset,
                inbound: half - offset,
                dispersion: sample.dispersion,
                reading: 0.0,
                root_delay: sample.root_delay,
                root_dispersion: sample.root_dispersion,
            }
        })
    }
}

/// What true time gains on the oscillator in so long, at this frequency (s/s).
fn gained(elapsed: Span, frequency: f64) -> Span {
    Span::from_seconds(elapsed.seconds() * frequency)
}
