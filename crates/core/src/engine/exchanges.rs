//! Requests and answers, and the deadlines of both.

use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha20Rng;
use timeball_wire::{LeapIndicator, Message, Mode, Span, classify};

use super::nts::key_establishment;
use super::source::Source;
use super::{Answer, Engine, ExchangeId, Outbox, Output, PeerDatagram, Port, Transmit};
use crate::association::{Accepted, Association, Reject, Surroundings};
use crate::event::{Cause, Event};
use crate::now::Now;

/// Time (s) between two requests, if poll intervals allow: none shall wait behind another in a queue.
const SEPARATION: f64 = 0.2;

/// The parts of the engine that exchanging packets needs at once.
struct Parts<'a> {
    surroundings: Surroundings<'a>,
    sources: &'a mut [Source],
    rng: &'a mut ChaCha20Rng,
    outbox: &'a mut Outbox,
    next_exchange: &'a mut u64,
}

impl Engine {
    fn parts(&mut self) -> Parts<'_> {
        let peers = self.sources.iter().any(Source::is_peer);
        let serves = peers || !self.settings.server.allow.is_empty();
        Parts {
            surroundings: Surroundings {
                timeline: &self.timeline,
                precision: self.precision,
                frequency: self.discipline.frequency(),
                served: serves.then_some(&self.served),
                keys: &self.keys,
                own_addresses: &self.own_addresses,
                leap_second: self.discipline.leap_midnight(),
            },
            sources: &mut self.sources,
            rng: &mut self.rng,
            outbox: &mut self.outbox,
            next_exchange: &mut self.next_exchange,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        let mut silent = false;
        let frequency = self.discipline.frequency().value;
        for member in self.sources.iter_mut().flat_map(|source| &mut source.members) {
            if let Some(exchange) = member.association.handle_timeout(now, frequency) {
                self.outbox.push(Output::Close(exchange));
                member.updated |= member.association.take_update();
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
        self.read_clocks(now);
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

    /// Sends what is due, but for requests that would follow another one too closely.
    pub(super) fn send_requests(&mut self, now: Now) {
        let members = self.members().count() as f64;
        let mut quiet_until = self.quiet_until;
        let refresh = Span::from_seconds(self.settings.nts.refresh);
        let Parts { surroundings, sources, rng, outbox, next_exchange } = self.parts();
        for source in sources {
            for member in &mut source.members {
                let association = &mut member.association;
                if now.monotonic < quiet_until {
                    association.postpone(quiet_until);
                    continue;
                }
                if let Some(address) = association.begin_key_establishment(now.monotonic, refresh) {
                    let unwanted = association.unwanted_server();
                    let old = association.address();
                    if association.come_home(now.monotonic) {
                        let (name, new) = (source.settings.name.clone(), association.address());
                        let reason = "it does not answer".to_owned();
                        outbox.event(Event::Replaced { name, old, new: Some(new), reason });
                    }
                    let establishment =
                        key_establishment(&source.settings, member.id, address, unwanted);
                    outbox.push(Output::EstablishKeys(establishment));
                }
                let exchange = ExchangeId(*next_exchange);
                let request = association.poll_request(now, &surroundings, exchange, rng);
                if let Some(datagram) = request {
                    *next_exchange += 1;
                    let share = association.poll_interval().seconds() / (4.0 * members);
                    quiet_until = now.monotonic + Span::from_seconds(share.min(SEPARATION));
                    outbox.push(Output::Transmit(Transmit {
                        exchange,
                        destination: association.address(),
                        from: if association.is_peer() { Port::Server } else { Port::Fresh },
                        bind_address: source.settings.bind_address,
                        bind_device: source.settings.bind_device.clone(),
                        datagram,
                    }));
                }
            }
        }
        self.quiet_until = quiet_until;
    }

    pub(super) fn handle_send_failure(&mut self, now: Now, exchange: ExchangeId, reason: String) {
        let Some((source, member)) = self.pending(exchange) else { return };
        let frequency = self.discipline.frequency().value;
        let association = &mut self.sources[source].members[member].association;
        association.handle_send_failure(exchange, reason, frequency);
        self.outbox.push(Output::Close(exchange));
        self.replace_unfit(now);
    }

    pub(super) fn handle_answer(&mut self, now: Now, answer: &Answer<'_>) {
        let Some((source, member)) = self.pending(answer.exchange) else {
            // Its association is gone, or has had its answer.
            *self.rejected.entry(Reject::Unsolicited).or_default() += 1;
            self.outbox.push(Output::Close(answer.exchange));
            return;
        };
        let Parts { surroundings, sources, rng, outbox, .. } = self.parts();
        let association = &mut sources[source].members[member].association;
        let result = association.handle_answer(now, answer, &surroundings, rng);
        if !association.is_pending(answer.exchange) {
            outbox.push(Output::Close(answer.exchange));
        }
        if let Err(reject) = result {
            self.record_unproved(now, (source, member), answer, reject);
        }
        self.follow_up(now, source, member, result);
    }

    /// True for a packet on the server's port that [`Input::PeerDatagram`](super::Input::PeerDatagram)
    /// is for, because a peer sent it. All others are the server's: only a configured peer is one.
    pub fn expects(&self, from: SocketAddr, datagram: &[u8]) -> bool {
        match classify(datagram) {
            Message::Time(packet) => match packet.header.mode {
                Mode::SymmetricActive | Mode::SymmetricPassive => self.peer(from).is_some(),
                _ => false,
            },
            Message::Control(_) | Message::Private(_) | Message::Garbage(_) => false,
        }
    }

    pub(super) fn handle_peer_datagram(&mut self, now: Now, datagram: &PeerDatagram<'_>) {
        let Some((source, member)) = self.peer(datagram.from) else {
            *self.rejected.entry(Reject::WrongSource).or_default() += 1;
            return;
        };
        let Parts { surroundings, sources, rng, .. } = self.parts();
        let association = &mut sources[source].members[member].association;
        let result = association.handle_peer_datagram(now, datagram, &surroundings, rng);
        self.follow_up(now, source, member, result);
        // It may be our turn at once.
        self.send_requests(now);
    }

    /// The hosts of all symmetric associations: what they send to the server's port may be for them.
    pub fn peers(&self) -> impl Iterator<Item = IpAddr> {
        let associations = self.members().map(|member| &member.association);
        associations.filter(|a| a.is_peer()).map(|a| a.address().ip().to_canonical())
    }

    /// Where the association with a peer is: source and member.
    fn peer(&self, address: SocketAddr) -> Option<(usize, usize)> {
        let is_it = |association: &Association| {
            let peer = association.address();
            association.is_peer()
                && peer.port() == address.port()
                && peer.ip().to_canonical() == address.ip().to_canonical()
        };
        self.sources.iter().enumerate().find_map(|(index, source)| {
            let member = source.members.iter().position(|member| is_it(&member.association));
            Some((index, member?))
        })
    }

    /// What follows from a datagram for everything but its association.
    fn follow_up(
        &mut self,
        now: Now,
        source: usize,
        member: usize,
        result: Result<Accepted, Reject>,
    ) {
        let member = &mut self.sources[source].members[member];
        let updated = member.association.take_update();
        member.updated |= updated;
        let (name, id) = (member.label.clone(), member.id);
        let answered = result.as_ref().err().is_none_or(|reject| reject.proves_origin());
        let spoken = match result {
            Ok(Accepted::Measured(surprise)) => {
                if let Some(by) = surprise.and_then(|surprise| surprise.stepped) {
                    self.outbox.event(Event::SourceStepped { name, by });
                }
                true
            }
            Ok(Accepted::Kissed(code)) => {
                self.outbox.event(Event::Kiss { name, code });
                true
            }
            Err(reject) => {
                self.outbox.event(Event::Rejected { name, reject });
                // The server itself may have spoken, if not to our liking.
                reject.proves_origin() || updated
            }
        };
        if answered {
            self.record_answer(now, id, updated);
        }
        if spoken {
            self.note_reachability();
            self.select(now);
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
