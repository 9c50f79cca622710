//! What comes back: is it the answer, and what is it good for?

use rand_core::Rng;
use timeball_wire::{Header, Instant, KissCode, Span};

use super::answer::{Credentials, Form, Recognised};
use super::corrections::Correction;
use super::interleaved::{LastExchange, State};
use super::last_answer::{LastAnswer, LastMeasurement, Measured};
use super::measure::{Hold, Stamping, Timing};
use super::{
    Accepted, Association, Pending, PollInterval, Reject, Reply, ServerState, Surroundings,
};
use super::{Nts, Volley, symmetric};
use crate::engine::{Answer, ExchangeId, PeerDatagram};
use crate::era;
use crate::estimator::{Surprise, Wish};
use crate::measurement::{Exchange, Measurement};
use crate::now::Now;

/// A peer that interleaves, of whose packets one was lost, seems this share of a poll interval away
/// at least.
const LOST_PACKET: f64 = 0.5;

/// Poll intervals to pause after a `RATE`, on top of what it makes of them, so that the server's
/// limit has time to recover.
const RATE_PAUSE: f64 = 4.0;

/// When a measurement is suspect, another one after this decides sooner than the next poll would. There
/// are two such at most before it is decided.
const SECOND_LOOK: Span = Span::from_secs(4);

impl Association {
    /// A datagram on the socket of an exchange.
    ///
    /// # Errors
    /// The rule that it breaks, already counted. Nothing else has changed then, except that an
    /// answer which proved to be one, but is of no use, ends the exchange.
    pub fn handle_answer(
        &mut self,
        now: Now,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
        rng: &mut impl Rng,
    ) -> Result<Accepted, Reject> {
        let result = self.judge(now, answer, surroundings, rng);
        self.count(answer, &result);
        result
    }

    /// A packet of a peer on the server's port.
    ///
    /// # Errors
    /// As [`handle_answer`](Self::handle_answer); a packet that answers none of ours may still be one
    /// that has to be answered.
    pub fn handle_peer_datagram(
        &mut self,
        now: Now,
        datagram: &PeerDatagram<'_>,
        surroundings: &Surroundings<'_>,
        rng: &mut impl Rng,
    ) -> Result<Accepted, Reject> {
        let PeerDatagram { from, to, bytes, received, quality } = *datagram;
        let exchange = self.pending.map_or(ExchangeId(0), |pending| pending.exchange);
        let answer = Answer { exchange, from, to, bytes, received, quality };
        let result = self.judge_peer(now, &answer, surroundings, rng);
        self.count(&answer, &result);
        result
    }

    fn count(&mut self, answer: &Answer<'_>, result: &Result<Accepted, Reject>) {
        let statistics = &mut self.statistics;
        statistics.received = statistics.received.saturating_add(1);
        let stamps = statistics.receive_stamps.entry(answer.quality).or_default();
        *stamps = stamps.saturating_add(1);
        let reject = match result {
            Ok(Accepted::Measured(_)) => return,
            Ok(Accepted::Kissed(_)) => Reject::KissOfDeath,
            Err(reject) => *reject,
        };
        let count = statistics.rejected.entry(reject).or_default();
        *count = count.saturating_add(1);
    }

    fn judge(
        &mut self,
        now: Now,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
        rng: &mut impl Rng,
    ) -> Result<Accepted, Reject> {
        let waiting = self.pending.filter(|p| p.exchange == answer.exchange && !p.closed);
        let pending = waiting.ok_or(Reject::Unsolicited)?;
        // Anybody can send what fails here; the true answer may still come.
        let nts = self.nts.as_ref().and_then(Nts::to_client);
        let credentials = Credentials { keys: surroundings.keys, nts };
        let recognised = pending.expected.recognise(answer.from, answer.bytes, credentials);
        if let (Err(Reject::NtsNak), Some(nts)) = (&recognised, &mut self.nts) {
            nts.take_nak();
        }
        let mut recognised = recognised?;
        if let Some(nts) = &mut self.nts {
            nts.answered(std::mem::take(&mut recognised.cookies));
        }
        self.close();
        self.consider(now, &recognised, &pending, answer, surroundings, rng)
    }

