//! The system peer and its successors.

use super::*;

/// The system peers of successive rounds.
fn peers(selection: &mut Selection, rounds: impl IntoIterator<Item = Vec<Candidate>>) -> Vec<u32> {
    rounds
        .into_iter()
        .map(|candidates| combination(&selection.select(&candidates, None)).system_peer.0)
        .collect()
}

#[test]
fn the_first_is_the_nearest_and_a_stratum_is_worth_a_millisecond() {
    let at = |id, stratum, distance| Candidate { stratum, ..source(id, 0.0, distance) };
    let first = |candidates: Vec<Candidate>| {
        peers(&mut Selection::new(Settings::default()), [candidates])[0]
    };
    assert_eq!(first(vec![at(1, 2, 5e-3), at(2, 2, 4e-3)]), 2);
    assert_eq!(first(vec![at(1, 2, 5e-3), at(2, 3, 4.5e-3)]), 1);
    assert_eq!(first(vec![at(1, 2, 5e-3), at(2, 3, 3.9e-3)]), 2);
    // Equal ones: the first configured.
    assert_eq!(first(vec![at(2, 2, 5e-3), at(1, 2, 5e-3)]), 1);
}

#[test]
fn two_equally_good_sources_do_not_take_turns() {
    let mut selection = Selection::new(Settings::default());
    let rounds = (0..200).map(|round| {
        let swing = if round % 2 == 0 { 0.3e-3 } else { -0.3e-3 };
        vec![source(1, 0.0, 2e-3 + swing), source(2, 0.0, 2e-3 - swing)]
    });
    let peers = peers(&mut selection, rounds);
    assert_eq!(peers.iter().filter(|peer| **peer != peers[0]).count(), 0, "{peers:?}");
}

#[test]
fn a_better_source_takes_over_after_several_rounds() {
    let rounds = |factor: f64| {
        let mut selection = Selection::new(Settings::default());
        peers(&mut selection, [vec![source(1, 0.0, 10e-3), source(2, 0.0, 11e-3)]]);
        let better = vec![source(1, 0.0, 10e-3), source(2, 0.0, 10e-3 / factor)];
        let peers = peers(&mut selection, std::iter::repeat_n(better, 50));
        peers.iter().take_while(|peer| **peer == 1).count()
    };
    assert_eq!(rounds(1e6), 2, "however good: three rounds");
    assert_eq!(rounds(2.0), 4);
    assert!((20..45).contains(&rounds(1.12)), "{}", rounds(1.12));
    assert_eq!(rounds(1.005), 50, "not worth it");
}

#[test]
fn rounds_without_news_from_either_do_not_count() {
    let mut selection = Selection::new(Settings::default());
    peers(&mut selection, [vec![source(1, 0.0, 10e-3), source(2, 0.0, 11e-3)]]);
    let stale = |candidate| Candidate { updated: false, ..candidate };
    let round = vec![stale(source(1, 0.0, 10e-3)), stale(source(2, 0.0, 1e-3))];
    assert_eq!(peers(&mut selection, std::iter::repeat_n(round, 50)), [1; 50]);
}

#[test]
fn an_unfit_system_peer_is_replaced_at_once() {
    let others = [source(2, 0.0, 12e-3), source(3, 0.0, 11e-3)];
    for unfit in [
        Candidate { reach: Reach::GivenUp, ..source(1, 0.0, 10e-3) },
        source(1, 1.0, 10e-3),
        with_view(source(1, 0.0, 10e-3), |v| v.root_delay = 9.0),
    ] {
        let mut selection = Selection::new(Settings::default());
        let rounds = [
            vec![source(1, 0.0, 10e-3), others[0], others[1]],
            vec![unfit, others[0], others[1]],
            // Its return is no reason to hop back.
            vec![source(1, 0.0, 10e-3), others[0], others[1]],
        ];
        assert_eq!(peers(&mut selection, rounds), [1, 3, 3]);
    }
}
