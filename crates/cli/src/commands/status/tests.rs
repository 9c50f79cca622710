use super::*;
use crate::display::fixtures::{plain, starting, synchronised};

#[test]
fn a_clock_in_good_health() {
    insta::assert_snapshot!(plain(&screen(&synchronised())));
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
