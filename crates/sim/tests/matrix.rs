//! Every scenario of the folder `scenarios/matrix/` once: no clock diverges, no liar is followed, and the
//! claimed bounds hold.

mod common;

use common::load_all;
use timeball_sim::matrix;

const SEED: u64 = 1;
/// Share of the claimed bounds that have to be true over all scenarios.
const LEAST_COVERED: f64 = 0.995;

#[test]
fn the_whole_matrix_once() {
    let scenarios = load_all("matrix");
    assert!(scenarios.len() >= 50, "{} scenarios", scenarios.len());
    println!("seed {SEED}");
    let matrix = matrix::run_all(&scenarios, &[SEED], &|| {}).expect("every world runs");
    let mut covered = 0.0;
    for (name, runs) in &matrix {
        let run = &runs[&SEED];
        assert!(run.converged_after.is_some(), "{name} diverged: {run:?}");
        assert_eq!(run.liar_samples, 0, "{name} followed a liar: {run:?}");
        assert!(run.max.is_finite() && run.requests > 0, "{name}: {run:?}");
        covered += run.covered / scenarios.len() as f64;
    }
    assert!(covered >= LEAST_COVERED, "{covered}");
}
