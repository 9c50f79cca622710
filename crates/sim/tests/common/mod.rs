//! What the tests of whole simulations share.
#![allow(dead_code, unreachable_pub, reason = "every test uses some of it")]
#![allow(clippy::panic, clippy::expect_used, reason = "a failed test panics")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use timeball_sim::outcome::NodeOutcome;
use timeball_sim::{Outcome, Scenario, parallel, run};

/// The folder of scenario files.
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// The scenario of this file.
pub fn load(name: &str) -> Scenario {
    let path = scenarios().join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    parse(&text)
}

/// All scenarios of this folder in the folder of scenario files, by name.
pub fn load_all(folder: &str) -> BTreeMap<String, Scenario> {
    let entries = std::fs::read_dir(scenarios().join(folder)).expect("a folder of scenarios");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let scenario = load(&format!("{folder}/{name}"));
            (name, scenario)
        })
        .collect()
}

/// The scenario that a text describes.
pub fn parse(text: &str) -> Scenario {
    Scenario::from_toml(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Runs a scenario to its end; every failure after the line that it prints belongs to that seed.
pub fn simulate(scenario: &Scenario, seed: u64) -> Outcome {
    println!("{:?} with seed {seed}", scenario.title);
    run(scenario, seed, &mut |_| {}).expect("the world runs")
}

/// Calls `test` with every seed of a range and returns what went wrong, by seed.
pub fn for_seeds(
    seeds: std::ops::Range<u64>,
    test: impl Fn(u64) -> Result<(), String> + Sync,
) -> Vec<(u64, String)> {
    let seeds: Vec<u64> = seeds.collect();
    let results = parallel::map(&seeds, |seed| {
        // An engine that panics is to be reported with its seed too.
        catch_unwind(AssertUnwindSafe(|| test(*seed)))
            .unwrap_or_else(|_| Err("panicked".to_owned()))
    });
    seeds
        .into_iter()
        .zip(results)
        .filter_map(|(seed, result)| Some((seed, result.err()?)))
        .collect()
}

/// Fails with every seed that went wrong.
#[track_caller]
pub fn assert_none(failures: &[(u64, String)]) {
    let lines: Vec<String> =
        failures.iter().map(|(seed, failure)| format!("seed {seed}: {failure}")).collect();
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), lines.join("\n"));
}

/// True if the node's log has a line with this text.
pub fn logged(node: &NodeOutcome, text: &str) -> bool {
    node.log.iter().any(|line| line.text.contains(text))
}
