//! Whether there is a time to follow, and which.

use super::*;

#[test]
fn nobody_to_ask() {
    let nothing = select(&[]);
    assert_eq!((nothing.verdicts, nothing.decision), (vec![], Decision::NoneSelectable));
    let outcome = select(&[Candidate { reach: Reach::GivenUp, ..source(1, 0.0, 1e-3) }]);
    assert_eq!(outcome.decision, Decision::NoneSelectable);
}

#[test]
fn two_that_contradict_each_other_are_no_majority() {
    let outcome = select(&[source(1, 0.0, 1e-3), source(2, 0.212, 2e-3)]);
    assert_eq!(outcome.decision, Decision::NoMajority { agreeing: 1, candidates: 2 });
    assert_eq!(outcome.decision.to_string(), "no majority: at most 1 of 2 sources agree");
    assert_eq!(states(&outcome), [State::Waiting; 2]);
    for index in 0..2 {
        assert_eq!(
            reason(&outcome, index),
            "no majority: agrees with 0 of 1 other; 212.0 ms from the nearest that contradicts it"
        );
    }
}

#[test]
fn half_is_no_majority() {
    // Counting the edges of intervals instead of sources, as the RFC's skeleton does, would find one.
    let outcome = select(&[
        source(1, 0.0, 1e-3),
        source(2, 0.1e-3, 1e-3),
        source(3, 30e-3, 1e-3),
        source(4, 30.1e-3, 1e-3),
    ]);
    assert_eq!(outcome.decision, Decision::NoMajority { agreeing: 2, candidates: 4 });
    assert_eq!(
        reason(&outcome, 0),
        "no majority: agrees with 1 of 3 others; 30.0 ms from the nearest that contradicts it"
    );
}

#[test]
fn two_that_agree_among_four_are_no_majority() {
    let outcome = select(&[
        source(1, 0.0, 1e-3),
        source(2, 0.1e-3, 1e-3),
        source(3, 30e-3, 1e-3),
        source(4, -40e-3, 1e-3),
    ]);
    assert_eq!(outcome.decision, Decision::NoMajority { agreeing: 2, candidates: 4 });
}

#[test]
fn three_of_five_are_a_majority() {
    let outcome = select(&[
        source(1, 0.0, 1e-3),
        source(2, 70e-3, 1e-3),
        source(3, 0.2e-3, 1e-3),
        source(4, -0.1, 1e-3),
        source(5, 0.1e-3, 1e-3),
    ]);
    let falseticker = State::Falseticker;
    let found = states(&outcome);
    assert_eq!((found[1], found[3]), (falseticker, falseticker));
    assert_eq!(combination(&outcome).sources.len(), 3);
}

#[test]
fn a_sharp_source_inside_wide_ones_is_believed() {
    let wide = [source(1, 5e-3, 50e-3), source(2, -8e-3, 50e-3), source(3, 0.0, 50e-3)];
    let sharp = source(4, 1e-3, 0.5e-3);
    let outcome = select(&[wide[0], wide[1], wide[2], sharp]);
    assert_eq!(states(&outcome)[3], State::Selected);
}

#[test]
fn intervals_that_touch_agree() {
    let outcome = select(&[source(1, 0.0, 0.25), source(2, 0.5, 0.25)]);
    assert_eq!(combination(&outcome).sources.len(), 2);
}

#[test]
fn when_a_near_server_and_a_liar_both_agree_with_a_distant_one_only_that_is_sure() {
    let (distant, near, liar) =
        (source(1, 0.0, 50e-3), source(2, 0.0, 1e-3), source(3, 30e-3, 1e-3));
    let outcome = select(&[distant, near, liar]);
    assert_eq!(states(&outcome), [State::Selected, State::Falseticker, State::Falseticker]);
    assert_eq!(
        reason(&outcome, 2),
        "15.0 ms off, in one of several intervals that equally many agree on"
    );
}

#[test]
fn trusted_sources_that_contradict_each_other_are_no_majority() {
    let trusted = |id, offset| with_options(source(id, offset, 1e-3), |o| o.trust = true);
    let outcome = select(&[trusted(1, 0.0), trusted(2, 0.1), source(3, 0.0, 1e-3)]);
    assert_eq!(outcome.decision, Decision::NoMajority { agreeing: 1, candidates: 2 });
    assert_eq!(states(&outcome), [State::Waiting; 3]);
    assert_eq!(reason(&outcome, 2), "waits for the trusted sources, which contradict each other");
}

#[test]
fn a_required_source_must_agree() {
    let required = |offset| with_options(source(3, offset, 1e-3), |o| o.require = true);
    let others = [source(1, 0.0, 1e-3), source(2, 0.0, 1e-3)];
    let outcome = select(&[others[0], others[1], required(1.0)]);
    assert_eq!(outcome.decision, Decision::RequiredMissing(SourceId(3)));
    assert_eq!(states(&outcome), [State::Waiting, State::Waiting, State::Falseticker]);
    assert_eq!(reason(&outcome, 0), "agrees, but no required source does");
    let silent = Candidate { reach: Reach::GivenUp, ..required(0.0) };
    let outcome = select(&[others[0], others[1], silent]);
    assert_eq!(outcome.decision, Decision::RequiredMissing(SourceId(3)));
    combination(&select(&[others[0], others[1], required(0.0)]));
}

