//! Every state, and the words of its reason.

use super::*;

/// The verdict on one candidate beside two healthy ones at ±1 ms.
fn verdict(candidate: Candidate) -> (State, String) {
    let outcome = select(&[source(1, 0.0, 1e-3), source(2, 0.1e-3, 1.1e-3), candidate]);
    let (id, verdict) = outcome.verdicts[2].clone();
    assert_eq!(id, candidate.source);
    (verdict.state, verdict.reason)
}

#[test]
fn what_keeps_a_source_from_taking_part() {
    let healthy = source(3, 0.0, 2e-3);
    let cases = [
        (
            with_options(healthy, |o| o.noselect = true),
            State::Unselectable,
            "noselect: watched, never used",
        ),
        (Candidate { view: None, ..healthy }, State::Measuring, "no measurement yet"),
        (
            Candidate { view: None, reach: Reach::GivenUp, ..healthy },
            State::Unreachable,
            "no answer yet",
        ),
        (
            Candidate { reach: Reach::GivenUp, ..healthy },
            State::Unreachable,
            "it refuses to serve, or has been silent for too long",
        ),
        (
            Candidate { leap: LeapIndicator::Unsynchronised, ..healthy },
            State::Unsynchronised,
            "its leap indicator says that it is not synchronised",
        ),
        (
            Candidate { stratum: 16, ..healthy },
            State::Unsynchronised,
            "its stratum 16 says that it is not synchronised",
        ),
        (
            Candidate {
                reach: Reach::Silent { polls: 9 },
                ..with_view(healthy, |v| v.newest = 501.0)
            },
            State::Unreachable,
            "no answer to the last 8 polls",
        ),
        (with_view(healthy, |v| v.samples = 2), State::Measuring, "2 of 3 measurements yet"),
        (
            with_view(healthy, |v| (v.root_delay, v.root_dispersion) = (6.0, 0.412)),
            State::Distant,
            "root distance 3.412 s is above the limit of 3 s",
        ),
        (
            with_view(healthy, |v| v.jitter = 1.25),
            State::Jittery,
            "jitter 1.250 s is above the limit of 1 s",
        ),
        (
            with_view(healthy, |v| v.offset = f64::NAN),
            State::Distant,
            "its measurements make no usable number",
        ),
    ];
    for (candidate, state, reason) in cases {
        assert_eq!(verdict(candidate), (state, reason.to_owned()));
    }
}

#[test]
fn the_first_rule_broken_is_the_reason() {
    let worst = with_view(source(3, 9.0, 99.0), |v| (v.samples, v.jitter) = (1, 9.0));
    let worst = Candidate {
        reach: Reach::GivenUp,
        leap: LeapIndicator::Unsynchronised,
        ..with_options(worst, |o| o.noselect = true)
    };
    assert_eq!(verdict(worst).0, State::Unselectable);
    let worst = Candidate { options: Options::default(), ..worst };
    assert_eq!(verdict(worst).0, State::Unreachable);
    let worst = Candidate { reach: Reach::Reachable, ..worst };
    assert_eq!(verdict(worst).0, State::Unsynchronised);
    let worst = Candidate { leap: LeapIndicator::NoWarning, ..worst };
    assert_eq!(verdict(worst).0, State::Jittery);
    let worst = with_view(worst, |v| v.jitter = 1e-3);
    assert_eq!(verdict(worst).0, State::Distant);
    let worst = with_view(worst, |v| (v.root_delay, v.root_dispersion) = (1e-3, 0.0));
    assert_eq!(verdict(worst).0, State::Falseticker);
    let worst = with_view(worst, |v| v.offset = 0.0);
    assert_eq!(verdict(worst).0, State::Measuring);
}

#[test]
fn a_falseticker_is_told_by_how_much() {
    // The demonstration: three servers on loopback, one of which lies by 212 ms.
    let outcome =
        select(&[source(1, 10e-6, 90e-6), source(2, 0.212, 80e-6), source(3, -15e-6, 95e-6)]);
    assert_eq!(states(&outcome), [State::Selected, State::Falseticker, State::Combined]);
    assert_eq!(reason(&outcome, 1), "212.0 ms off, outside the majority interval of ±80.0 µs");
    assert_eq!(reason(&outcome, 0), "agrees with 1 other; root distance 90.0 µs");
    assert_eq!(reason(&outcome, 2), "agrees; 25.0 µs from the system peer");
}

#[test]
fn a_single_source_is_followed() {
    let outcome = select(&[source(7, 0.5, 10e-3)]);
    assert_eq!(states(&outcome), [State::Selected]);
    assert_eq!(reason(&outcome, 0), "the only one to follow; root distance 10.0 ms");
    let combination = combination(&outcome);
    assert_eq!((combination.offset, combination.stratum), (0.5, 2));
}

