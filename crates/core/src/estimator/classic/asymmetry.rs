//! Do packets wait on one way only?
//!
//! Time spent in queues counts for half in the offset, with the sign of the way on which it was
//! spent; of a single measurement nobody knows which. But if it is always the same way, a busy
//! uplink or downlink, then offset and excess go together, the one being half of the other, and the
//! time in queues can be taken out of the offset instead of only making it less sure.
//!
//! As in [`noise`](super::noise), triples of successive measurements show it, whatever the oscillator
//! does meanwhile.

use super::window::Point;
use crate::estimator::triple::Middle;

/// Half of the time in queues is in the offset, one way or the other; a share closer to that than
/// this is one-sided enough to be corrected…
const ONE_SIDED: f64 = 0.45;
/// …if it explains this much of how far measurements lie from their neighbours.
const EXPLAINED: f64 = 0.9;
/// It must have looked so for this many measurements in a row.
const CONFIRMATIONS: u32 = 10;
/// Triples that are needed for an opinion.
const FEWEST: usize = 6;
/// A wait this many times longer than usual says nothing of the usual one: a route that became longer
/// one way looks like that once.
const UNUSUAL: f64 = 8.0;

/// The share of the time in queues that is in the offset.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asymmetry {
    /// The operator knows it.
    Given(f64),
    /// It is looked for.
    Learnt {
        /// As last seen, if it was one-sided.
        share: f64,
        /// For so many measurements it has looked so.
        confirmations: u32,
    },
}

impl Asymmetry {
    /// By the operator's word, if there is one.
    pub(super) fn new(given: Option<f64>) -> Self {
        match given {
            Some(share) if share.is_finite() => Self::Given(share.clamp(-0.5, 0.5)),
            _ => Self::Learnt { share: 0.0, confirmations: 0 },
        }
    }

    /// The share in use, −0.5 (all on the way back) to 0.5 (all on the way there); 0 while unknown.
    pub(super) fn share(&self) -> f64 {
        match *self {
            Self::Given(share) => share,
            Self::Learnt { share, confirmations } if confirmations >= CONFIRMATIONS => share,
            Self::Learnt { .. } => 0.0,
        }
    }

    /// Looks at `points`, oldest first, whose excesses are set, with this median, and whose offsets are
    /// as measured.
    pub(super) fn learn(&mut self, points: &[Point], typical_excess: f64) {
        let Self::Learnt { share, confirmations } = self else { return };
        let seen = one_sided_share(points, typical_excess);
        *confirmations = match seen {
            Some(seen) if seen * *share > 0.0 => confirmations.saturating_add(1),
            Some(_) => 1,
            None => 0,
        };
        *share = seen.unwrap_or(0.0);
    }
}

/// The share of the excess in the offset, if the excess is on one way only.
fn one_sided_share(points: &[Point], typical_excess: f64) -> Option<f64> {
    let (mut triples, mut offsets, mut excesses, mut both) = (0, 0.0, 0.0, 0.0);
    for triple in points.windows(3) {
        let [first, middle, last] = triple else { continue };
        let place = Middle::of(first.t, middle.t, last.t);
        let departure = |of: fn(&Point) -> f64| place.departure(of(first), of(middle), of(last));
        let (offset, excess) = (departure(|point| point.y), departure(|point| point.excess));
        if excess.abs() > UNUSUAL * typical_excess {
            continue;
        }
        triples += 1;
        offsets += offset * offset;
        excesses += excess * excess;
        both += offset * excess;
    }
    if triples < FEWEST || excesses <= 0.0 || offsets <= 0.0 {
        return None;
    }
    let share = both / excesses;
    let explained = both * both / (excesses * offsets);
    (share.abs() >= ONE_SIDED && explained >= EXPLAINED).then(|| share.clamp(-0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};
    use timeball_wire::{Oscillator, Span};

    use super::*;
    use crate::measurement::Measurement;

    /// Points a minute apart on an oscillator off by 50 ppm, with up to a millisecond in queues on
    /// the way there and on the way back, times these.
    fn points(there: f64, back: f64) -> Vec<Point> {
        const SEED: u64 = 21;
        println!("seed {SEED}");
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut queue = |scale: f64| scale * 1e-3 * f64::from(rng.next_u32()) / 2f64.powi(32);
        let nothing = Measurement {
            at: Oscillator::from_nanos(0),
            outbound: Span::ZERO,
            inbound: Span::ZERO,
            dispersion: 0.0,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
        };
        (-29..=0)
            .map(|minute| {
                let (there, back) = (queue(there), queue(back));
                let t = 60.0 * f64::from(minute);
                let y = 50e-6 * t + (there - back) / 2.0;
                Point { t, y, excess: there + back, ..Point::new(&nothing) }
            })
            .collect()
    }

    fn learnt(points: &[Point], times: u32) -> f64 {
        let mut asymmetry = Asymmetry::new(None);
        (0..times).for_each(|_| asymmetry.learn(points, 0.5e-3));
        asymmetry.share()
    }

    #[test]
    fn one_busy_way_is_found_and_two_are_not() {
        assert!((learnt(&points(1.0, 0.0), 10) - 0.5).abs() < 1e-6);
        assert!((learnt(&points(0.02, 1.0), 10) + 0.5).abs() < 0.01);
        assert_eq!(learnt(&points(1.0, 1.0), 10), 0.0);
        assert_eq!(learnt(&points(1.0, 0.5), 10), 0.0);
    }

    #[test]
    fn it_takes_its_time_and_is_given_up_at_once() {
        let (uplink, both) = (points(1.0, 0.0), points(1.0, 1.0));
        assert_eq!(learnt(&uplink, CONFIRMATIONS - 1), 0.0);
        let mut asymmetry = Asymmetry::new(None);
        (0..CONFIRMATIONS).for_each(|_| asymmetry.learn(&uplink, 0.5e-3));
        asymmetry.learn(&both, 0.5e-3);
        assert_eq!(asymmetry.share(), 0.0);
    }

    #[test]
    fn a_route_that_became_longer_one_way_is_no_queue() {
        let mut points = points(0.05, 0.05);
        for longer in &mut points[20..] {
            longer.excess += 20e-3;
            longer.y += 10e-3;
        }
        let mut asymmetry = Asymmetry::new(None);
        (0..CONFIRMATIONS).for_each(|_| asymmetry.learn(&points, 0.05e-3));
        assert_eq!(asymmetry.share(), 0.0);
    }

    #[test]
    fn the_operator_knows_better() {
        let mut asymmetry = Asymmetry::new(Some(-0.3));
        asymmetry.learn(&points(1.0, 0.0), 0.5e-3);
        assert_eq!(asymmetry.share(), -0.3);
        assert_eq!(Asymmetry::new(Some(7.0)).share(), 0.5);
        assert_eq!(Asymmetry::new(Some(f64::NAN)).share(), 0.0);
    }
}
