//! The client's side of one server: when to ask, and what to believe of the answers.

pub mod measure;
pub mod poll_control;
pub mod poll_interval;
pub mod reachability;
pub mod reject;
pub mod request;
mod volley;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rand_core::Rng;
use serde::{Deserialize, Serialize};
use timeball_wire::{
    Header, Instant, KissCode, LeapIndicator, NtpTimestamp, Oscillator, ReferenceId, Span,
    Timestamp,
};

pub use measure::{Stamping, measure};
pub use poll_control::PollControl;
pub use poll_interval::PollInterval;
pub use reachability::Reachability;
pub use reject::Reject;
pub use request::{Reply, Request};
use volley::Volley;

use crate::engine::{Answer, ExchangeId, StampQuality};
use crate::estimator::{Estimator, Surprise};
use crate::measurement::{Exchange, Measurement};
use crate::now::Now;
use crate::server::ServerView;
use crate::timeline::Timeline;

/// How long after the largest acceptable delay (s) an answer is still waited for.
const PATIENCE: f64 = 1.0;

/// Random deviation of every poll interval, so that clients do not march in step.
const POLL_JITTER: f64 = 0.02;

/// Polling and packet rules of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Shortest poll interval.
    pub minpoll: PollInterval,
    /// Longest poll interval.
    pub maxpoll: PollInterval,
    /// A volley of requests two seconds apart at the start and after silence.
    pub iburst: bool,
    /// More requests in one poll while none brought a good measurement.
    pub burst: bool,
    /// Protocol version to ask with, 1 to 4.
    pub version: u8,
    /// Longest round-trip delay to accept (s).
    pub max_delay: f64,
    /// How many measurements the adaptive poll interval aims to keep in the estimator's window.
    pub poll_target: usize,
    /// Interleaved mode (RFC 9769): the server's transmit timestamp comes with its next answer.
    pub interleaved: bool,
    /// Known error of the server or the path (s), added to every measured offset.
    pub offset: f64,
    /// Longest delay to accept, as a multiple of the smallest one seen.
    pub max_delay_ratio: Option<f64>,
    /// Longest excess of the delay to accept, as a multiple of the offset's standard deviation.
    pub max_delay_dev_ratio: Option<f64>,
    /// The part of all delays (0 to 1) that is short enough to accept; takes the place of
    /// `max_delay_dev_ratio`.
    pub max_delay_quantile: Option<f64>,
    /// The median of so many polls makes one measurement; 1 takes each as it is.
    pub filter: usize,
    /// From this poll interval on, send a request two seconds before the one that is measured, to
    /// fill the caches on the way.
    pub presend: Option<PollInterval>,
    /// Whether it may be asked at the start.
    pub connectivity: Connectivity,
    /// Raises the stratum that the server claims to at least this.
    pub min_stratum: u8,
    /// Pass on the server's own stratum and reference ID in place of the server itself: for a clock
    /// of this very machine.
    pub copy: bool,
    /// After so many polls without an answer the source is not selected any more, however good its
    /// old measurements are.
    pub max_unreach: u32,
}

/// May a source be asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connectivity {
    /// Yes.
    Online,
    /// Not until an operator says so.
    Offline,
    /// Until the network says that it cannot be reached; then not until an operator says so.
    AutoOffline,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minpoll: PollInterval::new(6),
            maxpoll: PollInterval::new(10),
            iburst: true,
            burst: false,
            version: 4,
            max_delay: 3.0,
            poll_target: 8,
            interleaved: false,
            offset: 0.0,
            max_delay_ratio: None,
            max_delay_dev_ratio: None,
            max_delay_quantile: None,
            filter: 1,
            presend: None,
            connectivity: Connectivity::Online,
            min_stratum: 0,
            copy: false,
            max_unreach: 100_000,
        }
    }
}

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
    /// Transmit timestamp; no later answer may repeat it.
    pub transmit: NtpTimestamp,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    exchange: ExchangeId,
    request: Request,
    /// When it was sent.
    at: Instant,
    /// T1, as well as it is known so far.
    sent: Oscillator,
    quality: StampQuality,
    deadline: Instant,
}

/// What examining an answer may need to know of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Turns system clock readings into oscillator readings.
    pub timeline: &'a Timeline,
    /// Precision of the system clock (s).
    pub precision: f64,
    /// What we serve, if we serve anybody: a server that follows us is no source.
    pub served: Option<&'a ServerView>,
    /// This machine's addresses.
    pub own_addresses: &'a [IpAddr],
    /// A leap second is due: its moment, by the system clock.
    pub leap_second: Option<Timestamp>,
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
    /// Answers that made a measurement.
    pub accepted: u64,
    /// Datagrams rejected, by rule.
    pub rejected: BTreeMap<Reject, u64>,
    /// How the last transmission is known.
    pub transmit_stamp: Option<StampQuality>,
    /// How the last reception is known.
    pub receive_stamp: Option<StampQuality>,
    /// When the last measurement arrived.
    pub last_accepted: Option<Instant>,
}