    fn judge_peer(
        &mut self,
        now: Now,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
        rng: &mut impl Rng,
    ) -> Result<Accepted, Reject> {
        let Some(peer) = &mut self.symmetric else { return Err(Reject::WrongMode) };
        if !self.connectivity.asks() {
            return Err(Reject::Unsolicited);
        }
        let received = surroundings.timeline.oscillator_at(answer.received);
        let nothing_sent = Header::from_bytes(&[0; Header::LEN]);
        let expected = match &self.pending {
            Some(pending) => pending.expected,
            None => symmetric::expected(self.address, &nothing_sent, &self.settings),
        };
        let credentials = Credentials::symmetric(surroundings.keys);
        let recognised = match expected.recognise(answer.from, answer.bytes, credentials) {
            Ok(recognised) => recognised,
            Err(reject @ (Reject::ZeroOrigin | Reject::WrongOrigin)) => {
                let packet = expected.packet(answer.from, answer.bytes)?;
                expected.authenticate(&packet, credentials)?;
                let header = packet.header;
                let repeated = self.last.is_some_and(|last| last.is_of(&header));
                if !repeated {
                    peer.greeted(&header, received);
                }
                return Err(reject);
            }
            Err(reject) => return Err(reject),
        };
        let pending = self.pending.ok_or(Reject::Unsolicited)?;
        if pending.closed {
            // A second answer to the same packet: its sender polls more often. No measurement, but
            // the packet that it wants to hear of.
            if let Some(last) = &mut self.last
                && last.renew(&recognised.header, received, answer.received)
            {
                self.hear(&recognised, &pending, answer, surroundings);
            }
            return Err(Reject::Unsolicited);
        }
        self.close();
        let result = self.consider(now, &recognised, &pending, answer, surroundings, rng);
        let own_stratum = surroundings.served.map_or(u8::MAX, |view| view.stratum);
        let poll = self.poll_interval().seconds();
        let peer = self.symmetric.as_mut();
        if let Some(next) = peer.and_then(|p| p.next_packet(own_stratum, poll, now.monotonic))
            && self.dismissed.is_none()
        {
            self.next_request = next;
        }
        result
    }

    /// What to make of a datagram that proved to be an answer.
    fn consider(
        &mut self,
        now: Now,
        recognised: &Recognised,
        pending: &Pending,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
        rng: &mut impl Rng,
    ) -> Result<Accepted, Reject> {
        let header = &recognised.header;
        if self.is_repeated(recognised) {
            return Err(self.refuse(Reject::DuplicateTransmit, surroundings));
        }
        self.statistics.valid = self.statistics.valid.saturating_add(1);
        self.interleaving.answered();
        if let Some(peer) = &mut self.symmetric {
            peer.answered(header);
        }
        let reply = recognised.reply();
        let (correction, timing) = match reply {
            Ok(Reply::Time(_)) => {
                let correction = self.hear(recognised, pending, answer, surroundings);
                let timing = self.timing(recognised, pending, answer, correction, surroundings);
                (correction, timing)
            }
            Ok(Reply::Kiss { .. }) | Err(_) => {
                self.corrections.forget();
                (Correction::default(), None)
            }
        };
        let measurement = timing.map(|timing| self.measurement(&timing));
        let verdict = match reply {
            Ok(Reply::Time(_)) => {
                self.check(recognised, timing.as_ref(), pending, answer, surroundings)
            }
            Ok(Reply::Kiss { .. }) => Err(Reject::KissOfDeath),
            Err(reject) => Err(reject),
        };
        self.last_answer = Some(LastAnswer {
            header: *header,
            form: recognised.form,
            remote: answer.from,
            local: answer.to,
            received: answer.received,
            poll: self.poll_interval(),
            measured: timing.zip(measurement).map(|(timing, measurement)| Measured {
                at: measurement.at,
                offset: surroundings.offset_of(&measurement),
                delay: timing.delay(),
                dispersion: measurement.dispersion,
                response_time: timing.response_time(),
                transmit_stamp: timing.stamping.transmit,
                receive_stamp: timing.stamping.receive,
            }),
            reject: verdict.err(),
        });
        let has_time = matches!(reply, Ok(Reply::Time(_)));
        self.last = Some(LastExchange {
            sent: pending.sent,
            transmit_stamp: pending.quality,
            receive: header.receive_timestamp,
            transmit: header.transmit_timestamp,
            received: surroundings.timeline.oscillator_at(answer.received),
            receive_stamp: answer.quality,
            pivot: answer.received,
            root_delay: recognised.root_delay(),
            root_dispersion: recognised.root_dispersion(),
            state: match (has_time, recognised.form, verdict) {
                (false, ..) => State::Void,
                (true, Form::Basic, Ok(())) => State::Measured,
                (true, ..) => State::Open,
            },
        });
        match (reply, verdict, measurement) {
            (Ok(Reply::Kiss { code, poll }), ..) => {
                self.heed(code, poll, now, rng);
                Ok(Accepted::Kissed(code))
            }
            (_, Ok(()), Some(measurement)) => {
                let offset = surroundings.offset_of(&measurement);
                self.last_measurement = Some(LastMeasurement { measurement, offset });
                self.follow(correction);
                let before = self.poll_interval();
                let surprise = self.accept(now, header, answer, measurement, surroundings);
                self.proceed(now, pending.at, rng);
                if self.poll_interval() < before {
                    let earlier = pending.at + self.interval(rng);
                    self.hasten(earlier.max(now.monotonic));
                }
                Ok(Accepted::Measured(surprise))
            }
            (_, verdict, _) => {
                let reject = verdict.err().unwrap_or(Reject::AlreadyMeasured);
                Err(self.refuse(reject, surroundings))
            }
        }
    }