#[test]
fn fewer_than_the_minimum_wait() {
    let settings = Settings { minimum_sources: 3, ..Settings::default() };
    let two = [source(1, 0.0, 1e-3), source(2, 0.0, 1e-3)];
    let outcome = Selection::new(settings).select(&two, None);
    assert_eq!(outcome.decision, Decision::TooFew { agreeing: 2, required: 3 });
    assert_eq!(states(&outcome), [State::Waiting; 2]);
    assert_eq!(reason(&outcome, 0), "agrees, but only 2 of the 3 required do");
    let mut selection = Selection::new(settings);
    combination(&selection.select(&[two[0], two[1], source(3, 0.0, 1e-3)], None));
    selection.configure(Settings { minimum_sources: 4, ..settings });
    let outcome = selection.select(&[two[0], two[1], source(3, 0.0, 1e-3)], None);
    assert_eq!(outcome.decision, Decision::TooFew { agreeing: 3, required: 4 });
}

#[test]
fn a_source_votes_from_its_first_measurement_but_is_not_followed_yet() {
    let young = |id, offset| with_view(source(id, offset, 5e-3), |v| v.samples = 1);
    let (liar, honest) = (source(1, 0.5, 1e-3), source(4, 0.0, 1e-3));
    // Whoever measures fastest does not outvote the slower ones.
    let outcome = select(&[liar, young(2, 0.0), young(3, 1e-3)]);
    assert_eq!(outcome.decision, Decision::Waiting);
    assert_eq!(states(&outcome), [State::Falseticker, State::Measuring, State::Measuring]);
    let outcome = select(&[liar, young(2, 0.0), young(3, 1e-3), honest]);
    assert_eq!(combination(&outcome).sources, [SourceId(4)]);
    assert_eq!(reason(&outcome, 1), "1 of 3 measurements yet");
    // One that contradicts the only other is a contradiction.
    let outcome = select(&[honest, young(2, 0.1)]);
    assert_eq!(outcome.decision, Decision::NoMajority { agreeing: 1, candidates: 2 });
}

#[test]
fn the_first_decision_waits_for_sources_that_are_about_to_be_ready() {
    let samples = |id, count| with_view(source(id, 0.0, 1e-3), |v| v.samples = count);
    let mut selection = Selection::new(Settings::default());
    let outcome = selection.select(&[samples(1, 3), samples(2, 2), samples(3, 1)], None);
    assert_eq!(outcome.decision, Decision::Waiting);
    assert_eq!(states(&outcome), [State::Waiting, State::Measuring, State::Measuring]);
    assert_eq!(reason(&outcome, 0), "ready; waits for 2 sources about to be");
    let outcome = selection.select(&[samples(1, 3), samples(2, 3), samples(3, 3)], None);
    assert_eq!(combination(&outcome).sources.len(), 3);
    // Later ones are not waited for.
    combination(&selection.select(&[samples(1, 3), samples(2, 3), samples(4, 2)], None));
}

#[test]
fn the_first_decision_waits_neither_for_the_silent_nor_for_ever() {
    let samples = |id, count| with_view(source(id, 0.0, 1e-3), |v| v.samples = count);
    let none = Candidate { view: None, ..source(2, 0.0, 1e-3) };
    let lost = Candidate { reach: Reach::GivenUp, ..samples(2, 2) };
    let ignored = with_options(samples(2, 2), |o| o.noselect = true);
    for other in [none, lost, ignored] {
        combination(&select(&[samples(1, 3), other]));
    }
    // The one that is ready has measured twice more meanwhile.
    combination(&select(&[samples(1, 5), samples(2, 2)]));
    let mut selection = Selection::new(Settings::default());
    let rounds = (0..100)
        .take_while(|_| {
            selection.select(&[samples(1, 3), samples(2, 2)], None).decision == Decision::Waiting
        })
        .count();
    assert_eq!(rounds, 8);
}

#[test]
fn a_near_source_dominates_a_far_one_and_jitter_counts() {
    let far = source(2, 3e-3, 20e-3);
    let near = source(1, 0.0, 7e-3);
    let offset = combination(&select(&[near, far])).offset;
    assert!((0.1e-3..0.5e-3).contains(&offset), "{offset}");
    let noisy = with_view(source(2, 3e-3, 7e-3), |v| v.offset_sd = 10e-3);
    let offset = combination(&select(&[near, noisy])).offset;
    assert!((0.01e-3..0.3e-3).contains(&offset), "{offset}");
    let equal = combination(&select(&[near, source(2, 3e-3, 7e-3)])).offset;
    assert!((equal - 1.5e-3).abs() < 1e-12, "{equal}");
}

