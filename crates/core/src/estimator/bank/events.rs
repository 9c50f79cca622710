//! What no hypothesis covers: the route changes, the source's clock steps, a packet is plainly wrong.

use super::mixture::{Path, Prediction};
use super::sample::Sample;
use super::state::Way;

/// Measurements in the window without which nothing can be called unusual.
pub(super) const EXPERIENCE: usize = 8;
/// A round trip shorter than what the path allows by this many standard deviations is a shorter route.
const DROP: f64 = 6.0;
/// The typical time in queues counts for this much in that deviation.
const DROP_SCALE: f64 = 0.02;
/// An offset outside of what a measurement allows by this many standard deviations is suspect.
const SUSPICION: f64 = 5.0;
/// A queue is longer than the longest of the window by this much at most.
const UNHEARD_OF: f64 = 4.0;
/// So many measurements of a route show how long it is.
const KNOWN_ROUTE: usize = 6;
/// Round trips in a row that are a longer route. Congestion would vary, and the fewer they are, the less
/// they may and the more they must stand out.
const STEADY: [Steady; 5] = [
    Steady { count: 3, rise: 6.0, each: 1.5, share: 0.06, spread: 0.0 },
    Steady { count: 4, rise: 2.0, each: 0.8, share: 0.15, spread: 2.0 },
    Steady { count: 5, rise: 2.0, each: 0.8, share: 0.3, spread: 2.0 },
    Steady { count: 6, rise: 2.0, each: 0.8, share: 0.5, spread: 2.0 },
    Steady { count: 8, rise: 2.0, each: 0.8, share: 0.8, spread: 2.5 },
];
/// Both ways must have become longer, each by this share of the other.
const ALIKE: f64 = 0.3;

/// What makes so many round trips a longer route. The usual time in queues is what three quarters of
/// the round trips before stayed below.
#[derive(Clone, Copy, Debug)]
struct Steady {
    count: usize,
    /// All are above the shortest before by this many times the usual time in queues,
    rise: f64,
    /// each way by this many times of it,
    each: f64,
    /// and but for the longest quarter they differ by no more than this share of the rise,
    share: f64,
    /// or this many times the usual time in queues.
    spread: f64,
}

/// What was measured first says nothing of the path if a later round trip takes less than this share of
/// every one before: the other side was not ready, or a name was being looked up.
const BAD_BEGINNING: f64 = 0.25;
/// With so many before it the share is another one: long queues alone make such a difference now and
/// then, and by now the source may be followed.
const BEGUN: usize = 3;
/// This one, which no queue explains: packets were held back.
const HELD_BACK: f64 = 0.02;

/// Was everything before this one a bad beginning?
pub(super) fn bad_beginning(before: &[Sample], sample: &Sample) -> bool {
    let share = if before.len() < BEGUN { BAD_BEGINNING } else { HELD_BACK };
    before.iter().all(|other| sample.delay < share * other.delay)
}

/// A shorter route: by how much the round trip is too short for the path (s).
pub(super) fn shorter_route(sample: &Sample, path: &Path) -> Option<f64> {
    let excess = sample.round_trip() - 2.0 * path.base;
    let sd = (4.0 * path.base_variance + path.blur).sqrt() + DROP_SCALE * path.scale;
    (excess < -DROP * sd).then_some(-excess)
}

/// How far θ as predicted is outside of [m − inbound, outbound − m], in which the measurement says that
/// it is (s), if that is suspect.
pub(super) fn contradiction(sample: &Sample, path: &Path, prediction: &Prediction) -> Option<f64> {
    let (low, high) = (path.base - sample.on(Way::Inbound), sample.on(Way::Outbound) - path.base);
    let (low, high) = if low <= high { (low, high) } else { (sample.offset(), sample.offset()) };
    let theta = prediction.offset;
    let outside = (low - theta).max(theta - high);
    let sd = (prediction.offset_variance + path.base_variance + path.blur / 4.0).sqrt();
    (outside > SUSPICION * sd).then_some(outside)
}

/// How long a queue (s) a packet may have waited in after these measurements: one much longer than all
/// before is no queue, but a packet that was held back or sent twice, and would spoil what is known of
/// the queues for long. Should it be the first of many, the limit grows with each.
pub(super) fn longest_queue(samples: &[Sample], path: &Path) -> f64 {
    let believed = samples.iter().map(Sample::believed_round_trip);
    let longest = believed.fold(2.0 * path.base, f64::max) - 2.0 * path.base;
    UNHEARD_OF * (longest + path.scale + path.blur.sqrt())
}

/// A route that became longer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LongerRoute {
    /// Its first measurement, counted from the newest, which is 0.
    pub(super) since: usize,
    /// By how much each way is longer, at least (s).
    pub(super) by: f64,
}

/// Has the route become longer with the last few measurements, both ways? `samples` are oldest first,
/// all since the route last changed. What became longer one way only cannot be told from queues on
/// that way, and is left to the wide component.
pub(super) fn longer_route(samples: &[Sample], path: &Path) -> Option<LongerRoute> {
    STEADY.into_iter().find_map(|steady| longer_with(samples, steady, path))
}

/// The same, by one rule.
fn longer_with(samples: &[Sample], steady: Steady, path: &Path) -> Option<LongerRoute> {
    let Steady { count, rise, each, share, spread } = steady;
    let (old, new) = samples.split_at_checked(samples.len().checked_sub(count)?)?;
    if old.len() < KNOWN_ROUTE {
        return None;
    }
    let shortest = smallest(old.iter().map(Sample::round_trip));
    let usual = upper_quartile(old.iter().map(Sample::round_trip)) - shortest;
    let low = smallest(new.iter().map(Sample::round_trip));
    let high = upper_quartile(new.iter().map(Sample::round_trip));
    if low <= shortest + rise * usual
        || high - low >= (share * (low - shortest)).max(spread * usual)
    {
        return None;
    }
    // What was foreseen of the last of them may have followed the first; what follows from before
    // them all misses what the oscillator did since.
    let first = new.first()?;
    let followed = |sample: &Sample| sample.foreseen;
    let extended =
        |sample: &Sample| first.foreseen + first.foreseen_rate * (sample.at - first.at).seconds();
    let by = both_longer(new, path, followed).max(both_longer(new, path, extended));
    (by > each * usual).then_some(LongerRoute { since: count - 1, by })
}

/// By how much both ways are longer, at least (s), if θ was this; 0 if one of them is so by much more.
fn both_longer(samples: &[Sample], path: &Path, theta: impl Fn(&Sample) -> f64) -> f64 {
    let excess = |way: Way| {
        let over = samples.iter().map(|sample| sample.on(way) - way.sign() * theta(sample));
        smallest(over) - path.base
    };
    let (outbound, inbound) = (excess(Way::Outbound), excess(Way::Inbound));
    let by = outbound.min(inbound);
    if by > ALIKE * outbound.max(inbound) { by } else { 0.0 }
}

fn smallest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

/// The value that a quarter of the others are above.
fn upper_quartile(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: arrayvec::ArrayVec<f64, { super::sample::WINDOW }> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() * 3 / 4).copied().unwrap_or(0.0)
}
