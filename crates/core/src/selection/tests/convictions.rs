//! Liars that are left alone.

use super::*;

fn honest(id: u32, reach: Reach) -> Candidate {
    // What was measured before the silence is too old for all but the first rounds of it.
    let newest = if reach == Reach::Reachable { 10.0 } else { 1e6 };
    Candidate { reach, ..with_view(source(id, 0.0, 1e-3), |v| v.newest = newest) }
}

fn liar(id: u32) -> Candidate {
    source(id, 1.0, 1e-3)
}

const SILENT: Reach = Reach::Silent { polls: 9 };

#[test]
fn a_falseticker_is_not_followed_because_the_others_fall_silent() {
    let mut selection = Selection::new(Settings::default());
    let all = [honest(1, Reach::Reachable), honest(2, Reach::Reachable), liar(3)];
    combination(&selection.select(&all, None));
    for polls in 8..64 {
        let reach = Reach::Silent { polls };
        let outcome = selection.select(&[honest(1, reach), honest(2, reach), liar(3)], None);
        assert_eq!(outcome.decision, Decision::NoneSelectable, "{polls} polls");
        assert_eq!(states(&outcome)[2], State::Falseticker);
        assert_eq!(reason(&outcome, 2), "2 others that do not answer found it wrong");
    }
    let back = selection.select(&[honest(1, Reach::Reachable), honest(2, SILENT), liar(3)], None);
    assert_eq!(back.decision, Decision::NoMajority { agreeing: 1, candidates: 2 });
}

#[test]
fn when_the_others_are_gone_for_good_it_is_all_there_is() {
    for gone in [Reach::Silent { polls: 64 }, Reach::GivenUp] {
        let mut selection = Selection::new(Settings::default());
        selection
            .select(&[honest(1, Reach::Reachable), honest(2, Reach::Reachable), liar(3)], None);
        let outcome = selection.select(&[honest(1, gone), honest(2, gone), liar(3)], None);
        assert_eq!(combination(&outcome).sources, [SourceId(3)]);
    }
    let mut selection = Selection::new(Settings::default());
    selection.select(&[honest(1, Reach::Reachable), honest(2, Reach::Reachable), liar(3)], None);
    let outcome = selection.select(&[liar(3)], None);
    assert_eq!(combination(&outcome).sources, [SourceId(3)], "removed from the configuration");
}

#[test]
fn somebody_new_who_agrees_acquits_it() {
    let mut selection = Selection::new(Settings::default());
    selection.select(&[honest(1, Reach::Reachable), honest(2, Reach::Reachable), liar(3)], None);
    let silent = [honest(1, SILENT), honest(2, SILENT)];
    let outcome = selection.select(&[silent[0], silent[1], liar(3), liar(4)], None);
    assert_eq!(combination(&outcome).sources.len(), 2);
    let outcome = selection.select(&[silent[0], silent[1], liar(3)], None);
    assert_eq!(combination(&outcome).sources, [SourceId(3)]);
}

#[test]
fn a_source_that_came_to_its_senses_is_followed_alone() {
    let mut selection = Selection::new(Settings::default());
    let others = [honest(1, Reach::Reachable), honest(2, Reach::Reachable)];
    selection.select(&[others[0], others[1], liar(3)], None);
    selection.select(&[others[0], others[1], honest(3, Reach::Reachable)], None);
    let outcome = selection
        .select(&[honest(1, SILENT), honest(2, SILENT), honest(3, Reach::Reachable)], None);
    assert_eq!(combination(&outcome).sources, [SourceId(3)]);
}

#[test]
fn conspirators_do_not_outvote_the_last_of_those_who_exposed_them() {
    let mut selection = Selection::new(Settings::default());
    let liars = [liar(4), liar(5)];
    let everybody: Vec<_> = (1..=3).map(|id| honest(id, Reach::Reachable)).chain(liars).collect();
    assert_eq!(combination(&selection.select(&everybody, None)).sources.len(), 3);
    let left =
        [honest(1, SILENT), honest(2, SILENT), honest(3, Reach::Reachable), liar(4), liar(5)];
    assert_eq!(selection.select(&left, None).decision, Decision::NoneSelectable);
}
