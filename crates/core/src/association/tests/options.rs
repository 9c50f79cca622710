//! What an operator can set of a source.

use super::*;
use crate::association::Test;

fn gap(bench: &mut Bench) -> f64 {
    let before = bench.now.monotonic;
    bench.request();
    (bench.now.monotonic - before).seconds()
}

#[test]
fn a_known_error_is_added_to_what_is_measured() {
    let mut bench = Bench::new(Settings { offset: 0.25, ..without_volley() });
    assert!(bench.exchange().is_ok());
    let estimate = |bench: &Bench| {
        let known = bench.association.estimator().estimate(bench.timeline.now());
        known.expect("a measurement").offset.seconds()
    };
    assert!((estimate(&bench) - 0.25).abs() < 1e-6);
    // What was measured before is moved when it turns out otherwise.
    bench.association.configure(Settings { offset: -0.5, ..without_volley() }, bench.now);
    assert!((estimate(&bench) + 0.5).abs() < 1e-6);
    assert!(bench.exchange().is_ok());
    assert!((estimate(&bench) + 0.5).abs() < 1e-6);
}

#[test]
fn delays_are_limited_by_each_rule_and_leave_the_source_reachable() {
    let limited = [
        (Settings { max_delay: 0.5, ..without_volley() }, Reject::MaxDelay, Test::Delay),
        (
            Settings { max_delay_ratio: Some(2.0), ..without_volley() },
            Reject::MaxDelayRatio,
            Test::DelayRatio,
        ),
        (
            Settings { max_delay_dev_ratio: Some(5.0), ..without_volley() },
            Reject::MaxDelayDevRatio,
            Test::DelayDeviation,
        ),
        (
            Settings { max_delay_quantile: Some(0.9), ..without_volley() },
            Reject::MaxDelayQuantile,
            Test::DelayDeviation,
        ),
    ];
    for (settings, expected, test) in limited {
        let mut bench = Bench::new(settings);
        for _ in 0..10 {
            assert!(bench.exchange().is_ok(), "{expected}");
        }
        let (exchange, request) = bench.request();
        let answer = bench.answer_to(&request);
        assert_eq!(bench.receive_after(exchange, &answer, 0.8), Err(expected));
        assert_eq!(bench.rejected(expected), 1);
        assert_eq!(bench.association.reachability().register(), 0xff);
        let last = bench.association.last_answer().expect("an answer");
        assert_eq!(last.reject, Some(expected));
        for each in Test::ALL {
            assert_eq!(each.passed(last.reject), each != test, "{each:?} of {expected}");
        }
        let measured = last.measured.expect("it was measured all the same");
        assert!((measured.delay - 0.8).abs() < 1e-6, "{measured:?}");
        assert_eq!(bench.association.estimator().len(), 10);
        assert_eq!(bench.association.statistics().valid, 11);
        assert_eq!(bench.association.statistics().accepted, 10);
    }
}

#[test]
fn several_polls_make_one_measurement() {
    let mut bench = Bench::new(Settings { filter: 3, ..without_volley() });
    for polls in 1..=12 {
        assert!(bench.exchange().is_ok());
        assert_eq!(bench.association.take_update(), polls % 3 == 0);
        assert_eq!(bench.association.estimator().len(), polls / 3);
    }
}

#[test]
fn polls_without_an_answer_count_for_the_filter() {
    let mut bench = Bench::new(Settings { filter: 3, ..without_volley() });
    assert!(bench.exchange().is_ok());
    bench.request();
    bench.request();
    assert_eq!(bench.association.estimator().len(), 0);
    // The second is given up.
    bench.request();
    assert_eq!(bench.association.estimator().len(), 1);
    assert!(bench.association.take_update());
}

#[test]
fn a_request_ahead_warms_the_way_up_and_is_not_measured() {
    let presend = Some(PollInterval::new(6));
    let mut bench = Bench::new(Settings { presend, ..without_volley() });
    for _ in 0..3 {
        assert_eq!(bench.exchange(), Err(Reject::WarmUp));
        assert_eq!(bench.association.failure(), None);
        let before = bench.now.monotonic;
        assert!(bench.exchange().is_ok());
        let wait = (bench.now.monotonic - before).seconds();
        assert!((wait - 2.0).abs() < 0.1, "{wait}");
    }
    assert_eq!(bench.association.estimator().len(), 3);
    assert_eq!(bench.association.reachability().register(), 0b11_1111);
    // Polls shorter than that need none.
    let presend = Some(PollInterval::new(7));
    let mut bench = Bench::new(Settings { presend, ..without_volley() });
    assert!(bench.exchange().is_ok());
}

#[test]
fn who_is_offline_is_not_asked_until_somebody_says_so() {
    let offline = Settings { connectivity: Connectivity::Offline, ..Settings::default() };
    let mut bench = Bench::new(offline);
    assert_eq!(bench.association.next_timeout(), None);
    bench.pass(1000.0);
    bench.association.connect(Connectivity::Online, bench.now);
    let soon = bench.now.monotonic + Span::from_millis(200);
    assert_eq!(bench.association.next_timeout(), Some(soon));
    // With the volley of a start.
    let gaps: Vec<f64> = (0..6)
        .map(|_| {
            let before = bench.now.monotonic;
            assert!(bench.exchange().is_ok());
            (bench.now.monotonic - before).seconds()
        })
        .collect();
    assert!(gaps[1..4].iter().all(|gap| (gap - 2.0).abs() < 0.1), "{gaps:?}");
    assert!(gaps[4] > 60.0, "{gaps:?}");
    bench.association.connect(Connectivity::Offline, bench.now);
    assert_eq!(bench.association.next_timeout(), None);
    assert_eq!(bench.association.estimator().len(), 6);
}

