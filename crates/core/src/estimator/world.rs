//! An oscillator, a path and an honest server, with the truth at hand.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use timeball_wire::{Oscillator, Span};

use crate::measurement::Measurement;

/// The longest time over which the oscillator's frequency is taken for constant (s).
const STRIDE: f64 = 30.0;

/// How the time in queues is distributed.
#[derive(Clone, Copy, Debug)]
pub(in crate::estimator) enum Queue {
    /// Exponential with this mean (s).
    Exponential(f64),
    /// The magnitude of a normal variable with this standard deviation (s).
    Gaussian(f64),
    /// As the first, but one packet in five waits up to the second (s) longer.
    Bursty(f64, f64),
}

/// One direction of a path.
#[derive(Clone, Copy, Debug)]
pub(in crate::estimator) struct Direction {
    /// Delay without queues (s).
    pub(in crate::estimator) base: f64,
    pub(in crate::estimator) queue: Queue,
}

pub(in crate::estimator) struct World {
    pub(in crate::estimator) rng: ChaCha8Rng,
    pub(in crate::estimator) start: Oscillator,
    /// Time since the start, by the oscillator (s).
    pub(in crate::estimator) elapsed: f64,
    /// True time minus oscillator at the start: anything up to a century.
    pub(in crate::estimator) origin: Span,
    /// What was added to it since (s).
    pub(in crate::estimator) gained: f64,
    /// Frequency that walks (s/s), and the standard deviation of its walk after a second.
    pub(in crate::estimator) frequency: f64,
    pub(in crate::estimator) walk: f64,
    /// Amplitude (s/s) and period (s) of the frequency's daily round.
    pub(in crate::estimator) temperature: (f64, f64),
    pub(in crate::estimator) outbound: Direction,
    pub(in crate::estimator) inbound: Direction,
    /// Share of exchanges that are lost.
    pub(in crate::estimator) loss: f64,
    /// Error of the server's clock (s).
    pub(in crate::estimator) server_error: f64,
}

impl World {
    /// A typical crystal, 100 ms of delay with 1 ms of queues, nothing lost.
    pub(in crate::estimator) fn new(seed: u64) -> Self {
        let direction = Direction { base: 50e-3, queue: Queue::Exponential(1e-3) };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            start: Oscillator::from_nanos(1_700_000_000_123_456_789),
            elapsed: 0.0,
            origin: Span::from_millis(123),
            gained: 0.0,
            frequency: 20e-6,
            walk: 1e-9,
            temperature: (0.0, 7200.0),
            outbound: direction,
            inbound: direction,
            loss: 0.0,
            server_error: 0.0,
        }
    }

    /// The same with this base delay and mean time in queues, both ways (s).
    pub(in crate::estimator) fn with_path(seed: u64, base: f64, queue: Queue) -> Self {
        let direction = Direction { base, queue };
        Self { outbound: direction, inbound: direction, ..Self::new(seed) }
    }

    pub(in crate::estimator) fn with_origin(self, origin: Span) -> Self {
        Self { origin, ..self }
    }

    pub(in crate::estimator) fn now(&self) -> Oscillator {
        self.start + Span::from_seconds(self.elapsed)
    }

    /// True time minus oscillator.
    pub(in crate::estimator) fn truth(&self) -> Span {
        self.origin + Span::from_seconds(self.gained)
    }

    /// The true frequency now (s/s).
    pub(in crate::estimator) fn true_frequency(&self) -> f64 {
        let (amplitude, period) = self.temperature;
        self.frequency + amplitude * (std::f64::consts::TAU * self.elapsed / period).sin()
    }

    pub(in crate::estimator) fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(in crate::estimator) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Lets time pass.
    pub(in crate::estimator) fn advance(&mut self, seconds: f64) {
        let strides = (seconds / STRIDE).ceil().max(1.0);
        let dt = seconds / strides;
        for _ in 0..strides as usize {
            self.elapsed += dt / 2.0;
            self.gained += self.true_frequency() * dt;
            self.elapsed += dt / 2.0;
            let kick = self.normal();
            self.frequency += self.walk * dt.sqrt() * kick;
        }
    }

    /// One exchange with the server, unless it is lost.
    pub(in crate::estimator) fn exchange(&mut self) -> Option<Measurement> {
        let (outbound, inbound) = (self.delay(self.outbound), self.delay(self.inbound));
        if self.uniform() < self.loss {
            return None;
        }
        let offset = self.truth() + Span::from_seconds(self.server_error);
        Some(Measurement {
            at: self.now(),
            outbound: offset + Span::from_seconds(outbound),
            inbound: Span::from_seconds(inbound) - offset,
            dispersion: 1e-7,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 1e-6,
        })
    }

    fn delay(&mut self, direction: Direction) -> f64 {
        let queue = match direction.queue {
            Queue::Exponential(mean) => self.exponential(mean),
            Queue::Gaussian(sd) => (sd * self.normal()).abs(),
            Queue::Bursty(mean, burst) => {
                let extra = if self.uniform() < 0.2 { burst * self.uniform() } else { 0.0 };
                self.exponential(mean) + extra
            }
        };
        direction.base + queue
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }
}
