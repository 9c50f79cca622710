//! Records of what happens, for those who want them.

use timeball_wire::{Message, classify};

use super::reporting::last_exchange;
use super::{Answer, Engine, Output};
use crate::association::{Form, LastAnswer, Reject, Test};
use crate::combination::Combination;
use crate::now::Now;
use crate::record::{ClockSample, Content, Record, Update};
use crate::report::SourceReport;
use crate::selection::SourceId;

/// A line can be put through so many measurements, and not through fewer.
const SAMPLES_OF_A_LINE: usize = 3;

impl Engine {
    /// A source has answered; `measured` if that told the time.
    pub(super) fn record_answer(&mut self, now: Now, source: SourceId, measured: bool) {
        let wanted = self.settings.records;
        if !wanted.answers && !wanted.estimates {
            return;
        }
        if measured {
            self.record_estimate(now, source);
        }
        if wanted.answers
            && let Some(report) = self.report_of(now, source)
        {
            self.record(now, Content::Answer(Box::new(report)));
        }
    }

    /// Something came that could be a source's answer, but nothing proves that it is: of whatever
    /// comes for one request, the first is worth a line.
    pub(super) fn record_unproved(
        &mut self,
        now: Now,
        (source, member): (usize, usize),
        answer: &Answer<'_>,
        reject: Reject,
    ) {
        if !self.settings.records.answers || reject.test() != Test::Authentication {
            return;
        }
        let Message::Time(packet) = classify(answer.bytes) else { return };
        let member = &mut self.sources[source].members[member];
        if member.doubted.replace(answer.exchange) == Some(answer.exchange) {
            return;
        }
        let (id, association) = (member.id, &member.association);
        let last = LastAnswer {
            header: packet.header,
            form: Form::Basic,
            remote: answer.from,
            local: answer.to,
            received: answer.received,
            poll: association.poll_interval(),
            measured: None,
            reject: Some(reject),
        };
        let last_exchange = Some(last_exchange(&last, association));
        if let Some(report) = self.report_of(now, id) {
            self.record(now, Content::Answer(Box::new(SourceReport { last_exchange, ..report })));
        }
    }

    /// A source has a new measurement.
    pub(super) fn record_estimate(&mut self, now: Now, source: SourceId) {
        if !self.settings.records.estimates {
            return;
        }
        if let Some(report) = self.report_of(now, source)
            && report.samples >= SAMPLES_OF_A_LINE
        {
            self.record(now, Content::Estimate(Box::new(report)));
        }
    }

    /// A reference clock told the time, which somebody wants to know.
    pub(super) fn record_clock_sample(&mut self, now: Now, sample: ClockSample) {
        self.record(now, Content::ClockSample(sample));
    }

    /// Selection has judged all sources.
    pub(super) fn record_selection(&mut self, now: Now) {
        if self.settings.records.selections {
            let known = |report: &SourceReport| report.id.is_some();
            let reports = self.report(now).sources.into_iter().filter(known).collect();
            self.record(now, Content::Selection(reports));
        }
    }

    /// The clock has been updated; `remaining` (s) and `bound` (s) are of the moment before.
    pub(super) fn record_update(
        &mut self,
        now: Now,
        combination: &Combination,
        remaining: f64,
        bound: Option<f64>,
    ) {
        if self.settings.records.updates {
            let update = Update {
                tracking: self.report(now).tracking,
                combined: combination.sources.len(),
                unforeseen: combination.offset - remaining,
                remaining,
                bound,
            };
            self.record(now, Content::Update(Box::new(update)));
        }
    }

    fn report_of(&self, now: Now, source: SourceId) -> Option<SourceReport> {
        self.report(now).sources.into_iter().find(|report| report.id == Some(source))
    }

    fn record(&mut self, now: Now, content: Content) {
        self.outbox.push(Output::Record(Record { at: now.system, content }));
    }
}
