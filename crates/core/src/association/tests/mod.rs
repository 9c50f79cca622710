use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use timeball_auth::Keys;
use timeball_wire::{Header, Mode, NtpShort, Timestamp};

use std::net::IpAddr;

use super::*;
use crate::engine::Answer;
use crate::estimator::{self, Frequency};
use crate::server::ServerView;
use crate::timeline::Timeline;

mod authenticated;
mod authenticated_peers;
mod corrections;
mod forged_macs;
mod forged_nts;
mod idle_bits;
mod interleaved;
mod nts;
mod options;
mod symmetric;

const SERVER: &str = "192.0.2.1:123";
const LOCAL: &str = "198.51.100.9";

/// An association on a clock that is right, and the server's side of it.
struct Bench {
    now: Now,
    timeline: Timeline,
    rng: ChaCha20Rng,
    association: Association,
    own_addresses: Vec<IpAddr>,
    keys: Keys,
    served: Option<ServerView>,
    leap_second: Option<Timestamp>,
    exchanges: u64,
}

/// What the bench's association has around it.
macro_rules! surroundings {
    ($bench:expr) => {
        Surroundings {
            timeline: &$bench.timeline,
            precision: 1e-7,
            frequency: Frequency { value: 0.0, sd: 1e-6 },
            served: $bench.served.as_ref(),
            keys: &$bench.keys,
            own_addresses: &$bench.own_addresses,
            leap_second: $bench.leap_second,
        }
    };
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let now = Now {
            monotonic: Instant::from_nanos(1_000_000_000),
            system: Timestamp::from_nanos(1_700_000_000_000_000_000),
            raw: None,
            asleep: Span::ZERO,
            frequency: 0.0,
            uncertainty: Span::ZERO,
        };
        let frequency = Frequency { value: 0.0, sd: 1e-6 };
        let estimator = Estimator::new(estimator::Settings::default(), frequency);
        let address = SERVER.parse().expect("an address");
        Self {
            now,
            timeline: Timeline::new(now),
            rng: ChaCha20Rng::from_seed([7; 32]),
            association: Association::new(settings, address, estimator, now.monotonic),
            own_addresses: vec![LOCAL.parse().expect("an address")],
            keys: Keys::default(),
            served: None,
            leap_second: None,
            exchanges: 0,
        }
    }

    fn pass(&mut self, seconds: f64) {
        let span = Span::from_seconds(seconds);
        self.now.monotonic += span;
        self.now.system += span;
        self.timeline.observe(self.now);
    }

    /// Waits for the next request and sends it.
    fn request(&mut self) -> (ExchangeId, Header) {
        let next = self.association.next_request().expect("it is online");
        let wait = next - self.now.monotonic;
        self.pass(wait.seconds().max(0.0));
        self.association.handle_timeout(self.now, 0.0);
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let bytes = self.poll(exchange).expect("a request is due");
        (exchange, header_of(&bytes))
    }

    /// The request that is due now, if there is one.
    fn poll(&mut self, exchange: ExchangeId) -> Option<Vec<u8>> {
        let surroundings = surroundings!(self);
        self.association.poll_request(self.now, &surroundings, exchange, &mut self.rng)
    }

    /// What a server with the right time answers after a millisecond on the way.
    fn answer_to(&self, request: &Header) -> Header {
        let at = self.now.system + Span::from_millis(1);
        Header {
            leap: LeapIndicator::NoWarning,
            version: request.version,
            mode: Mode::Server,
            stratum: 2,
            poll: 6,
            precision: -24,
            root_delay: NtpShort::from_seconds_ceil(0.01),
            root_dispersion: NtpShort::from_seconds_ceil(0.01),
            reference_id: ReferenceId::from_bytes([192, 0, 2, 99]),
            reference_timestamp: NtpTimestamp::from(at - Span::from_secs(10)),
            origin_timestamp: request.transmit_timestamp,
            receive_timestamp: NtpTimestamp::from(at),
            transmit_timestamp: NtpTimestamp::from(at),
        }
    }

    fn receive(&mut self, exchange: ExchangeId, header: &Header) -> Result<Accepted, Reject> {
        self.receive_after(exchange, header, 0.002)
    }

    fn receive_after(
        &mut self,
        exchange: ExchangeId,
        header: &Header,
        seconds: f64,
    ) -> Result<Accepted, Reject> {
        self.pass(seconds);
        self.receive_bytes(exchange, &header.to_bytes())
    }

    fn receive_bytes(&mut self, exchange: ExchangeId, bytes: &[u8]) -> Result<Accepted, Reject> {
        let answer = Answer {
            exchange,
            from: SERVER.parse().expect("an address"),
            to: Some(LOCAL.parse().expect("an address")),
            bytes,
            received: self.now.system,
            quality: StampQuality::Kernel,
        };
        let surroundings = surroundings!(self);
        self.association.handle_answer(self.now, &answer, &surroundings, &mut self.rng)
    }

    fn exchange(&mut self) -> Result<Accepted, Reject> {
        let (exchange, request) = self.request();
        let answer = self.answer_to(&request);
        self.receive(exchange, &answer)
    }

    fn next_request(&self) -> Instant {
        self.association.next_request().expect("it is online")
    }

    fn rejected(&self, reject: Reject) -> u64 {
        self.association.statistics().rejected.get(&reject).copied().unwrap_or(0)
    }
}

