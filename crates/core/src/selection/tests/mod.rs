//! Selection as its users see it.

mod authentication;
mod convictions;
mod decisions;
mod orphans;
mod properties;
mod system_peer;
mod verdicts;

use timeball_wire::{LeapIndicator, ReferenceId};

use super::*;
use crate::estimator::Frequency;

/// A healthy source at `offset` ± `distance` (s).
fn source(id: u32, offset: f64, distance: f64) -> Candidate {
    Candidate {
        source: SourceId(id),
        options: Options::default(),
        proof: Proof::None,
        reach: Reach::Reachable,
        updated: true,
        leap: LeapIndicator::NoWarning,
        stratum: 2,
        reference_id: ReferenceId::from_bytes([192, 0, 2, id as u8]),
        view: Some(View {
            offset,
            offset_sd: distance / 20.0,
            frequency: Frequency { value: 10e-6, sd: 1e-7 },
            jitter: distance / 10.0,
            root_delay: distance,
            root_dispersion: distance / 2.0,
            samples: 8,
            newest: 10.0,
            oldest: 500.0,
        }),
    }
}

fn with_options(candidate: Candidate, set: impl Fn(&mut Options)) -> Candidate {
    let mut options = candidate.options;
    set(&mut options);
    Candidate { options, ..candidate }
}

fn with_view(candidate: Candidate, change: impl Fn(&mut View)) -> Candidate {
    let mut view = candidate.view.unwrap();
    change(&mut view);
    Candidate { view: Some(view), ..candidate }
}

/// The outcome of a first round.
fn select(candidates: &[Candidate]) -> Outcome {
    Selection::new(Settings::default()).select(candidates, None)
}

fn states(outcome: &Outcome) -> Vec<State> {
    outcome.verdicts.iter().map(|(_, verdict)| verdict.state).collect()
}

fn reason(outcome: &Outcome, index: usize) -> &str {
    &outcome.verdicts[index].1.reason
}

fn combination(outcome: &Outcome) -> &Combination {
    match &outcome.decision {
        Decision::Synchronise(combination) => combination,
        other => panic!("{other}: {:?}", outcome.verdicts),
    }
}
