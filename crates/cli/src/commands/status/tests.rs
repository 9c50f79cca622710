use super::*;
use crate::display::fixtures::{authenticated, plain, starting, synchronised};

#[test]
fn a_clock_in_good_health() {
    insta::assert_snapshot!(plain(&screen(&synchronised())));
}

#[test]
fn sources_that_prove_who_they_are() {
    insta::assert_snapshot!(plain(&sources(&authenticated())));
}

#[test]
fn a_server_with_nts_tells_how_much_of_it() {
    let counters =
        Counters { answered: 9, nts_authenticated: 7, key_exchanges: 2, ..Counters::default() };
    assert_eq!(
        clients(&counters),
        "9 requests answered, 0 slowed down, 0 refused; NTS: 7 authentic, keys given 2 times"
    );
}

#[test]
fn a_daemon_that_has_just_started() {
    insta::assert_snapshot!(plain(&screen(&starting())));
}

#[test]
fn a_daemon_without_sources_and_a_panic() {
    let tracking = Tracking {
        panicked: true,
        reason: "the sources are 3600 s off".into(),
        ..Tracking::default()
    };
    insta::assert_snapshot!(plain(&screen(&Report { tracking, ..Report::default() })));
}

#[test]
fn the_headline_has_its_colour_and_ends_it() {
    let coloured = headline(&synchronised().tracking);
    assert!(coloured.starts_with("\u{1b}[1m\u{1b}[32mSynchronised\u{1b}[0m: "), "{coloured:?}");
}

#[test]
fn an_ipv6_reference_is_not_shown_as_the_ipv4_address_it_looks_like() {
    let mut report = synchronised();
    assert_eq!(reference(&report), "192.0.2.1 (ntp1.example)");
    report.tracking.reference_id = timeball_wire::ReferenceId::from_bytes([207, 64, 77, 200]);
    report.tracking.reference = "207.64.77.200".into();
    report.sources[0].address = Some("2001:db8::1".parse().unwrap());
    assert_eq!(reference(&report), "ntp1.example (reference ID CF404DC8)");
}

#[test]
fn a_clock_that_follows_nobody_has_no_reference() {
    let mut report = starting();
    report.tracking.reference = "0.0.0.0".into();
    assert!(!plain(&screen(&report)).contains("0.0.0.0"));
}
