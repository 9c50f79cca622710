//! This machine's side of one server or peer: when to ask, and what to believe of the answers.
//!
//! A request leaves when it is due (`asking`, [`poll_control`], `volley`, `warm_up`), as a
//! [`request`] or as a packet between peers (`symmetric`). What comes back has to prove to be the
//! answer ([`answer`]), its timestamps have to be possible ([`mod@measure`]) and of use
//! (`delay_limits`), before it becomes a measurement (`judging`, `filter`). What the last bits of a
//! server's timestamps are worth is seen by `idle_bits`. `interleaved` is the mode in which the last
//! timestamp comes late; `corrections` are what a source did to its own time meanwhile. [`nts`] keeps
//! the keys and cookies of a server that has to prove who it is by them, and `key_establishment` gets
//! them.

pub mod answer;
mod asking;
mod corrections;
mod delay_limits;
mod filter;
mod idle_bits;
mod interleaved;
mod judging;
mod key_establishment;
pub mod last_answer;
pub mod measure;
pub mod nts;
pub mod poll_control;
pub mod poll_interval;
pub mod reachability;
pub mod reject;
pub mod request;
pub mod settings;
pub mod surroundings;
mod symmetric;
mod volley;
mod warm_up;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use timeball_wire::{
    Instant, KissCode, LeapIndicator, NtpTimestamp, Oscillator, ReferenceId, Span, Timestamp,
};

pub use answer::{Form, Reply};
pub use last_answer::{LastAnswer, LastMeasurement, Measured};
pub use measure::{Stamping, measure};
pub use nts::{KeyFailure, Nts, NtsSession, NtsState};
pub use poll_control::PollControl;
pub use poll_interval::PollInterval;
pub use reachability::Reachability;
pub use reject::{Reject, Test};
pub use request::Request;
pub use settings::{Authentication, Connectivity, NtsServer, Settings};
pub use surroundings::Surroundings;

use crate::engine::{ExchangeId, StampQuality};
use crate::estimator::{Estimator, Surprise};
use crate::measurement::Measurement;
use crate::now::Now;
use answer::Expected;
use corrections::Corrections;
use delay_limits::DelayLimits;
use filter::Filter;
use idle_bits::IdleBits;
use interleaved::{Interleaving, LastExchange};
use symmetric::Symmetric;
use volley::Volley;
use warm_up::WarmUp;

/// What comes online is asked after this: whoever said so may not be the only one who hears that the
/// network is there.
const COMING_ONLINE: Span = Span::from_millis(200);

/// What a server's last good answer said of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerState {
    /// Leap warning.
    pub leap: LeapIndicator,
    /// Stratum.
    pub stratum: u8,
    /// Reference ID.
    pub reference_id: ReferenceId,
    /// Poll interval (log₂ s).
    pub poll: i8,
    /// Version it answered with.
    pub version: u8,
    /// Transmit timestamp.
    pub transmit: NtpTimestamp,
}

/// A packet of ours that waits for its answer, or a peer's that has had it.
#[derive(Clone, Copy, Debug)]
struct Pending {
    exchange: ExchangeId,
    expected: Expected,
    /// When it was sent.
    at: Instant,
    /// T1, as well as it is known so far.
    sent: Oscillator,
    /// The same by the system clock as it was.
    left: Timestamp,
    /// Time served minus system clock, then.
    served_offset: Span,
    quality: StampQuality,
    deadline: Instant,
    /// Its answer is not to be measured.
    warm_up: bool,
    /// Nothing more is expected; a peer's packets still refer to it until the next leaves.
    closed: bool,
}

/// What an answer was good for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accepted {
    /// A measurement, and how it met the prediction.
    Measured(Option<Surprise>),
    /// A kiss-o'-death, heeded.
    Kissed(KissCode),
}

