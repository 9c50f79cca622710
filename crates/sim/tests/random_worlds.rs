//! A thousand random worlds: random oscillators, paths, minorities of liars, and things that happen
//! to the machine. Nothing may diverge.

mod common;

use common::random::{RandomScenario, random_scenario};
use common::{assert_none, for_seeds};
use timeball_sim::outcome::NodeOutcome;
use timeball_sim::{Scenario, run_watched};

/// Largest correction the settings allow: frequency and slew (ppm).
const MAX_CORRECTION: f64 = 500.0 + 1000.0;
/// A clock has been left alone for this long (s) at least when its frequency is looked at.
const LEFT_ALONE: f64 = 3600.0;

fn run_world(seed: u64) -> Result<(), String> {
    let world = random_scenario(seed);
    let scenario = Scenario::from_toml(&world.text).map_err(|error| error.to_string())?;
    let mut worst_correction = 0.0_f64;
    let mut finite = true;
    let mut settled = 0.0;
    let outcome = run_watched(&scenario, seed, &mut |_| {}, &mut |look| {
        let Some(report) = look.report else { return };
        let tracking = &report.tracking;
        let slew = tracking.kernel_frequency_ppm - tracking.frequency_ppm;
        settled = look.frequency_error_ppm - slew;
        worst_correction = worst_correction.max(tracking.kernel_frequency_ppm.abs());
        let numbers = [
            Some(look.error),
            tracking.offset,
            tracking.offset_bound,
            Some(tracking.frequency_ppm),
            Some(tracking.kernel_frequency_ppm),
            Some(tracking.root_dispersion),
        ];
        finite &= numbers.into_iter().flatten().all(f64::is_finite);
    })
    .map_err(|error| error.to_string())?;
    let node = outcome.node("node").ok_or("there is no node")?;
    if !finite {
        return Err("a number is not finite".to_owned());
    }
    if worst_correction > MAX_CORRECTION + 0.1 {
        return Err(format!("corrected by {worst_correction} ppm"));
    }
    // What the path may hide, read as a slope, and a little for the wander since the last look.
    if f64::abs(settled) > 3.0 + world.path_error / LEFT_ALONE * 1e6 {
        return Err(format!("ends {settled} ppm off"));
    }
    judge(&world, node)
}

fn judge(world: &RandomScenario, node: &NodeOutcome) -> Result<(), String> {
    if node.error.last.abs() > world.path_error {
        return Err(format!(
            "ends {} s off, {} s expected at most",
            node.error.last, world.path_error
        ));
    }
    if node.bound.covered < 0.98 || node.bound.claimed < 0.5 {
        return Err(format!("{:?}", node.bound));
    }
    if node.liar_samples() > 0 {
        return Err(format!("followed liars: {:?}", node.liars_followed));
    }
    Ok(())
}

/// Keeps the scenario file of a world that went wrong.
fn keep(seed: u64) -> String {
    let path = format!("{}/random-world-{seed}.toml", env!("CARGO_TARGET_TMPDIR"));
    match std::fs::write(&path, random_scenario(seed).text) {
        Ok(()) => path,
        Err(error) => format!("{path}, which could not be written: {error}"),
    }
}

#[test]
fn a_thousand_random_worlds_and_nothing_diverges() {
    assert_none(&for_seeds(0..1000, |seed| {
        run_world(seed).map_err(|failure| format!("{failure}; see {}", keep(seed)))
    }));
}
