//! A server that tells what it did to its own time, and those who only pretend to.

use timeball_wire::{MonoRoot, Time32};

use super::*;
use crate::datagram::compose_with;

/// What a server serves: its time minus true time (s), what of it are corrections, and their epoch.
#[derive(Clone, Copy)]
struct Server {
    phase: f64,
    corrected: f64,
    epoch: u32,
}

const RIGHT: Server = Server { phase: 0.0, corrected: 0.0, epoch: 5 };

impl Bench {
    fn monotonic() -> Self {
        Self::new(Settings { monotonic: true, max_delay: 0.1, ..without_volley() })
    }

    /// An exchange with the server.
    fn hear(&mut self, server: Server) -> Result<Accepted, Reject> {
        let (exchange, request) = self.request();
        let phase = Span::from_seconds(server.phase);
        let honest = self.answer_to(&request);
        let moved = |at: NtpTimestamp| at.later_by(phase);
        let header = Header {
            receive_timestamp: moved(honest.receive_timestamp),
            transmit_timestamp: moved(honest.transmit_timestamp),
            ..honest
        };
        let said = MonoRoot {
            root_delay: Time32::from_seconds_ceil(0.01),
            root_dispersion: Time32::from_seconds_ceil(0.01),
            receive: header.receive_timestamp.later_by(-Span::from_seconds(server.corrected)),
            epoch: server.epoch,
        };
        self.pass(0.002);
        self.receive_bytes(exchange, &compose_with(&header, Some(said), None))
    }

    fn settled(server: Server) -> Self {
        let mut bench = Self::monotonic();
        for _ in 0..8 {
            assert!(bench.hear(server).is_ok());
        }
        bench
    }

    /// True time minus oscillator (s), as the source has it.
    fn estimate(&self) -> f64 {
        let at = self.timeline.now();
        let estimate = self.association.estimator().estimate(at).expect("there are measurements");
        (estimate.offset - self.timeline.correction()).seconds()
    }

    /// Corrections followed, and contradicted.
    fn corrections(&self) -> (u64, u64) {
        let statistics = self.association.statistics();
        (statistics.corrections_followed, statistics.corrections_contradicted)
    }
}

#[test]
fn requests_ask_only_if_they_shall() {
    let lengths = [(true, 4, 76), (true, 3, 48), (false, 4, 48)];
    for (monotonic, version, length) in lengths {
        let mut bench = Bench::new(Settings { monotonic, version, ..without_volley() });
        bench.pass(1.0);
        let request = bench.poll(ExchangeId(1)).expect("a request is due");
        assert_eq!(request.len(), length, "{monotonic} {version}");
    }
}

#[test]
fn a_correction_is_followed_at_once_and_nothing_is_forgotten() {
    let mut bench = Bench::settled(RIGHT);
    let held = bench.association.estimator().len();
    let moved = Server { phase: 0.1, corrected: 0.1, ..RIGHT };
    let Ok(Accepted::Measured(Some(surprise))) = bench.hear(moved) else {
        panic!("it is a good answer");
    };
    assert!(surprise.error.abs() < 1e-6, "{surprise:?}");
    assert_eq!(surprise.stepped, None);
    assert!((bench.estimate() - 0.1).abs() < 1e-6, "{}", bench.estimate());
    assert_eq!(bench.association.estimator().len(), held + 1);
    assert_eq!(bench.corrections(), (1, 0));
}

#[test]
fn without_the_field_it_is_a_riddle() {
    let mut bench = Bench::settled(RIGHT);
    let (exchange, request) = bench.request();
    let honest = bench.answer_to(&request);
    let later = |at: NtpTimestamp| at.later_by(Span::from_millis(100));
    let moved = Header {
        receive_timestamp: later(honest.receive_timestamp),
        transmit_timestamp: later(honest.transmit_timestamp),
        ..honest
    };
    assert!(bench.receive(exchange, &moved).is_ok());
    assert!(bench.estimate().abs() < 1e-3, "one answer moves nothing: {}", bench.estimate());
}

