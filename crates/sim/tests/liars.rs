//! Liars among seven servers, over many seeds: never followed while a majority is honest, and an
//! alarm when there is none.

mod common;

use std::fmt::Write;

use common::{assert_none, for_seeds, logged};
use timeball_sim::noise::Stream;
use timeball_sim::outcome::NodeOutcome;
use timeball_sim::{Scenario, run};

const SERVERS: u64 = 7;
const SEEDS: std::ops::Range<u64> = 0..60;

/// How the liars lie.
#[derive(Clone, Copy, Debug)]
enum Lies {
    /// Each something else.
    Apart,
    /// All the same, as a conspiracy would.
    Together,
}

/// Seven servers on random paths, the first `liars` of which lie by 50 ms to 100 s, from the start
/// or later.
fn scenario(seed: u64, liars: u64, lies: Lies) -> String {
    let mut luck = Stream::new(seed, "liars");
    let mut text =
        "title = \"liars\"\nduration = \"2 h\"\nsettle = \"20 min\"\nsample = 5\n[[node]]\n"
            .to_owned();
    let _ = writeln!(text, "name = \"node\"\noffset = {:.3}", luck.uniform(-10.0, 10.0));
    let frequency = luck.uniform(-50.0, 50.0);
    let _ = writeln!(text, "oscillator = {{ frequency = \"{frequency:.2} ppm\", wander = 1e-9 }}");
    let _ = write!(text, "server = [");
    // The order says nothing about who lies.
    let first = luck.below(SERVERS);
    for index in 0..SERVERS {
        let server = (first + index) % SERVERS;
        let minpoll = 4 + luck.below(3);
        let _ = write!(text, "{{ address = \"s{server}\", minpoll = {minpoll}, maxpoll = 8 }}, ");
    }
    let _ = writeln!(text, "]");
    let mut offset = 0.0;
    let start = if luck.chance(0.5) { 0.0 } else { luck.uniform(0.0, 5400.0) };
    for server in 0..SERVERS {
        let _ = writeln!(text, "[[server]]\nname = \"s{server}\"");
        if server < liars {
            match lies {
                Lies::Together if server > 0 => {}
                Lies::Together | Lies::Apart => {
                    let sign = if luck.chance(0.5) { 1.0 } else { -1.0 };
                    offset = sign * 10_f64.powf(luck.uniform(-1.3, 2.0));
                }
            }
            let _ = writeln!(
                text,
                "lies = [{{ during = {{ from = {start:.0} }}, offset = {offset:.4} }}]"
            );
        }
        let delay = 10_f64.powf(luck.uniform(-3.7, -2.0));
        let _ = writeln!(text, "[[link]]\nbetween = [\"node\", \"s{server}\"]");
        let jitter = delay * luck.uniform(0.01, 0.2);
        let _ = writeln!(
            text,
            "both = {{ delay = {delay:.6}, jitter = {{ exponential = {jitter:.7} }} }}"
        );
    }
    text
}

fn run_node(text: &str, seed: u64) -> Result<NodeOutcome, String> {
    let scenario = Scenario::from_toml(text).map_err(|error| error.to_string())?;
    let outcome = run(&scenario, seed, &mut |_| {}).map_err(|error| error.to_string())?;
    outcome.node("node").cloned().ok_or_else(|| "there is no node".to_owned())
}

fn honest_majority(seed: u64, liars: u64, lies: Lies) -> Result<(), String> {
    let node = run_node(&scenario(seed, liars, lies), seed)?;
    if node.liar_samples() > 0 {
        return Err(format!("{liars} liars, {lies:?}: followed {:?}", node.liars_followed));
    }
    if node.error.max > 20e-3 || node.bound.claimed < 0.95 || node.bound.covered < 0.99 {
        return Err(format!("{liars} liars, {lies:?}: {:?}, {:?}", node.error, node.bound));
    }
    Ok(())
}

#[test]
fn one_two_or_three_liars_of_seven_are_never_followed() {
    println!("seeds {SEEDS:?}");
    let mut failures = Vec::new();
    for lies in [Lies::Apart, Lies::Together] {
        for liars in 1..=3 {
            failures.extend(for_seeds(SEEDS, |seed| honest_majority(seed, liars, lies)));
        }
    }
    assert_none(&failures);
}

#[test]
fn without_a_majority_there_is_an_alarm_and_nobody_is_followed() {
    println!("seeds {SEEDS:?}");
    // Four liars of seven who each say something else: three agree, which is no majority.
    let failures = for_seeds(SEEDS, |seed| {
        let text = scenario(seed, 4, Lies::Apart);
        let node = run_node(&text, seed)?;
        if !logged(&node, "not synchronised: no majority") {
            return Err("no alarm".to_owned());
        }
        if node.liar_samples() > 0 {
            return Err(format!("followed {:?}", node.liars_followed));
        }
        let last = node.series.last().ok_or("no samples")?;
        if last.bound.is_some() {
            return Err("claims to be synchronised in the end".to_owned());
        }
        Ok(())
    });
    assert_none(&failures);
}
