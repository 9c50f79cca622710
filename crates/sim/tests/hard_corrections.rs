//! Clocks that are far off and may not be stepped, or run far too fast: the limits are those that
//! chronyd has, and so is what is asked of the clock.
#![allow(clippy::expect_used, reason = "a failed test panics")]

mod common;

use common::parse;
use timeball_sim::outcome::NodeOutcome;
use timeball_sim::run_watched;

/// chronyd's limits, where nothing else is said.
const LIMITS: &str = r#"step-limit = 0
panic-threshold = "1000000000 s"
max-slew = "83333 ppm"
max-frequency = "100000 ppm"
correction-time-ratio = 3.0
"#;

struct World<'a> {
    /// Keys of the node.
    node: &'a str,
    /// Keys of its `[clock]`.
    clock: &'a str,
    /// Keys of its `[oscillator]`.
    oscillator: &'a str,
    /// Keys of its one server.
    server: &'a str,
    /// Mean of the path's jitter, which is exponential in each direction.
    jitter: &'a str,
    /// More tables.
    more: &'a str,
    duration: u32,
}

impl Default for World<'_> {
    fn default() -> Self {
        Self {
            node: "",
            clock: LIMITS,
            oscillator: "frequency = \"100 ppm\"\nwander = \"0.001 ppm\"",
            server: "iburst = false",
            jitter: "50 us",
            more: "",
            duration: 10_000,
        }
    }
}

/// What a run came to, looked at once a second.
struct Run {
    /// The last second at which the clock or its frequency was out of limits, and the next one.
    synchronised: f64,
    /// Root mean square and maximum of the error (s) over the rest,
    rms: f64,
    max: f64,
    /// and of the frequency's error (s/s).
    frequency_rms: f64,
    frequency_max: f64,
    node: NodeOutcome,
}

impl World<'_> {
    /// Runs; errors count from `settled` (s) on.
    fn run(&self, settled: f64) -> Run {
        let Self { node, clock, oscillator, server, jitter, more, duration } = self;
        let text = format!(
            r#"
title = "hard corrections"
duration = "{duration} s"
[[server]]
name = "true"
[[node]]
name = "client"
reading-noise = "1 ns"
{node}
[[node.server]]
address = "true"
{server}
[node.oscillator]
{oscillator}
[node.clock]
{clock}
[[link]]
between = ["*", "*"]
[link.both]
delay = "100 us"
jitter = {{ exponential = "{jitter}" }}
{more}
"#
        );
        let scenario = parse(&text);
        let (mut synchronised, mut count) = (0.0, 0u32);
        let (mut squares, mut max, mut frequency_squares, mut frequency_max) =
            (0.0, 0f64, 0.0, 0f64);
        let outcome = run_watched(&scenario, 1, &mut |_| {}, &mut |look| {
            let (error, frequency) = (look.error, look.frequency_error_ppm * 1e-6);
            if error.abs() > 1e-3 || frequency.abs() > 5e-4 {
                synchronised = look.at.ceil();
            }
            if look.at > settled {
                count += 1;
                squares += error * error;
                max = max.max(error.abs());
                frequency_squares += frequency * frequency;
                frequency_max = frequency_max.max(frequency.abs());
            }
        })
        .expect("the world runs");
        let mean = |sum: f64| (sum / f64::from(count)).sqrt();
        let node = outcome.nodes.into_iter().next().expect("a node");
        let run = Run {
            synchronised,
            rms: mean(squares),
            max,
            frequency_rms: mean(frequency_squares),
            frequency_max,
            node,
        };
        println!(
            "{} {clock}{oscillator}\n  synchronised {synchronised} s, error rms {:.2e} max {:.2e}, frequency rms {:.2e} max {:.2e}, steps {}",
            self.node, run.rms, run.max, run.frequency_rms, run.frequency_max, run.node.steps
        );
        run
    }
}

impl Run {
    /// What is asked of an ordinary run.
    #[track_caller]
    fn keeps_time(&self, synchronised_by: f64) {
        assert!(self.synchronised <= synchronised_by, "{}", self.synchronised);
        assert!(self.max < 1e-3 && self.rms < 3e-4, "{} {}", self.max, self.rms);
        assert!(self.frequency_max < 5e-4, "{}", self.frequency_max);
        assert!(self.frequency_rms < 1e-5, "{}", self.frequency_rms);
    }
}

#[test]
fn a_clock_that_runs_far_too_fast_or_slow() {
    for frequency in [-5e-2, -5e-3, 5e-3, 5e-2] {
        let offset = -frequency * 130.0;
        let world = World {
            node: &format!("offset = \"{offset} s\""),
            oscillator: &format!("frequency = {frequency}\nwander = \"0.001 ppm\""),
            ..World::default()
        };
        world.run(1000.0).keeps_time(1000.0);
    }
}

#[test]
fn a_hundred_seconds_without_a_step() {
    for offset in ["100 s", "-100 s"] {
        let world = World { node: &format!("offset = \"{offset}\""), ..World::default() };
        let run = world.run(1400.0);
        run.keeps_time(1400.0);
        assert_eq!(run.node.steps, 0);
    }
}

#[test]
fn somebody_else_steps_the_clock_and_it_may_not_be_stepped_back() {
    for step in ["100 s", "-100 s"] {
        let event =
            format!("[[event]]\nat = \"150 s\"\nnode = \"client\"\ndo = {{ step = \"{step}\" }}");
        let run = World { more: &event, ..World::default() }.run(1550.0);
        run.keeps_time(1550.0);
        assert_eq!(run.node.steps, 0);
    }
}