#[test]
fn many_sources_are_not_taken_for_independent() {
    let sd = |count| {
        let candidates: Vec<_> = (0..count).map(|id| source(id, 0.0, 20e-3)).collect();
        let outcome = select(&candidates);
        let combination = combination(&outcome);
        (combination.offset_sd / 1e-3, combination.frequency.sd / 1e-7)
    };
    assert_eq!(sd(1), (1.0, 1.0));
    // √(½ + ½/n)
    let (offset, frequency) = sd(4);
    assert!((offset - 0.625f64.sqrt()).abs() < 1e-9, "{offset}");
    assert!((frequency - 0.625f64.sqrt()).abs() < 1e-9, "{frequency}");
    assert!(sd(100).0 > 0.5f64.sqrt());
}

#[test]
fn a_frequency_that_cannot_be_is_left_out() {
    let odd = with_view(source(2, 0.0, 1e-3), |v| v.frequency.value = 400e-6);
    let outcome = select(&[source(1, 0.0, 1e-3), odd]);
    let combination = combination(&outcome);
    assert_eq!(combination.sources.len(), 2);
    assert!((combination.frequency.value - 10e-6).abs() < 1e-12);
}

#[test]
fn leap_warnings_are_voted_on() {
    let says = |id, leap| Candidate { leap, ..source(id, 0.0, 1e-3) };
    let (none, insert, delete) =
        (LeapIndicator::NoWarning, LeapIndicator::Insert, LeapIndicator::Delete);
    let vote = |candidates: &[Candidate]| combination(&select(candidates)).leap;
    assert_eq!(vote(&[says(1, insert)]), insert);
    assert_eq!(vote(&[says(1, insert), says(2, none)]), none);
    assert_eq!(vote(&[says(1, insert), says(2, none), says(3, insert)]), insert);
    assert_eq!(vote(&[says(1, delete), says(2, insert), says(3, none)]), none);
    // A liar has no vote, and where there are trusted sources the others have none.
    let liar = |id| Candidate { leap: insert, ..source(id, 1.0, 1e-3) };
    assert_eq!(vote(&[says(1, none), says(2, none), liar(3), says(4, insert)]), none);
    let trusted = |id, leap| with_options(says(id, leap), |o| o.trust = true);
    assert_eq!(vote(&[trusted(1, delete), says(2, none), says(3, none)]), delete);
}

#[test]
fn one_required_source_of_several_is_enough() {
    let required = |id, offset| with_options(source(id, offset, 1e-3), |o| o.require = true);
    let others = [source(1, 0.0, 1e-3), source(2, 0.0, 1e-3)];
    combination(&select(&[others[0], others[1], required(3, 1.0), required(4, 0.0)]));
}

#[test]
fn strata_have_limits() {
    let settings = Settings { minimum_stratum: 3, maximum_stratum: 5, ..Settings::default() };
    let outcome = |stratum| {
        let candidate = Candidate { stratum, ..source(1, 0.0, 1e-3) };
        Selection::new(settings).select(&[candidate], None)
    };
    for stratum in [3, 5] {
        combination(&outcome(stratum));
    }
    for (stratum, state, words) in [
        (2, State::StratumTooLow, "its stratum 2 is below the limit of 3"),
        (6, State::StratumTooHigh, "its stratum 6 is above the limit of 5"),
    ] {
        let outcome = outcome(stratum);
        assert_eq!(outcome.decision, Decision::NoneSelectable);
        assert_eq!((states(&outcome)[0], reason(&outcome, 0)), (state, words));
    }
}

#[test]
fn the_silent_are_believed_until_others_know_better() {
    let silent = |newest| {
        let near = with_view(source(1, 0.0, 1e-3), |v| v.newest = newest);
        Candidate { reach: Reach::Silent { polls: 10 }, updated: false, ..near }
    };
    let far = source(2, 0.0, 0.25);
    assert_eq!(combination(&select(&[silent(500.0), far])).system_peer, SourceId(1));
    let outcome = select(&[silent(501.0), far]);
    assert_eq!(states(&outcome), [State::Unreachable, State::Selected]);
    assert_eq!(select(&[silent(10.0)]).decision, Decision::NoneSelectable, "nobody answers");
}

#[test]
fn a_standing_tells_the_numbers_behind_the_verdict() {
    let trusted = with_options(source(1, 0.5, 10e-3), |o| o.trust = true);
    let outcome = select(&[trusted, Candidate { view: None, ..source(2, 0.0, 1e-3) }]);
    let standing = outcome.standings[&SourceId(1)];
    assert_eq!(
        standing,
        Standing { options: trusted.options, interval: Some((0.49, 0.51)), score: 1.0 }
    );
    assert_eq!(outcome.standings[&SourceId(2)].interval, None);

    let mut selection = Selection::new(Settings::default());
    let near = source(2, 0.0, 5e-3);
    selection.select(&[source(1, 0.0, 10e-3)], None);
    let outcome = selection.select(&[source(1, 0.0, 10e-3), near], None);
    assert_eq!(combination(&outcome).system_peer, SourceId(1));
    let score = outcome.standings[&SourceId(2)].score;
    assert!((score - 10.0 / 5.1).abs() < 1e-9, "{score}");
    selection.reselect();
    let outcome = selection.select(&[source(1, 0.0, 10e-3), near], None);
    assert_eq!(combination(&outcome).system_peer, SourceId(2));
}
