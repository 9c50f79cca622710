//! What the tests of the simulated world share.

use timeball_sim::{Outcome, Scenario, run};

/// A scenario of the folder `scenarios/`.
pub fn scenario(name: &str) -> Scenario {
    let path = format!("{}/../../scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    Scenario::from_toml(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a scenario to its end; every failure after this line belongs to the seed it prints.
pub fn simulate(scenario: &Scenario, seed: u64) -> Outcome {
    println!("{:?} with seed {seed}", scenario.title);
    run(scenario, seed, &mut |_| {}).expect("the world runs")
}
