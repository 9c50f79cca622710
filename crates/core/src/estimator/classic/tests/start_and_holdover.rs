//! Few measurements, and none for a long time.

use timeball_wire::Span;

use super::super::*;
use crate::estimator::world::{Queue, World};

const KNOWN: Frequency = Frequency { value: 20e-6, sd: 1e-6 };

fn world(seed: u64) -> World {
    println!("seed {seed}");
    World::with_path(seed, 10e-3, Queue::Exponential(1e-3))
}

#[test]
fn there_is_no_estimate_without_measurements() {
    let estimator = Classic::new(Settings::default(), KNOWN);
    assert_eq!(estimator.estimate(Oscillator::from_nanos(0)), None);
    assert_eq!((estimator.len(), (estimator.len() == 0)), (0, true));
}

#[test]
fn one_measurement_gives_an_offset_and_the_known_frequency() {
    let mut world = world(1);
    let mut estimator = Classic::new(Settings::default(), KNOWN);
    let measurement = world.exchange().unwrap();
    assert_eq!(estimator.add(&measurement), None);
    let now = estimator.estimate(measurement.at).unwrap();
    assert_eq!(now.samples, 1);
    assert_eq!(now.offset, measurement.offset());
    assert!((now.frequency.value - 20e-6).abs() < 1e-12, "{now:?}");
    assert!((1e-6..3e-6).contains(&now.frequency.sd), "{now:?}");
    assert!(now.root_distance() >= measurement.root_distance(), "{now:?}");
    assert!((now.root_delay - measurement.delay()).abs() < 1e-12, "{now:?}");
    assert_eq!((now.age, now.jitter > 0.0), (Span::ZERO, true));

    // The known frequency carries it, and doubt about it widens the interval.
    let later = estimator.estimate(measurement.at + Span::from_secs(1000)).unwrap();
    assert!(((later.offset - now.offset).seconds() - 20e-3).abs() < 1e-8, "{later:?}");
    assert!(later.root_distance() > now.root_distance() + 1e-3, "{later:?}");
    assert_eq!(later.age, Span::from_secs(1000));
}

