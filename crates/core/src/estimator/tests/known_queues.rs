//! Queues on one way, and an operator who knows of them, or thinks so.

use super::super::world::{Direction, Queue, World};
use super::super::*;

/// RMS error (s) with queues of 0.3 ms on the way to the server alone, of which this was said.
fn rms_with(seed: u64, asymmetry: Option<f64>) -> f64 {
    const POLLS: u32 = 100;
    let mut world = World::with_path(seed, 0.1e-3, Queue::Exponential(0.3e-3));
    world.inbound = Direction { base: 0.1e-3, queue: Queue::Gaussian(0.0) };
    world.walk = 1e-12;
    let settings =
        Settings { method: Method::Bank, min_delay: 0.2e-3, asymmetry, ..Settings::default() };
    let mut estimator = Estimator::new(settings, Frequency { value: 0.0, sd: 1e-4 });
    let mut squares = 0.0;
    for poll in 0..2 * POLLS {
        world.advance(64.0);
        estimator.add(&world.exchange().unwrap());
        if poll >= POLLS {
            let estimate = estimator.estimate(world.now()).unwrap();
            squares += (estimate.offset - world.truth()).seconds().powi(2);
        }
    }
    (squares / f64::from(POLLS)).sqrt()
}

#[test]
fn who_knows_the_queues_sees_through_them_and_who_is_wrong_loses_little() {
    for seed in 0..12 {
        println!("seed {seed}");
        let (right, wrong) = (rms_with(seed, Some(0.5)), rms_with(seed, Some(0.0)));
        println!("right {right:e} s, wrong {wrong:e} s");
        assert!(right < 0.1e-6, "{right:e} s");
        assert!(wrong < 3e-6, "{wrong:e} s");
    }
}
