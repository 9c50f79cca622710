//! Is the estimate good, and is its uncertainty honest? A week each, against the simulated truth.

use super::super::*;
use crate::estimator::world::{Direction, Queue, World};

const DAY: f64 = 86400.0;
const WEEK: f64 = 7.0 * DAY;
/// Share of the moments in which the truth must be inside the reported interval, and inside three
/// standard deviations.
const COVERED: f64 = 0.99;

/// What a run showed.
#[derive(Debug, Default)]
struct Record {
    moments: f64,
    within_distance: f64,
    within_three_sd: f64,
    frequency_within_three_sd: f64,
    squares: f64,
    /// Sum of the half-widths of the reported intervals, in units of half the delay.
    widths: f64,
    /// Of the measurements themselves.
    measured: f64,
    measured_squares: f64,
}

impl Record {
    fn note(&mut self, estimate: &Estimate, world: &World) {
        let error = (estimate.offset - world.truth()).seconds();
        let frequency_error = estimate.frequency.value - world.true_frequency();
        let count = |is: bool| f64::from(u8::from(is));
        self.moments += 1.0;
        self.within_distance += count(error.abs() <= estimate.root_distance());
        self.within_three_sd += count(error.abs() <= 3.0 * estimate.offset_sd);
        self.frequency_within_three_sd +=
            count(frequency_error.abs() <= 3.0 * estimate.frequency.sd);
        self.squares += error * error;
        self.widths += estimate.root_distance() / (estimate.delay / 2.0);
    }

    fn rms(&self) -> f64 {
        (self.squares / self.moments).sqrt()
    }

    fn measured_rms(&self) -> f64 {
        (self.measured_squares / self.measured).sqrt()
    }
}

/// Runs `world` for `duration` seconds with an exchange every `poll` seconds, looking at the estimate
/// some time after each. `events` may change the world at any exchange.
fn run(world: &mut World, duration: f64, poll: f64, events: impl Fn(&mut World)) -> Record {
    let mut estimator = Classic::new(Settings::default(), Frequency { value: 0.0, sd: 100e-6 });
    let mut record = Record::default();
    while world.elapsed < duration {
        events(world);
        if let Some(measurement) = world.exchange() {
            record.measured += 1.0;
            record.measured_squares += (measurement.offset() - world.truth()).seconds().powi(2);
            estimator.add(&measurement);
        }
        let wait = poll * world.uniform();
        world.advance(wait);
        if let Some(estimate) = estimator.estimate(world.now()) {
            record.note(&estimate, world);
        }
        world.advance(poll - wait);
    }
    record
}

/// Runs a week of `world` and asserts that its bounds hold.
fn week(name: &str, world: World, poll: f64, events: impl Fn(&mut World)) -> Record {
    let mut world = world;
    let record = run(&mut world, WEEK, poll, events);
    let share = |count: f64| count / record.moments;
    println!(
        "{name}: error {:.3e} s of measurements that are off by {:.3e} s; truth in the interval \
         {:.4}, within 3 sd {:.4}, frequency within 3 sd {:.4}; interval {:.2} of the delay",
        record.rms(),
        record.measured_rms(),
        share(record.within_distance),
        share(record.within_three_sd),
        share(record.frequency_within_three_sd),
        share(record.widths) / 2.0,
    );
    assert!(share(record.within_distance) >= COVERED, "{name}: {record:?}");
    record
}

fn assert_sd_honest(record: &Record) {
    assert!(record.within_three_sd / record.moments >= COVERED, "{record:?}");
    assert!(record.frequency_within_three_sd / record.moments >= COVERED, "{record:?}");
}

#[test]
fn near_and_far_servers() {
    let cases = [
        ("lan", 1e-4, Queue::Exponential(1e-5), 256.0),
        ("metropolis", 1e-3, Queue::Exponential(1e-4), 512.0),
        ("continent", 1e-2, Queue::Exponential(1e-3), 776.0),
        ("overseas", 5e-2, Queue::Exponential(1e-2), 886.0),
        ("noise that is no queue", 1e-3, Queue::Gaussian(5e-5), 618.0),
        ("bursts", 1e-3, Queue::Bursty(1e-4, 2e-3), 532.0),
    ];
    for (seed, (name, base, queue, poll)) in (100..).zip(cases) {
        println!("seed {seed}");
        assert_sd_honest(&week(name, World::with_path(seed, base, queue), poll, |_| ()));
    }
}