#[test]
fn preferred_sources_put_the_others_aside() {
    let preferred = with_options(source(1, 1e-3, 20e-3), |o| o.prefer = true);
    let outcome = select(&[preferred, source(2, 0.0, 1e-3), source(3, 0.0, 2e-3)]);
    assert_eq!(states(&outcome), [State::Selected, State::Unpreferred, State::Unpreferred]);
    assert_eq!(reason(&outcome, 1), "agrees, but 1 source is preferred");
    // But preference makes no truechimer of a falseticker.
    let liar = with_options(source(1, 1.0, 20e-3), |o| o.prefer = true);
    let outcome = select(&[liar, source(2, 0.0, 1e-3), source(3, 0.0, 2e-3)]);
    assert_eq!(states(&outcome), [State::Falseticker, State::Selected, State::Combined]);
}

#[test]
fn a_source_far_worse_than_the_system_peer_is_not_combined() {
    let candidates = [source(1, 0.0, 10e-3), source(2, 1e-3, 31e-3), source(3, 1e-3, 30e-3)];
    let outcome = select(&candidates);
    assert_eq!(states(&outcome), [State::Selected, State::Outlier, State::Combined]);
    assert_eq!(
        reason(&outcome, 1),
        "agrees, but its root distance 31.0 ms is more than 3 times the system peer's 10.0 ms"
    );
    let alone = Settings { combine_limit: 0.0, ..Settings::default() };
    let outcome = Selection::new(alone).select(&candidates, None);
    assert_eq!(states(&outcome), [State::Selected, State::Outlier, State::Outlier]);
    assert_eq!(reason(&outcome, 1), "agrees, but nothing is combined (combine-limit 0)");
}

#[test]
fn who_is_too_far_off_because_it_is_silent_is_unreachable() {
    let far = source(2, 1e-3, 31e-3);
    let silent = Candidate { reach: Reach::Silent { polls: 9 }, ..far };
    let outcome = select(&[source(1, 0.0, 10e-3), silent]);
    assert_eq!(states(&outcome), [State::Selected, State::Unreachable]);
    assert_eq!(reason(&outcome, 1), "no answer to the last 8 polls");
}

#[test]
fn clustering_drops_what_lies_apart_and_keeps_three() {
    let offsets = [0.0, 0.1e-3, -0.1e-3, 4e-3, -2e-3];
    let candidates: Vec<_> =
        (1..).zip(offsets).map(|(id, offset)| source(id, offset, 10e-3)).collect();
    let quiet: Vec<_> = candidates.iter().map(|c| with_view(*c, |v| v.jitter = 0.05e-3)).collect();
    let outcome = select(&quiet);
    assert_eq!(states(&outcome)[3..], [State::Outlier, State::Outlier]);
    assert!(states(&outcome)[..3].iter().all(|s| matches!(s, State::Selected | State::Combined)));
    assert_eq!(reason(&outcome, 3), "agrees, but is 4.6 ms from the others that do");
    // Where the sources differ by less than their own noise, dropping one gains nothing.
    let noisy: Vec<_> = candidates.iter().map(|c| with_view(*c, |v| v.jitter = 5e-3)).collect();
    assert!(!states(&select(&noisy)).contains(&State::Outlier));
}

#[test]
fn untrusted_sources_must_agree_with_the_trusted() {
    let trusted = with_options(source(1, 0.0, 2e-3), |o| o.trust = true);
    // Three against one: without trust they would be the majority.
    let outcome = select(&[
        trusted,
        source(2, 50e-3, 1e-3),
        source(3, 50e-3, 1e-3),
        source(4, 50e-3, 1e-3),
        source(5, 1e-3, 5e-3),
    ]);
    let untrusted = State::Untrusted;
    assert_eq!(
        states(&outcome),
        [State::Selected, untrusted, untrusted, untrusted, State::Combined]
    );
    assert_eq!(
        reason(&outcome, 1),
        "50.0 ms off, outside the interval of the trusted sources of ±2.0 ms"
    );
}

#[test]
fn every_state_has_its_word() {
    use State::*;
    let words = [
        Unselectable,
        Measuring,
        Unreachable,
        Unsynchronised,
        Distant,
        Jittery,
        Falseticker,
        Untrusted,
        Waiting,
        Unpreferred,
        Outlier,
        Combined,
        Selected,
    ]
    .map(|state| state.to_string());
    assert_eq!(
        words.join(" "),
        "unselectable measuring unreachable unsynchronised distant jittery falseticker untrusted \
         waiting unpreferred outlier combined selected"
    );
}