    /// The answer that came before once more. Only a basic answer shows by its transmit timestamp
    /// alone that it is: an interleaved one may well repeat what a basic one has guessed right.
    fn is_repeated(&self, recognised: &Recognised) -> bool {
        let header = &recognised.header;
        self.last.is_some_and(|last| {
            last.is_of(header)
                || (recognised.form == Form::Basic
                    && !self.is_peer()
                    && last.transmit == header.transmit_timestamp)
        })
    }

    /// The timestamps of the exchange that the answer completes, by its sender's time as it is after
    /// the `correction`; `None` if that is not known.
    pub(super) fn timing(
        &self,
        recognised: &Recognised,
        pending: &Pending,
        answer: &Answer<'_>,
        correction: Correction,
        surroundings: &Surroundings<'_>,
    ) -> Option<Timing> {
        let header = &recognised.header;
        let timeline = surroundings.timeline;
        let precision = surroundings.precision;
        let reading = self.idle_bits.reading(header.precision);
        let told = |stamp| self.idle_bits.read(stamp, header.precision);
        let hold = match self.symmetric {
            None => Hold::Short,
            Some(_) => Hold::UntilItsPoll(surroundings.frequency),
        };
        Some(match recognised.form {
            Form::Basic => Timing {
                exchange: Exchange {
                    origin: pending.sent,
                    receive: timeline
                        .continuous(era::unfold(told(header.receive_timestamp), answer.received)),
                    transmit: timeline
                        .continuous(era::unfold(told(header.transmit_timestamp), answer.received)),
                    destination: timeline.oscillator_at(answer.received),
                },
                stamping: Stamping {
                    transmit: pending.quality,
                    receive: answer.quality,
                    precision,
                },
                precision: header.precision,
                reading,
                root_delay: recognised.root_delay(),
                root_dispersion: recognised.root_dispersion(),
                hold,
            },
            Form::Interleaved => {
                let last = self.last.as_ref().filter(|last| last.state != State::Void)?;
                let by_then = last.completed(header.transmit_timestamp, |stamp, pivot| {
                    timeline.continuous(told(stamp).unfold(pivot))
                });
                let completed = Exchange {
                    receive: by_then.receive + correction.latest,
                    transmit: by_then.transmit + correction.latest,
                    ..by_then
                };
                let before = Timing {
                    exchange: completed,
                    stamping: Stamping {
                        transmit: last.transmit_stamp,
                        receive: last.receive_stamp,
                        precision,
                    },
                    precision: header.precision,
                    reading,
                    root_delay: last.root_delay,
                    root_dispersion: last.root_dispersion,
                    hold,
                };
                match (last.state, hold) {
                    // One way of that exchange can be used again with one of this.
                    (State::Measured, Hold::UntilItsPoll(frequency)) => Timing {
                        exchange: Exchange {
                            origin: pending.sent,
                            receive: timeline
                                .continuous(told(header.receive_timestamp).unfold(answer.received)),
                            ..completed
                        },
                        stamping: Stamping { transmit: pending.quality, ..before.stamping },
                        root_delay: last.root_delay.max(recognised.root_delay()),
                        root_dispersion: last.root_dispersion.max(recognised.root_dispersion()),
                        hold: Hold::Crossed(frequency),
                        ..before
                    },
                    _ => before,
                }
            }
        })
    }

    pub(super) fn measurement(&self, timing: &Timing) -> Measurement {
        let mut measurement = timing.measurement();
        let offset = Span::from_seconds(self.settings.offset);
        measurement.outbound += offset;
        measurement.inbound -= offset;
        measurement
    }

