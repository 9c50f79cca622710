//! Is the estimate good, and is its uncertainty honest? Everything against the simulated truth.

use super::super::*;
use super::world::{Queue, World};

/// What a run showed.
#[derive(Debug, Default)]
struct Record {
    moments: usize,
    covered: usize,
    within_three_sd: usize,
    squares: f64,
    z: f64,
    measured_squares: f64,
    samples: usize,
    distance: f64,
    sd: f64,
}

impl Record {
    fn note(&mut self, estimate: &Estimate, world: &World) {
        let error = (estimate.offset - world.truth()).seconds();
        self.moments += 1;
        self.covered += usize::from(error.abs() <= estimate.root_distance());
        self.within_three_sd += usize::from(error.abs() <= 3.0 * estimate.offset_sd);
        self.squares += error * error;
        self.z += (error / estimate.offset_sd).powi(2);
        self.samples += estimate.samples;
        self.distance += estimate.root_distance();
        self.sd += estimate.offset_sd;
    }
    fn rms(&self) -> f64 {
        (self.squares / self.moments as f64).sqrt()
    }
}

/// Runs `world` for `duration` seconds with an exchange every `poll` seconds, looking at the estimate
/// some time after each.
fn run(world: &mut World, duration: f64, poll: f64, mut event: impl FnMut(&mut World)) -> Record {
    let mut estimator = Estimator::new(Settings::default(), Frequency { value: 0.0, sd: 100e-6 });
    let mut record = Record::default();
    let end = world.elapsed + duration;
    while world.elapsed < end {
        event(world);
        if let Some(measurement) = world.exchange() {
            record.measured_squares += (measurement.offset() - world.truth()).seconds().powi(2);
            estimator.add(&measurement);
        }
        let wait = poll * world.uniform();
        world.advance(wait);
        if world.elapsed > duration / 10.0
            && let Some(estimate) = estimator.estimate(world.now())
        {
            record.note(&estimate, world);
        }
        world.advance(poll - wait);
    }
    record
}

#[test]
fn experiment() {
    let week = 7.0 * 86400.0;
    type S = (&'static str, fn(u64) -> World, f64);
    let cases: &[S] = &[
        ("lan100us", |s| World::with_path(s, 1e-4, Queue::Exponential(1e-5)), 256.),
        ("default", |s| World::with_path(s, 1e-4, Queue::Exponential(1e-4)), 512.),
        ("wan1ms", |s| World::with_path(s, 1e-2, Queue::Exponential(1e-3)), 776.),
        ("wan10ms", |s| World::with_path(s, 5e-2, Queue::Exponential(1e-2)), 886.),
        (
            "wander1e-8",
            |s| World { walk: 1e-8, ..World::with_path(s, 1e-4, Queue::Exponential(1e-4)) },
            153.,
        ),
        (
            "wander1e-7",
            |s| World { walk: 1e-7, ..World::with_path(s, 1e-3, Queue::Exponential(1e-3)) },
            153.,
        ),
        (
            "tcxo",
            |s| World { walk: 1e-11, ..World::with_path(s, 1e-3, Queue::Exponential(1e-4)) },
            886.,
        ),
        (
            "temp",
            |s| World {
                temperature: (1e-6, 7200.),
                ..World::with_path(s, 1e-3, Queue::Exponential(1e-4))
            },
            149.,
        ),
        (
            "tempday",
            |s| World {
                temperature: (1e-6, 86400.),
                ..World::with_path(s, 1e-3, Queue::Exponential(1e-4))
            },
            512.,
        ),
        ("gauss", |s| World::with_path(s, 1e-3, Queue::Gaussian(5e-5)), 618.),
        ("poll4", |s| World::with_path(s, 5e-5, Queue::Exponential(5e-6)), 16.),
        ("bursty", |s| World::with_path(s, 1e-4, Queue::Bursty(1e-4, 2e-3)), 532.),
        (
            "loss",
            |s| World { loss: 0.3, ..World::with_path(s, 1e-3, Queue::Exponential(1e-3)) },
            670.,
        ),
    ];
    for (name, make, poll) in cases {
        let mut total = Record::default();
        for seed in 0..4 {
            let mut world = make(seed);
            let duration = if *poll < 100. { 86400.0 } else { week };
            let r = run(&mut world, duration, *poll, |_| ());
            total.moments += r.moments;
            total.covered += r.covered;
            total.within_three_sd += r.within_three_sd;
            total.squares += r.squares;
            total.z += r.z;
            total.z += r.z;
            total.samples += r.samples;
            total.distance += r.distance;
            total.sd += r.sd;
            total.measured_squares += r.measured_squares;
        }
        let n = total.moments as f64;
        println!(
            "{name:12} rms {:.3e} raw {:.3e} sd {:.3e} dist {:.3e} covered {:.4} 3sd {:.4} z {:.2} samples {:.1}",
            total.rms(),
            (total.measured_squares / n).sqrt(),
            total.sd / n,
            total.distance / n,
            total.covered as f64 / n,
            total.within_three_sd as f64 / n,
            (total.z / n).sqrt(),
            total.samples as f64 / n
        );
    }
}
