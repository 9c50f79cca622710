//! Symmetric associations (RFC 5905 §9, RFC 9769 §4): two machines, each of which may take time from
//! the other.
//!
//! Each packet is both the answer to the other side's last and the question that its next one
//! answers, so all of them carry the sender's time as a server's answer would. Who wants to forge one
//! has to know the timestamps of the last, which are no random numbers: without a key a peer is as
//! safe as the network between. With a key, nothing of a packet is used before the key has proved who
//! sent it (CVE-2015-1799).

use std::net::SocketAddr;

use rand_core::Rng;
use timeball_auth::nts::fields::UNIQUE_IDENTIFIER_LEN;
use timeball_wire::{
    Header, Instant, Mode, MonoRoot, NtpShort, NtpTimestamp, Oscillator, Span, Timestamp,
};

use super::answer::{Answerer, Expected, Proof};
use super::interleaved::{LastExchange, State};
use super::{Authentication, PollInterval, Settings, Surroundings};
use crate::now::Now;
use crate::server::ServerView;

/// MAXSTRAT (RFC 5905 §7.2): the stratum of a machine without time.
const STRATUM_UNSYNCHRONISED: u8 = 16;

/// A peer that has better time than the other lets the other's packet come first for so much of a
/// poll interval, and answers at once: the shorter it holds the packet, the better the measurement
/// that the other makes.
const PATIENCE: f64 = 1.1;

/// What is known of a peer on top of what is known of a server.
#[derive(Clone, Debug)]
pub(super) struct Symmetric {
    /// A packet that answers none of ours, but has to be answered: the peer is there and has not
    /// heard of us, or one of ours was lost.
    greeting: Option<Greeting>,
    /// Our packets since its last answer…
    sent: u32,
    /// …and those that this one answered.
    sent_before: u32,
    last_sent: Option<Instant>,
    /// Receive timestamp of our last packet.
    receive: NtpTimestamp,
    /// Its poll interval.
    poll: PollInterval,
    stratum: u8,
    /// Our stratum when the last packet came or went.
    own_stratum: u8,
}

/// A packet of a peer that is no answer.
#[derive(Clone, Copy, Debug)]
struct Greeting {
    transmit: NtpTimestamp,
    received: Oscillator,
}

impl Default for Symmetric {
    fn default() -> Self {
        Self {
            greeting: None,
            sent: 0,
            sent_before: 0,
            last_sent: None,
            receive: NtpTimestamp::ZERO,
            poll: PollInterval::LONGEST,
            stratum: STRATUM_UNSYNCHRONISED,
            own_stratum: STRATUM_UNSYNCHRONISED,
        }
    }
}

/// What of a source's settings a peer can have: it is not asked out of turn.
pub(super) const fn settings(settings: Settings) -> Settings {
    Settings { iburst: false, burst: false, presend: None, copy: false, ..settings }
}

/// What the answer to a packet has to repeat.
pub(super) fn expected(peer: SocketAddr, sent: &Header, settings: &Settings) -> Expected {
    let receive = Some(sent.receive_timestamp).filter(|receive| !receive.is_zero());
    Expected {
        from: peer,
        version: settings.version,
        by: Answerer::Peer,
        proof: match settings.authentication {
            Authentication::Key(id) => Proof::Key(id),
            Authentication::None => Proof::None,
            // Peers establish no keys; so nothing that one sends is ever believed.
            Authentication::Nts(_) => Proof::Nts { unique_identifier: [0; UNIQUE_IDENTIFIER_LEN] },
        },
        transmit: sent.transmit_timestamp,
        receive: receive.filter(|_| settings.interleaved),
        mono_root: settings.asks_for_mono_root(),
    }
}

impl Symmetric {
    /// The poll interval that the peer keeps.
    pub(super) const fn poll(&self) -> PollInterval {
        self.poll
    }

    /// By how much longer than a poll interval to wait for the peer's packet.
    pub(super) const fn patience(&self) -> f64 {
        if self.stratum > self.own_stratum { PATIENCE } else { 1.0 }
    }

    /// An answer came.
    pub(super) fn answered(&mut self, header: &Header) {
        self.greeting = None;
        self.sent_before = std::mem::take(&mut self.sent);
        self.poll = PollInterval::new(header.poll);
        self.stratum = match header.stratum {
            0 => STRATUM_UNSYNCHRONISED,
            stratum => stratum.min(STRATUM_UNSYNCHRONISED),
        };
    }

    /// When to send the next packet, now that an answer has come; `poll` is the interval in use (s).
    pub(super) fn next_packet(
        &mut self,
        own_stratum: u8,
        poll: f64,
        now: Instant,
    ) -> Option<Instant> {
        self.own_stratum = own_stratum;
        let last = self.last_sent?;
        let passed = (now - last).seconds() / poll;
        let wait = match self.stratum.cmp(&own_stratum) {
            // It has waited for us; all the more if its packet has come just before ours was due.
            std::cmp::Ordering::Greater if passed * PATIENCE < 1.0 => PATIENCE,
            std::cmp::Ordering::Greater | std::cmp::Ordering::Less => 1.0,
            // Of two equal ones none can answer at once, but each can keep out of the other's way.
            std::cmp::Ordering::Equal if passed > PATIENCE - 0.5 => PATIENCE,
            std::cmp::Ordering::Equal => 1.0,
        };
        Some((last + Span::from_seconds(wait * poll)).max(now))
    }

