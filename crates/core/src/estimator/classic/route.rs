//! Which delay is the smallest possible?
//!
//! The time that a packet spent in queues is its delay above that of the fastest on the same route.
//! When routing changes, so does the smallest delay, and measured by the old one every packet on a
//! longer route would seem to wait. If the offsets did not change with it, both ways became longer
//! alike, and each route is held against its own floor. If they did, one way became longer, which
//! looks like a long queue: the old floor stays, by which the new measurements count for little,
//! until there are so many of them that it can be no queue. Then they are all that counts.

use arrayvec::ArrayVec;

use super::window::{Point, median};

/// So many measurements in a row must be slow for a route that is longer both ways…
const CONFIRMATIONS: usize = 8;
/// …and so many for one that is longer one way.
const ONE_WAY_CONFIRMATIONS: usize = 24;
/// So many must have been fast before.
const FEWEST_BEFORE: usize = 4;
/// The floor has changed if it did by more than this many times the usual time in queues.
const CLEAR: f64 = 2.0;
/// A change of the delay moves the offset by half of it if one way alone changed, and not at all if
/// both did alike. Up to this share of the change…
const SYMMETRIC: f64 = 0.125;
/// …and to so many standard deviations the offset counts as unmoved.
const UNMOVED: f64 = 3.0;

/// Sets each point's excess above a floor that is known, whatever the route.
pub(super) fn measure_from(points: &mut [Point], floor: f64) {
    for point in points {
        point.excess = (point.delay - floor).max(0.0);
    }
}

/// Assigns the newest of `points` to its route, and the last few to a new one once it is clear that
/// they took it; then sets each point's excess.
pub(super) fn assign(points: &mut [Point]) {
    if let [.., previous, newest] = points {
        newest.route = previous.route;
    }
    if is_shorter(points) {
        if let Some(newest) = points.last_mut() {
            newest.route += 1;
        }
    } else if is_longer(points) {
        let before = points.len() - CONFIRMATIONS;
        for point in &mut points[before..] {
            point.route += 1;
        }
    }
    for route in points.chunk_by_mut(|a, b| a.route == b.route) {
        let floor = floor(route);
        for point in route {
            point.excess = point.delay - floor;
        }
    }
}

/// Smallest delay of the route that the newest of `points` took (s); infinite without points.
pub(super) fn newest_floor(points: &[Point]) -> f64 {
    points.chunk_by(|a, b| a.route == b.route).next_back().map_or(f64::INFINITY, floor)
}

/// Smallest delay (s).
fn floor(points: &[Point]) -> f64 {
    points.iter().map(|point| point.delay).fold(f64::INFINITY, f64::min)
}

/// The newest measurement is much faster than all before on its route, and its offset is as
/// predicted.
fn is_shorter(points: &[Point]) -> bool {
    let Some(route) = points.chunk_by(|a, b| a.route == b.route).next_back() else { return false };
    let [before @ .., newest] = route else { return false };
    if before.len() < CONFIRMATIONS {
        return false;
    }
    let drop = floor(before) - newest.delay;
    is_clear(drop, before, newest.dispersion) && is_symmetric(drop, newest.error, newest.expected)
}

/// The last measurements are all much slower than those before on their route, alike among
/// themselves, and their offsets are as predicted.
fn is_longer(points: &[Point]) -> bool {
    let Some((rise, after)) = rise(points, CONFIRMATIONS) else { return false };
    let mut errors: ArrayVec<f64, CONFIRMATIONS> = after.iter().map(|point| point.error).collect();
    let expected = after.iter().map(|point| point.expected).fold(f64::INFINITY, f64::min);
    is_symmetric(rise, median(&mut errors), expected)
}

/// How many of the newest of `points`, oldest first, took a route that is longer one way than that
/// of the others, if there are enough of them to be sure.
pub(super) fn one_way_longer(points: &[Point]) -> Option<usize> {
    // No more than half, lest the longer delay become the usual one.
    let confirmations = ONE_WAY_CONFIRMATIONS.min(points.len() / 2).max(CONFIRMATIONS);
    rise(points, confirmations).map(|_| confirmations)
}

/// By how much (s) the floor of the last measurements is above that of those before on their route,
/// if that is clear; and those measurements.
fn rise(points: &[Point], confirmations: usize) -> Option<(f64, &[Point])> {
    let route = points.chunk_by(|a, b| a.route == b.route).next_back()?;
    let (before, after) = route.split_at(route.len().checked_sub(confirmations)?);
    if before.len() < FEWEST_BEFORE {
        return None;
    }
    let rise = floor(after) - floor(before);
    let dispersion = after.iter().map(|point| point.dispersion).fold(0.0, f64::max);
    (is_clear(rise, before, dispersion) && is_clear(rise, after, dispersion))
        .then_some((rise, after))
}

/// The offset is as predicted although the delay changed.
fn is_symmetric(change: f64, error: f64, expected: f64) -> bool {
    error.abs() <= (SYMMETRIC * change).min(UNMOVED * expected)
}

/// A change of the smallest delay is more than queues do.
fn is_clear(change: f64, points: &[Point], dispersion: f64) -> bool {
    let floor = floor(points);
    let usual = points.iter().map(|point| point.delay - floor).sum::<f64>() / points.len() as f64;
    change > CLEAR * usual + 2.0 * dispersion
}
