//! A hundred random worlds, and nothing may diverge; `timeball sim matrix --random 10000` goes on.

mod common;

use timeball_sim::random;

/// Keeps the scenario file of a world that went wrong.
fn keep(seed: u64) -> String {
    let path = format!("{}/random-world-{seed}.toml", env!("CARGO_TARGET_TMPDIR"));
    match std::fs::write(&path, random::world(seed).text) {
        Ok(()) => path,
        Err(error) => format!("{path}, which could not be written: {error}"),
    }
}

#[test]
fn a_hundred_random_worlds_and_nothing_diverges() {
    let seeds: Vec<u64> = (0..100).collect();
    let failures = random::run_all(&seeds, None, &|| {});
    let told: Vec<(u64, String)> = failures
        .into_iter()
        .map(|(seed, failure)| (seed, format!("{failure}; see {}", keep(seed))))
        .collect();
    common::assert_none(&told);
}
