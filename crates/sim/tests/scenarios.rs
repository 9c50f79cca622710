//! Every scenario of the folder `scenarios/` does what its first lines promise.

mod common;

use common::{load, simulate};
use timeball_core::selection::State;
use timeball_sim::outcome::{NodeOutcome, Severity};

/// Runs a scenario with its own seed and two more, and hands its first node to `check`.
fn each_seed(name: &str, check: impl Fn(&NodeOutcome)) {
    let scenario = load(name);
    for seed in [scenario.seed, 1001, 1002] {
        check(&simulate(&scenario, seed).nodes[0]);
    }
}

fn state(node: &NodeOutcome, source: &str) -> Option<State> {
    node.sources.iter().find(|found| found.name == source).map(|found| found.state)
}

fn logged(node: &NodeOutcome, text: &str) -> bool {
    node.log.iter().any(|line| line.text.contains(text))
}

fn covered(node: &NodeOutcome) {
    assert!(node.bound.covered >= 0.99, "{:?}", node.bound);
    assert!(node.kernel_bound.covered >= 0.99, "{:?}", node.kernel_bound);
}

#[test]
fn every_scenario_has_a_test_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    let this_file = include_str!("scenarios.rs");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of scenarios") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        files += 1;
        let tested = this_file.contains(&format!("\"{name}\""));
        assert!(tested || name == "week", "no test of {name}");
    }
    assert!(files >= 10, "{files} scenarios");
}

#[test]
fn lan() {
    each_seed("lan", |node| {
        covered(node);
        assert!(node.error.rms < 20e-6, "{:?}", node.error);
        assert!(node.converged_after.is_some_and(|at| at < 120.0), "{:?}", node.converged_after);
    });
}

#[test]
fn wan() {
    each_seed("wan", |node| {
        covered(node);
        assert!(node.error.rms < 1e-3, "{:?}", node.error);
    });
}

#[test]
fn one_liar_of_three_is_found_out() {
    each_seed("three-servers-one-liar", |node| {
        covered(node);
        assert_eq!(state(node, "liar"), Some(State::Falseticker));
        assert_eq!(node.liar_samples(), 0, "{:?}", node.liars_followed);
        assert!(node.error.max < 1e-3, "{:?}", node.error);
        let liar = node.sources.iter().find(|source| source.name == "liar").expect("the liar");
        assert!(liar.reason.contains("212"), "{}", liar.reason);
    });
}

#[test]
fn three_liars_of_seven_are_found_out() {
    each_seed("seven-servers-three-liars", |node| {
        covered(node);
        assert_eq!(node.liar_samples(), 0, "{:?}", node.liars_followed);
        for liar in ["liar", "creeper", "turncoat"] {
            assert_eq!(state(node, liar), Some(State::Falseticker), "{liar}");
        }
        assert!(node.error.max < 2e-3, "{:?}", node.error);
    });
}

#[test]
fn no_majority_is_an_alarm_and_no_time() {
    each_seed("no-majority", |node| {
        assert_eq!(node.bound.claimed, 0.0, "never synchronised");
        assert!(node.alarms(Severity::Warning).any(|line| line.text.contains("no majority")));
        assert_eq!(node.all_steps, 0);
    });
}

#[test]
fn packet_loss() {
    each_seed("packet-loss", |node| {
        covered(node);
        assert!(node.error.rms < 2e-3, "{:?}", node.error);
    });
}

#[test]
fn a_route_that_changes_stays_within_the_bound() {
    each_seed("route-change", |node| {
        covered(node);
        assert!(node.error.max < 10e-3, "{:?}", node.error);
    });
}

#[test]
fn temperature_cycle() {
    each_seed("temperature-cycle", |node| {
        covered(node);
        assert!(node.error.max < 1e-3, "{:?}", node.error);
    });
}

#[test]
fn holdover_is_honest() {
    each_seed("holdover", |node| {
        covered(node);
        assert!(node.error.max < 0.1, "{:?}", node.error);
    });
}

#[test]
fn a_leap_second_passes_through_the_kernel() {
    each_seed("leap-second", |node| {
        covered(node);
        assert!(logged(node, "a leap second will be inserted"), "{:?}", node.log);
        assert!(logged(node, "the leap second has passed"), "{:?}", node.log);
        assert_eq!(node.steps, 0, "the kernel makes it, not we");
        assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
        assert_eq!(state(node, "unaware"), Some(State::Falseticker));
    });
}

#[test]
fn a_false_leap_second_is_not_believed() {
    each_seed("false-leap", |node| {
        covered(node);
        assert!(node.error.max < 0.01, "{:?}", node.error);
    });
}

#[test]
fn a_foreign_step_is_taken_back() {
    each_seed("foreign-step", |node| {
        covered(node);
        assert!(logged(node, "somebody else stepped the system clock"));
        assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
    });
}

#[test]
fn suspend() {
    each_seed("suspend", |node| {
        covered(node);
        assert!(logged(node, "resumed after"));
        assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
    });
}

#[test]
fn a_pool_gets_rid_of_what_is_no_good() {
    each_seed("pool-replacement", |node| {
        covered(node);
        assert!(logged(node, "replaced by"));
        let good = |state| matches!(state, State::Selected | State::Combined | State::Outlier);
        assert!(node.sources.iter().all(|source| good(source.state)), "{:?}", node.sources);
    });
}

#[test]
fn a_kiss_slows_down_and_hurts_nobody() {
    each_seed("kod-rate", |node| {
        covered(node);
        assert!(node.rejected.get("kiss-of-death").is_some_and(|kisses| *kisses < 40));
        assert!(node.error.max < 5e-3, "{:?}", node.error);
    });
}

#[test]
fn a_lone_server_that_steps_is_followed_in_the_end() {
    each_seed("server-step", |node| {
        assert!(logged(node, "jumped by"), "{:?}", node.log);
        assert!(node.error.max < 1.0, "{:?}", node.error);
    });
}

#[test]
fn old_answers_are_worth_nothing() {
    each_seed("replaying-server", |node| {
        covered(node);
        assert!(node.error.max < 2e-3, "{:?}", node.error);
        let refused: u64 = ["duplicate-transmit", "wrong-origin", "unsolicited"]
            .iter()
            .filter_map(|rule| node.rejected.get(*rule))
            .sum();
        assert!(refused > 0, "{:?}", node.rejected);
    });
}

#[test]
fn forged_datagrams_change_nothing_but_counters() {
    each_seed("attack", |node| {
        covered(node);
        assert!(node.error.max < 1e-3, "{:?}", node.error);
        assert!(!logged(node, "says RATE") && !logged(node, "says DENY"), "{:?}", node.log);
        for rule in
            ["wrong-origin", "zero-origin", "control-message", "private-message", "malformed"]
        {
            assert!(node.rejected.contains_key(rule), "{rule}: {:?}", node.rejected);
        }
    });
}

#[test]
fn a_chain_of_servers_keeps_time_at_its_end() {
    let scenario = load("chain-of-servers");
    for seed in [scenario.seed, 1001, 1002] {
        for node in &simulate(&scenario, seed).nodes {
            covered(node);
            assert!(node.error.rms < 1e-3, "{}: {:?}", node.name, node.error);
        }
    }
}
