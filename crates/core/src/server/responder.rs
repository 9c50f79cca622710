//! The answer to a request for the time (RFC 5905 §9.2 "fast transmit").
//!
//! Stateless but for the rate limit: nothing that arrives here changes what the next client hears.
//! Only requests are answered, mode 3 and version 1's equivalent, with exactly one header, which is
//! never longer than the request; so an answer can neither amplify a forged request nor elicit
//! another answer.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use timeball_wire::{
    Header, Instant, KissCode, LeapIndicator, Message, Mode, NTP_PORT, NtpShort, NtpTimestamp,
    Packet, ReferenceId, Timestamp, Trailer, classify,
};

use super::access::AccessRules;
use super::counters::Counters;
use super::rate_limit::{RateLimiter, Ruling};
use super::refusal::Refusal;
use super::stamps::{Stamps, reference_timestamp};
use super::{RateLimit, ServerView, Settings};
use crate::association::PollInterval;

/// How a datagram reached us, and when an answer could leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived, by the system clock.
    pub received: Timestamp,
    /// The system clock just before the answer leaves. One reading may serve a batch.
    pub transmit: Timestamp,
    /// The monotonic clock: the rate limit must not follow steps of the system clock.
    pub monotonic: Instant,
    /// Sender.
    pub from: SocketAddr,
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
    /// A responder that says `view`. `hash_key` must be unpredictable to clients; it keys the rate
    /// limiter's table.
    pub fn new(settings: &Settings, view: ServerView, hash_key: [u8; 16]) -> Self {
        let mut responder = Self {
            access: AccessRules::new(&[], &[]),
            limit: None,
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

    /// Serves by these settings from now on. Clients keep the debt they have with the rate limit.
    pub fn configure(&mut self, settings: &Settings) {
        self.access = AccessRules::new(&settings.allow, &settings.deny);
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

    /// What became of every datagram so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Judges a datagram and writes the answer, if it gets one, to `out`.
    pub fn respond(
        &mut self,
        request: &[u8],
        arrival: &Arrival,
        out: &mut [u8; Header::LEN],
    ) -> Verdict {
        let verdict = match self.answer(request, arrival) {
            Ok((header, verdict)) => {
                *out = header.to_bytes();
                verdict
            }
            Err(refusal) => Verdict::Silence(refusal),
        };
        self.counters.count(verdict);
        verdict
    }

    fn answer(&mut self, request: &[u8], arrival: &Arrival) -> Result<(Header, Verdict), Refusal> {
        check_sender(arrival.from)?;
        if !self.access.allows(arrival.from.ip()) {
            return Err(Refusal::Denied);
        }
        let request = time_request(request, arrival.from.port())?.header;
        let ruling = match &mut self.limit {
            Some(limit) => limit.limiter.judge(arrival.from.ip(), arrival.monotonic),
            None => Ruling::Within,
        };
        match ruling {
            Ruling::Within => {}
            Ruling::Leak => self.counters.leaked = self.counters.leaked.saturating_add(1),
            Ruling::Kiss => return Ok((self.kiss(&request), Verdict::Kiss(Header::LEN))),
            Ruling::Over => return Err(Refusal::RateLimited),
        }
        Ok((self.time(&request, arrival), Verdict::Answer(Header::LEN)))
    }

    /// The time, as far as we know it.
    fn time(&mut self, request: &Header, arrival: &Arrival) -> Header {
        let reference = self.reference(arrival);
        let stamped = self.stamps.stamp(arrival);
        Header {
            leap: reference.leap,
            version: request.version,
            mode: Mode::Server,
            stratum: reference.stratum,
            poll: self.poll(request),
            precision: self.view.precision,
            root_delay: reference.root_delay,
            root_dispersion: reference.root_dispersion,
            reference_id: reference.id,
            reference_timestamp: reference.timestamp,
            origin_timestamp: request.transmit_timestamp,
            receive_timestamp: stamped.receive,
            transmit_timestamp: stamped.transmit,
        }
    }

    /// A kiss-o'-death: slow down (RFC 5905 §7.4). It says nothing of our clock, as receive and
    /// transmit timestamps of a kiss must be ignored.
    fn kiss(&self, request: &Header) -> Header {
        Header {
            leap: LeapIndicator::Unsynchronised,
            version: request.version,
            mode: Mode::Server,
            stratum: 0,
            poll: self.poll(request),
            precision: self.view.precision,
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::default(),
            reference_id: ReferenceId::from_bytes(KissCode::Rate.to_bytes()),
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

    /// What the clock refers to at the moment of the answer.
    fn reference(&self, arrival: &Arrival) -> Reference {
        let synchronised =
            self.view.leap != LeapIndicator::Unsynchronised && self.view.stratum < 16;
        Reference {
            leap: if synchronised { self.view.leap } else { LeapIndicator::Unsynchronised },
            // 16 is for variables; a packet says 0 (RFC 5905 §7.3).
            stratum: if synchronised { self.view.stratum } else { 0 },
            id: self.view.reference_id,
            timestamp: reference_timestamp(self.view.reference_time, arrival),
            root_delay: NtpShort::from_seconds_ceil(self.view.root_delay),
            root_dispersion: self.view.root_dispersion_at(arrival.monotonic),
        }
    }
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

/// Can the sender be one host that asks for the time?
fn check_sender(from: SocketAddr) -> Result<(), Refusal> {
    match from.port() {
        0 => return Err(Refusal::PortZero),
        1..NTP_PORT => return Err(Refusal::ReflectorPort),
        NTP_PORT.. => {}
    }
    let one_host = match from.ip().to_canonical() {
        IpAddr::V4(address) => matches!(address.octets()[0], 1..=223),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    };
    if one_host { Ok(()) } else { Err(Refusal::MartianSource) }
}

/// The datagram as a request for the time.
///
/// Extension fields are left unread: an unknown one does not change the question (RFC 7822 §3). A
/// request with a MAC is refused in silence rather than by the crypto-NAK of RFC 5905 §9.2: a
/// crypto-NAK is itself not authenticated, so no careful client heeds it.
fn time_request(datagram: &[u8], source_port: u16) -> Result<Packet<'_>, Refusal> {
    let packet = match classify(datagram) {
        Message::Time(packet) => packet,
        Message::Control(_) => return Err(Refusal::ControlMessage),
        Message::Private(_) => return Err(Refusal::PrivateMessage),
        Message::Garbage(garbage) => return Err(garbage.into()),
    };
    // Whatever port we listen on is NTP's to us.
    match packet.effective_mode(source_port, NTP_PORT) {
        Mode::Client => {}
        Mode::SymmetricActive | Mode::SymmetricPassive => return Err(Refusal::Symmetric),
        Mode::Server => return Err(Refusal::Response),
        Mode::Broadcast => return Err(Refusal::Broadcast),
        Mode::Reserved => return Err(Refusal::ReservedMode),
        Mode::Control => return Err(Refusal::ControlMessage),
        Mode::Private => return Err(Refusal::PrivateMessage),
    }
    match packet.trailer {
        Trailer::None => Ok(packet),
        Trailer::CryptoNak => Err(Refusal::CryptoNak),
        Trailer::Mac { .. } => Err(Refusal::UnknownKey),
    }
}

/// The shortest power of two of a second that keeps within the limit.
fn least_poll(limit: &RateLimit) -> i8 {
    // The conversion saturates; the logarithm of no interval is −∞.
    PollInterval::new(limit.interval.log2().ceil() as i8).exponent()
}

#[cfg(test)]
mod tests;
