//! Spikes, steps, routes, starts and silence, as the bank takes them.

use super::super::world::{Queue, World};
use super::super::*;

/// An estimator that has seen nothing.
fn fresh(prior: Frequency) -> Estimator {
    Estimator::new(Settings { method: Method::Bank, ..Settings::default() }, prior)
}

const UNKNOWN: Frequency = Frequency { value: 0.0, sd: 100e-6 };

/// A world with 10 ms of delay each way and its estimator, which has seen `polls` exchanges, one every
/// 64 seconds.
fn settled(seed: u64, polls: usize) -> (World, Estimator) {
    println!("seed {seed}");
    let mut world = World::with_path(seed, 10e-3, Queue::Exponential(0.2e-3));
    let mut estimator = fresh(UNKNOWN);
    poll(&mut world, &mut estimator, polls);
    (world, estimator)
}

/// Polls a number of times and returns what the surprises said of steps.
fn poll(world: &mut World, estimator: &mut Estimator, times: usize) -> Vec<f64> {
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
fn error(world: &World, estimator: &Estimator) -> (f64, bool) {
    let estimate = estimator.estimate(world.now()).unwrap();
    let error = (estimate.offset - world.truth()).seconds();
    (error, error.abs() <= estimate.root_distance())
}

#[test]
fn a_popcorn_spike_does_not_move_the_estimate_and_asks_for_a_second_look() {
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
        assert_eq!((surprise.stepped, surprise.wish), (None, Wish::Soon));
        assert_eq!((after.offset, after.frequency), (before.offset, before.frequency));
        // It could be the truth as well.
        assert!(after.root_distance() > before.root_distance() + 45e-3, "{after:?}");

        assert_eq!(poll(&mut world, &mut estimator, 1), []);
        let next = estimator.estimate(world.now()).unwrap();
        assert!(next.root_distance() < 15e-3, "doubt must be over: {next:?}");
        let (error, covered) = error(&world, &estimator);
        assert!(error.abs() < 0.2e-3 && covered, "{error}");
    }
}

/// Soon after a new beginning, when nothing could be called unusual yet.
#[test]
fn an_oscillator_that_was_misread_is_neither_queue_nor_frequency() {
    const MISREAD: f64 = 2e-3;
    for seed in 0..40 {
        println!("seed {seed}");
        let mut world = World::with_path(seed, 0.6e-3, Queue::Exponential(50e-6));
        world.walk = 1e-11;
        let mut estimator = fresh(UNKNOWN);
        poll(&mut world, &mut estimator, 40);
        estimator.restart();
        poll(&mut world, &mut estimator, 4);
        world.advance(16.0);
        let late = world.exchange().unwrap();
        world.advance(16.0);
        world.gained += MISREAD;
        estimator.doubt(world.now(), 1.5 * MISREAD);
        // In two parts, and an answer from before it comes late.
        estimator.doubt(world.now(), 0.1 * MISREAD);
        estimator.add(&late);
        world.advance(1.0);
        let (_, covered) = error(&world, &estimator);
        assert!(covered, "{:?}", estimator.estimate(world.now()));
        for polls in 1..20 {
            poll(&mut world, &mut estimator, 1);
            let (error, covered) = error(&world, &estimator);
            assert!(covered && error.abs() < 0.4e-3, "{error:e} s after {polls}");
            let off = estimator.estimate(world.now()).unwrap().frequency.value - world.frequency;
            assert!(off.abs() < 0.5e-6, "{off:e} s/s off after {polls}");
        }
    }
}

#[test]
fn until_it_is_measured_what_was_misread_is_in_the_bound_of_either_method() {
    const MISREAD: f64 = 2e-3;
    for method in [Method::Bank, Method::Classic] {
        let mut world = World::with_path(1, 0.6e-3, Queue::Exponential(50e-6));
        let mut estimator = Estimator::new(Settings { method, ..Settings::default() }, UNKNOWN);
        poll(&mut world, &mut estimator, 40);
        let bound = |world: &World, estimator: &Estimator| {
            estimator.estimate(world.now()).unwrap().root_distance()
        };
        let before = bound(&world, &estimator);
        estimator.doubt(world.now(), MISREAD);
        world.advance(1.0);
        assert!(bound(&world, &estimator) > before + MISREAD, "{method:?}");
        poll(&mut world, &mut estimator, 1);
        assert!(bound(&world, &estimator) < 1.5 * before, "{method:?}");
    }
}

