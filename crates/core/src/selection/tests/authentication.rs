//! What the policy of authentication makes of each source.

use super::*;
use AuthenticationPolicy::{Ignore, Mix, Prefer, Require};

fn outcome(policy: AuthenticationPolicy, candidates: &[Candidate]) -> Outcome {
    let settings = Settings { authentication: policy, ..Settings::default() };
    Selection::new(settings).select(candidates, None)
}

fn proven(candidate: Candidate) -> Candidate {
    Candidate { proof: Proof::Key, ..candidate }
}

#[test]
fn without_any_proof_only_require_leaves_nobody() {
    let plain = [source(1, 0.0, 1e-3), source(2, 0.0, 1e-3)];
    for policy in [Prefer, Mix, Ignore] {
        assert_eq!(combination(&outcome(policy, &plain)).sources.len(), 2, "{policy:?}");
    }
    let outcome = outcome(Require, &plain);
    assert_eq!(outcome.decision, Decision::NoneSelectable);
    assert_eq!(states(&outcome), [State::Unselectable; 2]);
    assert_eq!(
        reason(&outcome, 0),
        "not authenticated, and only authenticated sources may be used"
    );
}

/// chrony's own test: the one that is proven is wrong, the two others agree.
#[test]
fn a_proven_liar_is_followed_unless_proof_is_ignored() {
    let candidates = [proven(source(1, 1.0, 1e-3)), source(2, 0.0, 1e-3), source(3, 0.0, 1e-3)];
    for policy in [Require, Prefer, Mix] {
        let outcome = outcome(policy, &candidates);
        assert_eq!(combination(&outcome).sources, [SourceId(1)], "{policy:?}");
    }
    assert_eq!(combination(&outcome(Ignore, &candidates)).sources.len(), 2);
}

#[test]
fn mixed_sources_need_a_proven_one_that_agrees() {
    let silent = Candidate { reach: Reach::GivenUp, ..proven(source(1, 0.0, 1e-3)) };
    let outcome = outcome(Mix, &[silent, source(2, 0.0, 1e-3), source(3, 0.0, 1e-3)]);
    assert_eq!(outcome.decision, Decision::RequiredMissing(SourceId(1)));
    let options = outcome.standings[&SourceId(1)].options;
    assert!(options.trust && options.require);
    assert_eq!(outcome.standings[&SourceId(2)].options, Options::default());
}

#[test]
fn a_clock_of_this_machine_needs_no_proof_and_is_none() {
    let clock = Candidate { proof: Proof::Local, ..source(1, 0.0, 1e-3) };
    let plain = source(2, 0.0, 1e-3);
    for policy in [Require, Prefer, Mix, Ignore] {
        assert_eq!(combination(&outcome(policy, &[clock])).sources, [SourceId(1)], "{policy:?}");
    }
    assert_eq!(combination(&outcome(Prefer, &[clock, plain])).sources.len(), 2);
    let options = |outcome: &Outcome| outcome.standings[&SourceId(1)].options;
    assert_eq!(options(&outcome(Mix, &[clock, plain])), Options::default());
    let mixed = outcome(Mix, &[clock, plain, proven(source(3, 0.0, 1e-3))]);
    assert!(options(&mixed).trust && options(&mixed).require);
}

#[test]
fn a_proven_source_that_is_only_watched_changes_nothing() {
    let watched = with_options(proven(source(1, 0.0, 1e-3)), |o| o.noselect = true);
    for policy in [Prefer, Mix, Ignore] {
        let outcome = outcome(policy, &[watched, source(2, 0.0, 1e-3)]);
        assert_eq!(combination(&outcome).sources, [SourceId(2)], "{policy:?}");
    }
}
