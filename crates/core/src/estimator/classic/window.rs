//! The measurements an estimator holds, in the form its arithmetic needs.

use timeball_wire::{Oscillator, Span};

use crate::estimator::limited;
use crate::measurement::Measurement;

/// A measurement made safe to compute with, and where it stands against the newest one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) at: Oscillator,
    /// θ of [`Measurement::offset`].
    pub(super) offset: Span,
    /// Round-trip delay to the server (s).
    pub(super) delay: f64,
    /// Error of the four timestamps (s).
    pub(super) dispersion: f64,
    /// Round-trip delay to the reference clock (s), this path included.
    pub(super) root_delay: f64,
    /// Dispersion to the reference clock (s), that of the measurement included.
    pub(super) root_dispersion: f64,
    /// By how much it missed the prediction (s)…
    pub(super) error: f64,
    /// …and by how much one would expect it to, apart from time in queues (s).
    pub(super) expected: f64,
    /// Which route it took; see [`route`](super::route).
    pub(super) route: u64,
    /// Time that it spent in queues (s): delay above the smallest that the route allows.
    pub(super) excess: f64,
    /// The part of the offset that time in queues made (s), where that is known; see
    /// [`asymmetry`](super::asymmetry).
    pub(super) queued: f64,
    /// Time since the newest measurement (s), never positive.
    pub(super) t: f64,
    /// Offset relative to the newest measurement's as it was measured (s), without `queued`.
    pub(super) y: f64,
    /// Variance of the offset (s²).
    pub(super) variance: f64,
}

impl Point {
    /// Takes what is not a number for the worst, and limits the rest to what a packet can say.
    pub(super) fn new(measurement: &Measurement) -> Self {
        let dispersion = limited(measurement.dispersion);
        let delay = limited((measurement.outbound + measurement.inbound).seconds()).max(dispersion);
        Self {
            at: measurement.at,
            offset: measurement.offset(),
            delay,
            dispersion,
            root_delay: limited(measurement.root_delay) + delay,
            root_dispersion: limited(measurement.root_dispersion) + dispersion,
            error: 0.0,
            expected: 0.0,
            route: 0,
            excess: 0.0,
            queued: 0.0,
            t: 0.0,
            y: 0.0,
            variance: 0.0,
        }
    }
}

impl Point {
    /// The measurement that it was.
    pub(super) fn measurement(&self) -> Measurement {
        let half = Span::from_seconds(self.delay / 2.0);
        Measurement {
            at: self.at,
            outbound: half + self.offset,
            inbound: half - self.offset,
            dispersion: self.dispersion,
            reading: 0.0,
            root_delay: (self.root_delay - self.delay).max(0.0),
            root_dispersion: (self.root_dispersion - self.dispersion).max(0.0),
        }
    }
}

/// The newest measurements, oldest first, in storage that never grows.
#[derive(Clone, Debug)]
pub(super) struct Window {
    points: Vec<Point>,
    limit: usize,
    /// Room to sort in.
    scratch: Vec<f64>,
}

impl Window {
    pub(super) fn new(limit: usize) -> Self {
        Self { points: Vec::with_capacity(limit), limit, scratch: Vec::with_capacity(limit) }
    }

    /// Adds a point, which must be newer than all others, and drops the oldest if there is no room.
    pub(super) fn push(&mut self, point: Point) {
        if self.points.len() >= self.limit {
            self.points.remove(0);
        }
        self.points.push(point);
        // Integers first, so that fifty years of offset cost no digits.
        for other in &mut self.points {
            other.t = (other.at - point.at).seconds();
            other.y = (other.offset - point.offset).seconds();
        }
    }

    /// Takes that share of the time in queues out of the offsets.
    pub(super) fn correct(&mut self, share: f64) {
        for point in &mut self.points {
            point.queued = share * point.excess;
            point.y -= point.queued;
        }
    }

    /// Moves every offset by so much.
    pub(super) fn shift(&mut self, by: Span) {
        self.points.iter_mut().for_each(|point| point.offset += by);
    }

    /// Forgets all but the newest `count` points.
    pub(super) fn keep(&mut self, count: usize) {
        let forgotten = self.points.len().saturating_sub(count);
        self.points.drain(..forgotten);
    }

    pub(super) fn newest(&self) -> Option<&Point> {
        self.points.last()
    }

    pub(super) fn all(&self) -> &[Point] {
        &self.points
    }

    pub(super) fn all_mut(&mut self) -> &mut [Point] {
        &mut self.points
    }

    /// The newest `count` points.
    pub(super) fn latest(&self, count: usize) -> &[Point] {
        &self.points[self.points.len().saturating_sub(count)..]
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Longest time between two successive measurements (s).
    pub(super) fn longest_gap(&self) -> f64 {
        let times = self.points.iter().map(|point| point.t);
        times.clone().skip(1).zip(times).map(|(later, earlier)| later - earlier).fold(0.0, f64::max)
    }

    /// Median of the time that the measurements spent in queues (s).
    pub(super) fn typical_excess(&mut self) -> f64 {
        self.scratch.clear();
        self.scratch.extend(self.points.iter().map(|point| point.excess));
        median(&mut self.scratch)
    }
}

/// The upper median, zero of nothing. Reorders the values.
pub(super) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    *median
}