    /// The peer says something that is no answer.
    pub(super) fn greeted(&mut self, header: &Header, received: Oscillator) {
        let transmit = header.transmit_timestamp;
        if !transmit.is_zero() {
            self.greeting = Some(Greeting { transmit, received });
        }
    }
}

/// What a packet to a peer is made of.
pub(super) struct Sender<'a> {
    pub(super) now: Now,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) settings: &'a Settings,
    pub(super) poll: PollInterval,
    /// When our previous packet left, by the time served as it was: of that exchange the peer knows the other
    /// timestamps in the same way.
    pub(super) previous: Option<Timestamp>,
}

impl Symmetric {
    /// The packet that is due. `last` is the exchange that the peer's last answer ended.
    pub(super) fn packet(
        &mut self,
        sender: &Sender<'_>,
        last: Option<&mut LastExchange>,
        rng: &mut impl Rng,
    ) -> Header {
        let view = sender.view();
        self.own_stratum = view.stratum;
        // A peer can tell which of our packets an interleaved timestamp is of only if nothing has
        // gone amiss since: one packet of ours, one of its, and now one of ours.
        let in_turn = self.greeting.is_none() && self.sent_before == 1 && self.sent == 0;
        let left = sender.previous.filter(|_| sender.settings.interleaved && in_turn);
        let (origin, received, left) = match (self.greeting, last) {
            (Some(greeting), last) => {
                if let Some(last) = last {
                    last.state = State::Void;
                }
                (greeting.transmit, Some(greeting.received), None)
            }
            (None, Some(last)) => match left {
                Some(left) => (last.receive, Some(last.received), Some(left)),
                None => (last.transmit, Some(last.received), None),
            },
            (None, None) => (NtpTimestamp::ZERO, None, None),
        };
        let mut unlike = vec![origin, self.receive, NtpTimestamp::ZERO];
        let mut stamp = |at: Timestamp| {
            let stamp = stamp(at, view.precision, &unlike, rng);
            unlike.push(stamp);
            stamp
        };
        let receive = received.map_or(NtpTimestamp::ZERO, |at| stamp(sender.by_our_time(at)));
        let transmit = stamp(left.unwrap_or(sender.time()));
        self.receive = receive;
        self.sent = self.sent.saturating_add(1);
        self.last_sent = Some(sender.now.monotonic);
        Header {
            leap: view.leap,
            version: sender.settings.version,
            mode: Mode::SymmetricActive,
            // 16 is for variables; a packet says 0 (RFC 5905 §7.3).
            stratum: if view.stratum < STRATUM_UNSYNCHRONISED { view.stratum } else { 0 },
            poll: sender.poll.exponent(),
            precision: view.precision,
            root_delay: NtpShort::from_seconds_ceil(view.root_delay),
            root_dispersion: view.root_dispersion_at(sender.now.monotonic),
            reference_id: view.reference_id,
            reference_timestamp: view.reference_time.min(sender.time()).into(),
            origin_timestamp: origin,
            receive_timestamp: receive,
            transmit_timestamp: transmit,
        }
    }
}

impl Sender<'_> {
    /// What the packet with this receive timestamp says of monotonic time, if the peer shall hear it.
    pub(super) fn mono_root(&self, receive: NtpTimestamp) -> Option<MonoRoot> {
        let asked = self.settings.asks_for_mono_root();
        asked.then(|| self.view().mono_root_at(self.now.monotonic, receive))
    }

    /// The time served.
    fn time(&self) -> Timestamp {
        self.now.system + self.view().offset_at(self.now.monotonic)
    }

    fn view(&self) -> ServerView {
        let unknown = || {
            let precision = self.surroundings.precision.log2().ceil().clamp(-32.0, 0.0);
            ServerView::unsynchronised(precision as i8, self.now.monotonic)
        };
        self.surroundings.served.copied().unwrap_or_else(unknown)
    }

    /// What we would have served at an earlier moment had we known as much as we do now: so that it is
    /// as long ago as the peer reads it to be.
    fn by_our_time(&self, at: Oscillator) -> Timestamp {
        let elapsed = self.surroundings.timeline.oscillator_at(self.now.system) - at;
        let gained = elapsed.seconds() * self.surroundings.frequency.value;
        self.time() - elapsed - Span::from_seconds(gained)
    }
}

/// A timestamp whose bits beyond the clock's precision (log₂ s) are random, which makes it harder to
/// guess, and unlike any of `others`.
fn stamp(
    at: Timestamp,
    precision: i8,
    others: &[NtpTimestamp],
    rng: &mut impl Rng,
) -> NtpTimestamp {
    let idle_bits = (32 + i32::from(precision)).clamp(1, 31);
    let mask = (1_u64 << idle_bits) - 1;
    let clock = NtpTimestamp::from(at).to_bits() & !mask;
    let random = rng.next_u64() & mask;
    // One more than there are others, so one of them is free; zero is always among the others.
    let candidates = (0..=others.len() as u64)
        .map(|more| NtpTimestamp::from_bits((clock | random).wrapping_add(more)));
    candidates.into_iter().find(|stamp| !others.contains(stamp)).unwrap_or(at.into())
}
