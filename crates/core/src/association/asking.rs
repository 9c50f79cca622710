//! Requests on their way, until something comes back or nothing does.

use rand_core::Rng;
use timeball_auth::KeyId;
use timeball_wire::{MonoRoot, Span, Timestamp};

use super::answer::{Expected, Proof};
use super::{
    Association, Authentication, Connectivity, Pending, PollInterval, Request, Surroundings,
    symmetric,
};
use crate::datagram::compose_with;
use crate::engine::{ExchangeId, StampQuality};
use crate::now::Now;
use crate::timeline::Timeline;

/// How long after the largest acceptable delay (s) an answer is still waited for.
const ANSWER_GRACE: f64 = 1.0;

/// Timers are late by as much as this: the next request is not late on top of that.
const LATENESS: Span = Span::from_millis(10);

impl Association {
    /// Gives up what has waited too long: the exchange to close. `frequency` (s/s) is how fast true
    /// time gains on the oscillator.
    pub fn handle_timeout(&mut self, now: Now, frequency: f64) -> Option<ExchangeId> {
        let next_is_due = self.next_request().is_some_and(|due| due <= now.monotonic);
        let waiting = self.pending.filter(|pending| !pending.closed)?;
        if waiting.deadline > now.monotonic && !next_is_due {
            return None;
        }
        self.close();
        self.missed(frequency);
        Some(waiting.exchange)
    }

    /// Nothing more is expected. A peer's packets still refer to ours.
    pub(super) fn close(&mut self) {
        match (&mut self.pending, &self.symmetric) {
            (Some(pending), Some(_)) => pending.closed = true,
            (pending, _) => *pending = None,
        }
    }

    /// No answer: ask more rarely, but for a volley, which has an end of its own.
    fn missed(&mut self, frequency: f64) {
        if !self.volley.is_under_way() {
            self.poll.missed(&self.settings);
        }
        self.poll_over(None, frequency);
    }

    /// The packet that is due now, if one is. Without its key or a cookie none is sent.
    pub fn poll_request(
        &mut self,
        now: Now,
        surroundings: &Surroundings<'_>,
        exchange: ExchangeId,
        rng: &mut impl Rng,
    ) -> Option<Vec<u8>> {
        if self.next_request().is_none_or(|due| now.monotonic < due) {
            return None;
        }
        // One try after a dismissal has run its time.
        self.dismissed = None;
        let id = self.settings.authentication.key();
        let key = match id.map(|id| surroundings.keys.get(id).ok_or(id)).transpose() {
            Ok(key) => key,
            Err(missing) => {
                self.lacks_key(missing, now, surroundings.frequency.value, rng);
                return None;
            }
        };
        if self.lacks_cookie(now, surroundings.frequency.value, rng) {
            return None;
        }
        let poll = self.poll_interval();
        let (header, mono_root, mut expected) = match &mut self.symmetric {
            Some(peer) => {
                let settings = &self.settings;
                let previous = self.pending.map(|pending| pending.left + pending.served_offset);
                let sender = symmetric::Sender { now, surroundings, settings, poll, previous };
                let header = peer.packet(&sender, self.last.as_mut(), rng);
                let mono_root = sender.mono_root(header.receive_timestamp);
                (header, mono_root, symmetric::expected(self.address, &header, settings))
            }
            None => {
                let request = self.request(rng);
                let mono_root = self.settings.asks_for_mono_root();
                let expected = Expected { mono_root, ..request.expected() };
                (request.header(), mono_root.then(MonoRoot::default), expected)
            }
        };
        let datagram = match &mut self.nts {
            None => compose_with(&header, mono_root, key).to_vec(),
            Some(nts) => {
                let (datagram, unique_identifier) = nts.request(&header, mono_root, rng)?;
                expected.proof = Proof::Nts { unique_identifier };
                datagram
            }
        };
        // Before the first answer nothing can refer to it, but the next request will.
        let first = self.settings.interleaved && self.last.is_none();
        let interleaved = expected.receive.is_some() || first;
        let warm_up =
            !self.volley.is_under_way() && self.warm_up.sent(&self.settings, poll, interleaved);
        let wait = match self.symmetric {
            None => Span::from_seconds(self.settings.max_delay + ANSWER_GRACE),
            Some(_) => Span::MAX,
        };
        self.pending = Some(Pending {
            exchange,
            expected,
            at: now.monotonic,
            sent: surroundings.timeline.oscillator_at(now.system),
            left: now.system,
            served_offset: surroundings
                .served
                .map_or(Span::ZERO, |view| view.offset_at(now.monotonic)),
            quality: StampQuality::Daemon,
            deadline: now.monotonic + wait,
            warm_up,
            closed: false,
        });
        self.reachability.asked();
        self.interleaving.sent();
        self.statistics.sent += 1;
        self.statistics.transmit_stamp = Some(StampQuality::Daemon);
        self.schedule_next(poll, now, rng);
        Some(datagram)
    }

