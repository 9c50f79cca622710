//! How far is a single measurement off?
//!
//! Queues make packets late, never early. A round trip that took `excess` longer than the fastest
//! one may have lost that time in either direction, so its offset is wrong by at most `excess / 2`;
//! evenly spread over that interval it has the variance `excess² / 12`. To this comes a base that
//! every measurement shares: timestamps, the server's own jitter, noise that leaves no trace in the
//! delay. The base is read off triples of successive measurements, each of which says how far the
//! middle one lies from the line between its neighbours: over so short a time the oscillator's
//! wander hardly counts, so that noise and wander are not mistaken for each other.

const KK: f64 = 2.0;
use super::window::Point;

/// Variance (s²) that nothing measured in nanoseconds can go below.
const SMALLEST: f64 = 1e-18;
/// No single triple counts for more than this many times what is expected of it.
const TRIPLE_LIMIT: f64 = 16.0;
/// Steps of bisection: enough for a thousandth over thirty decades.
const BISECTIONS: usize = 16;

/// What is believed of the base before there are triples enough to measure it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// Nothing but the delay.
    Nothing,
    /// The variance (s²) found before the phase was forgotten.
    Base(f64),
}

/// The variance that all measurements have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    base: f64,
}

impl Noise {
    /// Learns the base from `points`, oldest first.
    pub(super) fn learn(points: &[Point], known: Known) -> Self {
        let (prior, confidence) = prior(points, known);
        let triples = points.len().saturating_sub(2);
        let expected = triples as f64 + confidence;
        // What the triples show, relative to what they would show with this base: falls with it.
        let misfit = |base: f64| {
            let shown: f64 = points.windows(3).map(|triple| misfit(triple, base)).sum();
            shown + confidence * prior / base
        };
        let largest =
            points.windows(3).map(|triple| departure(triple).0.powi(2)).fold(0.0, f64::max);
        let (mut low, mut high) = (SMALLEST.ln(), (SMALLEST + largest + 2.0 * prior).ln());
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if misfit(middle.exp()) > expected {
                low = middle;
            } else {
                high = middle;
            }
        }
        Self { base: high.exp() }
    }

    /// The shared variance (s²).
    pub(super) fn base(&self) -> f64 {
        self.base
    }

    /// Variance (s²) of a measurement's offset.
    pub(super) fn variance(&self, point: &Point) -> f64 {
        self.base + visible_variance(point)
    }
}

/// The part of a measurement's variance (s²) that the measurement itself tells: time in queues, and
/// timestamps anywhere within their error.
fn visible_variance(point: &Point) -> f64 {
    point.excess().powi(2) / 12.0 * (1.0 + (point.excess() / (KK * point.typical + 1e-9)).powi(2)) + point.dispersion.powi(2) / 3.0
}

/// The expected base and how many triples that expectation is worth.
fn prior(points: &[Point], known: Known) -> (f64, f64) {
    match known {
        Known::Base(base) => (base, 4.0),
        Known::Nothing => {
            // A single measurement may have spent most of its delay in queues. Each further one
            // with a similar delay makes that less likely.
            let floor = points.iter().map(|point| point.floor).fold(f64::INFINITY, f64::min);
            let fading = 3f64.powi(points.len().saturating_sub(1).min(30) as i32);
            let sd = if floor.is_finite() { floor / 4.0 / fading } else { 0.0 };
            (sd * sd + SMALLEST, 1.0)
        }
    }
}

/// How far the middle of three points lies from the line between the others (s), and the weights
/// (earlier, later) with which those make that line.
fn departure(triple: &[Point]) -> (f64, f64, f64) {
    let [first, middle, last] = triple else { return (0.0, 0.5, 0.5) };
    let span = last.t - first.t;
    let earlier = if span > 0.0 { (last.t - middle.t) / span } else { 0.5 };
    let later = 1.0 - earlier;
    (middle.y - earlier * first.y - later * last.y, earlier, later)
}

/// The square of a triple's departure in units of its variance.
fn misfit(triple: &[Point], base: f64) -> f64 {
    let (departure, earlier, later) = departure(triple);
    let [first, middle, last] = triple else { return 0.0 };
    let variance = base
        + visible_variance(middle)
        + earlier.powi(2) * (base + visible_variance(first))
        + later.powi(2) * (base + visible_variance(last));
    (departure.powi(2) / variance).min(TRIPLE_LIMIT)
}
