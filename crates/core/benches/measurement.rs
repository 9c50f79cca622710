//! What a measurement costs: `cargo bench -p timeball-core --bench measurement`.
//!
//! Each iteration is one measurement of one of the sources, taken in turn, and what selection asks of
//! all of them because of it. The windows are full before the clock starts.

use divan::Bencher;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use timeball_core::estimator::{Estimator, Frequency, Method, Settings};
use timeball_core::measurement::Measurement;
use timeball_wire::{Oscillator, Span};

/// Measurements of each source before the first that counts.
const BEFORE: usize = 200;
/// One way, when there are no queues (s).
const DELAY: f64 = 5e-3;
/// Mean time in queues (s).
const QUEUE: f64 = 200e-6;
/// How fast the oscillator runs (s/s).
const FREQUENCY: f64 = 20e-6;

fn main() {
    tell_memory();
    divan::main();
}

mod bank {
    use super::*;

    #[divan::bench(args = [1, 2, 4])]
    fn every_64_s(bencher: Bencher<'_, '_>, sources: usize) {
        super::bench(bencher, Method::Bank, sources, 64.0);
    }

    #[divan::bench(args = [1, 2, 4])]
    fn every_second(bencher: Bencher<'_, '_>, sources: usize) {
        super::bench(bencher, Method::Bank, sources, 1.0);
    }

    /// When there is least time for each.
    #[divan::bench(args = [1, 2, 4])]
    fn every_128th_of_a_second(bencher: Bencher<'_, '_>, sources: usize) {
        super::bench(bencher, Method::Bank, sources, 1.0 / 128.0);
    }
}

mod classic {
    use super::*;

    #[divan::bench(args = [1, 2, 4])]
    fn every_64_s(bencher: Bencher<'_, '_>, sources: usize) {
        super::bench(bencher, Method::Classic, sources, 64.0);
    }
}

fn bench(bencher: Bencher<'_, '_>, method: Method, sources: usize, interval: f64) {
    let mut machine = Machine::new(method, sources, interval);
    bencher.bench_local(|| machine.measure());
}

fn tell_memory() {
    for method in [Method::Bank, Method::Classic] {
        let mut machine = None;
        let held = allocation_counter::measure(|| machine = Some(Machine::new(method, 1, 64.0)));
        let during = allocation_counter::measure(|| {
            machine.iter_mut().for_each(|machine| {
                machine.measure();
            });
        });
        println!(
            "{method:?}: {} KiB with a full window; a measurement allocates {} times",
            held.bytes_current / 1024,
            during.count_total
        );
    }
}

/// Estimators that are fed by a world of one oscillator and queues.
struct Machine {
    estimators: Vec<Estimator>,
    luck: ChaCha8Rng,
    /// Between two measurements of one source (s).
    interval: f64,
    measured: usize,
}

impl Machine {
    fn new(method: Method, sources: usize, interval: f64) -> Self {
        let unknown = Frequency { value: 0.0, sd: 1e-4 };
        let settings = Settings { method, ..Settings::default() };
        let estimator = |_| Estimator::new(settings, unknown);
        let mut machine = Self {
            estimators: (0..sources).map(estimator).collect(),
            luck: ChaCha8Rng::seed_from_u64(1),
            interval,
            measured: 0,
        };
        for _ in 0..BEFORE * sources {
            machine.measure();
        }
        machine
    }

    /// The next measurement of whose turn it is; the sum of all offsets, so that nothing is optimised
    /// away.
    fn measure(&mut self) -> f64 {
        let sources = self.estimators.len();
        let elapsed = self.measured as f64 * self.interval / sources as f64;
        let true_offset = -FREQUENCY * elapsed;
        let measurement = Measurement {
            at: Oscillator::from_nanos((elapsed * 1e9) as i64),
            outbound: Span::from_seconds(true_offset + DELAY + self.queue()),
            inbound: Span::from_seconds(DELAY + self.queue() - true_offset),
            dispersion: 1e-6,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 1e-5,
        };
        if let Some(estimator) = self.estimators.get_mut(self.measured % sources) {
            estimator.add(&measurement);
        }
        self.measured += 1;
        let estimates = self.estimators.iter().filter_map(|each| each.estimate(measurement.at));
        estimates.map(|estimate| estimate.offset.seconds()).sum()
    }

    fn queue(&mut self) -> f64 {
        let unit = (self.luck.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        -QUEUE * (1.0 - unit).ln()
    }
}
