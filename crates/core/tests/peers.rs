//! Two engines that are each other's peers.

#![allow(clippy::expect_used, reason = "a test stops where its world is broken")]

#[allow(dead_code, reason = "each test uses a part of the world")]
mod common;

use common::{SERVER, World};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use timeball_core::Settings;
use timeball_core::association::{self, PollInterval};
use timeball_core::settings::{SourceKind, SourceSettings};
use timeball_wire::ReferenceId;

const ONE: &str = "192.0.2.1";
const TWO: &str = "192.0.2.2";

fn association(interleaved: bool) -> association::Settings {
    association::Settings {
        minpoll: PollInterval::new(4),
        maxpoll: PollInterval::new(6),
        interleaved,
        ..association::Settings::default()
    }
}

/// A server to ask, and a peer.
fn settings(peer: &str, interleaved: bool) -> Settings {
    let association = association(interleaved);
    let server = SourceSettings { association, ..SourceSettings::server(SERVER) };
    let kind = SourceKind::Peer;
    let peer = SourceSettings { association, kind, ..SourceSettings::server(peer) };
    Settings { sources: vec![server, peer], ..Settings::default() }
}

fn pair(loss: common::Loss, interleaved: bool, seed: u64) -> World {
    let mut world = World::new(loss, seed);
    world.add(ONE, settings(TWO, interleaved), 0.02, 30e-6);
    world.add(TWO, settings(ONE, interleaved), -0.03, -50e-6);
    world
}

/// The second hears nothing of the server.
fn only_the_first(from: &str, to: &str, _at: f64, _rng: &mut ChaCha8Rng) -> bool {
    from == TWO && to == SERVER
}

fn a_third_is_lost(from: &str, to: &str, at: f64, rng: &mut ChaCha8Rng) -> bool {
    only_the_first(from, to, at, rng) || rng.next_u32().is_multiple_of(3)
}

/// They take turns of half an hour.
fn in_turn(from: &str, to: &str, at: f64, _rng: &mut ChaCha8Rng) -> bool {
    let first = (at / 1800.0) as i64 % 2 == 0;
    to == SERVER && (from == ONE) != first
}

fn nobody(_from: &str, to: &str, _at: f64, _rng: &mut ChaCha8Rng) -> bool {
    to == SERVER
}

fn followed(world: &World, node: usize) -> (bool, u8, ReferenceId) {
    let tracking = world.nodes[node].engine.report(world.now(node)).tracking;
    (tracking.synchronised, tracking.stratum, tracking.reference_id)
}

fn of(address: &str) -> ReferenceId {
    ReferenceId::of_address(address.parse().expect("an address"))
}

#[test]
fn the_second_has_its_time_from_the_first() {
    for interleaved in [false, true] {
        let mut world = pair(only_the_first, interleaved, 31);
        world.run(3000.0);
        assert_eq!(followed(&world, 0), (true, 2, of(SERVER)));
        assert_eq!(followed(&world, 1), (true, 3, of(ONE)), "interleaved: {interleaved}");
        for _ in 0..50 {
            world.run(60.0);
            assert!(world.error(0).abs() < 100e-6, "{}", world.error(0));
            assert!(world.error(1).abs() < 300e-6, "{}", world.error(1));
        }
    }
}

#[test]
fn they_survive_loss() {
    for interleaved in [false, true] {
        let mut world = pair(a_third_is_lost, interleaved, 32);
        world.run(6000.0);
        for _ in 0..50 {
            world.run(60.0);
            assert!(followed(&world, 1).0);
            assert!(world.error(1).abs() < 1e-3, "{}", world.error(1));
        }
    }
}

#[test]
fn whoever_has_a_source_leads() {
    let mut world = pair(in_turn, false, 33);
    world.run(1700.0);
    assert_eq!(followed(&world, 1).2, of(ONE));
    // The other has it now, and long enough for the first to notice.
    world.run(1800.0);
    assert_eq!(followed(&world, 1).2, of(SERVER));
    assert_eq!(followed(&world, 0).2, of(TWO));
    for _ in 0..120 {
        world.run(60.0);
        for node in 0..2 {
            assert!(followed(&world, node).0);
            assert!(world.error(node).abs() < 1e-3, "{node}: {}", world.error(node));
        }
    }
}

#[test]
fn two_without_a_source_do_not_follow_each_other() {
    let mut world = pair(nobody, false, 34);
    world.run(7200.0);
    for node in 0..2 {
        assert!(!followed(&world, node).0, "{node}");
    }
}

#[test]
fn two_that_lost_their_source_do_not_follow_each_other_for_ever() {
    fn for_an_hour(from: &str, to: &str, at: f64, rng: &mut ChaCha8Rng) -> bool {
        only_the_first(from, to, at, rng) || at > 3600.0 && to == SERVER
    }
    let mut world = pair(for_an_hour, false, 35);
    world.run(3500.0);
    assert_eq!(followed(&world, 1).1, 3);
    // The first holds its time over for a while, and the second follows it; never the other way
    // round, and strata do not climb.
    for _ in 0..100 {
        world.run(600.0);
        let (_, stratum, reference) = followed(&world, 0);
        assert_ne!(reference, of(TWO));
        assert!(stratum == 2 || stratum == 16, "{stratum}");
        let (_, stratum, reference) = followed(&world, 1);
        assert!(stratum == 3 || stratum == 16, "{stratum}");
        assert!(reference == of(ONE) || stratum == 16);
    }
}

#[test]
fn a_stranger_is_not_answered_and_changes_nothing() {
    let mut world = World::new(only_the_first, 36);
    world.add(ONE, settings(TWO, false), 0.0, 0.0);
    // It believes to be a peer of the first, which has never heard of it.
    world.add("192.0.2.3", settings(ONE, false), 0.1, 0.0);
    world.run(1000.0);
    let report = world.nodes[1].engine.report(world.now(1));
    let peer = report.sources.iter().find(|source| source.name == ONE).expect("the peer");
    assert_eq!((peer.reach, peer.accepted), (0, 0));
    assert_eq!(world.nodes[0].engine.report(world.now(0)).sources.len(), 2);
}
