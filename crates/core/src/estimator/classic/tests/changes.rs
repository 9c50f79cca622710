//! Spikes, steps, routes: what must move the estimate and what must not.

use timeball_wire::Span;

use super::super::*;
use crate::estimator::world::{Queue, World};

/// A world with 10 ms of delay each way and its estimator, which has seen `polls` exchanges, one
/// every 64 seconds.
fn settled(seed: u64, polls: usize) -> (World, Classic) {
    println!("seed {seed}");
    let mut world = World::with_path(seed, 10e-3, Queue::Exponential(0.2e-3));
    let mut estimator = Classic::new(Settings::default(), Frequency { value: 0.0, sd: 100e-6 });
    poll(&mut world, &mut estimator, polls);
    (world, estimator)
}

/// Polls a number of times and returns what the surprises said of steps.
fn poll(world: &mut World, estimator: &mut Classic, times: usize) -> Vec<f64> {
    let mut steps = Vec::new();
    for _ in 0..times {
        world.advance(64.0);
        if let Some(measurement) = world.exchange() {
            steps.extend(estimator.add(&measurement).and_then(|surprise| surprise.stepped));
        }
    }
    steps
}

/// Error of the estimate now (s), and whether the reported interval contains the truth.
fn error(world: &World, estimator: &Classic) -> (f64, bool) {
    let estimate = estimator.estimate(world.now()).unwrap();
    let error = (estimate.offset - world.truth()).seconds();
    (error, error.abs() <= estimate.root_distance())
}

#[test]
fn a_popcorn_spike_does_not_move_the_estimate() {
    for seed in 0..20 {
        let (mut world, mut estimator) = settled(seed, 40);
        world.advance(64.0);
        let at = world.now();
        let before = estimator.estimate(at).unwrap();
        world.server_error = 50e-3;
        let surprise = estimator.add(&world.exchange().unwrap()).unwrap();
        world.server_error = 0.0;
        let after = estimator.estimate(at).unwrap();
        assert!((surprise.error - 50e-3).abs() < 2e-3, "{surprise:?}");
        assert_eq!(surprise.stepped, None);
        assert_eq!((after.offset, after.frequency), (before.offset, before.frequency));
        // It could be the truth as well.
        assert!(after.root_distance() > before.root_distance() + 45e-3, "{after:?}");

        assert_eq!(poll(&mut world, &mut estimator, 1), []);
        let next = estimator.estimate(world.now()).unwrap();
        assert!(next.root_distance() < 15e-3, "doubt must be over: {next:?}");
        let (error, covered) = error(&world, &estimator);
        assert!(error.abs() < 0.5e-3 && covered, "{error}");
    }
}

#[test]
fn a_step_of_the_source_is_followed_and_told() {
    for (seed, size) in (0..20).zip([5e-3, -20e-3, 0.5, -3600.0, 1.5e9].into_iter().cycle()) {
        let (mut world, mut estimator) = settled(seed, 40);
        let before = estimator.estimate(world.now()).unwrap().frequency;
        // Its new time is the truth: seen from here the truth was stepped.
        world.origin += Span::from_seconds(size);
        let steps = poll(&mut world, &mut estimator, 3);
        assert_eq!(steps.len(), 1, "a step of {size} s gave {steps:?}");
        assert!((steps[0] - size).abs() < 2e-3, "{steps:?}");
        assert_eq!(estimator.len(), 3);
        let (error, covered) = error(&world, &estimator);
        assert!(error.abs() < 1e-3 && covered, "{error} after a step of {size}");
        let after = estimator.estimate(world.now()).unwrap().frequency;
        assert!(
            (after.value - before.value).abs() < 4.0 * before.sd.hypot(after.sd),
            "{before:?} {after:?}"
        );
    }
}

#[test]
fn the_bound_holds_while_a_step_is_not_yet_understood() {
    let (mut world, mut estimator) = settled(30, 40);
    world.origin += Span::from_millis(30);
    for _ in 0..3 {
        poll(&mut world, &mut estimator, 1);
        assert!(error(&world, &estimator).1);
    }
}

#[test]
fn a_frequency_jump_is_no_step() {
    for (seed, jump) in (40..60).zip([2e-6, -5e-6, 10e-6].into_iter().cycle()) {
        let (mut world, mut estimator) = settled(seed, 40);
        world.frequency += jump;
        let steps = poll(&mut world, &mut estimator, 12);
        assert_eq!(steps, [], "jump of {jump}");
        let (error, covered) = error(&world, &estimator);
        assert!(error.abs() < 0.5e-3 && covered, "{error}");
        assert_eq!(poll(&mut world, &mut estimator, 24), []);
        let frequency = estimator.estimate(world.now()).unwrap().frequency;
        assert!((frequency.value - world.true_frequency()).abs() < 0.5e-6, "{frequency:?}");
    }
}

#[test]
fn a_server_that_slews_its_clock_is_followed() {
    let (mut world, mut estimator) = settled(69, 40);
    // Its time before was the wrong one: 128 ms, taken back at 500 ppm.
    for _ in 0..4 {
        world.server_error += 32e-3;
        assert_eq!(poll(&mut world, &mut estimator, 1), []);
    }
    world.origin += Span::from_seconds(world.server_error);
    world.server_error = 0.0;
    assert_eq!(poll(&mut world, &mut estimator, 10), []);
    let (error, covered) = error(&world, &estimator);
    assert!(error.abs() < 1e-3 && covered, "{error}");
    let frequency = estimator.estimate(world.now()).unwrap().frequency;
    assert!((frequency.value - world.true_frequency()).abs() < 4.0 * frequency.sd);
}