#[test]
fn somebody_else_steps_the_clock_and_it_is_stepped_back() {
    for step in ["-100000000 s", "-100000 s", "100000 s", "100000000 s"] {
        let event =
            format!("[[event]]\nat = \"5000 s\"\nnode = \"client\"\ndo = {{ step = \"{step}\" }}");
        let clock = LIMITS.replace("step-limit = 0", "step-limit = \"always\"");
        let run = World { more: &event, clock: &clock, ..World::default() }.run(6200.0);
        run.keeps_time(6200.0);
    }
}

#[test]
fn a_tenth_of_a_second_of_jitter() {
    let world = World { node: "offset = \"1 s\"", jitter: "50 ms", ..World::default() };
    let run = world.run(300.0);
    assert!(run.max < 0.5 && run.rms < 0.1, "{} {}", run.max, run.rms);
    assert!(run.frequency_max < 0.2 && run.frequency_rms < 5e-3, "{}", run.frequency_max);
}

#[test]
fn every_offset_is_stepped() {
    let clock = LIMITS
        .replace("step-limit = 0", "step-limit = \"always\"\nstep-threshold = 0")
        .replace("ratio = 3.0", "ratio = 1e10");
    let run = World { clock: &clock, node: "offset = \"0.1 s\"", ..World::default() }.run(210.0);
    run.keeps_time(210.0);
    assert!(run.node.steps > 20, "{}", run.node.steps);
}

#[test]
fn a_step_at_the_first_update_only_beyond_the_threshold() {
    for (offset, steps, by) in [
        (-1.0, 0, 150.0),
        (-0.1, 0, 150.0),
        (0.1, 0, 150.0),
        (1.0, 0, 150.0),
        (-1e8, 1, 140.0),
        (100.0, 1, 140.0),
    ] {
        let clock = LIMITS.replace("step-limit = 0", "step-limit = 1\nstep-threshold = 2");
        let world = World {
            clock: &clock,
            node: &format!("offset = {offset}"),
            jitter: "5 us",
            duration: 200,
            ..World::default()
        };
        let run = world.run(by);
        run.keeps_time(by);
        assert_eq!(run.node.steps, steps, "{offset}");
    }
}

#[test]
fn a_drift_file_that_is_right_is_all_that_the_frequency_needs() {
    for frequency in [-5e-2, -5e-4, -5e-6, 5e-6, 5e-4, 5e-2] {
        let needed: f64 = 1.0 / (1.0 + frequency) - 1.0;
        let world = World {
            node: &format!("drift = {{ frequency = {needed}, uncertainty = \"1 ppm\" }}"),
            oscillator: &format!("frequency = {frequency}"),
            more: "[[link]]\nbetween = [\"*\", \"*\"]\n[link.both]\nloss = 1.0",
            duration: 10,
            ..World::default()
        };
        let run = world.run(1.0);
        assert!(run.frequency_max < 1e-9, "{}", run.frequency_max);
    }
}

#[test]
fn a_drift_file_that_is_wrong_does_no_harm() {
    for frequency in [-5e-2, -5e-4, 5e-4, 5e-2] {
        for drift in ["-10000 ppm", "-100 ppm", "100 ppm", "10000 ppm"] {
            let clock = LIMITS.replace("step-limit = 0", "step-limit = 1");
            let world = World {
                node: &format!(
                    "offset = 100\ndrift = {{ frequency = \"{drift}\", uncertainty = 0.1 }}"
                ),
                clock: &clock,
                oscillator: &format!("frequency = {frequency}"),
                server: "iburst = false\nminpoll = 6\nmaxpoll = 6",
                jitter: "0.5 us",
                duration: 180,
                ..World::default()
            };
            let run = world.run(140.0);
            assert!(run.synchronised <= 140.0, "{}", run.synchronised);
            assert!(run.max < 1e-5, "{}", run.max);
            assert!(run.frequency_max < 1e-7, "{}", run.frequency_max);
        }
    }
}

#[test]
fn changes_beyond_belief_are_ignored_and_then_the_end() {
    let clock = format!("{LIMITS}max-change = {{ threshold = 0.1, start = 1, ignore = 3 }}\n");
    let event = "[[event]]\nat = \"300 s\"\nnode = \"client\"\ndo = { step = \"1 s\" }";
    let world = World {
        clock: &clock,
        node: "offset = 2",
        more: event,
        duration: 5000,
        ..World::default()
    };
    let run = world.run(4000.0);
    let count = |text: &str| run.node.log.iter().filter(|line| line.text.contains(text)).count();
    assert_eq!((count("ignored"), count("exiting")), (3, 1), "{:?}", run.node.log);
    assert!(run.max > 0.9, "nobody moved it back: {}", run.max);
}

#[test]
fn without_updates_the_frequency_falls_back_to_its_average() {
    let clock = format!("{LIMITS}fallback-drift = [6, 10]\n");
    let world = World {
        clock: &clock,
        node: "offset = 10",
        oscillator: "temperature = { amplitude = 1e-4, period = \"1000 s\" }",
        server: "iburst = false\nminpoll = 4\nmaxpoll = 4",
        jitter: "0.5 us",
        more: "[[link]]\nbetween = [\"*\", \"*\"]\n[link.both]\ndelay = \"100 us\"\noutages = [{ from = \"4250 s\" }]",
        duration: 100_000,
    };
    let run = world.run(4500.0);
    assert!(run.max < 1.0 && run.rms < 1.0, "{} {}", run.max, run.rms);
    assert!(run.frequency_max < 2e-4 && run.frequency_rms < 1e-4, "{}", run.frequency_max);
}
