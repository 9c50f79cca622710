//! How far is a single measurement off?
//!
//! Queues make packets late, never early. A round trip that took `excess` longer than the fastest
//! may have lost that time in either direction, so its offset is wrong by at most `excess / 2`;
//! evenly spread over that interval it has the variance `excess² / 12`. To this comes a base that
//! every measurement shares: timestamps, the server's own jitter, noise that leaves no trace in the
//! delay. The base is read off triples of successive measurements, each of which says how far the
//! middle one lies from the line between its neighbours: over so short a time the oscillator's
//! wander hardly counts, so that noise and wander are not mistaken for each other.

use super::window::Point;
use crate::estimator::triple::Middle;

/// Time is measured in nanoseconds (s).
const RESOLUTION: f64 = 1e-9;
/// No variance goes below that (s²).
const SMALLEST: f64 = RESOLUTION * RESOLUTION;
/// A measurement that waited this many times longer than usual waited in a single long queue rather
/// than in many short ones. All of its excess is on one way then, and it soon counts for nothing.
const LONG_QUEUE: f64 = 4.0;
/// Even the fastest of `n` measurements waited: for about the usual time, times this, over √n.
const FLOOR_SHARE: f64 = 0.5;
/// No single triple counts for more than this many times what is expected of it.
const TRIPLE_LIMIT: f64 = 16.0;
/// The first measurement's standard deviation as a share of its delay, most of which could have been
/// spent in a queue; together with the allowance for few measurements it comes to 0.3.
const UNKNOWN_SHARE: f64 = 0.12;
/// By how much that becomes less with each further measurement of a similar delay.
const UNKNOWN_FADING: f64 = 3.0;
/// From so many measurements on, how different their delays are tells more.
const ENOUGH_DELAYS: usize = 3;
/// Triples that the base is worth that was found before the phase was forgotten…
const KNOWN_TRIPLES: f64 = 4.0;
/// …until there are so many measurements.
const KNOWN_UNTIL: usize = 16;
/// Steps of bisection: enough for a thousandth over thirty decades.
const BISECTIONS: usize = 16;

/// What makes the variance of a measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    /// The variance that all measurements share (s²).
    base: f64,
    /// Median of the time spent in queues (s).
    typical_excess: f64,
    /// Time that even the fastest measurement is expected to have waited (s).
    floor_margin: f64,
    /// The part of the variance of time in queues that is left when their share of the offset has
    /// been taken out: nothing if it is all on one way.
    unexplained: f64,
}

impl Noise {
    /// Learns from `points`, oldest first and not empty, of which `typical_excess` is the median
    /// excess, and gives each its variance. `known` is the base found before the phase was forgotten,
    /// if there was a before; `queued` the share of the excess that was taken out of the offsets.
    pub(super) fn learn(
        points: &mut [Point],
        typical_excess: f64,
        known: Option<f64>,
        queued: f64,
    ) -> Self {
        let count = points.len() as f64;
        let floor_margin = FLOOR_SHARE * typical_excess / count.sqrt();
        let unexplained = 1.0 - 4.0 * queued * queued;
        let mut noise = Self { base: 0.0, typical_excess, floor_margin, unexplained };
        for point in points.iter_mut() {
            point.variance = noise.variance(point);
        }
        let known = known.filter(|_| points.len() < KNOWN_UNTIL);
        let (prior, worth) = known.map_or_else(
            || (unknown(points).powi(2) + SMALLEST, 1.0),
            |base| (base, KNOWN_TRIPLES),
        );
        noise.base = base(points, prior, worth);
        for point in points {
            point.variance += noise.base;
        }
        noise
    }

    /// The variance that all measurements share (s²).
    pub(super) fn base(&self) -> f64 {
        self.base
    }

    /// Median of the time spent in queues (s).
    pub(super) fn typical_excess(&self) -> f64 {
        self.typical_excess
    }

    /// Variance (s²) of a measurement's offset.
    pub(super) fn variance(&self, point: &Point) -> f64 {
        self.base + self.visible(point)
    }

    /// Variance (s²) of what time in queues adds to a measurement's offset.
    pub(super) fn queue_variance(&self, point: &Point) -> f64 {
        self.unexplained * point.excess.powi(2) / 12.0
    }

    /// Variance (s²) that a measurement's offset would have without its time in queues, which accounts
    /// for half of the excess and no more.
    pub(super) fn variance_without_queues(&self, point: &Point) -> f64 {
        self.variance(&Point { excess: 0.0, ..*point })
    }

    /// The part of the variance (s²) that the measurement itself tells: time in queues, and timestamps
    /// anywhere within their error.
    fn visible(&self, point: &Point) -> f64 {
        let excess = point.excess + self.floor_margin;
        let long = LONG_QUEUE * self.typical_excess + RESOLUTION;
        let discount = 1.0 + (excess / long).powi(2);
        self.unexplained * excess.powi(2) / 12.0 * discount + point.dispersion.powi(2) / 3.0
    }
}

/// The standard deviation (s) that nothing is known to be less than.
fn unknown(points: &[Point]) -> f64 {
    let delays = || points.iter().map(|point| point.delay);
    let (least, most) =
        delays().fold((f64::INFINITY, 0.0_f64), |(a, b), delay| (a.min(delay), b.max(delay)));
    let share = UNKNOWN_SHARE * least / UNKNOWN_FADING.powf(points.len() as f64 - 1.0);
    // Queues that let three packets through in the same time are short.
    if points.len() < ENOUGH_DELAYS { share } else { share.min(most - least) }
}

