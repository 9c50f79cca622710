//! Every scenario of the folder `scenarios/` does what its first lines promise.

mod common;

use common::{load, logged, parse, simulate};
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
        if path.is_dir() {
            continue;
        }
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
        assert!(node.bound.mean < 2e-3, "{:?}", node.bound);
        assert!(node.final_frequency_ppm.abs() < 1.0, "{}", node.final_frequency_ppm);
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
        let off: f64 =
            liar.reason.split(" ms off").next().and_then(|ms| ms.parse().ok()).unwrap_or(0.0);
        assert!((off - 212.0).abs() < 1.0, "{}", liar.reason);
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
        assert!(!logged(node, "jumped"), "a route is no step of the server");
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
        // The bound grows while nothing is heard, and shrinks again.
        let bound_at = |hour: f64| {
            let point = node.series.iter().find(|point| point.at >= hour * 3600.0);
            point.and_then(|point| point.bound).expect("a bound is claimed all the time")
        };
        let (before, late, after) = (bound_at(5.5), bound_at(17.5), bound_at(23.0));
        assert!(late > 3.0 * before && after < late / 2.0, "{before} {late} {after}");
    });
}

#[test]
fn a_leap_second_passes_through_the_kernel() {
    each_seed("leap-second", |node| {
        covered(node);
        assert!(logged(node, "a leap second will be inserted"), "{:?}", node.log);
        assert!(logged(node, "the leap second has passed"), "{:?}", node.log);
        assert_eq!(node.steps, 0, "the kernel makes it, not we");
        assert!(!logged(node, "somebody else stepped"), "nor anybody else");
        assert!(node.error.max < 2e-3, "{:?}", node.error);
        assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
        assert_eq!(state(node, "unaware"), Some(State::Falseticker));
    });
}

#[test]
fn a_false_leap_second_is_not_believed() {
    each_seed("false-leap", |node| {
        covered(node);
        assert!(node.error.max < 0.01, "{:?}", node.error);
        assert!(!logged(node, "leap second will be"), "{:?}", node.log);
    });
}

#[test]
fn a_foreign_step_is_taken_back() {
    each_seed("foreign-step", |node| {
        covered(node);
        assert!(logged(node, "somebody else stepped the system clock by +5.000000 s"));
        assert!(logged(node, "somebody else stepped the system clock by -0.040000 s"));
        assert!(logged(node, "somebody else changed the clock's frequency"));
        assert_eq!((node.steps, node.all_steps), (1, 3), "40 ms are slewed away");
        assert!(!logged(node, "not synchronised"), "no source is lost by it");
        assert!(node.error.p99 < 2e-3, "{:?}", node.error);
        assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
    });
}

#[test]
fn suspend() {
    each_seed("suspend", |node| {
        covered(node);
        assert!(logged(node, "resumed after 3600.4 s"), "{:?}", node.log);
        assert!(!logged(node, "somebody else stepped"));
        assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
    });
}

#[test]
fn nothing_befalls_a_machine_that_sleeps() {
    let scenario = parse(
        r#"
title = "Somebody wants to change the frequency of a clock whose machine sleeps"
seed = 1
duration = "2 h"

[[node]]
name = "laptop"
server = [{ address = "a" }]

[[server]]
name = "a"

[[link]]
between = ["laptop", "a"]
both = { delay = "5 ms", jitter = { exponential = "0.1 ms" } }

[[event]]
at = "30 min"
node = "laptop"
do = { suspend = { for = "10 min", rtc-error = "0 s" } }

[[event]]
at = "35 min"
node = "laptop"
do = { frequency = "50 ppm" }
"#,
    );
    let node = &simulate(&scenario, scenario.seed).nodes[0];
    assert!(logged(node, "resumed after 600"), "{:?}", node.log);
    assert!(logged(node, "somebody else changed the clock's frequency"), "{:?}", node.log);
    assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
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
        // Without overshooting by more than a third, and back.
        assert!(node.error.max < 40e-3, "{:?}", node.error);
        assert!(node.error.last.abs() < 1e-3, "{:?}", node.error);
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
        // A datagram of every kind came, and was counted under the rule that it broke.
        for rule in [
            "wrong-origin",
            "zero-origin",
            "control-message",
            "private-message",
            "malformed",
            "oversized",
            "wrong-source",
            "wrong-mode",
        ] {
            let count = node.rejected.get(rule).copied().unwrap_or(0);
            assert!(count >= 10, "{rule}: {:?}", node.rejected);
        }
    });
}

#[test]
fn a_chain_of_servers_keeps_time_at_its_end() {
    let scenario = load("chain-of-servers");
    for seed in [scenario.seed, 1001, 1002] {
        let outcome = simulate(&scenario, seed);
        for node in &outcome.nodes {
            covered(node);
            assert!(node.error.rms < 1e-3, "{}: {:?}", node.name, node.error);
        }
        // Following a machine that follows us would be going round in circles.
        let second = outcome.node("second").expect("the first link of the chain");
        let loops = second.rejected.get("synchronisation-loop");
        assert!(loops.is_some_and(|loops| *loops > 50), "{:?}", second.rejected);
        assert!(second.packets.served > 100, "{:?}", second.packets);
    }
}

#[test]
fn the_guide_shows_scenarios_that_exist() {
    let guide = include_str!("../../../docs/guide/simulation.md");
    let mut blocks = guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next());
    let whole = blocks.next().flatten().expect("the example");
    parse(whole);
    // The others are parts, each of which goes with the example.
    let hosts = ["p1", "p2", "p3"].map(|name| format!("[[server]]\nname = \"{name}\"\n")).concat();
    let mut parts = 0;
    for part in blocks {
        let part = part.expect("the end of a block");
        parse(&format!("{whole}\n{hosts}\n{part}"));
        parts += 1;
    }
    assert_eq!(parts, 3);
}