fn header_of(datagram: &[u8]) -> Header {
    Header::from_bytes(datagram.first_chunk().expect("a header"))
}

fn without_volley() -> Settings {
    Settings { iburst: false, ..Settings::default() }
}

#[test]
fn an_exchange_makes_one_measurement() {
    let mut bench = Bench::new(without_volley());
    let (exchange, request) = bench.request();
    let answer = bench.answer_to(&request);
    assert_eq!(bench.receive(exchange, &answer), Ok(Accepted::Measured(None)));
    assert_eq!(bench.association.reachability().register(), 1);
    assert_eq!(bench.association.estimator().len(), 1);
    let delay = bench.association.delay().expect("a delay was measured");
    assert!((delay - 0.002).abs() < 1e-8, "{delay}");
    // The very same answer again finds nobody waiting.
    assert_eq!(bench.receive(exchange, &answer), Err(Reject::Unsolicited));
    assert_eq!(bench.association.estimator().len(), 1);
    assert_eq!(bench.rejected(Reject::Unsolicited), 1);
}

#[test]
fn a_forged_answer_changes_nothing_and_the_true_one_still_counts() {
    let mut bench = Bench::new(without_volley());
    let (exchange, request) = bench.request();
    let answer = bench.answer_to(&request);
    let forged = Header { origin_timestamp: NtpTimestamp::from_bits(1), ..answer };
    assert_eq!(bench.receive_after(exchange, &forged, 0.0), Err(Reject::WrongOrigin));
    let forged = Header { origin_timestamp: NtpTimestamp::ZERO, stratum: 0, ..answer };
    assert_eq!(bench.receive_after(exchange, &forged, 0.0), Err(Reject::ZeroOrigin));
    assert!(bench.association.is_pending(exchange));
    assert_eq!(bench.association.reachability().register(), 0);
    assert_eq!(bench.receive(exchange, &answer), Ok(Accepted::Measured(None)));
    assert_eq!(bench.rejected(Reject::WrongOrigin), 1);
    assert_eq!(bench.rejected(Reject::ZeroOrigin), 1);
}

#[test]
fn a_replayed_answer_of_an_earlier_exchange_is_rejected() {
    let mut bench = Bench::new(without_volley());
    let (exchange, request) = bench.request();
    let old = bench.answer_to(&request);
    assert!(bench.receive(exchange, &old).is_ok());
    let (exchange, request) = bench.request();
    assert_eq!(bench.receive(exchange, &old), Err(Reject::WrongOrigin));
    // Even with the new origin, timestamps that were seen before are no news.
    let stale = Header { origin_timestamp: request.transmit_timestamp, ..old };
    assert_eq!(bench.receive_after(exchange, &stale, 0.0), Err(Reject::DuplicateTransmit));
}

