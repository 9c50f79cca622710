//! The first measurements, and the first after the phase was lost.

use super::super::world::{Queue, World};
use super::super::*;

/// A long night (s).
const SLEEP: f64 = 12.0 * 3600.0;

fn fresh(sd: f64) -> Estimator {
    let settings = Settings { method: Method::Bank, ..Settings::default() };
    Estimator::new(settings, Frequency { value: 0.0, sd })
}

/// An exchange whose request waited this much longer (s).
fn slow(world: &mut World, by: f64) -> Measurement {
    let mut measurement = world.exchange().unwrap();
    measurement.outbound += Span::from_seconds(by);
    measurement
}

/// An estimator that has seen a hundred exchanges, one every 64 seconds.
fn settled(mut world: World) -> (World, Estimator) {
    let mut estimator = fresh(100e-6);
    for _ in 0..100 {
        world.advance(64.0);
        estimator.add(&world.exchange().unwrap());
    }
    (world, estimator)
}

#[test]
fn an_answer_that_waited_for_an_address_says_nothing_of_the_frequency() {
    for (seed, interval) in (0..20).zip([2.0, 64.0].into_iter().cycle()) {
        let path = World::with_path(seed, 10e-6, Queue::Exponential(0.2e-6));
        let mut world = World { frequency: 100e-6, ..path };
        let mut estimator = fresh(200e-6);
        estimator.add(&slow(&mut world, 1e-3));
        world.advance(interval);
        estimator.add(&world.exchange().unwrap());
        let estimate = estimator.estimate(world.now()).unwrap();
        assert_eq!(estimate.samples, 1, "seed {seed}");
        assert!((estimate.frequency.sd / 200e-6 - 1.0).abs() < 1e-3, "seed {seed}: {estimate:?}");
        world.advance(interval);
        let estimate = estimator.estimate(world.now()).unwrap();
        let error = (estimate.offset - world.truth()).seconds();
        assert!(error.abs() <= estimate.root_distance(), "seed {seed}: {error:e} {estimate:?}");
    }
}

#[test]
fn packets_that_were_all_held_back_say_nothing_either() {
    for (seed, count) in (110..138).zip((1..8).cycle()) {
        let path = World::with_path(seed, 0.6e-3, Queue::Bursty(15e-6, 300e-6));
        // Half of them come after a restart.
        let (mut world, mut estimator) =
            if seed.is_multiple_of(2) { (path, fresh(100e-6)) } else { settled(path) };
        estimator.restart();
        for poll in 0..count {
            let mut measurement = slow(&mut world, if poll % 2 == 0 { 0.5 } else { 0.0 });
            if poll % 2 == 1 {
                measurement.inbound += Span::from_seconds(0.5);
            }
            estimator.add(&measurement);
            world.advance(64.0);
        }
        estimator.add(&world.exchange().unwrap());
        assert_eq!(estimator.len(), 1, "seed {seed}");
        for _ in 0..30 {
            world.advance(64.0);
            estimator.add(&world.exchange().unwrap());
            let estimate = estimator.estimate(world.now()).unwrap();
            let error = (estimate.offset - world.truth()).seconds();
            assert!(error.abs() <= estimate.root_distance(), "seed {seed}: {error:e} {estimate:?}");
            assert!(error.abs() < 1e-3, "seed {seed}: {error:e} s");
        }
    }
}

#[test]
fn slow_answers_after_a_restart_cost_nothing_of_what_was_learnt() {
    for (seed, count) in (20..40).zip([1, 2].into_iter().cycle()) {
        let path = World::with_path(seed, 10e-6, Queue::Exponential(0.2e-6));
        let (mut world, mut estimator) = settled(path);
        let before = estimator.estimate(world.now()).unwrap().frequency;
        estimator.restart();
        world.advance(SLEEP);
        for by in [1e-3, 2e-3].into_iter().take(count) {
            world.advance(64.0);
            estimator.add(&slow(&mut world, by));
        }
        world.advance(64.0);
        estimator.add(&world.exchange().unwrap());
        let after = estimator.estimate(world.now()).unwrap();
        assert_eq!(after.samples, 1, "seed {seed}");
        let Frequency { value, sd } = after.frequency;
        let moved = (value - before.value).abs();
        assert!(moved < 0.2e-6 && sd < 2e-6, "seed {seed}: {before:?} {after:?}");
    }
}

#[test]
fn a_frequency_grows_old_while_the_machine_sleeps() {
    let cases = [("restless", 1e-8, 0.0), ("day and night", 1e-10, 1e-6)];
    for (name, walk, amplitude) in cases {
        let mut off = Vec::new();
        for seed in 40..80 {
            let path = World::with_path(seed, 10e-3, Queue::Exponential(0.2e-3));
            let temperature = (amplitude, 86400.0);
            let (mut world, mut estimator) = settled(World { walk, temperature, ..path });
            estimator.restart();
            world.advance(SLEEP);
            estimator.add(&world.exchange().unwrap());
            let Frequency { value, sd } = estimator.estimate(world.now()).unwrap().frequency;
            off.push((value - world.true_frequency()).abs() / sd);
            assert!(sd < 20e-6, "{name}, seed {seed}: {sd:e}");
        }
        off.sort_by(f64::total_cmp);
        println!("{name}: half within {:.2} sd, all within {:.2}", off[20], off[39]);
        assert!(off[20] < 1.5 && off[39] < 3.0, "{name}, seeds 40 to 79");
    }
}

/// It may be another day, of which nothing is known.
#[test]
fn a_frequency_that_never_moved_may_have_moved_overnight() {
    for seed in 80..90 {
        let path = World::with_path(seed, 10e-6, Queue::Exponential(0.2e-6));
        let (mut world, mut estimator) = settled(World { walk: 1e-12, ..path });
        let before = estimator.estimate(world.now()).unwrap().frequency;
        estimator.restart();
        world.advance(SLEEP);
        estimator.add(&world.exchange().unwrap());
        let after = estimator.estimate(world.now()).unwrap().frequency;
        let untested = (UNTESTED * (SLEEP - 64.0)).sqrt();
        let case = format!("seed {seed}: {before:?} {after:?}");
        assert!(before.sd < 0.1 * untested, "{case}");
        assert!(after.sd >= untested && after.sd < 2.0 * untested, "{case}");
    }
}

#[test]
fn a_way_of_seconds_is_not_taken_for_a_noisy_one() {
    for seed in 90..110 {
        let path = World::with_path(seed, 5.0, Queue::Exponential(0.1e-3));
        let mut world = World { frequency: 100e-6, ..path };
        let mut estimator = fresh(200e-6);
        for _ in 0..5 {
            world.advance(64.0);
            estimator.add(&world.exchange().unwrap());
        }
        let estimate = estimator.estimate(world.now()).unwrap();
        let error = (estimate.offset - world.truth()).seconds();
        assert!(error.abs() < 1e-3, "seed {seed}: {error:e} s");
    }
}
