//! Three engines in a chain, of which the first corrects its time.

#![allow(clippy::expect_used, reason = "a test stops where its world is broken")]

#[allow(dead_code, reason = "each test uses a part of the world")]
mod common;

use common::World;
use rand_chacha::ChaCha8Rng;
use timeball_core::association::{self, PollInterval};
use timeball_core::engine::Command;
use timeball_core::settings::{Local, SourceKind, SourceSettings};
use timeball_core::{Event, Settings};

const ADDRESSES: [&str; 3] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
const CORRECTION: f64 = 0.1;

fn peers(of: &[&str], monotonic: bool, interleaved: bool) -> Settings {
    let poll = PollInterval::new(6);
    let association = association::Settings {
        minpoll: poll,
        maxpoll: poll,
        interleaved,
        monotonic,
        ..association::Settings::default()
    };
    let peer = |name: &&str| SourceSettings {
        association,
        kind: SourceKind::Peer,
        ..SourceSettings::server(*name)
    };
    Settings { sources: of.iter().map(peer).collect(), ..Settings::default() }
}

fn never(_from: &str, _to: &str, _at: f64, _rng: &mut ChaCha8Rng) -> bool {
    false
}

/// A chain that has settled, and then corrects its time at the head.
fn corrected(monotonic: bool, interleaved: bool) -> World {
    let [one, two, three] = ADDRESSES;
    let mut world = World::new(never, 51);
    let local = Some(Local { stratum: 1, wait_unsynchronised: 0.0, ..Local::default() });
    let first = Settings { local, ..peers(&[two], monotonic, interleaved) };
    world.add(one, first, 0.0, 0.0);
    world.add(two, peers(&[one, three], monotonic, interleaved), 0.01, 20e-6);
    world.add(three, peers(&[two], monotonic, interleaved), -0.01, -20e-6);
    world.run(4000.0);
    for node in 1..3 {
        assert!(world.error(node).abs() < 1e-3, "{node}: {}", world.error(node));
        world.nodes[node].events.clear();
    }
    let now = world.now(0);
    let head = &mut world.nodes[0].engine;
    head.command(now, Command::AdjustOffset(CORRECTION)).expect("it can be done");
    world.settle(0);
    world
}

/// Steps that have to do with the correction: a neighbour that finds its own rate again may seem to
/// make a small one.
fn steps_seen(world: &World, node: usize) -> usize {
    let events = world.nodes[node].events.iter();
    let by = |event: &Event| match event {
        Event::SourceStepped { by, .. } => Some(by.abs()),
        _ => None,
    };
    events.filter_map(by).filter(|by| *by > CORRECTION / 100.0).count()
}

/// How far the time that a node believes in is from true time (s).
fn believed(world: &World, node: usize) -> f64 {
    let tracking = world.nodes[node].engine.report(world.now(node)).tracking;
    let offset = tracking.offset.expect("it is synchronised");
    world.error(node) + offset
}

#[test]
fn a_correction_goes_down_the_chain_one_poll_each() {
    for interleaved in [false, true] {
        let mut world = corrected(true, interleaved);
        // A poll of a peer takes up to 1.1 intervals, and 2 % more.
        world.run(64.0 * 1.13);
        let off = believed(&world, 1) - CORRECTION;
        assert!(off.abs() < 1e-3, "interleaved {interleaved}: {off}");
        world.run(64.0 * 1.13);
        let off = believed(&world, 2) - CORRECTION;
        assert!(off.abs() < 1e-3, "interleaved {interleaved}: {off}");
        world.run(3000.0);
        for node in 1..3 {
            assert!((world.error(node) - CORRECTION).abs() < 1e-3, "{}", world.error(node));
            assert_eq!(steps_seen(&world, node), 0, "{node}");
        }
    }
}

#[test]
fn without_monotonic_time_it_passes_for_a_step() {
    let mut world = corrected(false, false);
    world.run(64.0 * 1.13);
    let off = believed(&world, 1) - CORRECTION;
    assert!(off.abs() > 1e-2, "{off}");
    world.run(3000.0);
    assert_eq!(steps_seen(&world, 1), 1);
}
