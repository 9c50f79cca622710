//! Three successive measurements: clocks that differ in frequency leave them on a line.

/// The middle one of three, with the weights that its neighbours have in the line through them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Middle {
    pub(super) earlier: f64,
    pub(super) later: f64,
}

impl Middle {
    /// At these times (s).
    pub(super) fn of(first: f64, middle: f64, last: f64) -> Self {
        let earlier = (last - middle) / (last - first);
        Self { earlier, later: 1.0 - earlier }
    }

    /// Time passed on both sides of it.
    pub(super) fn is_between(self) -> bool {
        self.earlier > 0.0 && self.later > 0.0
    }

    /// How far what the middle one says is off the line through what the others say, in the same unit.
    pub(super) fn departure(self, first: f64, middle: f64, last: f64) -> f64 {
        middle - self.earlier * first - self.later * last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_a_line_departs_by_nothing() {
        let middle = Middle::of(10.0, 14.0, 26.0);
        assert_eq!((middle.earlier, middle.later), (0.75, 0.25));
        assert_eq!(middle.departure(100.0, 108.0, 132.0), 0.0);
        assert_eq!(middle.departure(100.0, 108.5, 132.0), 0.5);
    }

    #[test]
    fn two_at_one_time_are_not_three() {
        assert!(Middle::of(0.0, 1.0, 2.0).is_between());
        for (first, middle, last) in [(0.0, 0.0, 2.0), (0.0, 2.0, 2.0), (1.0, 1.0, 1.0)] {
            assert!(!Middle::of(first, middle, last).is_between());
        }
    }
}
