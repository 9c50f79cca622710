//! The client's side of interleaved mode.

use super::*;

fn settings() -> Settings {
    Settings { interleaved: true, ..without_volley() }
}

/// How much later than it says a basic answer leaves (s).
const LATE: f64 = 300e-6;

impl Bench {
    /// The answer of a server that interleaves: `left` is when its previous answer left.
    pub(super) fn interleaved_answer_to(&self, request: &Header, left: NtpTimestamp) -> Header {
        Header {
            origin_timestamp: request.receive_timestamp,
            transmit_timestamp: left,
            ..self.answer_to(request)
        }
    }

    /// An exchange with a server that interleaves, if it can: its answer leaves later than a basic
    /// one says. `left` is when the answer before left, and becomes when this one does.
    fn interleaved_exchange(
        &mut self,
        left: &mut Option<NtpTimestamp>,
    ) -> Result<Accepted, Reject> {
        let (exchange, request) = self.request();
        let now = self.now.system;
        let answer = match *left {
            Some(left) if !request.receive_timestamp.is_zero() => {
                self.interleaved_answer_to(&request, left)
            }
            _ => self.answer_to(&request),
        };
        let leaves = now + Span::from_millis(1) + Span::from_seconds(LATE);
        *left = Some(NtpTimestamp::from(leaves));
        self.receive_after(exchange, &answer, 0.002 + LATE)
    }
}

fn offset(bench: &Bench) -> f64 {
    let at = bench.timeline.now();
    bench.association.estimator().estimate(at).expect("there are measurements").offset.seconds()
}

#[test]
fn the_first_request_is_like_any_other() {
    let mut bench = Bench::new(settings());
    let (_, request) = bench.request();
    assert!(request.origin_timestamp.is_zero() && request.receive_timestamp.is_zero());
}

#[test]
fn a_later_one_names_the_answer_it_asks_about_and_gives_nothing_away() {
    let mut bench = Bench::new(settings());
    let (exchange, request) = bench.request();
    let answer = bench.answer_to(&request);
    assert!(bench.receive(exchange, &answer).is_ok());
    let (_, request) = bench.request();
    assert_eq!(request.origin_timestamp, answer.receive_timestamp);
    let cookies = [request.receive_timestamp, request.transmit_timestamp];
    assert_ne!(cookies[0], cookies[1]);
    for cookie in cookies {
        assert!(!cookie.is_zero());
        // No clock: the chance that random bits come this close is one in a million.
        let from_now = (cookie.unfold(bench.now.system) - bench.now.system).seconds();
        assert!(from_now.abs() > 600.0, "{from_now}");
    }
    assert_eq!(request.precision, 32);
}

#[test]
fn the_transmit_timestamp_that_comes_late_is_the_better_one() {
    let mut basic = Bench::new(without_volley());
    let mut interleaved = Bench::new(settings());
    let mut left = None;
    assert_eq!(interleaved.interleaved_exchange(&mut left), Ok(Accepted::Measured(None)));
    // This completes the exchange that was measured already, with what was known then.
    assert_eq!(interleaved.interleaved_exchange(&mut left), Err(Reject::AlreadyMeasured));
    assert_eq!(interleaved.association.reachability().register(), 0b11);
    for _ in 0..20 {
        assert!(interleaved.interleaved_exchange(&mut left).is_ok());
        let last = interleaved.association.last_answer().expect("an answer");
        assert_eq!(last.form, Form::Interleaved);
        let measured = last.measured.expect("it was measured");
        assert!(measured.offset.abs() < 1e-8, "{measured:?}");
        assert!((measured.delay - 0.002).abs() < 1e-7, "{measured:?}");
    }
    for _ in 0..21 {
        let (exchange, request) = basic.request();
        let answer = basic.answer_to(&request);
        assert!(basic.receive_after(exchange, &answer, 0.002 + LATE).is_ok());
    }
    assert!((offset(&basic) + LATE / 2.0).abs() < 1e-6, "{}", offset(&basic));
    assert!(offset(&interleaved).abs() < 20e-6, "{}", offset(&interleaved));
}

#[test]
fn a_server_that_does_not_interleave_is_measured_as_ever() {
    let mut bench = Bench::new(settings());
    for _ in 0..5 {
        assert!(bench.exchange().is_ok());
    }
    assert_eq!(bench.association.estimator().len(), 5);
    assert_eq!(bench.association.last_answer().map(|last| last.form), Some(Form::Basic));
}

#[test]
fn nobody_is_asked_for_what_he_must_have_forgotten() {
    let mut bench = Bench::new(settings());
    assert!(bench.exchange().is_ok());
    let interleaved: Vec<bool> =
        (0..6).map(|_| !bench.request().1.receive_timestamp.is_zero()).collect();
    assert_eq!(interleaved, [true, true, true, true, false, false]);
    // An answer, and it may be asked again.
    assert!(bench.exchange().is_ok());
    assert!(!bench.request().1.receive_timestamp.is_zero());
}

