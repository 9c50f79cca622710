//! What holds whatever the sources say.

use proptest::prelude::*;

use super::*;

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -1.0..1.0f64,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => any::<f64>(),
    ]
}

prop_compose! {
    fn view()(
        offset in number(),
        offset_sd in number(),
        frequency in (number(), number()),
        jitter in number(),
        root_delay in number(),
        root_dispersion in number(),
        samples in 0..10usize,
        newest in number(),
        oldest in number(),
    ) -> View {
        View {
            offset,
            offset_sd,
            frequency: Frequency { value: frequency.0, sd: frequency.1 },
            jitter,
            root_delay,
            root_dispersion,
            samples,
            newest,
            oldest,
        }
    }
}

/// Mostly healthy sources within a second of each other, some of them hopeless.
fn view_of_some_use() -> impl Strategy<Value = View> {
    let healthy = (-0.1..0.1f64, 1e-6..0.2f64)
        .prop_map(|(offset, distance)| source(0, offset, distance).view.unwrap());
    prop_oneof![5 => healthy, 1 => view()]
}

prop_compose! {
    fn candidate()(
        view in prop::option::weighted(0.95, view_of_some_use()),
        reach in prop::sample::select(vec![
            Reach::Reachable,
            Reach::Reachable,
            Reach::Reachable,
            Reach::Silent { polls: 20 },
            Reach::Silent { polls: 80 },
            Reach::GivenUp,
        ]),
        proof in prop::sample::select(vec![
            Proof::None,
            Proof::None,
            Proof::None,
            Proof::Key,
            Proof::Local,
        ]),
        updated: bool,
        stratum in 0..18u8,
        leap in prop::sample::select(vec![
            LeapIndicator::NoWarning,
            LeapIndicator::Insert,
            LeapIndicator::Delete,
            LeapIndicator::Unsynchronised,
        ]),
        noselect in prop::bool::weighted(0.05),
        prefer in prop::bool::weighted(0.1),
        trust in prop::bool::weighted(0.1),
        require in prop::bool::weighted(0.05),
    ) -> Candidate {
        let options = Options { noselect, prefer, trust, require };
        let reference_id = ReferenceId::NONE;
        Candidate {
            source: SourceId(0),
            options,
            proof,
            reach,
            updated,
            leap,
            stratum,
            reference_id,
            view,
        }
    }
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(candidate(), 0..12).prop_map(|candidates| {
        (0..).zip(candidates).map(|(id, c)| Candidate { source: SourceId(id), ..c }).collect()
    })
}

/// An honest source: the truth (zero) is in its interval, though its offset is wrong.
fn honest() -> impl Strategy<Value = (f64, f64)> {
    (1e-4..0.1f64, -0.99..0.99f64).prop_map(|(distance, share)| (distance * share, distance))
}

proptest! {
    #[test]
    fn every_candidate_gets_a_reason_and_only_numbers_come_out(
        rounds in prop::collection::vec(candidates(), 1..4),
    ) {
        let mut selection = Selection::new(Settings::default());
        for candidates in rounds {
            let outcome = selection.select(&candidates, None);
            prop_assert_eq!(outcome.verdicts.len(), candidates.len());
            for (candidate, (id, verdict)) in candidates.iter().zip(&outcome.verdicts) {
                prop_assert_eq!(candidate.source, *id);
                prop_assert!(!verdict.reason.is_empty());
                prop_assert!(verdict.reason != "not judged yet", "{:?}", outcome);
            }
            let chosen = states(&outcome);
            let selected = chosen.iter().filter(|state| **state == State::Selected).count();
            let combined = chosen.iter().filter(|state| **state == State::Combined).count();
            let Decision::Synchronise(combination) = &outcome.decision else {
                prop_assert_eq!((selected, combined), (0, 0));
                continue;
            };
            prop_assert_eq!((selected, combined), (1, combination.sources.len() - 1));
            prop_assert_eq!(combination.sources[0], combination.system_peer);
            for number in [
                combination.offset_sd,
                combination.frequency.sd,
                combination.root_delay,
                combination.root_dispersion,
            ] {
                prop_assert!(number.is_finite() && number >= 0.0, "{combination:?}");
            }
            prop_assert!(combination.frequency.value.is_finite());
            // The interval covers the system peer's.
            let peer = candidates.iter().find(|c| c.source == combination.system_peer).unwrap();
            let peer = peer.view.unwrap();
            let distance = combination.root_delay / 2.0 + combination.root_dispersion;
            let aside = (combination.offset - peer.offset).abs();
            prop_assert!(distance + 1e-12 >= aside + peer.root_distance());
        }
    }

    #[test]
    fn the_order_of_the_candidates_makes_no_difference(
        (first, second) in candidates().prop_flat_map(|c| (Just(c.clone()), Just(c).prop_shuffle())),
    ) {
        let mut selections = [(); 2].map(|()| Selection::new(Settings::default()));
        for _ in 0..3 {
            let mut outcomes = [selections[0].select(&first, None), selections[1].select(&second, None)];
            for outcome in &mut outcomes {
                outcome.verdicts.sort_by_key(|(id, _)| *id);
            }
            prop_assert_eq!(&outcomes[0], &outcomes[1]);
        }
    }

    /// Liars are those whose intervals touch no honest one's; they may agree among themselves.
    #[test]
    fn a_minority_of_liars_is_never_followed(
        honest in prop::collection::vec(honest(), 1..8),
        liars in prop::collection::vec((0.25..0.3f64, 1e-4..0.1f64, prop::bool::ANY), 0..8),
    ) {
        let liars = &liars[..liars.len().min(honest.len() - 1)];
        let truth = honest.iter().map(|(offset, distance)| source(0, *offset, *distance));
        let lies = liars.iter().map(|(lie, distance, sign)| {
            source(0, if *sign { *lie + 0.1 } else { -lie - 0.1 }, *distance)
        });
        let candidates: Vec<_> = (0..)
            .zip(truth.chain(lies))
            .map(|(id, c)| Candidate { source: SourceId(id), ..c })
            .collect();
        let outcome = select(&candidates);
        let chosen = combination(&outcome);
        prop_assert!(chosen.sources.iter().all(|id| (id.0 as usize) < honest.len()), "{:?}", outcome);
        for state in &states(&outcome)[honest.len()..] {
            prop_assert_eq!(*state, State::Falseticker);
        }
        // All that are honest agree, so the truth is in the interval that is passed on.
        let distance = chosen.root_delay / 2.0 + chosen.root_dispersion;
        prop_assert!(chosen.offset.abs() <= distance + 1e-12, "{:?}", chosen);
    }

    #[test]
    fn without_a_majority_every_reason_says_by_how_much(
        distances in prop::collection::vec(1e-4..1e-2f64, 2..10),
    ) {
        let candidates: Vec<_> = (0..)
            .zip(&distances)
            .map(|(id, distance)| source(id, 0.1 * f64::from(id), *distance))
            .collect();
        let outcome = select(&candidates);
        let decision = Decision::NoMajority { agreeing: 1, candidates: distances.len() };
        prop_assert_eq!(&outcome.decision, &decision);
        for (_, verdict) in &outcome.verdicts {
            prop_assert!(verdict.reason.contains("100.0 ms from the nearest"), "{:?}", verdict);
        }
    }
}