    /// Is the measurement good?
    fn check(
        &mut self,
        recognised: &Recognised,
        timing: Option<&Timing>,
        pending: &Pending,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Result<(), Reject> {
        let timing = timing.ok_or(Reject::AlreadyMeasured)?;
        let measurement = self.measurement(timing);
        let delay = measurement.delay();
        self.limits.note(delay);
        let interleaved = recognised.form == Form::Interleaved;
        let measured = self.last.is_some_and(|last| last.state == State::Measured);
        if interleaved && measured && timing.hold == Hold::Short {
            return Err(Reject::AlreadyMeasured);
        }
        timing.check(self.settings.max_delay)?;
        // What a peer keeps a packet for is too long to see the last bits in.
        if timing.hold == Hold::Short {
            let t2 = match (recognised.form, &self.last) {
                (Form::Interleaved, Some(last)) => last.receive,
                _ => recognised.header.receive_timestamp,
            };
            let stamps = [t2, recognised.header.transmit_timestamp];
            self.idle_bits.note(timing.exchange.local_interval(), stamps, timing.precision);
        }
        if interleaved && self.is_peer() {
            let poll = self.poll_interval().seconds();
            if delay > LOST_PACKET * poll {
                return Err(Reject::MaxDelay);
            }
        }
        if pending.warm_up {
            return Err(Reject::WarmUp);
        }
        if self.nts.as_ref().is_some_and(|nts| !nts.permits(&recognised.header)) {
            return Err(Reject::OutsideCertificate);
        }
        surroundings.check_loop(&recognised.header, answer.to)?;
        surroundings.check_leap_second(answer.received)?;
        self.limits.check(&measurement, &self.estimator, &self.settings)
    }

    fn accept(
        &mut self,
        now: Now,
        header: &Header,
        answer: &Answer<'_>,
        measurement: Measurement,
        surroundings: &Surroundings<'_>,
    ) -> Option<Surprise> {
        self.unsynchronised = false;
        self.failure = None;
        self.server = Some(ServerState {
            leap: header.leap,
            stratum: header.stratum,
            reference_id: header.reference_id,
            poll: header.poll,
            version: header.version,
            transmit: header.transmit_timestamp,
        });
        self.statistics.accepted += 1;
        self.statistics.receive_stamp = Some(answer.quality);
        self.statistics.last_accepted = Some(now.monotonic);
        self.poll.answered();
        let surprise = self.poll_over(Some(measurement), surroundings.frequency.value);
        if surprise.is_some_and(|surprise| surprise.wish == Wish::Soon) && !self.is_peer() {
            self.hasten(now.monotonic + SECOND_LOOK.min(self.poll_interval().span()));
        }
        self.delay = Some(measurement.delay());
        surprise
    }

    /// Takes note of an answer that is of no use.
    fn refuse(&mut self, reject: Reject, surroundings: &Surroundings<'_>) -> Reject {
        self.unsynchronised |= reject == Reject::Unsynchronised;
        match reject {
            // Nothing is amiss.
            Reject::WarmUp | Reject::AlreadyMeasured => {}
            _ => self.failure = Some(format!("its answer was rejected: {reject}")),
        }
        if reject.leaves_reachable() {
            self.reachability.answered();
        }
        self.poll_over(None, surroundings.frequency.value);
        reject
    }

    /// The volley goes on, is over, or begins: a server that was lost is back.
    fn proceed(&mut self, now: Now, requested: Instant, rng: &mut impl Rng) {
        let was_lost = self.reachability.is_lost();
        self.reachability.answered();
        let volleying = self.volley.is_under_way();
        self.volley.measured();
        if was_lost {
            self.volley = Volley::at_start(&self.settings);
            let poll = self.poll_interval().seconds();
            let interval = self.volley.interval(poll).unwrap_or(poll);
            self.hasten(now.monotonic + Span::from_seconds(interval));
        } else if volleying && !self.volley.is_under_way() {
            self.next_request = (requested + self.interval(rng)).max(now.monotonic);
        }
        let poll = self.poll_interval();
        if poll < PollInterval::SECOND {
            // Only a near server is asked so often, and its first answer shows that it is near.
            self.hasten((requested + poll.span()).max(now.monotonic));
        }
    }

    fn heed(&mut self, code: KissCode, poll: i8, now: Now, rng: &mut impl Rng) {
        match code {
            KissCode::Rate => {
                let pause = RATE_PAUSE * self.poll_interval().seconds();
                self.poll.rate_limited(poll, &self.settings);
                self.volley.end();
                self.next_request = now.monotonic + self.interval(rng) + Span::from_seconds(pause);
            }
            KissCode::Deny | KissCode::Restrict => {
                self.dismissed = Some(code);
                self.failure = Some(format!("it refuses to serve us ({code})"));
                self.volley.end();
                // Silence for a day and a half, not for ever: policies change.
                self.next_request = now.monotonic + PollInterval::LONGEST.span();
            }
            KissCode::Other(_) => {}
        }
    }
}