#[test]
fn timestamps_that_cannot_be_are_rejected_by_name() {
    let settings = Settings { max_delay: 0.5, ..without_volley() };
    let later =
        |bench: &Bench, seconds| NtpTimestamp::from(bench.now.system + Span::from_seconds(seconds));

    let mut bench = Bench::new(settings);
    let (exchange, request) = bench.request();
    let good = bench.answer_to(&request);
    let backwards = Header { transmit_timestamp: later(&bench, -1.0), ..good };
    let backwards = Header { reference_timestamp: NtpTimestamp::ZERO, ..backwards };
    assert_eq!(bench.receive(exchange, &backwards), Err(Reject::ServerInterval));

    let (exchange, request) = bench.request();
    let good = bench.answer_to(&request);
    let dawdling = Header { transmit_timestamp: later(&bench, 5.0), ..good };
    assert_eq!(bench.receive(exchange, &dawdling), Err(Reject::ServerInterval));

    let (exchange, request) = bench.request();
    let good = bench.answer_to(&request);
    let faster_than_light = Header { transmit_timestamp: later(&bench, 1.0), ..good };
    assert_eq!(bench.receive(exchange, &faster_than_light), Err(Reject::NegativeDelay));

    let (exchange, request) = bench.request();
    let good = bench.answer_to(&request);
    assert_eq!(bench.receive_after(exchange, &good, 0.6), Err(Reject::MaxDelay));
    assert_eq!(bench.association.estimator().len(), 0);
}

#[test]
fn a_server_that_follows_us_is_no_source() {
    let mut bench = Bench::new(without_volley());
    let view = ServerView::unsynchronised(-20, bench.now.monotonic);
    bench.served = Some(ServerView {
        leap: LeapIndicator::NoWarning,
        stratum: 3,
        reference_id: ReferenceId::from_bytes([192, 0, 2, 50]),
        reference_time: bench.now.system,
        ..view
    });
    let (exchange, request) = bench.request();
    let follower = Header {
        stratum: 4,
        reference_id: ReferenceId::of_address(LOCAL.parse().expect("an address")),
        ..bench.answer_to(&request)
    };
    assert_eq!(bench.receive(exchange, &follower), Err(Reject::SynchronisationLoop));

    let (exchange, request) = bench.request();
    let ourselves = Header {
        stratum: 3,
        reference_id: ReferenceId::from_bytes([192, 0, 2, 50]),
        reference_timestamp: NtpTimestamp::from(bench.served.expect("we serve").reference_time),
        ..bench.answer_to(&request)
    };
    assert_eq!(bench.receive(exchange, &ourselves), Err(Reject::OwnClock));

    // Who serves nobody cannot be followed.
    bench.served = None;
    let (exchange, request) = bench.request();
    let follower = Header {
        stratum: 4,
        reference_id: ReferenceId::of_address(LOCAL.parse().expect("an address")),
        ..bench.answer_to(&request)
    };
    assert!(bench.receive(exchange, &follower).is_ok());
}

#[test]
fn nothing_is_measured_right_beside_a_leap_second() {
    let mut bench = Bench::new(without_volley());
    bench.leap_second = Some(bench.now.system + Span::from_secs(3));
    assert_eq!(bench.exchange(), Err(Reject::NearLeapSecond));
    bench.pass(60.0);
    assert_eq!(bench.exchange(), Ok(Accepted::Measured(None)));
}

#[test]
fn an_unsynchronised_server_says_so_until_it_does_not() {
    let mut bench = Bench::new(without_volley());
    let (exchange, request) = bench.request();
    let lost = Header { leap: LeapIndicator::Unsynchronised, ..bench.answer_to(&request) };
    assert_eq!(bench.receive(exchange, &lost), Err(Reject::Unsynchronised));
    assert_eq!(bench.association.leap(), Some(LeapIndicator::Unsynchronised));
    assert!(bench.exchange().is_ok());
    assert_eq!(bench.association.leap(), Some(LeapIndicator::NoWarning));
}

#[test]
fn iburst_brings_four_measurements_two_seconds_apart() {
    let mut bench = Bench::new(Settings::default());
    let start = bench.now.monotonic;
    let mut sent = Vec::new();
    for _ in 0..6 {
        assert!(bench.exchange().is_ok());
        sent.push((bench.now.monotonic - start).seconds());
    }
    let gaps: Vec<f64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for gap in &gaps[..3] {
        assert!((gap - 2.0).abs() < 0.05, "{gaps:?}");
    }
    for gap in &gaps[3..] {
        assert!((gap - 64.0).abs() < 1.5, "{gaps:?}");
    }
}

