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
/// Triples that the base is worth that was found before the phase was forgotten.
const KNOWN_TRIPLES: f64 = 4.0;
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
}

impl Noise {
    /// Learns from `points`, oldest first and not empty, of which `typical_excess` is the median
    /// excess, and gives each its variance. `known` is the base found before the phase was forgotten,
    /// if there was a before.
    pub(super) fn learn(points: &mut [Point], typical_excess: f64, known: Option<f64>) -> Self {
        let count = points.len() as f64;
        let floor_margin = FLOOR_SHARE * typical_excess / count.sqrt();
        let mut noise = Self { base: 0.0, typical_excess, floor_margin };
        for point in points.iter_mut() {
            point.variance = noise.variance(point);
        }
        let (prior, worth) = known.map_or_else(
            || {
                let delay = points.iter().map(|p| p.delay).fold(f64::INFINITY, f64::min);
                let sd = UNKNOWN_SHARE * delay / UNKNOWN_FADING.powf(count - 1.0);
                (sd.powi(2) + SMALLEST, 1.0)
            },
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

    /// The part of the variance (s²) that the measurement itself tells: time in queues, and timestamps
    /// anywhere within their error.
    fn visible(&self, point: &Point) -> f64 {
        let excess = point.excess + self.floor_margin;
        let long = LONG_QUEUE * self.typical_excess + RESOLUTION;
        let discount = 1.0 + (excess / long).powi(2);
        excess.powi(2) / 12.0 * discount + point.dispersion.powi(2) / 3.0
    }
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
        let earlier = (last.t - middle.t) / (last.t - first.t);
        let later = 1.0 - earlier;
        Some(Self {
            departure: (middle.y - earlier * first.y - later * last.y).powi(2),
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
