//! A seed is a world.

mod common;

use common::{load, simulate};

#[test]
fn the_same_seed_gives_the_same_outcome_and_another_one_another() {
    for name in ["three-servers-one-liar", "attack", "chain-of-servers"] {
        let scenario = load(name);
        let first = simulate(&scenario, 5);
        assert_eq!(first, simulate(&scenario, 5));
        let other = simulate(&scenario, 6);
        assert_ne!(first.nodes[0].error, other.nodes[0].error);
    }
}
