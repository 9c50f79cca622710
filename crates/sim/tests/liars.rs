//! One to three liars of seven are never followed; without an honest majority nobody is.

mod common;

use std::fmt::Write as _;

use common::{parse, simulate};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use timeball_sim::Scenario;
use timeball_sim::outcome::Severity;

/// Between `low` and `high`.
fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * f64::from(rng.next_u32()) / f64::from(u32::MAX)
}

/// Seven servers of which `liars` are off by something between `least` and three seconds, each by
/// its own amount, some of them only after a while.
fn seven_servers(seed: u64, liars: usize, least: f64) -> Scenario {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut text = format!(
        "title = \"{liars} liars of seven\"\nduration = \"3 h\"\nsample = \"5 s\"\n\
         [[node]]\nname = \"client\"\noffset = {:.3}\noscillator = {{ frequency = {:e}, wander = 1e-9 }}\n",
        between(&mut rng, -0.5, 0.5),
        between(&mut rng, -100e-6, 100e-6),
    );
    for server in 0..7 {
        let _ = writeln!(text, "[[node.server]]\naddress = \"s{server}\"");
    }
    for server in 0..7 {
        let _ = writeln!(text, "[[server]]\nname = \"s{server}\"");
        if server < liars {
            let sign = if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 };
            // Apart from each other by more than their bounds, or they would agree on a time.
            let offset = sign * (least + server as f64 * 0.5 + between(&mut rng, 0.0, 0.2));
            let from = if rng.next_u32() & 1 == 0 { 0.0 } else { between(&mut rng, 0.0, 7200.0) };
            let _ = writeln!(
                text,
                "lies = [{{ during = {{ from = {from:.1} }}, offset = {offset:.4} }}]"
            );
        }
        let delay = between(&mut rng, 0.5e-3, 30e-3);
        let jitter = between(&mut rng, 10e-6, 2e-3);
        let _ = writeln!(
            text,
            "[[link]]\nbetween = [\"client\", \"s{server}\"]\n\
             both = {{ delay = {delay:.6}, jitter = {{ exponential = {jitter:.6} }} }}"
        );
    }
    parse(&text)
}

#[test]
fn one_to_three_liars_of_seven_are_never_followed() {
    for seed in 0..60 {
        let liars = 1 + seed as usize % 3;
        let outcome = simulate(&seven_servers(seed, liars, 0.1), seed);
        let node = &outcome.nodes[0];
        assert_eq!(node.liar_samples(), 0, "{:?}", node.liars_followed);
        assert!(node.bound.claimed > 0.95, "{:?}", node.bound);
        assert!(node.error.p99 < 20e-3, "{:?}", node.error);
    }
}

#[test]
fn without_an_honest_majority_there_is_an_alarm() {
    for seed in 0..30 {
        // Four different lies and three truths: no four agree.
        let outcome = simulate(&seven_servers(seed, 4, 0.3), seed);
        let node = &outcome.nodes[0];
        let alarm = node.alarms(Severity::Warning).any(|line| line.text.contains("no majority"));
        assert!(alarm, "{:?}", node.log);
        assert_eq!(node.liar_samples(), 0, "{:?}", node.liars_followed);
    }
}