/// The base (s²) with which triples of `points`, whose variances do not contain it yet, are as far off
/// as expected. `prior` counts as much as a `worth` of triples.
fn base(points: &[Point], prior: f64, worth: f64) -> f64 {
    let triples = || points.windows(3).filter_map(Triple::new);
    let expected = triples().count() as f64 + worth;
    let largest = triples().map(|triple| triple.departure).fold(0.0, f64::max);
    let (mut low, mut high) = (SMALLEST.ln(), (SMALLEST + largest + 2.0 * prior).ln());
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        let base = middle.exp();
        // Falls as the base grows.
        let shown: f64 = triples().map(|triple| triple.misfit(base)).sum();
        if shown + worth * prior / base > expected {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.exp()
}

/// Three successive measurements.
struct Triple {
    /// Square of the middle one's distance from the line between the others (s²).
    departure: f64,
    /// The part of its variance that the measurements tell (s²).
    visible: f64,
    /// How many times the base comes on top.
    bases: f64,
}

impl Triple {
    fn new(points: &[Point]) -> Option<Self> {
        let [first, middle, last] = points else { return None };
        let place = Middle::of(first.t, middle.t, last.t);
        let Middle { earlier, later } = place;
        Some(Self {
            departure: place.departure(first.y, middle.y, last.y).powi(2),
            visible: middle.variance
                + earlier.powi(2) * first.variance
                + later.powi(2) * last.variance,
            bases: 1.0 + earlier.powi(2) + later.powi(2),
        })
    }

    /// The departure in units of its variance.
    fn misfit(&self, base: f64) -> f64 {
        (self.departure / (self.visible + self.bases * base)).min(TRIPLE_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};
    use timeball_wire::{Oscillator, Span};

    use super::*;
    use crate::measurement::Measurement;

    /// Sixty points a minute apart on an oscillator off by 50 ppm, `excess` and error from `draw`.
    fn points(draw: impl Fn(&mut dyn FnMut() -> f64) -> (f64, f64)) -> Vec<Point> {
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        let mut uniform = || rng.next_u32() as f64 / 2f64.powi(32);
        (-59..=0)
            .map(|minute| {
                let (excess, error) = draw(&mut uniform);
                let t = 60.0 * f64::from(minute);
                let delay = Span::from_seconds(20e-3 + excess);
                let measurement = Measurement {
                    at: Oscillator::from_nanos(0) + Span::from_seconds(t),
                    outbound: delay,
                    inbound: Span::ZERO,
                    dispersion: 0.0,
                    reading: 0.0,
                    root_delay: 0.0,
                    root_dispersion: 0.0,
                };
                Point { t, y: 50e-6 * t + error, excess, ..Point::new(&measurement) }
            })
            .collect()
    }

    #[test]
    fn noise_that_is_no_queue_is_found_in_the_triples() {
        let mut points = points(|uniform| (0.0, 1e-3 * 12f64.sqrt() * (uniform() - 0.5)));
        let noise = Noise::learn(&mut points, 0.0, None, 0.0);
        assert!((0.8e-3..1.25e-3).contains(&noise.base().sqrt()), "{noise:?}");
        assert!(points.iter().all(|p| (p.variance - noise.base()).abs() < 1e-15), "{noise:?}");
    }

    #[test]
    fn queues_explain_what_they_can() {
        // Each error is anywhere within the half of the excess.
        let mut points = points(|uniform| {
            let excess = 2e-3 * uniform();
            (excess, excess * (uniform() - 0.5))
        });
        let noise = Noise::learn(&mut points, 1e-3, None, 0.0);
        assert!(noise.base().sqrt() < 0.1e-3, "{noise:?}");
        let slow = points.iter().max_by(|a, b| a.excess.total_cmp(&b.excess)).unwrap();
        let fast = points.iter().min_by(|a, b| a.excess.total_cmp(&b.excess)).unwrap();
        assert!((0.4e-3..0.8e-3).contains(&slow.variance.sqrt()), "{slow:?}");
        assert!(fast.variance < slow.variance / 25.0, "{fast:?}");
    }

    #[test]
    fn a_long_queue_is_worth_less_than_its_excess_says() {
        let mut points = points(|_| (0.0, 0.0));
        points[10].excess = 10e-3;
        Noise::learn(&mut points, 0.1e-3, None, 0.0);
        assert!(points[10].variance > 10.0 * 10e-3f64.powi(2) / 12.0, "{:?}", points[10]);
    }

    #[test]
    fn little_is_known_of_the_first_measurements() {
        let mut points = points(|_| (0.0, 0.0));
        let sd = |points: &mut [Point], known| Noise::learn(points, 0.0, known, 0.0).base().sqrt();
        assert!((2.3e-3..2.5e-3).contains(&sd(&mut points[..1], None)));
        assert!((0.7e-3..0.9e-3).contains(&sd(&mut points[..2], None)));
        // What was known before a step still holds after it.
        let known = sd(&mut points[..1], Some(1e-10));
        assert!((0.9e-5..1.1e-5).contains(&known), "{known:e}");
    }
}