#[test]
fn a_silent_server_gets_eight_quick_requests_and_then_fewer_and_fewer() {
    let mut bench = Bench::new(Settings::default());
    let mut gaps = Vec::new();
    let mut last = bench.now.monotonic;
    for _ in 0..80 {
        bench.request();
        gaps.push((bench.now.monotonic - last).seconds());
        last = bench.now.monotonic;
    }
    assert!(gaps[1..8].iter().all(|gap| (gap - 2.0).abs() < 0.05), "{gaps:?}");
    assert!(gaps[8] > 62.0, "{gaps:?}");
    assert!(gaps[79] > 1000.0, "{gaps:?}");
    assert!(bench.association.reachability().is_lost());
    // When it is back, a volley fills the window again.
    assert!(bench.exchange().is_ok());
    let before = bench.now.monotonic;
    bench.request();
    assert!((bench.now.monotonic - before).seconds() < 3.0);
}

#[test]
fn a_rate_kiss_slows_down_and_only_with_the_right_origin() {
    let mut bench = Bench::new(Settings::default());
    let (exchange, request) = bench.request();
    let kiss = Header {
        stratum: 0,
        leap: LeapIndicator::Unsynchronised,
        reference_id: ReferenceId::from_bytes(*b"RATE"),
        ..bench.answer_to(&request)
    };
    let forged = Header { origin_timestamp: NtpTimestamp::from_bits(5), ..kiss };
    assert_eq!(bench.receive(exchange, &forged), Err(Reject::WrongOrigin));
    assert_eq!(bench.association.poll_interval(), PollInterval::new(6));
    assert_eq!(bench.receive(exchange, &kiss), Ok(Accepted::Kissed(KissCode::Rate)));
    assert_eq!(bench.association.poll_interval(), PollInterval::new(7));
    // The volley is over, too.
    let wait = (bench.next_request() - bench.now.monotonic).seconds();
    assert!(wait > 120.0, "{wait}");
    assert_eq!(bench.rejected(Reject::KissOfDeath), 1);
}

#[test]
fn a_deny_kiss_silences_us_for_a_day_and_a_half() {
    let mut bench = Bench::new(Settings::default());
    let (exchange, request) = bench.request();
    let kiss = Header {
        stratum: 0,
        reference_id: ReferenceId::from_bytes(*b"DENY"),
        ..bench.answer_to(&request)
    };
    assert_eq!(bench.receive(exchange, &kiss), Ok(Accepted::Kissed(KissCode::Deny)));
    assert_eq!(bench.association.dismissed(), Some(KissCode::Deny));
    let wait = (bench.next_request() - bench.now.monotonic).seconds();
    assert!((wait - 131_072.0).abs() < 1.0, "{wait}");
    bench.association.burst(None, None, bench.now);
    let wait = (bench.next_request() - bench.now.monotonic).seconds();
    assert!(wait > 131_000.0, "a burst must not disturb who sent us away: {wait}");
    // One more try afterwards.
    assert!(bench.exchange().is_ok());
    assert_eq!(bench.association.dismissed(), None);
}

#[test]
fn a_better_transmit_stamp_replaces_the_one_before() {
    let mut bench = Bench::new(without_volley());
    let (exchange, request) = bench.request();
    let answer = bench.answer_to(&request);
    let left = bench.now.system + Span::from_nanos(400_000);
    bench.association.handle_sent(exchange, left, StampQuality::Kernel, &bench.timeline);
    // A worse one does not.
    let guess = bench.now.system + Span::from_nanos(900_000);
    bench.association.handle_sent(exchange, guess, StampQuality::Daemon, &bench.timeline);
    assert!(bench.receive(exchange, &answer).is_ok());
    let delay = bench.association.delay().expect("a delay was measured");
    assert!((delay - 0.0016).abs() < 1e-7, "{delay}");
}

#[test]
fn an_unanswered_request_is_given_up_and_its_socket_closed() {
    let mut bench = Bench::new(without_volley());
    let (exchange, _) = bench.request();
    assert_eq!(bench.association.handle_timeout(bench.now, 0.0), None);
    bench.pass(4.1);
    assert_eq!(bench.association.handle_timeout(bench.now, 0.0), Some(exchange));
    assert!(!bench.association.is_pending(exchange));
}
