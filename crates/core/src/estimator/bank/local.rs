//! Congestion lasts: a packet is the likelier to have waited long if those before and after it have,
//! and if the one it answers has (the latter only for the newest).
//!
//! The probability w of one packet is the mean of the path's and of what its neighbours turned out to
//! be, the nearer ones counting more.

use super::lanes::Lanes;

/// Weight of a neighbour against the next nearer one.
const FADING: f64 = 0.7;
/// The odds are raised to this power: neighbours are of one mind, or there is no congestion.
const SHARPENING: f64 = 2.0;
/// Smallest and largest w. When congestion begins, every hypothesis pays for the first packets that
/// waited unexpectedly; if that were dear, it would seem likelier that the clock has moved.
const LIMITS: (f64, f64) = (0.01, 0.99);

/// Neighbours on one side of a packet or on both, with their weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbours {
    /// Σ 0.7^distance × P(wide).
    pub(super) sum: Lanes,
    /// Σ 0.7^distance.
    weight: f64,
}

impl Neighbours {
    pub(super) const NONE: Self = Self { sum: Lanes::ZERO, weight: 0.0 };

    /// One packet further.
    #[inline(always)]
    pub(super) fn pass(&mut self, wide: Lanes) {
        self.sum = (self.sum + wide) * FADING;
        self.weight = (self.weight + 1.0) * FADING;
    }

    /// The other way of the same exchange is a neighbour, too.
    pub(super) fn and_other_way(self, wide: Lanes) -> Self {
        Self { sum: self.sum + wide * FADING, weight: self.weight + FADING }
    }

    /// Those of both sides, of which there are so many.
    #[inline(always)]
    pub(super) fn around(past: Lanes, future: Lanes, (before, after): (usize, usize)) -> Self {
        Self { sum: past + future, weight: total(before) + total(after) }
    }
}

/// Those of a packet that has none after it, oldest first.
pub(super) fn of_next(wide: impl Iterator<Item = Lanes>) -> Neighbours {
    let mut neighbours = Neighbours::NONE;
    wide.for_each(|wide| neighbours.pass(wide));
    neighbours
}

/// Σ 0.7^i for i = 1 to `count`.
#[inline(always)]
fn total(count: usize) -> f64 {
    FADING * (1.0 - FADING.powi(count as i32)) / (1.0 - FADING)
}

/// ln(w/(1−w)) of a packet with these neighbours on a path with this w.
#[inline(always)]
pub(super) fn odds(wide_share: Lanes, neighbours: Neighbours) -> Lanes {
    let share = (wide_share + neighbours.sum) * (1.0 / (1.0 + neighbours.weight));
    let limit = |w: f64| (w / (1.0 - w)).ln();
    let limits = (limit(LIMITS.0), limit(LIMITS.1));
    share.map(|w| (SHARPENING * (w / (1.0 - w)).ln()).clamp(limits.0, limits.1))
}

/// ln(w/(1−w)) of a packet on a path with this w, whatever its neighbours are: it shall teach what w is.
pub(super) fn odds_alone(wide_share: Lanes) -> Lanes {
    wide_share.map(|w| (w / (1.0 - w)).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_the_sum_by_hand() {
        let wide: Vec<Lanes> = (0..9).map(|i| Lanes::all(f64::from(i) / 10.0)).collect();
        let at = 4;
        let past = of_next(wide[..at].iter().copied());
        let future = of_next(wide[at + 1..].iter().rev().copied());
        let around = Neighbours::around(past.sum, future.sum, (4, 4));
        let by_hand = |of: fn(f64) -> f64| -> f64 {
            (0..9i32)
                .filter(|i| *i != 4)
                .map(|i| FADING.powi((i - 4).abs()) * of(f64::from(i) / 10.0))
                .sum()
        };
        assert!((around.sum.0[0] - by_hand(|wide| wide)).abs() < 1e-12);
        assert!((around.weight - by_hand(|_| 1.0)).abs() < 1e-12);
    }

    #[test]
    fn a_packet_is_taken_for_what_its_neighbours_are() {
        let odds = |wide: f64| {
            odds(Lanes::all(0.05), of_next(std::iter::repeat_n(Lanes::all(wide), 20))).0[0]
        };
        let probability = |odds: f64| 1.0 / (1.0 + (-odds).exp());
        assert!(probability(odds(1.0)) > 0.8);
        assert!((probability(odds(0.0)) - 0.01).abs() < 1e-9);
        assert!(odds(0.3) < odds(0.6));
    }

    #[test]
    fn where_a_request_waited_the_answer_may_have_waited_too() {
        let quiet = of_next(std::iter::repeat_n(Lanes::all(0.0), 20));
        let odds = |wide: f64| odds(Lanes::all(0.05), quiet.and_other_way(Lanes::all(wide))).0[0];
        assert!(odds(1.0) > odds(0.0) + 1.0);
    }
}