/// Numbers about an association that only people need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Requests sent.
    pub sent: u64,
    /// Datagrams received, whatever they were.
    pub received: u64,
    /// Those that proved to be the answer to a request.
    pub valid: u64,
    /// Those that made a measurement.
    pub accepted: u64,
    /// Datagrams rejected, by rule.
    pub rejected: BTreeMap<Reject, u64>,
    /// How the last transmission is known.
    pub transmit_stamp: Option<StampQuality>,
    /// How the last reception is known.
    pub receive_stamp: Option<StampQuality>,
    /// Stamps of transmissions, by their quality.
    pub transmit_stamps: BTreeMap<StampQuality, u64>,
    /// Stamps of receptions, by their quality.
    pub receive_stamps: BTreeMap<StampQuality, u64>,
    /// Corrections of its own time that it told of, and that were followed.
    pub corrections_followed: u64,
    /// What it said of such corrections that its own answers contradict.
    pub corrections_contradicted: u64,
    /// When the last measurement arrived.
    pub last_accepted: Option<Instant>,
}

/// This machine's side of one server or peer.
#[derive(Clone, Debug)]
pub struct Association {
    settings: Settings,
    address: SocketAddr,
    connectivity: Connectivity,
    poll: PollControl,
    volley: Volley,
    warm_up: WarmUp,
    reachability: Reachability,
    next_request: Instant,
    pending: Option<Pending>,
    /// The exchange that an interleaved answer may complete.
    last: Option<LastExchange>,
    interleaving: Interleaving,
    /// What is known of a peer on top of what is known of a server.
    symmetric: Option<Symmetric>,
    /// Keys and cookies, if they have to prove who answers.
    nts: Option<Nts>,
    /// Where keys are established: the server may then send us to another one for the time.
    ke_address: SocketAddr,
    /// It is too soon before this to begin with that host again.
    home_again: Instant,
    limits: DelayLimits,
    idle_bits: IdleBits,
    /// What the source says that it did to its own time.
    corrections: Corrections,
    filter: Filter,
    estimator: Estimator,
    /// The estimator knows something that nobody has taken note of.
    updated: bool,
    server: Option<ServerState>,
    last_answer: Option<LastAnswer>,
    last_measurement: Option<LastMeasurement>,
    delay: Option<f64>,
    statistics: Statistics,
    dismissed: Option<KissCode>,
    /// The last answer said that the server has no time to give.
    unsynchronised: bool,
    /// Why the last request did not even arrive.
    failure: Option<String>,
}

impl Association {
    /// An association with the server at `address`, first asked at `first_request`.
    pub fn new(
        settings: Settings,
        address: SocketAddr,
        estimator: Estimator,
        first_request: Instant,
    ) -> Self {
        Self {
            settings,
            address,
            connectivity: settings.connectivity,
            poll: PollControl::new(&settings),
            volley: match settings.connectivity.asks() {
                true => Volley::at_start(&settings),
                false => Volley::none(&settings),
            },
            warm_up: WarmUp::default(),
            reachability: Reachability::default(),
            next_request: first_request,
            pending: None,
            last: None,
            interleaving: Interleaving::default(),
            symmetric: None,
            nts: Nts::wanted(&settings, first_request),
            ke_address: address,
            home_again: first_request,
            limits: DelayLimits::default(),
            idle_bits: IdleBits::default(),
            corrections: Corrections::default(),
            filter: Filter::default(),
            estimator,
            updated: false,
            server: None,
            last_answer: None,
            last_measurement: None,
            delay: None,
            statistics: Statistics::default(),
            dismissed: None,
            unsynchronised: false,
            failure: None,
        }
    }

    /// The same with a peer (RFC 5905 §3): each side may take time from the other, and neither is
    /// asked more often than once per poll.
    pub fn with_peer(
        settings: Settings,
        address: SocketAddr,
        estimator: Estimator,
        first_request: Instant,
    ) -> Self {
        let settings = symmetric::settings(settings);
        let symmetric = Some(Symmetric::default());
        Self { symmetric, ..Self::new(settings, address, estimator, first_request) }
    }