#[test]
fn a_step_of_the_source_is_followed_and_told() {
    for (seed, size) in (0..20).zip([5e-3, -20e-3, 0.5, -3600.0, 1.5e9].into_iter().cycle()) {
        let (mut world, mut estimator) = settled(seed, 40);
        // Its new time is the truth: seen from here the truth was stepped.
        world.origin += Span::from_seconds(size);
        let steps = poll(&mut world, &mut estimator, 3);
        assert_eq!(steps.len(), 1, "a step of {size} s gave {steps:?}");
        assert!((steps[0] - size).abs() < 2e-3, "{steps:?}");
        let (now, covered) = error(&world, &estimator);
        assert!(now.abs() < 1e-3 && covered, "{now} after a step of {size}");
        assert_eq!(poll(&mut world, &mut estimator, 40), []);
        let (later, covered) = error(&world, &estimator);
        assert!(later.abs() < 0.2e-3 && covered, "{later} after a step of {size}");
    }
}

#[test]
fn a_step_of_minutes_is_followed_where_a_round_trip_takes_seconds() {
    for seed in 400..410 {
        let mut world = World::with_path(seed, 1.0, Queue::Exponential(1e-3));
        let mut estimator = fresh(UNKNOWN);
        poll(&mut world, &mut estimator, 40);
        // No new beginnings, but far enough to count offsets from elsewhere.
        for size in [150.0, -75.0, -30.0] {
            world.origin += Span::from_seconds(size);
            let steps = poll(&mut world, &mut estimator, 3);
            assert_eq!(steps.len(), 1, "seed {seed}: a step of {size} s gave {steps:?}");
            let (now, covered) = error(&world, &estimator);
            assert!(now.abs() < 5e-3 && covered, "seed {seed}: {now} after a step of {size}");
            assert_eq!(poll(&mut world, &mut estimator, 10), []);
        }
    }
}