/// The client's side of one server.
#[derive(Clone, Debug)]
pub struct Association {
    settings: Settings,
    address: SocketAddr,
    poll: PollControl,
    volley: Volley,
    reachability: Reachability,
    next_request: Instant,
    pending: Option<Pending>,
    estimator: Estimator,
    server: Option<ServerState>,
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
            poll: PollControl::new(&settings),
            volley: Volley::at_start(&settings),
            reachability: Reachability::default(),
            next_request: first_request,
            pending: None,
            estimator,
            server: None,
            delay: None,
            statistics: Statistics::default(),
            dismissed: None,
            unsynchronised: false,
            failure: None,
        }
    }

    /// Polls by other rules from now on.
    pub fn configure(&mut self, settings: Settings, now: Now) {
        self.settings = settings;
        self.poll.configure(&settings);
        self.hasten(now.monotonic + self.poll_interval().span());
    }

    /// The server's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's own words, from its last good answer.
    pub const fn server(&self) -> Option<&ServerState> {
        self.server.as_ref()
    }

    /// The reach register.
    pub const fn reachability(&self) -> Reachability {
        self.reachability
    }

    /// What the measurements say.
    pub const fn estimator(&self) -> &Estimator {
        &self.estimator
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
        self.poll.interval(self.delay)
    }

    /// When the next request is due.
    pub const fn next_request(&self) -> Instant {
        self.next_request
    }

    /// The server told us to go away: with this code.
    pub const fn dismissed(&self) -> Option<KissCode> {
        self.dismissed
    }

    /// Earliest moment at which [`Self::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Instant {
        let answer_due = self.pending.map(|pending| pending.deadline);
        answer_due.map_or(self.next_request, |due| due.min(self.next_request))
    }

    /// Gives up what has waited too long: the exchange to close.
    pub fn handle_timeout(&mut self, now: Now) -> Option<ExchangeId> {
        let due = self
            .pending
            .filter(|p| p.deadline <= now.monotonic || self.next_request <= now.monotonic)?;
        self.pending = None;
        self.missed();
        Some(due.exchange)
    }

    /// No answer: ask more rarely, but for a volley, which has an end of its own.
    fn missed(&mut self) {
        if self.volley.interval().is_none() {
            self.poll.missed(&self.settings);
        }
    }

    /// The request that is due now, if one is.
    pub fn poll_request(
        &mut self,
        now: Now,
        timeline: &Timeline,
        exchange: ExchangeId,
        rng: &mut impl Rng,
    ) -> Option<[u8; Header::LEN]> {
        if now.monotonic < self.next_request {
            return None;
        }
        // One try after a dismissal has run its time.
        self.dismissed = None;
        let request = Request::new(self.address, self.settings.version, rng.next_u64());
        self.pending = Some(Pending {
            exchange,
            request,
            at: now.monotonic,
            sent: timeline.oscillator_at(now.system),
            quality: StampQuality::Daemon,
            deadline: now.monotonic + Span::from_seconds(self.settings.max_delay + PATIENCE),
        });
        self.reachability.asked();
        self.statistics.sent += 1;
        self.statistics.transmit_stamp = Some(StampQuality::Daemon);
        self.volley.sent();
        self.next_request = now.monotonic + self.interval(rng);
        Some(request.to_bytes())
    }

    fn interval(&self, rng: &mut impl Rng) -> Span {
        let poll = self.poll_interval().seconds();
        let interval = self.volley.interval().map_or(poll, |volley| volley.min(poll));
        let jitter = f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
        Span::from_seconds(interval * (1.0 + POLL_JITTER * jitter))
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
        if quality >= pending.quality {
            pending.sent = timeline.oscillator_at(at);
            pending.quality = quality;
            self.statistics.transmit_stamp = Some(quality);
        }
    }

    /// A request could not be sent, or was refused on the way: nothing will come.
    pub fn handle_send_failure(&mut self, exchange: ExchangeId, reason: String) {
        self.failure = Some(reason);
        if self.pending.is_some_and(|pending| pending.exchange == exchange) {
            self.pending = None;
            self.missed();
        }
    }

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
        let reject = match &result {
            Ok(Accepted::Measured(_)) => return result,
            Ok(Accepted::Kissed(_)) => Reject::KissOfDeath,
            Err(reject) => *reject,
        };
        let count = self.statistics.rejected.entry(reject).or_default();
        *count = count.saturating_add(1);
        result
    }

    /// True while this exchange waits for its answer.
    pub fn is_pending(&self, exchange: ExchangeId) -> bool {
        self.pending.is_some_and(|pending| pending.exchange == exchange)
    }

    /// The exchange that waits for its answer.
    pub fn pending_exchange(&self) -> Option<ExchangeId> {
        self.pending.map(|pending| pending.exchange)
    }

    fn judge(
        &mut self,
        now: Now,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
        rng: &mut impl Rng,
    ) -> Result<Accepted, Reject> {
        let pending =
            self.pending.filter(|p| p.exchange == answer.exchange).ok_or(Reject::Unsolicited)?;
        let reply = match pending.request.examine(answer.from, answer.bytes) {
            // Anybody can send these; the true answer may still come.
            Err(reject) if !reject.proves_origin() => return Err(reject),
            examined => {
                self.pending = None;
                examined
            }
        };
        let header = match reply {
            Ok(Reply::Time(header)) => header,
            Ok(Reply::Kiss { code, poll }) => {
                self.heed(code, poll, now, rng);
                return Ok(Accepted::Kissed(code));
            }
            Err(reject) => {
                self.unsynchronised |= reject == Reject::Unsynchronised;
                self.failure = Some(format!("its answer was rejected: {reject}"));
                return Err(reject);
            }
        };
        let measurement =
            self.measure(&header, &pending, answer, surroundings).inspect_err(|reject| {
                self.failure = Some(format!("its answer was rejected: {reject}"))
            })?;
        let surprise = self.accept(now, &header, answer, &measurement);
        self.proceed(now, pending.at, rng);
        Ok(Accepted::Measured(surprise))
    }

    fn measure(
        &self,
        header: &Header,
        pending: &Pending,
        answer: &Answer<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Measurement, Reject> {
        if self.server.is_some_and(|server| server.transmit == header.transmit_timestamp) {
            return Err(Reject::DuplicateTransmit);
        }
        let timeline = surroundings.timeline;
        let exchange = Exchange {
            origin: pending.sent,
            receive: timeline.continuous(header.receive_timestamp.unfold(answer.received)),
            transmit: timeline.continuous(header.transmit_timestamp.unfold(answer.received)),
            destination: timeline.oscillator_at(answer.received),
        };
        let stamping = Stamping {
            transmit: pending.quality,
            receive: answer.quality,
            precision: surroundings.precision,
        };
        let measurement = measure(header, &exchange, &stamping, self.settings.max_delay)?;
        surroundings.check_loop(header, answer)?;
        surroundings.check_leap_second(answer.received)?;
        Ok(measurement)
    }

    fn accept(
        &mut self,
        now: Now,
        header: &Header,
        answer: &Answer<'_>,
        measurement: &Measurement,
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
        let surprise = self.estimator.add(measurement);
        if let Some(surprise) = &surprise {
            self.poll.measured(surprise, &self.settings);
        }
        self.delay = Some(measurement.delay());
        surprise
    }

    /// The volley goes on, is over, or begins: a server that was lost is back.
    fn proceed(&mut self, now: Now, requested: Instant, rng: &mut impl Rng) {
        let was_lost = self.reachability.is_lost();
        self.reachability.answered();
        let volleying = self.volley.interval().is_some();
        self.volley.measured();
        if was_lost {
            self.volley = Volley::at_start(&self.settings);
            self.hasten(now.monotonic + Span::from_seconds(volley::INTERVAL));
        } else if volleying && self.volley.interval().is_none() {
            self.next_request = (requested + self.interval(rng)).max(now.monotonic);
        }
    }

    fn heed(&mut self, code: KissCode, poll: i8, now: Now, rng: &mut impl Rng) {
        match code {
            KissCode::Rate => {
                self.poll.rate_limited(poll);
                self.volley.end();
                self.next_request = now.monotonic + self.interval(rng);
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

    /// Ask no later than `at`, unless the server has told us to go away.
    fn hasten(&mut self, at: Instant) {
        if self.dismissed.is_none() {
            self.next_request = self.next_request.min(at);
        }
    }

    /// A volley of requests from now on, because an operator wants it or the clock was disturbed.
    pub fn burst(&mut self, now: Now) {
        self.volley = Volley::full(&self.settings);
        self.hasten(now.monotonic);
    }

    /// What is known of the offset is void (the machine slept); what is known of the frequency
    /// stays.
    pub fn restart(&mut self, now: Now) {
        self.estimator.restart();
        self.poll.restart(&self.settings);
        self.volley = Volley::at_start(&self.settings);
        self.hasten(now.monotonic);
    }
}

impl Surroundings<'_> {
    /// A server that follows us would only tell us what we told it.
    fn check_loop(&self, header: &Header, answer: &Answer<'_>) -> Result<(), Reject> {
        let Some(served) = self.served else { return Ok(()) };
        let follows = |own: IpAddr| {
            // Behind a loopback address any server of this machine may be meant.
            !own.is_loopback() && header.reference_id == ReferenceId::of_address(own)
        };
        if header.stratum > 1 && self.own_addresses.iter().copied().chain(answer.to).any(follows) {
            return Err(Reject::SynchronisationLoop);
        }
        if header.stratum == served.stratum
            && header.reference_id == served.reference_id
            && header.reference_timestamp == NtpTimestamp::from(served.reference_time)
        {
            return Err(Reject::OwnClock);
        }
        Ok(())
    }

    /// Within five seconds of a leap second some clocks have made it and some have not.
    fn check_leap_second(&self, received: Timestamp) -> Result<(), Reject> {
        match self.leap_second {
            Some(leap) if (received - leap).abs() <= Span::from_secs(5) => {
                Err(Reject::NearLeapSecond)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