    /// Polls by other rules from now on.
    pub fn configure(&mut self, settings: Settings, now: Now) {
        let settings = match self.symmetric {
            Some(_) => symmetric::settings(settings),
            None => settings,
        };
        let before = std::mem::replace(&mut self.settings, settings);
        if !settings.authentication.is_like(before.authentication) {
            self.nts = Nts::wanted(&settings, now.monotonic);
        }
        self.estimator.shift(Span::from_seconds(settings.offset - before.offset));
        self.poll.configure(&settings);
        self.volley.configure(&settings);
        if settings.connectivity != before.connectivity {
            self.connect(settings.connectivity, now);
        }
        self.hasten(now.monotonic + self.poll_interval().span());
    }

    /// The server's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A symmetric association.
    pub const fn is_peer(&self) -> bool {
        self.symmetric.is_some()
    }

    /// The rules in use.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it is asked.
    pub const fn connectivity(&self) -> Connectivity {
        self.connectivity
    }

    /// A volley of requests is under way.
    pub const fn is_volleying(&self) -> bool {
        self.volley.is_under_way()
    }

    /// The server's own words, from its last good answer.
    pub const fn server(&self) -> Option<&ServerState> {
        self.server.as_ref()
    }

    /// The last answer, good or not.
    pub const fn last_answer(&self) -> Option<&LastAnswer> {
        self.last_answer.as_ref()
    }

    /// The last good measurement.
    pub const fn last_measurement(&self) -> Option<&LastMeasurement> {
        self.last_measurement.as_ref()
    }

    /// The stratum that selection goes by, which we are one below of when we follow it; 0 before the
    /// first answer.
    pub fn stratum(&self) -> u8 {
        let claimed = self.server.map_or(0, |server| server.stratum);
        let passed_on = if self.settings.copy { claimed.saturating_sub(1) } else { claimed };
        passed_on.max(self.settings.min_stratum)
    }

    /// The reference ID to serve when we follow it (RFC 5905 §7.3).
    pub fn reference_id(&self) -> ReferenceId {
        let copied = self.server.filter(|_| self.settings.copy).map(|server| server.reference_id);
        copied.unwrap_or_else(|| ReferenceId::of_address(self.address.ip()))
    }

    /// The reach register.
    pub const fn reachability(&self) -> Reachability {
        self.reachability
    }

    /// It has not answered for so long that its measurements are worth nothing, however good they
    /// were.
    pub const fn is_given_up(&self) -> bool {
        self.reachability.unreachable_for() > self.settings.max_unreach
    }

    /// What the measurements say.
    pub const fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// Begins with what an association before this one knew of the same server; its measurements are
    /// oldest first. False if nothing was left of that.
    pub fn restore(
        &mut self,
        reach: u8,
        stratum: u8,
        leap: LeapIndicator,
        measurements: &[Measurement],
    ) -> bool {
        if measurements.is_empty() || !self.estimator.is_empty() {
            return false;
        }
        for measurement in measurements {
            self.estimator.add(measurement);
        }
        self.reachability = Reachability::from_register(reach);
        self.delay = measurements.last().map(Measurement::delay);
        self.server = Some(ServerState {
            leap,
            stratum,
            reference_id: ReferenceId::NONE,
            poll: self.poll_interval().exponent(),
            version: self.settings.version,
            transmit: NtpTimestamp::ZERO,
        });
        true
    }

    /// True once after the estimator learnt something.
    pub fn take_update(&mut self) -> bool {
        std::mem::take(&mut self.updated)
    }

    /// The leap warning of the last answer, which may have been that the server is not synchronised;
    /// `None` before the first.
    pub fn leap(&self) -> Option<LeapIndicator> {
        if self.unsynchronised {
            return Some(LeapIndicator::Unsynchronised);
        }
        self.server.map(|server| server.leap)
    }

    /// Why the last request did not even arrive, in the network's words.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Round-trip delay of the last measurement (s).
    pub const fn delay(&self) -> Option<f64> {
        self.delay
    }

    /// Counters.
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The poll interval in use.
    pub fn poll_interval(&self) -> PollInterval {
        let ours = self.poll.interval(self.delay);
        match &self.symmetric {
            // A peer that wants to hear from us more often shall, within our limits.
            Some(peer) if self.reachability.is_reachable() => {
                ours.min(peer.poll().max(self.settings.minpoll))
            }
            _ => ours,
        }
    }