#[test]
fn a_new_epoch_says_nothing_of_the_old_one() {
    let mut bench = Bench::settled(RIGHT);
    let restarted = Server { corrected: 7.0, epoch: 6, ..RIGHT };
    assert!(bench.hear(restarted).is_ok());
    assert!(bench.hear(restarted).is_ok());
    assert!(bench.estimate().abs() < 1e-6, "{}", bench.estimate());
    assert_eq!(bench.corrections(), (0, 0));
    // From then on it counts again.
    let moved = Server { phase: -0.2, corrected: 6.8, ..restarted };
    assert!(bench.hear(moved).is_ok());
    assert!((bench.estimate() + 0.2).abs() < 1e-6, "{}", bench.estimate());
}

#[test]
fn an_answer_that_is_rejected_moves_nothing_but_is_not_lost() {
    let mut bench = Bench::settled(RIGHT);
    let moved = Server { phase: 0.1, corrected: 0.1, ..RIGHT };
    let next = bench.next_request() - bench.now.monotonic;
    bench.leap_second = Some(bench.now.system + next);
    assert_eq!(bench.hear(moved), Err(Reject::NearLeapSecond));
    assert!(bench.estimate().abs() < 1e-6, "{}", bench.estimate());
    bench.leap_second = None;
    assert!(bench.hear(moved).is_ok());
    assert!((bench.estimate() - 0.1).abs() < 1e-6, "{}", bench.estimate());
}

#[test]
fn a_forged_field_moves_the_estimate_nowhere_that_its_answer_does_not() {
    for corrected in [1e-3, -0.1, 1.0, -15.9, 16.1, 1e3, -1e9] {
        let mut bench = Bench::settled(RIGHT);
        let forged = Server { corrected, ..RIGHT };
        assert!(bench.hear(forged).is_ok(), "the answer itself is good");
        assert!(bench.estimate().abs() < 1e-6, "{corrected}: {}", bench.estimate());
        assert_eq!(bench.corrections(), (0, 1), "{corrected}");
        // The server itself says so again, which looks like a correction back: neither does that.
        assert!(bench.hear(RIGHT).is_ok());
        assert!(bench.estimate().abs() < 1e-6, "{corrected}: {}", bench.estimate());
        // And what it says afterwards counts as before.
        assert!(bench.hear(Server { phase: 0.05, corrected: 0.05, ..RIGHT }).is_ok());
        assert!((bench.estimate() - 0.05).abs() < 1e-6, "{corrected}: {}", bench.estimate());
    }
}

#[test]
fn a_field_that_its_header_contradicts_is_not_read() {
    let mut bench = Bench::settled(RIGHT);
    let (exchange, request) = bench.request();
    let header = bench.answer_to(&request);
    let said = MonoRoot {
        root_delay: Time32::from_seconds_ceil(0.0),
        root_dispersion: Time32::from_seconds_ceil(0.01),
        receive: header.receive_timestamp,
        epoch: RIGHT.epoch,
    };
    bench.pass(0.002);
    let bytes = compose_with(&header, Some(said), None);
    assert!(bench.receive_bytes(exchange, &bytes).is_ok());
    assert_eq!(bench.corrections(), (0, 1));
    let measurement = bench.association.last_measurement().expect("there is one").measurement;
    assert!((measurement.root_delay - 0.01).abs() < 1e-4, "{measurement:?}");
}

#[test]
fn root_values_are_as_fine_as_the_field_has_them() {
    let bench = Bench::settled(RIGHT);
    let measurement = bench.association.last_measurement().expect("there is one").measurement;
    assert!((measurement.root_delay - 0.01).abs() < 4e-9, "{measurement:?}");
    assert!((measurement.root_dispersion - 0.01).abs() < 4e-9, "{measurement:?}");
}