#[test]
fn restart_forgets_the_phase_and_keeps_the_frequency() {
    let (mut world, mut estimator) = settled(60, 100);
    let before = estimator.estimate(world.now()).unwrap();
    estimator.restart();
    assert!((estimator.len() == 0));
    assert_eq!(estimator.estimate(world.now()), None);
    assert_eq!(estimator.statistics(), None);
    world.origin += Span::from_secs(-7200);
    assert_eq!(poll(&mut world, &mut estimator, 1), []);
    let after = estimator.estimate(world.now()).unwrap();
    assert_eq!(after.samples, 1);
    assert!((after.offset - world.truth()).seconds().abs() < 1e-3);
    assert!((after.frequency.value - before.frequency.value).abs() < 1e-12);
    assert!(after.frequency.sd < 0.5e-6, "{:?}", after.frequency);
}

#[test]
fn oscillator_time_may_go_back_after_a_restart_only() {
    let (mut world, mut estimator) = settled(61, 10);
    let past = Measurement { at: world.now() - Span::from_secs(1000), ..world.exchange().unwrap() };
    let (before, len) = (estimator.estimate(world.now()), estimator.len());
    assert_eq!(estimator.add(&past), None);
    assert_eq!((estimator.estimate(world.now()), estimator.len()), (before, len));
    estimator.restart();
    assert_eq!(estimator.add(&past), None);
    assert_eq!(estimator.len(), 1);
}

#[test]
fn a_route_that_became_longer_both_ways_is_accepted() {
    for seed in 70..80 {
        let (mut world, mut estimator) = settled(seed, 64);
        let short = estimator.statistics().unwrap();
        assert!((20e-3..20.5e-3).contains(&short.delay_floor), "{short:?}");
        world.outbound.base += 15e-3;
        world.inbound.base += 15e-3;
        for _ in 0..20 {
            poll(&mut world, &mut estimator, 1);
            let (error, covered) = error(&world, &estimator);
            assert!(error.abs() < 0.5e-3 && covered, "{error}");
        }
        let long = estimator.statistics().unwrap();
        assert!((50e-3..50.5e-3).contains(&long.delay_floor), "{long:?}");
        assert!(long.typical_excess < 1e-3, "{long:?}");
    }
}

#[test]
fn a_route_that_became_longer_one_way_is_distrusted_and_then_accepted() {
    for seed in 80..90 {
        let (mut world, mut estimator) = settled(seed, 64);
        world.outbound.base += 20e-3;
        // Its measurements are 10 ms off, but those of the old route know better…
        for _ in 0..8 {
            poll(&mut world, &mut estimator, 1);
            let (error, covered) = error(&world, &estimator);
            assert!(error.abs() < 1e-3 && covered, "{error}");
        }
        // …until they have left the window. The bound holds all the time.
        for _ in 0..64 {
            poll(&mut world, &mut estimator, 1);
            assert!(error(&world, &estimator).1);
        }
        let estimate = estimator.estimate(world.now()).unwrap();
        assert!((40e-3..41e-3).contains(&estimate.delay), "{estimate:?}");
        assert!((error(&world, &estimator).0 - 10e-3).abs() < 1e-3);
    }
}

#[test]
fn a_shorter_route_is_accepted_at_once_and_is_no_step() {
    for (seed, one_way) in (90..100).zip([true, false].into_iter().cycle()) {
        let (mut world, mut estimator) = settled(seed, 64);
        world.outbound.base -= 8e-3;
        world.inbound.base -= if one_way { 0.0 } else { 8e-3 };
        for _ in 0..12 {
            assert_eq!(poll(&mut world, &mut estimator, 1), []);
            assert!(error(&world, &estimator).1);
        }
        let expected = if one_way { -4e-3 } else { 0.0 };
        let (error, _) = error(&world, &estimator);
        assert!((error - expected).abs() < 0.5e-3, "{error}, one way: {one_way}");
    }
}

#[test]
fn a_noisy_source_is_believed_for_what_it_is() {
    // The server's clock itself is bad: nothing in the delay tells.
    let (mut world, mut estimator) = settled(110, 20);
    for _ in 0..40 {
        world.server_error = 20e-3 * world.normal();
        poll(&mut world, &mut estimator, 1);
    }
    let estimate = estimator.estimate(world.now()).unwrap();
    assert!(estimator.len() > 20, "{estimator:?}");
    assert!((5e-3..40e-3).contains(&estimate.jitter), "{estimate:?}");
}

#[test]
fn noise_is_remembered_over_a_step_and_forgotten_when_it_is_over() {
    let (mut world, mut estimator) = settled(120, 20);
    let noisy = |world: &mut World, estimator: &mut Classic, times| {
        for _ in 0..times {
            world.server_error = 20e-3 * world.normal();
            poll(world, estimator, 1);
        }
        world.server_error = 0.0;
    };
    noisy(&mut world, &mut estimator, 40);
    world.origin += Span::from_secs(10);
    noisy(&mut world, &mut estimator, 3);
    let estimate = estimator.estimate(world.now()).unwrap();
    assert!(estimate.samples <= 3, "the step was not seen: {estimate:?}");
    assert!(estimate.offset_sd > 5e-3, "{estimate:?}");
    poll(&mut world, &mut estimator, 70);
    let statistics = estimator.statistics().unwrap();
    assert!(statistics.noise < 0.5e-3, "{statistics:?}");
}