#[test]
fn a_volley_may_be_asked_of_who_is_offline() {
    let offline = Settings { connectivity: Connectivity::Offline, ..Settings::default() };
    let mut bench = Bench::new(offline);
    bench.association.burst(Some(2), Some(5), bench.now);
    assert!(bench.association.is_volleying());
    assert!(bench.exchange().is_ok());
    assert!(bench.exchange().is_ok());
    assert!(!bench.association.is_volleying());
    assert_eq!(bench.association.next_timeout(), None);
}

#[test]
fn who_cannot_be_reached_goes_offline_if_that_is_wanted() {
    for (connectivity, after) in [
        (Connectivity::AutoOffline, Connectivity::Offline),
        (Connectivity::Online, Connectivity::Online),
    ] {
        let mut bench = Bench::new(Settings { connectivity, ..Settings::default() });
        let (exchange, _) = bench.request();
        bench.association.handle_send_failure(exchange, "no route".to_owned(), 0.0);
        assert_eq!(bench.association.connectivity(), after);
        assert_eq!(bench.association.next_request().is_some(), after == Connectivity::Online);
        assert_eq!(bench.association.failure(), Some("no route"));
    }
}

#[test]
fn the_stratum_is_raised_and_the_clock_of_this_machine_is_passed_on() {
    let mut bench = Bench::new(Settings { min_stratum: 5, ..without_volley() });
    assert!(bench.exchange().is_ok());
    assert_eq!(bench.association.stratum(), 5);
    let server = bench.association.address().ip();
    assert_eq!(bench.association.reference_id(), ReferenceId::of_address(server));

    let mut bench = Bench::new(Settings { copy: true, ..without_volley() });
    assert!(bench.exchange().is_ok());
    assert_eq!(bench.association.stratum(), 1);
    let reference_id = ReferenceId::from_bytes([192, 0, 2, 99]);
    assert_eq!(bench.association.reference_id(), reference_id);
}

#[test]
fn who_is_silent_for_too_long_is_given_up() {
    let mut bench = Bench::new(Settings { max_unreach: 10, ..without_volley() });
    assert!(bench.exchange().is_ok());
    for _ in 0..18 {
        bench.request();
        assert!(!bench.association.is_given_up());
    }
    bench.request();
    assert!(bench.association.is_given_up());
    assert!(bench.exchange().is_ok());
    assert!(!bench.association.is_given_up());
}

#[test]
fn a_rate_kiss_does_not_end_the_volleys_of_later_polls() {
    let mut bench = Bench::new(Settings { burst: true, ..without_volley() });
    let (exchange, request) = bench.request();
    let kiss = Header {
        stratum: 0,
        leap: LeapIndicator::Unsynchronised,
        reference_id: ReferenceId::from_bytes(*b"RATE"),
        ..bench.answer_to(&request)
    };
    assert_eq!(bench.receive(exchange, &kiss), Ok(Accepted::Kissed(KissCode::Rate)));
    assert!(gap(&mut bench) > 120.0);
    // Nothing comes, so one more request is spent on this poll, which is twice the shortest.
    let between = gap(&mut bench);
    assert!((between - 2.0).abs() < 0.1, "{between}");
    assert!(gap(&mut bench) > 120.0);
}

#[test]
fn after_a_sleep_no_answer_from_before_it_is_taken() {
    let mut bench = Bench::new(Settings::default());
    let (exchange, request) = bench.request();
    let answer = bench.answer_to(&request);
    assert_eq!(bench.association.restart(bench.now), Some(exchange));
    assert_eq!(bench.receive(exchange, &answer), Err(Reject::Unsolicited));
}

#[test]
fn the_last_answer_can_be_looked_at() {
    let mut bench = Bench::new(without_volley());
    let (exchange, request) = bench.request();
    let answer = bench.answer_to(&request);
    assert!(bench.receive_after(exchange, &answer, 0.010).is_ok());
    let last = *bench.association.last_answer().expect("an answer");
    assert_eq!(last.header, answer);
    assert_eq!(last.form, Form::Basic);
    assert_eq!(last.remote, SERVER.parse().expect("an address"));
    assert_eq!(last.local, Some(LOCAL.parse().expect("an address")));
    assert_eq!(last.received, bench.now.system);
    assert_eq!(last.reject, None);
    let measured = last.measured.expect("it was measured");
    // The answer left after a millisecond and took nine.
    assert!((measured.offset + 0.004).abs() < 1e-7, "{measured:?}");
    assert!((measured.delay - 0.010).abs() < 1e-7, "{measured:?}");
    assert_eq!(measured.response_time, 0.0);
    assert_eq!(measured.transmit_stamp, StampQuality::Daemon);
    assert_eq!(measured.receive_stamp, StampQuality::Kernel);
    let statistics = bench.association.statistics();
    let counts = (statistics.sent, statistics.received, statistics.valid, statistics.accepted);
    assert_eq!(counts, (1, 1, 1, 1));
    assert_eq!(statistics.receive_stamps[&StampQuality::Kernel], 1);
}
