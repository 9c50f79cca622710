//! A machine that was busy for a moment: one packet waited much longer than the few before it.

use super::super::world::{Queue, World};
use super::super::*;

/// What the last packet waited on one way (s).
const WAIT: f64 = 3e-3;

/// Error and bound (s) after so many measurements of a quiet network and one that waited.
fn after_a_long_wait(seed: u64, base: f64, interval: f64, quiet: usize, back: bool) -> (f64, f64) {
    let mut world = World::with_path(seed, base, Queue::Exponential(base / 5.0));
    world.frequency = 0.0;
    world.walk = 1e-10;
    let settings = Settings { method: Method::Bank, ..Settings::default() };
    let mut estimator = Estimator::new(settings, Frequency { value: 0.0, sd: 1e-4 });
    for _ in 0..quiet {
        world.advance(interval);
        estimator.add(&world.exchange().unwrap());
    }
    world.advance(interval);
    let mut late = world.exchange().unwrap();
    let way = if back { &mut late.inbound } else { &mut late.outbound };
    *way += Span::from_seconds(WAIT);
    estimator.add(&late);
    let estimate = estimator.estimate(world.now()).unwrap();
    ((estimate.offset - world.truth()).seconds().abs(), estimate.root_distance())
}

#[test]
fn one_packet_that_waited_long_moves_little_and_the_bound_holds() {
    let mut errors = Vec::new();
    for base in [15e-6, 1e-3] {
        for interval in [0.3, 1.0, 2.0, 64.0] {
            for quiet in 1..20 {
                for seed in 0..16 {
                    let back = seed % 2 == 1;
                    let (error, bound) = after_a_long_wait(seed, base, interval, quiet, back);
                    let case =
                        format!("seed {seed}: {base} s, every {interval} s, {quiet}: {error:e} s");
                    assert!(error <= bound, "{case} in {bound:e} s");
                    if quiet >= 6 {
                        errors.push(error);
                    }
                }
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    let worst_of = |share: f64| errors[(errors.len() as f64 * share) as usize];
    println!("median {:e} s, 99 of 100 below {:e} s", worst_of(0.5), worst_of(0.99));
    // Half of the wait is what the packet says by itself.
    assert!(worst_of(0.5) < WAIT / 100.0 && worst_of(0.99) < WAIT / 20.0);
}

#[test]
fn one_packet_that_was_held_back_for_long_spoils_nothing() {
    const HELD: f64 = 0.5;
    let mut errors = Vec::new();
    for seed in 0..24 {
        println!("seed {seed}");
        let mut world = World::with_path(seed, 0.8e-3, Queue::Exponential(0.1e-3));
        world.walk = 1e-8;
        let settings = Settings { method: Method::Bank, ..Settings::default() };
        let mut estimator = Estimator::new(settings, Frequency { value: 0.0, sd: 1e-4 });
        for poll in 0..40 {
            world.advance(100.0);
            let mut measurement = world.exchange().unwrap();
            if poll == 30 {
                let back = seed % 2 == 1;
                let way = if back { &mut measurement.inbound } else { &mut measurement.outbound };
                *way += Span::from_seconds(HELD);
            }
            estimator.add(&measurement);
            let estimate = estimator.estimate(world.now()).unwrap();
            if poll >= 30 {
                assert!(estimate.jitter < 1e-3, "jitter {:e} s", estimate.jitter);
                errors.push((estimate.offset - world.truth()).seconds().powi(2));
            }
        }
    }
    let rms = (errors.iter().sum::<f64>() / errors.len() as f64).sqrt();
    println!("rms {rms:e} s");
    assert!(rms < 60e-6);
}

#[test]
fn congestion_is_believed_after_a_few_packets() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut world = World::with_path(seed, 0.8e-3, Queue::Exponential(10e-6));
        let settings = Settings { method: Method::Bank, ..Settings::default() };
        let mut estimator = Estimator::new(settings, Frequency { value: 0.0, sd: 1e-4 });
        let mut jitters = [0.0; 2];
        for (queue, jitter) in [10e-6, 5e-3].into_iter().zip(&mut jitters) {
            world.outbound.queue = Queue::Exponential(queue);
            for _ in 0..30 {
                world.advance(64.0);
                estimator.add(&world.exchange().unwrap());
            }
            *jitter = estimator.estimate(world.now()).unwrap().jitter;
        }
        assert!(jitters[0] < 50e-6 && jitters[1] > 1e-3, "{jitters:?}");
    }
}
