//! The answer to a request for the time (RFC 5905 §9.2 "fast transmit").
//!
//! Stateless but for the rate limit and interleaved mode (RFC 9769), and nothing that arrives here
//! changes what another client hears. Only requests are answered, mode 3 and version 1's equivalent,
//! with exactly one header, and with a digest, extension fields or NTS's proof if the request has them:
//! never more than was asked with.
//! So an answer can neither amplify a forged request nor elicit another answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use timeball_auth::Keys;
use timeball_wire::{
    Header, Instant, KissCode, LeapIndicator, Mode, MonoRoot, NtpShort, NtpTimestamp, Packet,
    ReferenceId, Span, Timestamp,
};

use super::access::{Access, AccessRules, Extent};
use super::answer::{
    Answer, Kind, MAX_ANSWER_LEN, Proof, Protection, protection, unique_identifier,
};
use super::broadcast::Broadcasts;
use super::clients::{Asking, Clients, Habit, Service, Treatment};
use super::counters::Counters;
use super::interleaving::{Departure, Held};
use super::memory::Memory;
use super::nts::CookieKeys;
use super::rate_limit::{RateLimiter, Ruling};
use super::refusal::Refusal;
use super::request::{check_sender, signer, time_request};
use super::stamps::{Stamps, reference_timestamp};
use super::view::SMOOTHED_TIME;
use super::{RateLimit, ServerView, Settings};
use crate::association::PollInterval;
use crate::engine::StampQuality;

/// How a datagram reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived, by the system clock.
    pub received: Timestamp,
    /// How that moment is known.
    pub quality: StampQuality,
    /// The monotonic clock: the rate limit must not follow steps of the system clock.
    pub monotonic: Instant,
    /// Sender.
    pub from: SocketAddr,
    /// Whether it was sent to a broadcast or multicast address.
    pub to_everybody: bool,
}

/// A request that was [judged](Responder::judge) to get an [answer](Responder::answer).
#[derive(Debug)]
pub struct Accepted<'r> {
    request_len: usize,
    header: Header,
    arrival: Arrival,
    wants_mono_root: bool,
    /// What the answer has to repeat.
    unique_identifier: Option<&'r [u8]>,
    proof: Proof,
    kind: Kind,
}

/// What to do with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Send this many bytes of the buffer: the time.
    Answer(usize),
    /// Send this many bytes of the buffer: a kiss-o'-death.
    Kiss(usize),
    /// Send nothing.
    Silence(Refusal),
}

/// Answers requests. Every worker thread has its own; it never allocates while it answers.
#[derive(Clone, Debug)]
pub struct Responder {
    access: AccessRules,
    limit: Option<Limit>,
    /// As long as somebody is served, unless the settings want none.
    memory: Option<Memory>,
    /// The receive timestamp of the last answer, if it is worth to know when that leaves.
    pending: Option<NtpTimestamp>,
    broadcasts: Broadcasts,
    settings: Settings,
    keys: Arc<Keys>,
    /// Unless there is no NTS.
    cookies: Option<CookieKeys>,
    view: ServerView,
    stamps: Stamps,
    hash_key: [u8; 16],
    counters: Counters,
}

#[derive(Clone, Debug)]
struct Limit {
    limiter: RateLimiter,
    /// What answers tell clients to poll at, at least (log₂ s).
    least_poll: i8,
}

impl Responder {
    /// A responder that says `view`. `hash_key` must be unpredictable to clients; it keys the tables
    /// of what is remembered of them.
    pub fn new(settings: &Settings, view: ServerView, hash_key: [u8; 16]) -> Self {
        let mut responder = Self {
            access: AccessRules::new(&[], &[]),
            limit: None,
            memory: None,
            pending: None,
            broadcasts: Broadcasts::default(),
            settings: Settings::default(),
            keys: Arc::default(),
            cookies: None,
            view,
            stamps: Stamps::default(),
            hash_key,
            counters: Counters::default(),
        };
        responder.configure(settings);
        responder
    }

    /// Says this from now on.
    pub fn publish(&mut self, view: ServerView) {
        self.view = view;
    }