#[test]
fn a_volley_does_not_overrule_what_is_known_of_the_frequency() {
    for seed in 10..60 {
        let mut world = world(seed);
        let mut estimator = Classic::new(Settings::default(), KNOWN);
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
fn a_wrong_drift_file_is_overruled_in_time() {
    for (seed, (wrong, polls)) in (60..80).zip([(2e-6, 100), (20e-6, 40)].into_iter().cycle()) {
        let mut world = world(seed);
        // And it is proud of it.
        let prior = Frequency { value: world.frequency + wrong, sd: 1e-9 };
        let mut estimator = Classic::new(Settings::default(), prior);
        for _ in 0..polls {
            estimator.add(&world.exchange().unwrap());
            world.advance(64.0);
        }
        let estimate = estimator.estimate(world.now()).unwrap();
        let error = estimate.frequency.value - world.true_frequency();
        assert!(error.abs() < 1e-6, "{error:e} in {estimate:?}");
    }
}

#[test]
fn the_first_hour_is_covered() {
    let (mut moments, mut covered, mut within_three_sd) = (0, 0, 0);
    for seed in 100..200 {
        let mut world = world(seed);
        world.frequency = 100e-6 * world.normal();
        let prior = Frequency { value: 0.0, sd: 100e-6 };
        let mut estimator = Classic::new(Settings::default(), prior);
        for interval in [2.0, 2.0, 2.0, 64.0, 64.0, 64.0, 128.0, 128.0, 256.0, 512.0, 1024.0] {
            estimator.add(&world.exchange().unwrap());
            world.advance(interval);
            let estimate = estimator.estimate(world.now()).unwrap();
            let error = (estimate.offset - world.truth()).seconds().abs();
            moments += 1;
            covered += u32::from(error <= estimate.root_distance());
            within_three_sd += u32::from(error <= 3.0 * estimate.offset_sd);
        }
    }
    println!("in the interval {covered}, within 3 sd {within_three_sd} of {moments}");
    assert_eq!(moments, 1100);
    assert!(covered >= 1098 && within_three_sd >= 1085);
}

#[test]
fn a_day_without_answers_is_covered() {
    let cases = [("crystal", 1e-9, 0.0), ("restless", 1e-8, 0.0), ("day and night", 1e-9, 1e-6)];
    for (name, walk, amplitude) in cases {
        let (mut moments, mut covered, mut growth) = (0, 0, 0.0);
        for seed in 200..220 {
            let mut world = world(seed);
            (world.walk, world.temperature) = (walk, (amplitude, 86400.0));
            let mut estimator =
                Classic::new(Settings::default(), Frequency { value: 0.0, sd: 100e-6 });
            for _ in 0..400 + seed {
                estimator.add(&world.exchange().unwrap());
                world.advance(64.0);
            }
            println!(
                "{:?} {:?}",
                estimator.estimate(world.now()).unwrap().frequency,
                estimator.statistics()
            );
            let mut last = 0.0;
            for _ in 0..24 {
                let estimate = estimator.estimate(world.now()).unwrap();
                let error = (estimate.offset - world.truth()).seconds().abs();
                moments += 1;
                covered += u32::from(error <= estimate.root_distance());
                assert!(estimate.root_distance() > last, "uncertainty must grow: {estimate:?}");
                last = estimate.root_distance();
                world.advance(3600.0);
            }
            growth += last / 20.0;
        }
        println!("{name}: {covered} of {moments} covered, ± {growth:.3} s after a day");
        assert!(f64::from(covered) >= 0.99 * f64::from(moments), "{name}");
    }
}

#[test]
fn fifty_years_of_offset_cost_no_digits() {
    let mut near = world(300);
    let mut far = world(300).with_origin(Span::from_secs(-50 * 31_556_952));
    let mut estimators =
        [Classic::new(Settings::default(), KNOWN), Classic::new(Settings::default(), KNOWN)];
    for _ in 0..50 {
        estimators[0].add(&near.exchange().unwrap());
        estimators[1].add(&far.exchange().unwrap());
        near.advance(64.0);
        far.advance(64.0);
    }
    let [near_error, far_error] = [
        (estimators[0].estimate(near.now()).unwrap(), near.truth()),
        (estimators[1].estimate(far.now()).unwrap(), far.truth()),
    ]
    .map(|(estimate, truth)| estimate.offset - truth);
    // Halving an odd number of nanoseconds rounds towards zero, which lies on the other side.
    assert!((near_error - far_error).nanos().abs() <= 20, "{near_error:?} {far_error:?}");
}

#[test]
fn the_interval_covers_that_of_a_whole_measurement() {
    let mut estimator = Classic::new(Settings::default(), KNOWN);
    let measurement = |minute: i64, delay: i64, offset: i64, root_dispersion| Measurement {
        at: Oscillator::from_nanos(minute * 60_000_000_000),
        outbound: Span::from_millis(delay / 2 + offset),
        inbound: Span::from_millis(delay / 2 - offset),
        dispersion: 0.0,
        reading: 0.0,
        root_delay: 0.0,
        root_dispersion,
    };
    for minute in 0..10 {
        estimator.add(&measurement(minute, 10, 0, 50e-3));
    }
    // Late by 10 ms on one way, but its server is the first to be sure of itself: ± 10 ms.
    estimator.add(&measurement(10, 20, 5, 0.0));
    let estimate = estimator.estimate(Oscillator::from_nanos(600_000_000_000)).unwrap();
    assert!(estimate.offset.seconds().abs() < 1e-3, "{estimate:?}");
    assert!((14e-3..20e-3).contains(&estimate.root_distance()), "{estimate:?}");
}

#[test]
fn statistics_describe_what_was_learnt() {
    let mut world = world(400);
    let mut estimator = Classic::new(Settings::default(), KNOWN);
    for _ in 0..200 {
        estimator.add(&world.exchange().unwrap());
        world.advance(64.0);
    }
    let statistics = estimator.statistics().unwrap();
    assert_eq!(statistics.held, 64);
    assert!((6..=64).contains(&statistics.used), "{statistics:?}");
    assert!((statistics.span - 64.0 * (statistics.used - 1) as f64).abs() < 1e-3);
    assert!((20e-3..20.6e-3).contains(&statistics.delay_floor), "{statistics:?}");
    // Two exponential queues of 1 ms each have a median of 1.68 ms.
    assert!((1e-3..2.2e-3).contains(&statistics.typical_excess), "{statistics:?}");
    assert!(statistics.noise < 1e-3, "{statistics:?}");
    assert!((0.3e-3..1.5e-3).contains(&statistics.residual_sd), "{statistics:?}");
    assert!((1e-10..1e-8).contains(&statistics.wander), "{statistics:?}");
}

#[test]
fn a_first_measurement_that_is_wrong_is_no_frequency() {
    // A clock that may run at any rate, and a server that was being slewed when it was first asked.
    let anything = Frequency { value: 0.0, sd: 1e-2 };
    for seed in 80..120 {
        let mut world = World::with_path(seed, 1e-3, Queue::Exponential(50e-6));
        let mut estimator = Classic::new(Settings::default(), anything);
        for count in 1..=16 {
            world.server_error = if count == 1 { 0.1 } else { 0.0 };
            estimator.add(&world.exchange().unwrap());
            let Frequency { value, sd } = estimator.estimate(world.now()).unwrap().frequency;
            // Two points are on a line, whatever they are worth, until three others contradict them.
            assert!(
                (2..=4).contains(&count) || (value - 20e-6).abs() < 3.0 * sd,
                "{count}: {value} ± {sd}"
            );
            world.advance(4.0);
        }
        let Frequency { value, sd } = estimator.estimate(world.now()).unwrap().frequency;
        assert!((value - 20e-6).abs() < 20e-6 && sd < 20e-6, "{value} ± {sd}");
    }
}
