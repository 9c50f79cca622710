//! What a source says that it did to its own time.
//!
//! A server that finds out that it was wrong moves the time that it serves. To its clients this looks
//! like a frequency of their own, until enough measurements say otherwise. A server that also tells
//! monotonic time ([`MonoRoot`]), which it never moves, tells by how much it was: what was measured
//! before moves along, and the measurements stay on one line. So a correction goes down a chain of
//! servers within one poll each.
//!
//! What it tells is followed only if the answer that brings it bears it out: whoever forges the field
//! moves the estimate nowhere that the timestamps of the same answer do not.

use timeball_wire::{MonoRoot, NtpTimestamp, Span};

use super::answer::{Form, Recognised};
use super::{Association, Pending, Surroundings};
use crate::engine::Answer;
use crate::estimator::Estimate;
use crate::measurement::Measurement;

/// Nobody corrects his time by more than this; a server that was so wrong begins a new epoch.
const LARGEST: Span = Span::from_secs(16);

/// A measurement bears out a correction if it misses what is then predicted by no more standard
/// deviations than this.
const GATE: f64 = 6.0;

/// What a source said of monotonic time so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Corrections {
    last: Option<Heard>,
    /// Corrections that no measurement has borne out yet.
    open: Span,
}

/// One packet's receive timestamp on both of its sender's scales.
#[derive(Clone, Copy, Debug)]
struct Heard {
    epoch: u32,
    receive: NtpTimestamp,
    monotonic: NtpTimestamp,
}

/// By how much a source has moved its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Correction {
    /// Since its answer before this one.
    pub(super) latest: Span,
    /// Since the measurements that the estimator has.
    pub(super) total: Span,
}

/// What a measurement says of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// There was one.
    Confirms,
    /// There was none.
    Contradicts,
    /// Nothing: it fits neither way.
    Unclear,
}

impl Corrections {
    /// An answer says this. Returns what follows from it together with those before; `None` if it
    /// makes no sense.
    fn hear(&mut self, said: Option<MonoRoot>, receive: NtpTimestamp) -> Option<Correction> {
        let said = said.filter(|said| !said.receive.is_zero());
        let heard = said.map(|said| Heard { epoch: said.epoch, receive, monotonic: said.receive });
        let before = std::mem::replace(&mut self.last, heard);
        let (Some(heard), Some(before)) = (heard, before) else {
            self.open = Span::ZERO;
            return Some(Correction::default());
        };
        if heard.epoch != before.epoch {
            self.open = Span::ZERO;
            return Some(Correction::default());
        }
        let latest = heard.receive.since(before.receive) - heard.monotonic.since(before.monotonic);
        let total = self.open + latest;
        let possible = latest.abs() <= LARGEST && total.abs() <= LARGEST;
        self.open = if possible { total } else { Span::ZERO };
        possible.then_some(Correction { latest, total })
    }

    /// What it said is settled, one way or the other.
    pub(super) const fn settle(&mut self) {
        self.open = Span::ZERO;
    }

    /// Begins anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Association {
    /// Takes note of what an answer says of monotonic time, and returns what to follow of it should
    /// the answer be good.
    pub(super) fn hear(
        &mut self,
        recognised: &Recognised,
        pending: &Pending,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Correction {
        let said = recognised.consistent_mono_root();
        let heard = self.corrections.hear(said, recognised.header.receive_timestamp);
        let correction = heard.unwrap_or_default();
        let nonsense = heard.is_none() || said.is_none() && recognised.mono_root.is_some();
        let evidence = match self.evidence(recognised, pending, answer, surroundings) {
            Some((estimate, measurement)) if correction.total != Span::ZERO => {
                weigh(correction.total, &estimate, &measurement)
            }
            Some(_) | None => Evidence::Confirms,
        };
        if nonsense || evidence == Evidence::Contradicts {
            self.corrections.settle();
            let count = &mut self.statistics.corrections_contradicted;
            *count = count.saturating_add(1);
        }
        match evidence {
            Evidence::Confirms => correction,
            Evidence::Contradicts | Evidence::Unclear => Correction::default(),
        }
    }

    /// The answer is good: everything measured before moves along with its sender's time.
    pub(super) fn follow(&mut self, correction: Correction) {
        if correction.total != Span::ZERO {
            self.estimator.shift(correction.total);
            self.filter.shift(correction.total);
            self.corrections.settle();
            let count = &mut self.statistics.corrections_followed;
            *count = count.saturating_add(1);
        }
    }

    /// What an answer tells of its sender's present time, and what was to be expected of it; `None`
    /// if nothing was.
    fn evidence(
        &self,
        recognised: &Recognised,
        pending: &Pending,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Option<(Estimate, Measurement)> {
        let measurement = match recognised.form {
            Form::Basic => {
                let none = Correction::default();
                let timing = self.timing(recognised, pending, answer, none, surroundings)?;
                self.measurement(&timing)
            }
            Form::Interleaved => self.one_way(recognised, pending, answer, surroundings)?,
        };
        Some((self.estimator.estimate(measurement.at)?, measurement))
    }

    /// An interleaved answer measures the exchange before, which its sender's present time has no part
    /// in. Only when our packet arrived is by that: a measurement, if the way back takes as long as
    /// it did the last time.
    fn one_way(
        &self,
        recognised: &Recognised,
        pending: &Pending,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Option<Measurement> {
        let receive = recognised.header.receive_timestamp.unfold(answer.received);
        let receive = surroundings.timeline.continuous(receive);
        let delay = Span::from_seconds(self.delay?);
        let outbound = Span::from_nanos(receive.nanos().saturating_sub(pending.sent.nanos()))
            + Span::from_seconds(self.settings.offset);
        Some(Measurement {
            at: pending.sent,
            outbound,
            inbound: delay - outbound,
            dispersion: surroundings.precision,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
        })
    }
}

/// Does the measurement fit the estimate better with the correction or without?
fn weigh(correction: Span, estimate: &Estimate, measurement: &Measurement) -> Evidence {
    let queues = (measurement.delay() - estimate.delay).max(0.0) / 2.0;
    let sd = estimate.offset_sd.hypot(estimate.jitter);
    let explained = queues + measurement.dispersion + GATE * sd;
    let error = measurement.offset() - estimate.offset;
    let fits = |error: Span| error.seconds().abs() <= explained;
    match (fits(error - correction), fits(error)) {
        (true, _) => Evidence::Confirms,
        (false, true) => Evidence::Contradicts,
        (false, false) => Evidence::Unclear,
    }
}
