//! From hardware timestamps to radio links, from a hundred measurements a second to three in a week, and
//! oscillators that no watch would have.

use super::super::world::{Queue, World};
use super::super::*;

#[test]
fn whatever_the_path_and_the_pace_the_bank_finds_the_time() {
    let mut seed = 0;
    for scale in [1e-9, 1e-6, 1e-3, 1.0] {
        for interval in [1.0 / 128.0, 1.0, 64.0, 131_072.0] {
            for frequency in [0.0, -0.1, 0.1] {
                seed += 1;
                let mut world = World::with_path(seed, 10.0 * scale, Queue::Exponential(scale));
                world.frequency = frequency;
                let settings = Settings { method: Method::Bank, ..Settings::default() };
                let mut estimator = Estimator::new(settings, Frequency { value: 0.0, sd: 1e-2 });
                for count in 0..60 {
                    // Nothing for days, once.
                    world.advance(if count == 40 { 3e5 } else { interval });
                    estimator.add(&world.exchange().unwrap());
                    let estimate = estimator.estimate(world.now()).unwrap();
                    let error = (estimate.offset - world.truth()).seconds();
                    assert!(error.is_finite() && estimate.offset_sd.is_finite());
                    let case = format!(
                        "seed {seed}: queues {scale} s, every {interval} s, {frequency}, {count}: \
                         {error:e} in {estimate:?}"
                    );
                    // The timestamps have nanoseconds.
                    assert!(error.abs() <= estimate.root_distance() + 2e-9, "{case}");
                }
            }
        }
    }
}

/// A phase unknown by a second beside one known to a nanosecond is more than doubles can hold in one matrix.
#[test]
fn a_frequency_known_to_a_hundredth_is_found_by_nanoseconds() {
    for seed in 50..150 {
        let mut world = World {
            frequency: 1e-4,
            walk: 1e-12,
            ..World::with_path(seed, 1.25e-6, Queue::Exponential(1e-9))
        };
        let settings = Settings { method: Method::Bank, ..Settings::default() };
        let mut estimator = Estimator::new(settings, Frequency { value: 0.0, sd: 1e-2 });
        for count in 0..60 {
            world.advance(64.0 + 6.0 * f64::from((count - 3).max(0)));
            estimator.add(&world.exchange().unwrap());
            world.advance(64.0);
            let estimate = estimator.estimate(world.now()).unwrap();
            let error = (estimate.offset - world.truth()).seconds().abs();
            let case = format!("seed {seed}, {count}: {error:e} s in {estimate:?}");
            assert!(error <= estimate.root_distance() + 2e-9, "{case}");
            assert!(count < 6 || estimate.root_distance() < 1e-5, "{case}");
        }
    }
}