    /// When the next request is due, if any is to be sent.
    pub fn next_request(&self) -> Option<Instant> {
        let asks = self.connectivity.asks() || self.volley.is_under_way();
        asks.then_some(self.next_request)
    }

    /// The server told us to go away: with this code.
    pub const fn dismissed(&self) -> Option<KissCode> {
        self.dismissed
    }

    /// Earliest moment at which [`Self::handle_timeout`] or [`Self::poll_request`] has something to
    /// do.
    pub fn next_timeout(&self) -> Option<Instant> {
        let waiting = self.pending.filter(|pending| !pending.closed);
        let answer_due = waiting.map(|pending| pending.deadline);
        [answer_due, self.next_request()].into_iter().flatten().min()
    }

    /// True if this is the last packet that was sent.
    pub fn is_pending(&self, exchange: ExchangeId) -> bool {
        self.pending.is_some_and(|pending| pending.exchange == exchange)
    }

    /// The exchange that waits for its answer.
    pub fn pending_exchange(&self) -> Option<ExchangeId> {
        self.pending.filter(|pending| !pending.closed).map(|pending| pending.exchange)
    }

    /// A volley of requests from now on, because an operator wants it or the clock was disturbed:
    /// until there are `good` measurements, with no more than `total` requests, either as at the
    /// start if it is `None`. A source that is offline answers to that, too. Peers cannot be asked
    /// more than once per poll.
    pub fn burst(&mut self, good: Option<u32>, total: Option<u32>, now: Now) {
        if self.symmetric.is_none() {
            self.volley = Volley::on_request(good, total, &self.settings);
            self.hasten(now.monotonic);
        }
    }

    /// Ask from now on, or do not. What comes back online begins with a volley, if it begins with one
    /// at the start.
    pub fn connect(&mut self, connectivity: Connectivity, now: Now) {
        let asked = self.connectivity.asks();
        self.connectivity = connectivity;
        match (asked, connectivity.asks()) {
            (false, true) => {
                self.volley = Volley::at_start(&self.settings);
                let soon = now.monotonic + COMING_ONLINE;
                self.next_request = self.next_request.max(soon);
                self.hasten(soon);
            }
            (true, false) => self.volley.end(),
            _ => {}
        }
    }

    /// What is known of the offset is void (the machine slept, or an operator wants so); what is
    /// known of the frequency stays. Returns the exchange to close: nobody knows when the answer to
    /// it came.
    pub fn restart(&mut self, now: Now) -> Option<ExchangeId> {
        let exchange = self.pending_exchange();
        self.pending = None;
        self.last = None;
        self.symmetric = self.symmetric.take().map(|_| Symmetric::default());
        self.estimator.restart();
        self.limits.clear();
        self.corrections.forget();
        self.filter.clear();
        self.poll.restart(&self.settings);
        if self.connectivity.asks() {
            self.volley = Volley::at_start(&self.settings);
            self.hasten(now.monotonic);
        }
        exchange
    }

    /// See [`Estimator::doubt`].
    pub fn doubt(&mut self, since: Oscillator, by: f64) {
        self.estimator.doubt(since, by);
    }

    /// Ask no later than `at`, unless the server has told us to go away.
    fn hasten(&mut self, at: Instant) {
        if self.dismissed.is_none() {
            self.next_request = self.next_request.min(at);
        }
    }

    /// Ask no sooner than `until`.
    pub fn postpone(&mut self, until: Instant) {
        self.next_request = self.next_request.max(until);
    }

    /// A poll is over, with a measurement or without.
    fn poll_over(&mut self, measurement: Option<Measurement>, frequency: f64) -> Option<Surprise> {
        let measurement = self.filter.polled(measurement, self.settings.filter, frequency)?;
        let surprise = self.estimator.add(&measurement);
        self.updated = true;
        // How well a moment predicts the next says nothing of intervals.
        if let Some(surprise) = &surprise
            && !self.volley.wants_more()
        {
            self.poll.measured(surprise, &self.settings);
        }
        surprise
    }
}

#[cfg(test)]
mod tests;