    /// Serves by these settings from now on. Clients keep the debt they have with the rate limit;
    /// access rules that were changed since are forgotten.
    pub fn configure(&mut self, settings: &Settings) {
        self.access = AccessRules::new(&settings.allow, &settings.deny);
        self.broadcasts.configure(&settings.broadcasts);
        self.settings = settings.clone();
        self.remember_clients();
        let limiter = self.limit.take().map(|limit| limit.limiter);
        self.limit = settings.rate_limit.as_ref().map(|limit| {
            let limiter = match limiter {
                Some(mut limiter) => {
                    limiter.configure(limit);
                    limiter
                }
                None => RateLimiter::new(limit, &self.hash_key),
            };
            Limit { limiter, least_poll: least_poll(limit) }
        });
    }

    /// Knows these keys from now on.
    pub fn take_keys(&mut self, keys: Arc<Keys>) {
        self.keys = keys;
    }

    /// Opens cookies with these keys from now on; without any, requests that NTS protects are answered
    /// like others, which no client with NTS will believe.
    pub fn take_cookie_keys(&mut self, keys: Option<CookieKeys>) {
        self.cookies = keys;
    }

    /// Serves, or does not serve, these clients from now on.
    pub fn change_access(&mut self, net: IpNet, access: Access, extent: Extent) {
        self.access.change(net, access, extent);
        self.remember_clients();
    }

    /// Whom it serves.
    pub fn access(&self) -> &AccessRules {
        &self.access
    }

    /// Memory is for those who have somebody to remember.
    fn remember_clients(&mut self) {
        let wanted = self.settings.client_log.filter(|_| self.access.allow_anybody());
        let limit = wanted.map(|client_log| client_log.limit);
        if self.memory.as_ref().map(Memory::limit) != limit {
            self.memory = limit.map(|limit| Memory::new(limit, &self.hash_key));
        }
    }

    /// What became of every datagram so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is known of clients; `None` if nothing is to be remembered.
    pub fn clients(&self) -> Option<&Clients> {
        self.memory.as_ref().map(|memory| &memory.clients)
    }

    /// Counts the requests of the client in this [place](Clients::get) from zero again.
    pub fn reset_client(&mut self, place: usize) {
        if let Some(memory) = &mut self.memory {
            memory.clients.reset(place);
        }
    }

    /// How much is remembered for interleaved mode.
    pub fn held(&self) -> Held {
        self.memory.as_ref().map_or_else(Held::default, |memory| memory.pairs.held())
    }

    /// Takes note that somebody asked for a report, or gave a command; `None`: without a network.
    pub fn note_command(&mut self, from: Option<IpAddr>, treatment: Treatment, now: Instant) {
        let dropped = u64::from(treatment == Treatment::Dropped);
        self.counters.commands = self.counters.commands.saturating_add(1);
        self.counters.commands_dropped = self.counters.commands_dropped.saturating_add(dropped);
        if let (Some(memory), Some(from)) = (&mut self.memory, from) {
            memory.clients.note(from, Service::Command, treatment, now);
        }
    }

    /// Counts clients that asked somebody else here for keys.
    pub fn count_key_exchanges(&mut self, served: u64, dropped: u64) {
        let counters = &mut self.counters;
        let all = served.saturating_add(dropped);
        counters.key_exchanges = counters.key_exchanges.saturating_add(all);
        counters.key_exchanges_dropped = counters.key_exchanges_dropped.saturating_add(dropped);
    }

    /// Takes note of a client that asked for keys.
    pub fn note_key_exchange(&mut self, from: IpAddr, treatment: Treatment, now: Instant) {
        if let Some(memory) = &mut self.memory {
            memory.clients.note(from, Service::KeyExchange, treatment, now);
        }
    }

    /// The receive timestamp of the answer just made, if its client will want to know when it left:
    /// then ask the kernel, and pass that on to [`transmitted`](Self::transmitted).
    pub fn pending(&self) -> Option<NtpTimestamp> {
        self.pending
    }

    /// The answer with this receive timestamp left at `at` by the system clock.
    pub fn transmitted(
        &mut self,
        receive: NtpTimestamp,
        at: Timestamp,
        quality: StampQuality,
        now: Instant,
    ) {
        let at = Stamps::transmit(at + self.offset(now));
        if let Some(memory) = &mut self.memory {
            memory.pairs.correct(receive, Departure { at, quality });
        }
    }

