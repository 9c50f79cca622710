//! The same seed gives the same world, bit by bit; another seed another.

mod common;

use common::{load, simulate};
use timeball_sim::{Progress, run};

#[test]
fn the_same_seed_gives_the_same_outcome_and_another_one_another() {
    for name in ["packet-loss", "three-servers-one-liar", "attack", "chain-of-servers"] {
        let scenario = load(name);
        let first = simulate(&scenario, 5);
        assert_eq!(first, simulate(&scenario, 5));
        let other = simulate(&scenario, 6);
        assert_ne!(first.nodes[0].error, other.nodes[0].error);
    }
}

#[test]
fn threads_do_not_meet() {
    let scenario = load("attack");
    let alone = run(&scenario, 3, &mut |_| {}).unwrap();
    let together: Vec<_> = std::thread::scope(|scope| {
        let runs = [3, 4, 3].map(|seed| {
            scope.spawn({
                let scenario = &scenario;
                move || run(scenario, seed, &mut |_| {}).unwrap()
            })
        });
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!((&together[0], &together[2]), (&alone, &alone));
}

#[test]
fn progress_goes_from_start_to_end() {
    let mut scenario = load("lan");
    scenario.duration = 3600.0;
    scenario.settle = None;
    let mut reports: Vec<Progress> = Vec::new();
    run(&scenario, 1, &mut |progress| reports.push(progress)).unwrap();
    assert!((100..=1002).contains(&reports.len()), "{}", reports.len());
    assert!(reports.windows(2).all(|pair| pair[0].elapsed <= pair[1].elapsed));
    assert_eq!(reports.last().map(|last| last.elapsed), Some(3600.0));
}