#[test]
fn the_measurement_is_of_the_exchange_before_however_long_ago() {
    let mut bench = Bench::new(settings());
    let mut left = None;
    for _ in 0..3 {
        let _ = bench.interleaved_exchange(&mut left);
    }
    let before = bench.timeline.now();
    bench.request();
    bench.request();
    assert!(bench.interleaved_exchange(&mut left).is_ok());
    let measured = bench.association.last_answer().and_then(|last| last.measured).expect("one");
    assert!((measured.at - before).seconds().abs() < 0.1);
    assert!(measured.offset.abs() < 1e-8, "{measured:?}");
}

#[test]
fn an_origin_that_is_neither_cookie_is_forged() {
    let mut bench = Bench::new(settings());
    assert!(bench.exchange().is_ok());
    let (exchange, request) = bench.request();
    let left = NtpTimestamp::from(bench.now.system);
    let answer = bench.interleaved_answer_to(&request, left);
    // The server's own timestamp, which others may have seen, is no proof.
    let forged = Header { origin_timestamp: request.origin_timestamp, ..answer };
    assert_eq!(bench.receive_after(exchange, &forged, 0.0), Err(Reject::WrongOrigin));
    assert!(bench.association.is_pending(exchange));
}

#[test]
fn who_did_not_ask_gets_no_interleaved_answer() {
    let mut bench = Bench::new(without_volley());
    assert!(bench.exchange().is_ok());
    let (exchange, request) = bench.request();
    let left = NtpTimestamp::from(bench.now.system);
    let answer = bench.interleaved_answer_to(&request, left);
    assert_eq!(bench.receive_after(exchange, &answer, 0.0), Err(Reject::ZeroOrigin));
}

#[test]
fn an_interleaved_answer_is_not_believed_twice() {
    let mut bench = Bench::new(settings());
    let mut left = None;
    for _ in 0..3 {
        let _ = bench.interleaved_exchange(&mut left);
    }
    let (exchange, request) = bench.request();
    let answer = bench.interleaved_answer_to(&request, left.expect("one left"));
    assert!(bench.receive(exchange, &answer).is_ok());
    assert_eq!(bench.receive(exchange, &answer), Err(Reject::Unsolicited));
    // With the next request's cookie it is still the same answer.
    let (exchange, request) = bench.request();
    let replayed = Header { origin_timestamp: request.receive_timestamp, ..answer };
    assert_eq!(bench.receive(exchange, &replayed), Err(Reject::DuplicateTransmit));
}

#[test]
fn a_timestamp_of_another_exchange_is_none_of_this() {
    let mut bench = Bench::new(settings());
    let mut left = None;
    for _ in 0..3 {
        let _ = bench.interleaved_exchange(&mut left);
    }
    // A minute before its request came, and ten seconds after.
    for (seconds, reject) in [(-60, Reject::ServerInterval), (10, Reject::ServerInterval)] {
        let (exchange, request) = bench.request();
        let wrong = left.expect("one left").unfold(bench.now.system) + Span::from_secs(seconds);
        let answer = bench.interleaved_answer_to(&request, wrong.into());
        left = Some(NtpTimestamp::from(bench.now.system + Span::from_millis(1)));
        assert_eq!(bench.receive(exchange, &answer), Err(reject));
    }
}

#[test]
fn what_an_unsynchronised_server_sent_is_never_completed() {
    let mut bench = Bench::new(settings());
    let mut left = None;
    for _ in 0..3 {
        let _ = bench.interleaved_exchange(&mut left);
    }
    let (exchange, request) = bench.request();
    let lost = Header {
        leap: LeapIndicator::Unsynchronised,
        ..bench.interleaved_answer_to(&request, left.expect("one left"))
    };
    assert_eq!(bench.receive(exchange, &lost), Err(Reject::Unsynchronised));
    assert_eq!(bench.interleaved_exchange(&mut left), Err(Reject::AlreadyMeasured));
    assert!(bench.interleaved_exchange(&mut left).is_ok());
}

#[test]
fn a_reference_time_after_the_previous_transmission_is_nothing_strange() {
    let mut bench = Bench::new(settings());
    let mut left = None;
    for _ in 0..3 {
        let _ = bench.interleaved_exchange(&mut left);
    }
    let (exchange, request) = bench.request();
    let answer = Header {
        reference_timestamp: NtpTimestamp::from(bench.now.system - Span::from_secs(1)),
        ..bench.interleaved_answer_to(&request, left.expect("one left"))
    };
    assert!(bench.receive(exchange, &answer).is_ok());
}