#[test]
fn calm_and_restless_oscillators() {
    for (seed, (name, walk, poll)) in
        (200..).zip([("tcxo", 1e-11, 1024.0), ("poor", 1e-8, 153.0), ("terrible", 1e-7, 153.0)])
    {
        println!("seed {seed}");
        let world = World { walk, ..World::with_path(seed, 1e-3, Queue::Exponential(1e-4)) };
        assert_sd_honest(&week(name, world, poll, |_| ()));
    }
}

#[test]
fn the_temperature_of_the_room() {
    for (seed, (name, amplitude, period, poll)) in (300..).zip([
        ("air conditioning", 1e-6, 7200.0, 149.0),
        ("day and night", 1e-6, DAY, 512.0),
        ("day and night, slow polls", 2e-6, DAY, 1024.0),
    ]) {
        println!("seed {seed}");
        let path = World::with_path(seed, 1e-3, Queue::Exponential(1e-4));
        let world = World { temperature: (amplitude, period), ..path };
        assert_sd_honest(&week(name, world, poll, |_| ()));
    }
}

#[test]
fn everything_at_once() {
    for seed in 400..404 {
        println!("seed {seed}");
        let world = World {
            loss: 0.3,
            temperature: (0.5e-6, DAY),
            ..World::with_path(seed, 1e-2, Queue::Exponential(1e-3))
        };
        // Both ways longer by 5 ms, then one way by 4 ms more, then the other, then all as it was.
        week("loss, temperature, routes", world, 256.0, |world| {
            let (outbound, inbound) = match world.elapsed / DAY {
                ..1.0 => (10e-3, 10e-3),
                1.0..2.0 => (15e-3, 15e-3),
                2.0..3.5 => (19e-3, 15e-3),
                3.5..5.0 => (19e-3, 19e-3),
                _ => (10e-3, 10e-3),
            };
            world.outbound.base = outbound;
            world.inbound.base = inbound;
        });
    }
}

#[test]
fn asymmetric_paths_stay_within_half_the_delay() {
    for seed in 500..503 {
        println!("seed {seed}");
        let mut world = World::with_path(seed, 0.0, Queue::Exponential(1e-3));
        world.outbound.base = 20e-3;
        week("all of the delay on one way", world, 256.0, |_| ());
    }
}

#[test]
fn the_interval_is_hardly_wider_than_the_delay() {
    let world = World::with_path(550, 1e-2, Queue::Exponential(1e-3));
    let record = week("continent", world, 256.0, |_| ());
    assert!(record.widths / record.moments < 1.2, "{record:?}");
}

#[test]
fn averaging_beats_single_measurements() {
    let mut world = World::with_path(600, 1e-2, Queue::Exponential(1e-3));
    world.walk = 1e-10;
    let record = week("calm oscillator", world, 256.0, |_| ());
    assert!(record.rms() < 0.5 * record.measured_rms(), "{record:?}");
}

/// A world of which nothing is known but its seed, and the poll interval in it.
fn random_world(seed: u64) -> (World, f64) {
    let mut world = World::new(seed);
    let any = |world: &mut World, low: f64, high: f64| low * (high / low).powf(world.uniform());
    let base = any(&mut world, 1e-5, 0.15);
    let jitter = any(&mut world, 1e-6, base);
    let queue = match (3.0 * world.uniform()) as u32 {
        0 => Queue::Exponential(jitter),
        1 => Queue::Gaussian(jitter),
        _ => Queue::Bursty(jitter, 20.0 * jitter),
    };
    world.outbound = Direction { base, queue };
    world.inbound = Direction { base: base * world.uniform(), queue };
    world.frequency = 100e-6 * world.normal();
    world.walk = any(&mut world, 1e-11, 1e-7);
    world.temperature = (any(&mut world, 1e-9, 3e-6), any(&mut world, 1800.0, DAY));
    world.loss = 0.4 * world.uniform();
    let poll = 2f64.powf((10.5 * world.uniform()).floor());
    (world, poll)
}

#[test]
fn random_worlds_are_covered() {
    for seed in 1000..1040 {
        let (mut world, poll) = random_world(seed);
        let (outbound, inbound) = (world.outbound.base, world.inbound.base);
        // One way or both become longer or shorter every hundred polls.
        let record = run(&mut world, 400.0 * poll, poll, |world| {
            let dice = world.uniform();
            if dice < 0.01 {
                let factor = 0.3 + 200.0 * dice;
                world.outbound.base = factor * outbound;
                if dice < 0.005 {
                    world.inbound.base = factor * inbound;
                }
            }
        });
        let covered = record.within_distance / record.moments;
        assert!(covered >= COVERED, "seed {seed}: {covered} of {record:?}");
    }
}
