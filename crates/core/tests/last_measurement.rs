//! What is shown of the last measurement fits the clock as it is now.

#![allow(clippy::expect_used, reason = "a test stops where its world is broken")]

#[allow(dead_code, reason = "each test uses a part of the world")]
mod common;

use common::{SERVER, World};
use timeball_core::Settings;
use timeball_core::settings::SourceSettings;

#[test]
fn the_oscillators_error_is_no_error_of_an_old_measurement() {
    let mut world = World::new(|_, _, _, _| false, 53);
    let sources = vec![SourceSettings::server(SERVER)];
    world.add("192.0.2.1", Settings { sources, ..Settings::default() }, 0.01, 40e-6);
    world.run(4000.0);
    let mut oldest = 0.0f64;
    for _ in 0..20 {
        world.run(37.0);
        let report = world.nodes[0].engine.report(world.now(0));
        let last = report.sources[0].last_measurement.expect("it measures");
        // 40 ppm would be 4 ms in 100 s.
        let error = last.offset + world.error(0);
        assert!(error.abs() < 300e-6, "{error} after {} s", last.age);
        oldest = oldest.max(last.age);
    }
    assert!(oldest > 100.0, "{oldest}");
}