    fn schedule_next(&mut self, poll: PollInterval, now: Now, rng: &mut impl Rng) {
        self.volley.sent(poll, &self.settings);
        let due = self.next_request.max(now.monotonic - LATENESS);
        self.next_request = due + self.interval(rng);
    }

    /// A request without its key would be one that anybody can answer: it counts as lost.
    fn lacks_key(&mut self, key: KeyId, now: Now, frequency: f64, rng: &mut impl Rng) {
        self.failure = Some(format!("its key {key} is not known"));
        self.reachability.asked();
        self.schedule_next(self.poll_interval(), now, rng);
        self.missed(frequency);
    }

    /// Without a cookie nothing is sent that the server could prove an answer to. While keys are being
    /// established there is nothing to do but wait for them: that is all that this poll is good for. If
    /// it has failed, the poll is lost.
    fn lacks_cookie(&mut self, now: Now, frequency: f64, rng: &mut impl Rng) -> bool {
        let Some(nts) = &self.nts else { return false };
        if nts.is_under_way() {
            self.next_request = now.monotonic + self.interval(rng);
            return true;
        }
        if nts.has_cookie() {
            return false;
        }
        let why = nts.failure().unwrap_or("all cookies are used up");
        self.failure = Some(format!("no keys could be established: {why}"));
        self.next_request = nts.next_attempt().max(now.monotonic + LATENESS);
        self.reachability.asked();
        self.missed(frequency);
        true
    }

    fn request(&self, rng: &mut impl Rng) -> Request {
        let request = Request::new(self.address, self.settings.version, rng.next_u64());
        let request = request.authenticated(match self.settings.authentication {
            Authentication::Key(id) => Proof::Key(id),
            // The unique identifier comes with the cookie.
            Authentication::None | Authentication::Nts(_) => Proof::None,
        });
        let origin = self.interleaving.origin(self.last.as_ref());
        match origin.filter(|_| self.settings.interleaved) {
            Some(origin) => request.interleaved(origin, rng.next_u64()),
            None => request,
        }
    }

    /// From one request to the next.
    pub(super) fn interval(&self, rng: &mut impl Rng) -> Span {
        let poll = self.poll_interval();
        let (from, to) = self.poll.range(poll);
        let poll = poll.seconds();
        let interval = match (self.volley.interval(poll), self.warm_up.interval()) {
            (Some(volley), _) => volley,
            (None, Some(warm_up)) => warm_up.min(from),
            (None, None) => from,
        };
        let patience = self.symmetric.as_ref().map_or(1.0, symmetric::Symmetric::patience);
        let jitter = f64::from(rng.next_u32()) / f64::from(u32::MAX) * (to - from) / from;
        Span::from_seconds(interval * patience * (1.0 + jitter))
    }

    /// A request's transmit timestamp. A better one replaces the one known so far.
    pub fn handle_sent(
        &mut self,
        exchange: ExchangeId,
        at: Timestamp,
        quality: StampQuality,
        timeline: &Timeline,
    ) {
        let Some(pending) = self.pending.as_mut().filter(|p| p.exchange == exchange) else {
            return;
        };
        let count = self.statistics.transmit_stamps.entry(quality).or_default();
        *count = count.saturating_add(1);
        if quality >= pending.quality {
            (pending.sent, pending.left) = (timeline.oscillator_at(at), at);
            pending.quality = quality;
            self.statistics.transmit_stamp = Some(quality);
        }
    }

    /// A request could not be sent, or was refused on the way: nothing will come. A source that is
    /// asked only while it can be reached is asked no more.
    pub fn handle_send_failure(&mut self, exchange: ExchangeId, reason: String, frequency: f64) {
        self.failure = Some(reason);
        if self.pending_exchange() == Some(exchange) {
            self.close();
            self.missed(frequency);
        }
        if self.connectivity == Connectivity::AutoOffline {
            self.connectivity = Connectivity::Offline;
            self.volley.end();
        }
    }
}
