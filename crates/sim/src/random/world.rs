//! The text of a random world: what is drawn, and within which limits.

use std::fmt::Write;

use super::RandomWorld;
use crate::noise::Stream;

/// Simulated time of each (s).
const DURATION: f64 = 4.0 * 3600.0;
/// Nothing disturbs the node in the last part of it, so that it can come to rest (s).
const QUIET: f64 = 1.5 * 3600.0;

/// The world of this seed.
pub(super) fn world(seed: u64) -> RandomWorld {
    let mut luck = Stream::new(seed, "random scenario");
    let servers = 1 + luck.below(7);
    // A strict minority lies; of one or two servers none does.
    let liars = luck.below((servers - 1) / 2 + 1);
    let mut text = format!("title = \"random world {seed}\"\nseed = {seed}\n");
    let _ = writeln!(text, "duration = {DURATION}\nsample = 10\nsettle = {}", DURATION - 1800.0);
    let frequency = luck.uniform(-100.0, 100.0);
    write_node(&mut text, &mut luck, servers, frequency);
    for server in 0..servers {
        write_server(&mut text, &mut luck, server, server < liars);
    }
    let mut path_error = 0.0_f64;
    for server in 0..servers {
        path_error = path_error.max(write_link(&mut text, &mut luck, server, liars > 0));
    }
    write_events(&mut text, &mut luck);
    RandomWorld { text, path_error: path_error + SERVER_ERROR }
}

/// Root distance of the worst server (s).
const SERVER_ERROR: f64 = 0.004;

fn write_node(text: &mut String, luck: &mut Stream, servers: u64, frequency: f64) {
    let offset = match luck.below(3) {
        0 => 0.0,
        1 => luck.uniform(-0.5, 0.5),
        _ => luck.uniform(-3600.0, 3600.0),
    };
    let wander = 10_f64.powf(luck.uniform(-11.0, -7.5));
    let _ = writeln!(text, "\n[[node]]\nname = \"node\"\noffset = {offset:.6}");
    let _ = writeln!(text, "[node.oscillator]\nfrequency = \"{frequency:.3} ppm\"");
    let _ = writeln!(text, "wander = {wander:.3e}");
    if luck.chance(0.3) {
        let (amplitude, period) = (luck.uniform(0.05, 1.0), luck.uniform(1800.0, 86_400.0));
        let _ = writeln!(
            text,
            "temperature = {{ amplitude = \"{amplitude:.3} ppm\", period = {period:.0} }}"
        );
    }
    if luck.chance(0.2) {
        let (at, by) = (luck.uniform(0.0, DURATION - QUIET), luck.uniform(-3.0, 3.0));
        let _ = writeln!(text, "frequency-steps = [{{ at = {at:.0}, by = \"{by:.3} ppm\" }}]");
    }
    for server in 0..servers {
        let minpoll = 3 + luck.below(4);
        let maxpoll = minpoll + luck.below(4);
        let _ = writeln!(text, "[[node.server]]\naddress = \"s{server}\"");
        let _ = writeln!(text, "minpoll = {minpoll}\nmaxpoll = {maxpoll}");
        let _ = writeln!(text, "iburst = {}", luck.chance(0.7));
    }
}

fn write_server(text: &mut String, luck: &mut Stream, index: u64, lies: bool) {
    let _ = writeln!(text, "\n[[server]]\nname = \"s{index}\"");
    if luck.chance(0.5) {
        let (delay, dispersion) = (luck.uniform(0.0, 2e-3), luck.uniform(1e-5, 2e-3));
        let _ = writeln!(text, "stratum = {}\nreference-id = \"192.0.2.9\"", 2 + luck.below(3));
        let _ = writeln!(text, "root-delay = {delay:.6}\nroot-dispersion = {dispersion:.6}");
    }
    if !lies {
        return;
    }
    // Far enough beyond every path's asymmetry to be a lie that can be found out.
    let sign = if luck.chance(0.5) { 1.0 } else { -1.0 };
    let offset = sign * luck.uniform(0.5, 100.0);
    let from = if luck.chance(0.5) { 0.0 } else { luck.uniform(0.0, DURATION) };
    let _ = writeln!(text, "lies = [{{ during = {{ from = {from:.0} }}, offset = {offset:.3} }}]");
}

