//! What the tests of whole simulations share.
#![allow(dead_code, unreachable_pub, reason = "every test uses some of it")]
#![allow(clippy::panic, clippy::expect_used, reason = "a failed test panics")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use timeball_sim::outcome::NodeOutcome;
use timeball_sim::{Outcome, Scenario, run};

pub mod random;

/// The folder of scenario files.
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// The scenario of this file.
pub fn load(name: &str) -> Scenario {
    let path = scenarios().join(name).with_extension("toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    parse(&text)
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

/// Calls `test` with every seed of a range, on two threads, and returns what went wrong, by seed.
pub fn for_seeds(
    seeds: std::ops::Range<u64>,
    test: impl Fn(u64) -> Result<(), String> + Sync,
) -> Vec<(u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return failures;
            }
            // An engine that panics is to be reported with its seed too.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(seed)));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => failures.push((seed, failure)),
                Err(_) => failures.push((seed, "panicked".to_owned())),
            }
        }
    };
    let mut failures = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut failures = work();
        failures.extend(other.join().unwrap_or_default());
        failures
    });
    failures.sort();
    failures
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