    /// The system clock was stepped: what is remembered for interleaved mode is by another clock.
    pub fn clock_stepped(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.pairs.forget();
        }
    }

    /// When [`broadcast`](Self::broadcast) is to be called.
    pub fn next_broadcast(&self) -> Option<Instant> {
        self.broadcasts.next()
    }

    /// The next broadcast that is due at `now`, written to `out`, and where to send it. While not
    /// synchronised there is nothing to tell.
    pub fn broadcast(
        &mut self,
        now: Instant,
        transmit: Timestamp,
        out: &mut [u8; Header::LEN],
    ) -> Option<SocketAddr> {
        while let Some(due) = self.broadcasts.take(now) {
            let transmit = transmit + self.offset(now);
            let reference = self.reference(now, transmit);
            if reference.leap == LeapIndicator::Unsynchronised {
                continue;
            }
            let header = Header {
                transmit_timestamp: Stamps::transmit(transmit),
                ..self.header(&reference, Mode::Broadcast, 4, due.poll)
            };
            *out = header.to_bytes();
            self.counters.broadcasts = self.counters.broadcasts.saturating_add(1);
            return Some(due.destination);
        }
        None
    }

    /// [Judges](Self::judge) a datagram and [writes](Self::answer) the answer, if it gets one.
    pub fn respond(
        &mut self,
        request: &[u8],
        arrival: &Arrival,
        transmit: Timestamp,
        out: &mut [u8; MAX_ANSWER_LEN],
    ) -> Verdict {
        match self.judge(request, arrival) {
            Ok(accepted) => self.answer(&accepted, transmit, out),
            Err(refusal) => Verdict::Silence(refusal),
        }
    }

    /// Judges a datagram, which takes no knowledge of when the answer leaves, and with NTS as long as
    /// the answer does: whoever judges a whole batch before [answering](Self::answer) has its answers
    /// leave soon after their transmit timestamps.
    ///
    /// # Errors
    /// Why it gets no answer.
    pub fn judge<'r>(
        &mut self,
        request: &'r [u8],
        arrival: &Arrival,
    ) -> Result<Accepted<'r>, Refusal> {
        self.pending = None;
        let accepted = self.accept(request, arrival);
        if let Err(refusal) = accepted {
            self.counters.count(Verdict::Silence(refusal));
        }
        accepted
    }

    fn accept<'r>(
        &mut self,
        request: &'r [u8],
        arrival: &Arrival,
    ) -> Result<Accepted<'r>, Refusal> {
        check_sender(arrival.from)?;
        let client = arrival.from.ip();
        if !self.access.allows(client) {
            return Err(Refusal::Denied);
        }
        let packet = time_request(request, arrival.from.port())?;
        if arrival.to_everybody {
            return Err(Refusal::SentToEverybody);
        }
        let ruling = self.ruling(client, arrival.monotonic);
        if ruling == Ruling::Over {
            return Err(Refusal::RateLimited);
        }
        let accepted = |kind, proof| Accepted {
            request_len: request.len(),
            header: packet.header,
            arrival: *arrival,
            wants_mono_root: asks_for_mono_root(&packet),
            unique_identifier: unique_identifier(&packet),
            proof,
            kind,
        };
        // Not before: what costs most is to have a request prove itself.
        let proof = match protection(&packet, self.cookies.as_ref())? {
            Protection::None => match signer(&packet, client, &self.keys)? {
                Some(key) => Proof::Key(key),
                None if self.must_have_key(client) => return Err(Refusal::MissingMac),
                None => Proof::None,
            },
            Protection::Proven(client) => Proof::Nts(client),
            Protection::Unproven(rejection) => {
                self.counters.count_rejection(rejection);
                return Ok(accepted(Kind::NtsNak, Proof::None));
            }
        };
        self.counters.count_proof(&proof);
        match ruling {
            Ruling::Kiss => return Ok(accepted(Kind::Rate, proof)),
            Ruling::Leak => self.counters.leaked = self.counters.leaked.saturating_add(1),
            Ruling::Within | Ruling::Over => {}
        }
        Ok(accepted(Kind::Time, proof))
    }

    /// Writes the answer to `out`; it leaves at `transmit` by the system clock, which is to be read
    /// just before. What a key has authenticated is answered with the same key.
    pub fn answer(
        &mut self,
        accepted: &Accepted<'_>,
        transmit: Timestamp,
        out: &mut [u8; MAX_ANSWER_LEN],
    ) -> Verdict {
        self.pending = None;
        let (header, mono_root) = match accepted.kind {
            Kind::Time => {
                let header = self.time(&accepted.header, &accepted.arrival, transmit);
                let mono_root = accepted.wants_mono_root.then(|| {
                    self.view.mono_root_at(accepted.arrival.monotonic, header.receive_timestamp)
                });
                (header, mono_root)
            }
            Kind::Rate | Kind::NtsNak => (self.kiss(&accepted.header, &accepted.kind), None),
        };
        let &Accepted { unique_identifier, ref proof, .. } = accepted;
        let answer = Answer { header, mono_root, unique_identifier, proof };
        let room = out.get_mut(..accepted.request_len).unwrap_or_default();
        let verdict = match (answer.write(&self.keys, self.cookies.as_mut(), room), &accepted.kind)
        {
            (Ok(len), Kind::Time) => Verdict::Answer(len),
            (Ok(len), Kind::Rate | Kind::NtsNak) => Verdict::Kiss(len),
            // Longer than any that we read.
            (Err(_), _) => {
                self.pending = None;
                Verdict::Silence(Refusal::Malformed)
            }
        };
        self.counters.count(verdict);
        verdict
    }

    /// Takes note of a client's request, and judges whether it is one too many.
    fn ruling(&mut self, client: IpAddr, now: Instant) -> Ruling {
        let memory = self.memory.as_mut();
        let asking = memory.and_then(|memory| memory.clients.asks(client, Service::Ntp, now));
        let ruling = match &mut self.limit {
            Some(limit) => {
                let habit = asking.as_ref().map_or(Habit::Steady, Asking::habit);
                limit.limiter.judge(client, habit, now)
            }
            None => Ruling::Within,
        };
        if let Some(asking) = asking {
            asking.was(match ruling {
                Ruling::Within | Ruling::Leak | Ruling::Kiss => Treatment::Served,
                Ruling::Over => Treatment::Dropped,
            });
        }
        ruling
    }

    fn must_have_key(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.settings.require_key.iter().any(|net| net.contains(&client))
    }

    /// The time, as far as we know it.
    fn time(&mut self, request: &Header, arrival: &Arrival, transmit: Timestamp) -> Header {
        let offset = self.offset(arrival.monotonic);
        let (received, transmit) = (arrival.received + offset, transmit + offset);
        let reference = self.reference(arrival.monotonic, transmit);
        let stamped = self.stamps.stamp(received, transmit);
        let departure = Departure { at: stamped.transmit, quality: StampQuality::Daemon };
        let previous = self.interleave(request, stamped.receive, departure);
        self.counters.received_by.count(arrival.quality);
        self.counters.transmitted_by.count(previous.unwrap_or(departure).quality);
        let poll = self.poll(request);
        Header {
            // In interleaved mode the client recognises the answer by its own receive timestamp.
            origin_timestamp: match previous {
                Some(_) => request.receive_timestamp,
                None => request.transmit_timestamp,
            },
            receive_timestamp: stamped.receive,
            transmit_timestamp: previous.unwrap_or(departure).at,
            ..self.header(&reference, Mode::Server, request.version, poll)
        }
    }

    /// When the answer left that the request names, if it names one; and remembers for the next
    /// request that this one arrived at `receive` and when its answer is about to leave.
    ///
    /// Only clients that name an answer of ours are worth the memory: those in interleaved mode. So a
    /// new one gets two answers in basic mode first (RFC 9769 §2).
    fn interleave(
        &mut self,
        request: &Header,
        receive: NtpTimestamp,
        departure: Departure,
    ) -> Option<Departure> {
        let memory = self.memory.as_mut()?;
        let interleaves = request.version == 4
            && Stamps::may_be_reception(request.origin_timestamp)
            && request.receive_timestamp != request.transmit_timestamp;
        if !interleaves {
            return None;
        }
        let previous = memory.pairs.take(request.origin_timestamp);
        self.counters.interleaved =
            self.counters.interleaved.saturating_add(u64::from(previous.is_some()));
        memory.pairs.remember(receive, departure);
        self.pending = Some(receive);
        previous
    }

    /// Served time minus system clock.
    fn offset(&self, now: Instant) -> Span {
        self.view.offset_at(now)
    }

    /// A header without timestamps but the reference's.
    fn header(&self, reference: &Reference, mode: Mode, version: u8, poll: i8) -> Header {
        Header {
            leap: reference.leap,
            version,
            mode,
            stratum: reference.stratum,
            poll,
            precision: self.view.precision,
            root_delay: reference.root_delay,
            root_dispersion: reference.root_dispersion,
            reference_id: reference.id,
            reference_timestamp: reference.timestamp,
            origin_timestamp: NtpTimestamp::ZERO,
            receive_timestamp: NtpTimestamp::ZERO,
            transmit_timestamp: NtpTimestamp::ZERO,
        }
    }

    /// A kiss-o'-death (RFC 5905 §7.4). It says nothing of our clock, as receive and transmit timestamps
    /// of a kiss must be ignored.
    fn kiss(&self, request: &Header, kind: &Kind) -> Header {
        let code = match kind {
            Kind::Rate | Kind::Time => KissCode::Rate.to_bytes(),
            Kind::NtsNak => *b"NTSN",
        };
        Header {
            leap: LeapIndicator::Unsynchronised,
            version: request.version,
            mode: Mode::Server,
            stratum: 0,
            poll: self.poll(request),
            precision: self.view.precision,
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::default(),
            reference_id: ReferenceId::from_bytes(code),
            reference_timestamp: NtpTimestamp::ZERO,
            origin_timestamp: request.transmit_timestamp,
            receive_timestamp: request.transmit_timestamp,
            transmit_timestamp: request.transmit_timestamp,
        }
    }

    /// The client's own poll interval, but none that the rate limit would not bear.
    fn poll(&self, request: &Header) -> i8 {
        let asked = PollInterval::new(request.poll).exponent();
        self.limit.as_ref().map_or(asked, |limit| asked.max(limit.least_poll))
    }

    /// What the clock refers to at the moment of an answer that leaves at `transmit`.
    fn reference(&self, now: Instant, transmit: Timestamp) -> Reference {
        let view = &self.view;
        let synchronised = view.leap != LeapIndicator::Unsynchronised && view.stratum < 16;
        let smoothed = view.served_offset.is_some_and(|served| served.is_smoothing_at(now));
        let shift = if smoothed { self.offset(now) } else { Span::ZERO };
        let reference_time = view.reference_time + shift;
        Reference {
            leap: if synchronised { view.leap } else { LeapIndicator::Unsynchronised },
            // 16 is for variables; a packet says 0 (RFC 5905 §7.3).
            stratum: if synchronised { view.stratum } else { 0 },
            id: if smoothed { SMOOTHED_TIME } else { view.reference_id },
            timestamp: reference_timestamp(reference_time, transmit),
            root_delay: NtpShort::from_seconds_ceil(view.root_delay),
            root_dispersion: view.root_dispersion_at(now),
        }
    }
}

fn asks_for_mono_root(request: &Packet<'_>) -> bool {
    request.extension_fields().any(|field| MonoRoot::from_field(&field).is_some())
}

/// The fields of an answer that say whom the clock follows, and how closely.
struct Reference {
    leap: LeapIndicator,
    stratum: u8,
    id: ReferenceId,
    timestamp: NtpTimestamp,
    root_delay: NtpShort,
    root_dispersion: NtpShort,
}

/// The shortest power of two of a second that keeps within the limit.
fn least_poll(limit: &RateLimit) -> i8 {
    // The conversion saturates; the logarithm of no interval is −∞.
    PollInterval::new(limit.interval.log2().ceil() as i8).exponent()
}

#[cfg(test)]
mod tests;