/// Writes the path to a server; returns what it may hide (s). Where somebody lies the paths stay up:
/// the honest ones must be heard to be the majority.
fn write_link(text: &mut String, luck: &mut Stream, server: u64, stays_up: bool) -> f64 {
    let there = 10_f64.powf(luck.uniform(-4.0, -1.2));
    let back = there * luck.uniform(0.7, 1.4);
    let scale = there * luck.uniform(0.01, 0.2);
    let jitter = match luck.below(5) {
        0 => format!("{{ exponential = {scale:.7} }}"),
        1 => format!("{{ normal = {{ mean = {:.7}, sd = {scale:.7} }} }}", 3.0 * scale),
        2 => format!("{{ uniform = {:.7} }}", 2.0 * scale),
        3 => format!("{{ pareto = {{ scale = {:.7}, shape = 2.5 }} }}", 1.5 * scale),
        _ => format!(
            "{{ bursty = {{ quiet = {scale:.7}, busy = {:.7}, quiet-time = 300, busy-time = 30 }} }}",
            10.0 * scale
        ),
    };
    let loss = if luck.chance(0.3) { luck.uniform(0.0, 0.3) } else { 0.0 };
    let loss = if stays_up { loss / 3.0 } else { loss };
    let duplication = if luck.chance(0.2) { 0.1 } else { 0.0 };
    let reordering = if luck.chance(0.1) { 0.05 } else { 0.0 };
    let routes = if luck.chance(0.2) {
        let at = luck.uniform(0.0, DURATION - QUIET);
        format!("[{{ at = {at:.0}, delay = {:.7} }}]", there * luck.uniform(1.0, 2.0))
    } else {
        "[]".to_owned()
    };
    let outages = if luck.chance(0.2) && !stays_up {
        let from = luck.uniform(0.0, DURATION - QUIET - 1800.0);
        format!("[{{ from = {from:.0}, to = {:.0} }}]", from + luck.uniform(60.0, 1800.0))
    } else {
        "[]".to_owned()
    };
    let _ = writeln!(text, "\n[[link]]\nbetween = [\"node\", \"s{server}\"]");
    for (direction, delay, routes) in [("there", there, routes.as_str()), ("back", back, "[]")] {
        let _ = writeln!(text, "[link.{direction}]\ndelay = {delay:.7}\njitter = {jitter}");
        let _ = writeln!(text, "loss = {loss:.3}\nduplication = {duplication}");
        let _ = writeln!(text, "reordering = {{ share = {reordering}, hold = 0.5 }}");
        let _ = writeln!(text, "routes = {routes}\noutages = {outages}");
    }
    // Twice the delay after a route change; ten times the jitter in a burst, both ways.
    there * 2.0 + back + 20.0 * scale
}

fn write_events(text: &mut String, luck: &mut Stream) {
    for _ in 0..luck.below(4) {
        let at = luck.uniform(60.0, DURATION - QUIET);
        let action = match luck.below(5) {
            0 => format!("step = {:.3}", luck.uniform(-10.0, 10.0)),
            1 => format!("step = {:.6}", luck.uniform(-0.1, 0.1)),
            2 => format!("frequency = \"{:.3} ppm\"", luck.uniform(-300.0, 300.0)),
            3 => format!(
                "suspend = {{ for = {:.0}, rtc-error = {:.3} }}",
                luck.uniform(10.0, 1200.0),
                luck.uniform(-0.5, 0.5)
            ),
            _ => format!("restart = {:.0}", luck.uniform(1.0, 60.0)),
        };
        let _ = writeln!(text, "\n[[event]]\nat = {at:.1}\nnode = \"node\"\ndo = {{ {action} }}");
    }
}
