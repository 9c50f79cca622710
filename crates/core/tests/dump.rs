//! What was measured outlives the program.

#![allow(clippy::expect_used, reason = "a test stops where its world is broken")]

#[allow(dead_code, reason = "each test uses a part of the world")]
mod common;

use common::{SERVER, World};
use timeball_core::Engine;
use timeball_core::Settings;
use timeball_core::association::Connectivity;
use timeball_core::engine::{Origin, Sample, SourceDump};
use timeball_core::settings::SourceSettings;
use timeball_wire::{LeapIndicator, Span};

fn settings() -> Settings {
    Settings { sources: vec![SourceSettings::server(SERVER)], ..Settings::default() }
}

fn world(seed: u64) -> World {
    let mut world = World::new(|_, _, _, _| false, seed);
    world.add("192.0.2.1", settings(), 0.01, 40e-6);
    world.run(4000.0);
    world
}

#[test]
fn a_restarted_engine_knows_at_once_what_the_last_one_did() {
    let mut world = world(41);
    let dumps = world.nodes[0].engine.dump(world.now(0));
    assert_eq!(dumps.len(), 1);
    assert_eq!(dumps[0].origin, Origin::Address(SERVER.parse().expect("an address")));
    assert_eq!((dumps[0].reach, dumps[0].stratum), (0xff, 1));
    assert!(dumps[0].samples.len() > 10);
    for sample in &dumps[0].samples {
        assert!(sample.offset.abs() < 0.1, "{sample:?}");
        assert!((200e-6..500e-6).contains(&sample.delay), "{sample:?}");
    }
    world.run(30.0);
    world.restart(0, settings());
    let now = world.now(0);
    assert!(!world.nodes[0].engine.report(now).tracking.synchronised);
    world.nodes[0].engine.restore(now, dumps.clone());
    world.settle(0);
    let report = world.nodes[0].engine.report(world.now(0));
    assert!(report.tracking.synchronised, "{}", report.tracking.reason);
    let again = world.nodes[0].engine.dump(world.now(0));
    assert_eq!(again[0].samples.len(), dumps[0].samples.len());
    assert_eq!(report.sources[0].reach, 0xff);
    let offset = report.sources[0].offset.expect("it knows");
    assert!((offset + world.error(0)).abs() < 200e-6, "{offset}, {}", world.error(0));
    // And that it was true.
    for _ in 0..30 {
        world.run(60.0);
        assert!(world.error(0).abs() < 300e-6, "{}", world.error(0));
    }
}

#[test]
fn a_source_that_must_not_be_asked_is_followed_by_what_it_said() {
    let mut world = World::new(|_, _, _, _| false, 47);
    world.add("192.0.2.1", settings(), 0.01, 40e-6);
    world.run(200.0);
    let dumps = world.nodes[0].engine.dump(world.now(0));
    let mut offline = settings();
    offline.sources[0].association.connectivity = Connectivity::Offline;
    let now = world.now(0);
    world.nodes[0].engine = Engine::new(now, offline, None, 1e-7, [77; 32]);
    // Its address is not known yet.
    world.nodes[0].engine.restore(now, dumps);
    world.settle(0);
    let report = world.nodes[0].engine.report(world.now(0));
    assert!(report.tracking.synchronised, "{}", report.tracking.reason);
}

#[test]
fn what_cannot_be_is_left_out() {
    let mut world = world(42);
    let now = world.now(0);
    let good = Sample {
        time: now.system - Span::from_secs(100),
        offset: 0.0,
        delay: 1e-3,
        dispersion: 1e-6,
        root_delay: 0.0,
        root_dispersion: 1e-5,
    };
    let samples = vec![
        Sample { time: now.system - Span::from_secs(30 * 86_400), ..good },
        Sample { offset: f64::NAN, ..good },
        Sample { delay: f64::INFINITY, ..good },
        good,
        Sample { time: now.system + Span::from_secs(5), ..good },
    ];
    world.restart(0, settings());
    let dump = SourceDump {
        origin: Origin::Address(SERVER.parse().expect("an address")),
        authenticated: false,
        reach: 1,
        stratum: 3,
        leap: LeapIndicator::NoWarning,
        samples,
    };
    let other = SourceDump {
        origin: Origin::Address("192.0.2.200".parse().expect("an address")),
        ..dump.clone()
    };
    world.nodes[0].engine.restore(now, vec![other, dump]);
    world.settle(0);
    assert_eq!(world.nodes[0].engine.dump(world.now(0))[0].samples.len(), 1);
    let report = world.nodes[0].engine.report(world.now(0));
    assert_eq!(report.sources[0].stratum, Some(3));
}
