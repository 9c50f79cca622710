//! Servers that have only each other.

use super::*;

const SELF: Orphan = Orphan { stratum: 10, reference_id: ReferenceId::from_bytes([192, 0, 2, 5]) };

fn at_stratum(stratum: u8, id: u32) -> Candidate {
    Candidate { stratum, ..source(id, 0.0, 1e-3) }
}

fn outcome(candidates: &[Candidate]) -> Outcome {
    Selection::new(Settings::default()).select(candidates, Some(&SELF))
}

#[test]
fn orphans_are_ignored_beside_a_better_source() {
    let outcome = outcome(&[at_stratum(9, 3), at_stratum(10, 1), at_stratum(11, 2)]);
    assert_eq!(states(&outcome), [State::Selected, State::Orphan, State::Orphan]);
}

#[test]
fn of_orphans_the_one_with_the_smallest_reference_id_leads() {
    let outcome = outcome(&[at_stratum(10, 7), at_stratum(10, 4), at_stratum(10, 3)]);
    assert_eq!(states(&outcome), [State::Orphan, State::Orphan, State::Selected]);
    let outcome = self::outcome(&[at_stratum(10, 7), at_stratum(10, 6)]);
    assert_eq!(states(&outcome), [State::Orphan; 2], "this machine leads");
    assert_eq!(outcome.decision, Decision::NoneSelectable);
}

#[test]
fn who_follows_an_orphan_does_not_lead() {
    let outcome = outcome(&[at_stratum(11, 1), at_stratum(10, 7)]);
    assert_eq!(states(&outcome), [State::Orphan; 2]);
}
