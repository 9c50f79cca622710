//! A week with packet loss, a route change and days and nights: the bound holds.

mod common;

use common::{load, simulate};

#[test]
fn the_claimed_bound_contains_the_true_error_in_99_of_100_samples() {
    let scenario = load("week");
    for seed in 1..=8 {
        let outcome = simulate(&scenario, seed);
        let node = &outcome.nodes[0];
        println!("  {:?} {:?}", node.bound, node.error);
        assert!(node.bound.covered >= 0.99, "{:?}", node.bound);
        assert!(node.bound.claimed >= 0.99, "{:?}", node.bound);
        assert!(node.error.max < 0.05, "{:?}", node.error);
    }
}