#[test]
fn patience_grows_faster_after_a_new_beginning_than_at_the_first() {
    for size in [20e-3, 1.5e9] {
        let (mut world, mut estimator) = settled(31, 40);
        world.origin += Span::from_seconds(size);
        assert_eq!(poll(&mut world, &mut estimator, 3).len(), 1);
        for count in 1..4 {
            world.advance(64.0);
            let surprise = estimator.add(&world.exchange().unwrap()).unwrap();
            let Wish::After { settled, .. } = surprise.wish else { panic!("{surprise:?}") };
            assert!((settled - 2.0 * 64.0 * f64::from(count)).abs() < 1e-6, "{size}: {settled}");
        }
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
fn a_frequency_that_jumps_is_followed() {
    for (seed, jump) in (40..60).zip([2e-6, -5e-6, 10e-6].into_iter().cycle()) {
        let (mut world, mut estimator) = settled(seed, 40);
        world.frequency += jump;
        poll(&mut world, &mut estimator, 12);
        let (error, covered) = error(&world, &estimator);
        assert!(error.abs() < 0.3e-3 && covered, "{error}");
        poll(&mut world, &mut estimator, 24);
        let frequency = estimator.estimate(world.now()).unwrap().frequency;
        assert!((frequency.value - world.true_frequency()).abs() < 0.5e-6, "{frequency:?}");
    }
}

#[test]
fn routes_that_change_both_ways_move_nothing() {
    for (seed, by) in (70..90).zip([15e-3, -8e-3, 4e-3].into_iter().cycle()) {
        let (mut world, mut estimator) = settled(seed, 64);
        world.outbound.base += by;
        world.inbound.base += by;
        for count in 0..24 {
            assert_eq!(poll(&mut world, &mut estimator, 1), []);
            let (error, covered) = error(&world, &estimator);
            assert!(error.abs() < 0.3e-3 && covered, "{by}, {count}: {error}");
        }
        let delay = estimator.statistics().unwrap().delay_floor;
        assert!((delay - (20e-3 + 2.0 * by)).abs() < 1e-3, "{by}: {delay}");
    }
}

#[test]
fn a_route_that_comes_and_goes_moves_little() {
    // Base delay of each way, what comes and goes, the queues, the interval, and what is left of it (s).
    let few = (1e-3, 5e-3, 0.1e-3, 700.0, 0.3e-3);
    let many = (10e-3, 4e-3, 1e-3, 950.0, 0.7e-3);
    for (seed, (base, by, queue, interval, limit)) in
        (300..324).zip([few, many].into_iter().cycle())
    {
        let mut world = World::with_path(seed, base, Queue::Exponential(queue));
        let mut estimator = fresh(UNKNOWN);
        let (mut squares, mut moments) = (0.0, 0.0);
        while world.elapsed < 160_000.0 {
            let longer = (world.elapsed / 10_000.0) as u64 % 2 == 1;
            let base = if longer { base + by } else { base };
            (world.outbound.base, world.inbound.base) = (base, base);
            world.advance(interval);
            estimator.add(&world.exchange().unwrap());
            if world.elapsed > 16_000.0 {
                let (error, covered) = error(&world, &estimator);
                assert!(covered, "seed {seed}: {error}");
                squares += error * error;
                moments += 1.0;
            }
        }
        let rms: f64 = f64::sqrt(squares / moments);
        println!("seed {seed}: {rms:e}");
        assert!(rms < limit, "seed {seed}: {rms}");
    }
}

#[test]
fn the_bound_holds_when_a_route_changes_one_way() {
    for (seed, by) in (90..100).zip([20e-3, -8e-3].into_iter().cycle()) {
        let (mut world, mut estimator) = settled(seed, 64);
        world.outbound.base += by;
        for count in 0..100 {
            poll(&mut world, &mut estimator, 1);
            let (error, covered) = error(&world, &estimator);
            assert!(covered, "{by}, {count}: {error}");
        }
    }
}

#[test]
fn a_volley_does_not_overrule_what_is_known_of_the_frequency() {
    for seed in 10..40 {
        let mut world = World::with_path(seed, 10e-3, Queue::Exponential(1e-3));
        let mut estimator = fresh(Frequency { value: 20e-6, sd: 1e-6 });
        for count in 1..=4 {
            estimator.add(&world.exchange().unwrap());
            let estimate = estimator.estimate(world.now()).unwrap();
            assert_eq!(estimate.samples, count);
            assert!((estimate.frequency.value - 20e-6).abs() < 1e-6, "{estimate:?}");
            world.advance(2.0);
        }
    }
}

#[test]
fn restart_forgets_the_phase_and_keeps_the_frequency() {
    let (mut world, mut estimator) = settled(60, 100);
    let before = estimator.estimate(world.now()).unwrap();
    estimator.restart();
    assert!(estimator.is_empty());
    assert_eq!(estimator.estimate(world.now()), None);
    world.origin += Span::from_secs(-7200);
    poll(&mut world, &mut estimator, 1);
    let after = estimator.estimate(world.now()).unwrap();
    assert_eq!(after.samples, 1);
    assert!((after.offset - world.truth()).seconds().abs() < 1e-3);
    assert!((after.frequency.value - before.frequency.value).abs() < 1e-7, "{after:?}");
    assert!(after.frequency.sd < 0.5e-6, "{:?}", after.frequency);
}

#[test]
fn the_first_hour_is_covered() {
    let (mut moments, mut covered) = (0, 0);
    for seed in 100..160 {
        let mut world = World::with_path(seed, 10e-3, Queue::Exponential(1e-3));
        world.frequency = 100e-6 * world.normal();
        let mut estimator = fresh(UNKNOWN);
        for interval in [2.0, 2.0, 2.0, 64.0, 64.0, 64.0, 128.0, 128.0, 256.0, 512.0, 1024.0] {
            estimator.add(&world.exchange().unwrap());
            world.advance(interval);
            moments += 1;
            covered += u32::from(error(&world, &estimator).1);
        }
    }
    println!("{covered} of {moments}");
    assert!(f64::from(covered) >= 0.995 * f64::from(moments));
}

#[test]
fn a_day_without_answers_is_covered() {
    let cases = [("crystal", 1e-9, 0.0), ("restless", 1e-8, 0.0), ("day and night", 1e-9, 1e-6)];
    for (name, walk, amplitude) in cases {
        let (mut moments, mut covered) = (0, 0);
        for seed in 200..212 {
            let mut world = World::with_path(seed, 10e-3, Queue::Exponential(1e-3));
            (world.walk, world.temperature) = (walk, (amplitude, 86400.0));
            let mut estimator = fresh(UNKNOWN);
            for _ in 0..200 + seed {
                estimator.add(&world.exchange().unwrap());
                world.advance(64.0);
            }
            let mut last = 0.0;
            for _ in 0..24 {
                let estimate = estimator.estimate(world.now()).unwrap();
                moments += 1;
                covered += u32::from(error(&world, &estimator).1);
                assert!(estimate.root_distance() > last, "uncertainty must grow: {estimate:?}");
                last = estimate.root_distance();
                world.advance(3600.0);
            }
        }
        println!("{name}: {covered} of {moments} covered");
        assert!(f64::from(covered) >= 0.99 * f64::from(moments), "{name}");
    }
}

#[test]
fn on_a_noisier_path_than_was_guessed_the_oscillator_is_not_blamed() {
    let mut doubts = Vec::new();
    println!("seeds 0 to 39");
    for seed in 0..40 {
        let mut world = World::with_path(seed, 0.1e-3, Queue::Exponential(0.1e-3));
        let mut estimator = fresh(UNKNOWN);
        for poll in 0..12 {
            world.advance(if poll < 5 { 64.0 } else { 800.0 });
            estimator.add(&world.exchange().unwrap());
            if poll >= 5 {
                doubts.push(estimator.estimate(world.now()).unwrap().frequency.sd);
            }
        }
    }
    doubts.sort_by(f64::total_cmp);
    let all_but = |share: f64| doubts[(doubts.len() as f64 * (1.0 - share)) as usize];
    println!("frequency known to {:e}, 95 times of 100 to {:e}", all_but(0.5), all_but(0.05));
    assert!(all_but(0.05) < 0.8e-6);
}
