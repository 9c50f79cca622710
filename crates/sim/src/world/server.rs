//! Servers that follow a script.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use timeball_wire::{
    Header, KissCode, LeapIndicator, Mode, NtpShort, NtpTimestamp, ReferenceId, Span, Timestamp,
};

use crate::noise::Stream;
use crate::oscillator::Oscillator;
use crate::scenario::server::{Kiss, Lie, ReplayOrigin, Server};
use crate::truth::{Calendar, Moment};

/// How long ago a scripted server claims to have been updated.
const REFERENCE_AGE: Span = Span::from_secs(8);

/// A client that believes less than this share of a lie does not believe it.
const LEAST_SHARE: f64 = 0.1;

/// A server that follows a script.
#[derive(Debug)]
pub(super) struct ScriptedServer {
    script: Server,
    calendar: Calendar,
    oscillator: Oscillator,
    stream: Stream,
    last_request: BTreeMap<std::net::IpAddr, Moment>,
    last_answer: Option<Header>,
    /// Requests answered.
    pub(super) answered: u64,
}

impl ScriptedServer {
    pub(super) fn new(script: Server, calendar: Calendar, seed: u64) -> Self {
        let name = script.name.get_ref();
        Self {
            calendar,
            oscillator: Oscillator::new(
                script.oscillator.clone(),
                Stream::new(seed, &format!("server/{name}/oscillator")),
            ),
            stream: Stream::new(seed, &format!("server/{name}")),
            last_request: BTreeMap::new(),
            last_answer: None,
            answered: 0,
            script,
        }
    }

    /// When an answer to a request that arrives now would be ready; `None` from a dead server.
    pub(super) fn accept(&mut self, at: Moment) -> Option<Moment> {
        let dead = self.script.dead.iter().any(|window| window.contains(at));
        (!dead).then(|| at + Span::from_seconds(self.stream.exponential(self.script.hold)))
    }

    /// Its clock, as it would like to be believed.
    pub(super) fn clock(&mut self, at: Moment) -> Timestamp {
        let error = self.known_error(at) + self.lie(at);
        self.calendar.utc(at) + Span::from_seconds(error)
    }

    /// How wrong (s) it is without saying so.
    pub(super) fn lie(&self, at: Moment) -> f64 {
        let told = self.script.lies.iter().filter(|lie| lie.during.contains(at));
        told.map(|Lie { during, offset, ramp }| offset + ramp * (at.seconds() - during.from)).sum()
    }

    /// Is a client that is wrong by this (s) wrong because of a lie? One that has just woken up, and
    /// has yet to ask, is not.
    pub(super) fn is_to_blame(&self, at: Moment, wrong: f64) -> bool {
        let lied = self.script.lies.iter().any(|lie| lie.during.from <= at.seconds());
        let lie = self.lie(at);
        // An old lie may still be believed when it is told no more.
        lied && (lie == 0.0 || wrong / lie > LEAST_SHARE)
    }

    /// The answer to a request, if it gets one.
    pub(super) fn answer(
        &mut self,
        at: Moment,
        request: &[u8],
        from: SocketAddr,
        received: Timestamp,
    ) -> Option<[u8; Header::LEN]> {
        let request = Header::from_bytes(request.first_chunk()?);
        if request.mode != Mode::Client {
            return None;
        }
        self.answered += 1;
        let since_last = self.last_request.insert(from.ip(), at).map(|last| (at - last).seconds());
        let header = match self.kiss(at, since_last) {
            Some(code) => kiss(&request, code),
            None => self.replayed(at, &request).unwrap_or_else(|| {
                let answer = self.honest_or_not(at, &request, received);
                self.last_answer = Some(answer);
                answer
            }),
        };
        Some(header.to_bytes())
    }

    fn known_error(&mut self, at: Moment) -> f64 {
        self.script.offset + self.oscillator.phase(at)
    }

    fn kiss(&self, at: Moment, since_last: Option<f64>) -> Option<KissCode> {
        let due = |kiss: &&Kiss| {
            let too_fast = match (kiss.faster_than, since_last) {
                (None, _) => true,
                (Some(limit), Some(since)) => since < limit,
                (Some(_), None) => false,
            };
            kiss.during.contains(at) && too_fast
        };
        self.script.kisses.iter().find(due).map(|kiss| kiss.code)
    }

    fn replayed(&self, at: Moment, request: &Header) -> Option<Header> {
        let replay = self.script.replays.iter().find(|replay| replay.during.contains(at))?;
        let old = self.last_answer?;
        Some(match replay.origin {
            ReplayOrigin::Old => old,
            ReplayOrigin::Right => Header { origin_timestamp: request.transmit_timestamp, ..old },
        })
    }

    fn honest_or_not(&mut self, at: Moment, request: &Header, received: Timestamp) -> Header {
        let synchronised = !self.script.unsynchronised.iter().any(|window| window.contains(at));
        let dispersion = self.script.root_dispersion + self.known_error(at).abs();
        let transmit = self.clock(at);
        let leap = self.script.leap.unwrap_or_else(|| self.calendar.announcement(at));
        Header {
            leap: if synchronised { leap } else { LeapIndicator::Unsynchronised },
            version: request.version,
            mode: Mode::Server,
            stratum: if synchronised { self.script.stratum } else { 0 },
            poll: request.poll,
            precision: self.script.precision,
            root_delay: NtpShort::from_seconds_ceil(self.script.root_delay),
            root_dispersion: NtpShort::from_seconds_ceil(dispersion),
            reference_id: self.script.reference_id,
            reference_timestamp: (transmit - REFERENCE_AGE).into(),
            origin_timestamp: request.transmit_timestamp,
            receive_timestamp: received.into(),
            transmit_timestamp: transmit.into(),
        }
    }
}

/// A kiss-o'-death (RFC 5905 §7.4).
pub(super) fn kiss(request: &Header, code: KissCode) -> Header {
    Header {
        leap: LeapIndicator::Unsynchronised,
        version: request.version,
        mode: Mode::Server,
        stratum: 0,
        poll: request.poll,
        precision: 0,
        root_delay: NtpShort::default(),
        root_dispersion: NtpShort::default(),
        reference_id: ReferenceId::from_bytes(code.to_bytes()),
        reference_timestamp: NtpTimestamp::ZERO,
        origin_timestamp: request.transmit_timestamp,
        receive_timestamp: request.transmit_timestamp,
        transmit_timestamp: request.transmit_timestamp,
    }
}
