//! Requests and answers, and the deadlines of both.

use timeball_wire::LeapIndicator;

use super::{Answer, Engine, ExchangeId, Output, Transmit};
use crate::association::{Accepted, Reject, Surroundings};
use crate::event::{Cause, Event};
use crate::now::Now;

impl Engine {
    pub(super) fn handle_timeout(&mut self, now: Now) {
        let mut silent = false;
        for member in self.sources.iter_mut().flat_map(|source| &mut source.members) {
            if let Some(exchange) = member.association.handle_timeout(now) {
                self.outbox.push(Output::Close(exchange));
                silent = true;
            }
        }
        if silent {
            self.note_reachability();
            self.select(now);
            self.replace_unfit(now);
        }
        let leap = self.discipline.leap_indicator();
        self.discipline.handle_timeout(now, &self.timeline, &mut self.outbox);
        if self.discipline.leap_indicator() != leap || self.is_view_due(now) {
            self.publish(now);
        }
        self.publish_if_lost(now);
        self.resolve_names(now);
        self.send_requests(now);
    }

    /// Holdover has an end: when the bound has outgrown all use.
    pub(super) fn publish_if_lost(&mut self, now: Now) {
        let served = self.served.leap != LeapIndicator::Unsynchronised && !self.is_own_reference();
        if served && !self.discipline.is_synchronised(now, &self.timeline) {
            self.publish(now);
            self.reason = "the last update is too long ago".to_owned();
            let reason = self.reason.clone();
            self.outbox.event(Event::Unsynchronised { reason, cause: Cause::Aged });
        }
    }

    pub(super) fn send_requests(&mut self, now: Now) {
        for source in &mut self.sources {
            for member in &mut source.members {
                let exchange = ExchangeId(self.next_exchange);
                let request =
                    member.association.poll_request(now, &self.timeline, exchange, &mut self.rng);
                if let Some(datagram) = request {
                    self.next_exchange += 1;
                    self.outbox.push(Output::Transmit(Transmit {
                        exchange,
                        destination: member.association.address(),
                        bind_address: source.settings.bind_address,
                        bind_device: source.settings.bind_device.clone(),
                        datagram,
                    }));
                }
            }
        }
    }

    pub(super) fn handle_answer(&mut self, now: Now, answer: &Answer<'_>) {
        let Some((source, member)) = self.pending(answer.exchange) else {
            // Its association is gone, or has had its answer.
            *self.rejected.entry(Reject::Unsolicited).or_default() += 1;
            self.outbox.push(Output::Close(answer.exchange));
            return;
        };
        let serves = !self.settings.server.allow.is_empty();
        let surroundings = Surroundings {
            timeline: &self.timeline,
            precision: self.precision,
            served: serves.then_some(&self.served),
            own_addresses: &self.own_addresses,
            leap_second: self.discipline.leap_midnight(),
        };
        let member = &mut self.sources[source].members[member];
        let result = member.association.handle_answer(now, answer, &surroundings, &mut self.rng);
        if !member.association.is_pending(answer.exchange) {
            self.outbox.push(Output::Close(answer.exchange));
        }
        match result {
            Ok(Accepted::Measured(surprise)) => {
                member.updated = true;
                if let Some(by) = surprise.and_then(|surprise| surprise.stepped) {
                    let name = member.label.clone();
                    self.outbox.event(Event::SourceStepped { name, by });
                }
                self.note_reachability();
                self.select(now);
            }
            Ok(Accepted::Kissed(code)) => {
                self.outbox.event(Event::Kiss { name: member.label.clone(), code });
                self.note_reachability();
                self.select(now);
            }
            Err(reject) => {
                self.outbox.event(Event::Rejected { name: member.label.clone(), reject });
                // The server itself has spoken, if not to our liking.
                if reject.proves_origin() {
                    self.note_reachability();
                    self.select(now);
                }
            }
        }
        self.replace_unfit(now);
    }

    /// Tells the log which servers answer, and which no longer do or never did.
    pub(super) fn note_reachability(&mut self) {
        for member in self.sources.iter_mut().flat_map(|source| &mut source.members) {
            let reachability = member.association.reachability();
            let reachable = reachability.is_reachable();
            let certain = reachable || reachability.is_lost();
            if certain && member.reachable != Some(reachable) {
                member.reachable = Some(reachable);
                let name = member.label.clone();
                self.outbox.event(Event::Reachability { name, reachable });
            }
        }
    }
}
