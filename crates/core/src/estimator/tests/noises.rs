//! Noises that are no queues: of one way more than of the other, or of the server's clock.

use super::super::world::{Queue, World};
use super::super::*;

fn bank() -> Estimator {
    let settings = Settings { method: Method::Bank, ..Settings::default() };
    Estimator::new(settings, Frequency { value: 0.0, sd: 100e-6 })
}

/// Root mean square error (s) right after the last of so many measurements, every `poll` seconds.
fn rms(
    world: &mut World,
    poll: f64,
    count: usize,
    mut measure: impl FnMut(&mut World) -> Measurement,
) -> f64 {
    let mut estimator = bank();
    let mut squares = 0.0;
    for index in 0..2 * count {
        world.advance(poll);
        let measurement = measure(world);
        estimator.add(&measurement);
        if index >= count {
            let error = estimator.estimate(world.now()).unwrap().offset - world.truth();
            squares += error.seconds().powi(2);
        }
    }
    (squares / count as f64).sqrt()
}

/// The quiet way tells where the clock is, as soon as the base delay is known.
#[test]
fn a_noisy_way_does_not_spoil_a_quiet_one() {
    const QUIET: f64 = 20e-6;
    for seed in 0..6 {
        println!("seed {seed}");
        let path = World::with_path(seed, 2e-3, Queue::Gaussian(0.0));
        let mut world = World { walk: 1e-10, ..path };
        let rms = rms(&mut world, 64.0, 150, |world| {
            let mut measurement = world.exchange().unwrap();
            measurement.outbound += Span::from_seconds(10.0 * QUIET * world.normal());
            measurement.inbound += Span::from_seconds(QUIET * world.normal());
            measurement
        });
        // By their mean alone, half of the noisy way's noise would be in every offset.
        println!("{rms:e} s");
        assert!(rms < 0.7 * QUIET, "{rms:e} s");
    }
}

/// T2 and T3 off by the same: round trips do not show it, and what is left of them looks exact.
#[test]
fn a_clock_that_is_read_coarsely_is_not_followed_by_every_reading() {
    const READING: f64 = 60e-9;
    for seed in 6..12 {
        let run = |stated: f64| {
            let path = World::with_path(seed, 10e-6, Queue::Exponential(10e-9));
            let mut world = World { walk: 1e-10, ..path };
            rms(&mut world, 1.0, 400, |world| {
                let mut measurement = world.exchange().unwrap();
                let off = Span::from_seconds(READING * 12f64.sqrt() * (world.uniform() - 0.5));
                measurement.outbound += off;
                measurement.inbound -= off;
                Measurement { reading: stated, ..measurement }
            })
        };
        let (stated, unknown) = (run(READING), run(0.0));
        println!("seed {seed}: {stated:e} s, and {unknown:e} s of who does not know");
        assert!(stated < 0.4 * READING && stated < 0.7 * unknown);
    }
}
