//! A thousand random worlds, none of which may diverge.

mod world;

use std::fmt::Write as _;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use timeball_sim::Scenario;
use world::simulate;

const WORLDS: u64 = 1000;

/// Random numbers of the kinds that worlds are made of.
struct Dice(ChaCha20Rng);

impl Dice {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// Between two powers of ten.
    fn decades(&mut self, low: f64, high: f64) -> f64 {
        10f64.powf(self.between(low, high))
    }

    fn below(&mut self, end: u32) -> u32 {
        self.0.next_u32() % end
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }
}

/// A random world, and the error (s) that is still reasonable at its end.
fn random_world(seed: u64) -> (Scenario, f64) {
    let mut dice = Dice(ChaCha20Rng::seed_from_u64(seed));
    let servers = 1 + dice.below(6);
    // A minority, and never so few honest ones that two liars could meet.
    let liars = if servers >= 3 { dice.below(servers.div_ceil(2)) } else { 0 };
    let wander = dice.decades(-11.0, -8.0);
    let hours = 2.0 + dice.between(0.0, 4.0);
    let (minpoll, span) = (3 + dice.below(4), dice.below(4));
    let mut text = format!(
        "title = \"random world\"\nduration = {}\nsample = \"10 s\"\n[[node]]\nname = \"client\"\n\
         offset = {:.6}\n[node.oscillator]\nfrequency = {:e}\nwander = {wander:e}\n",
        hours * 3600.0,
        dice.between(-30.0, 30.0),
        dice.between(-200e-6, 200e-6),
    );
    if dice.chance(0.3) {
        let (amplitude, period) = (dice.between(0.0, 1e-6), dice.between(1800.0, 86_400.0));
        let _ =
            writeln!(text, "temperature = {{ amplitude = {amplitude:e}, period = {period:.0} }}");
    }
    for server in 0..servers {
        let maxpoll = minpoll + span;
        let _ = writeln!(
            text,
            "[[node.server]]\naddress = \"s{server}\"\nminpoll = {minpoll}\nmaxpoll = {maxpoll}"
        );
    }
    let mut worst_path: f64 = 0.0;
    for server in 0..servers {
        let _ = writeln!(text, "[[server]]\nname = \"s{server}\"");
        if server < liars {
            let offset = (0.5 + f64::from(server)) * if dice.chance(0.5) { 1.0 } else { -1.0 };
            let _ = writeln!(text, "lies = [{{ offset = {offset} }}]");
        }
        worst_path = worst_path.max(link(&mut text, &mut dice, server));
    }
    if dice.chance(0.3) {
        let at = dice.between(0.2, 0.6) * hours * 3600.0;
        let by = dice.between(-5.0, 5.0);
        let _ =
            writeln!(text, "[[event]]\nat = {at:.0}\nnode = \"client\"\ndo = {{ step = {by:.3} }}");
    }
    let scenario = Scenario::from_toml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // Half the path may be asymmetry, the jitter is in it ten times, and half a second of foreign
    // step may still be under way at 1000 ppm.
    (scenario, 2.0 * worst_path + 0.02)
}

/// A random path to a server; returns a bound (s) of what it does to an offset.
fn link(text: &mut String, dice: &mut Dice, server: u32) -> f64 {
    let (there, back) = (dice.decades(-4.0, -1.3), dice.decades(-4.0, -1.3));
    let jitter = dice.decades(-5.0, -2.3);
    let loss = dice.between(0.0, 0.4);
    let kind = match dice.below(4) {
        0 => format!("{{ exponential = {jitter:.7} }}"),
        1 => format!("{{ normal = {jitter:.7} }}"),
        2 => format!("{{ uniform = {jitter:.7} }}"),
        _ => format!(
            "{{ bursty = {{ quiet = {jitter:.7}, busy = {:.7}, quiet-time = \"10 min\", busy-time = \"1 min\" }} }}",
            jitter * 10.0
        ),
    };
    let route = dice.chance(0.2).then(|| (dice.between(600.0, 7200.0), dice.decades(-4.0, -1.3)));
    let _ = writeln!(text, "[[link]]\nbetween = [\"client\", \"s{server}\"]");
    for (name, delay) in [("there", there), ("back", back)] {
        let _ = writeln!(
            text,
            "[link.{name}]\ndelay = {delay:.7}\njitter = {kind}\nloss = {loss:.3}\n\
             duplication = 0.01\nreordering = {{ share = 0.01, hold = \"5 ms\" }}"
        );
        if let Some((at, delay)) = route {
            let _ = writeln!(text, "routes = [{{ at = {at:.0}, delay = {delay:.7} }}]");
        }
    }
    there + back + 10.0 * jitter + route.map_or(0.0, |(_, delay)| 2.0 * delay)
}

fn survives(seed: u64) {
    let (scenario, limit) = random_world(seed);
    let outcome = simulate(&scenario, seed);
    let node = &outcome.nodes[0];
    let error = node.error.last;
    assert!(error.is_finite() && error.abs() < limit, "seed {seed}: {error} above {limit}");
    assert!(node.error.rms.is_finite() && node.bound.mean.is_finite(), "seed {seed}");
    let frequency = node.final_frequency_ppm;
    assert!(frequency.abs() < 1100.0, "seed {seed}: {frequency} ppm");
    assert!(node.bound.claimed > 0.5, "seed {seed}: {:?}", node.bound);
}

#[test]
fn nothing_diverges_in_a_thousand_random_worlds() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    (first..WORLDS).step_by(threads as usize).for_each(survives);
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("a world failed; its seed is above");
        }
    });
}
