//! A source whose clock jumps once was set. One whose clock jumps again and again is no clock, and no
//! hypothesis about an oscillator will ever say so: each explains the last jump and trusts the next
//! measurement.

/// Measurements that are remembered.
const MEMORY: usize = 8;

/// How far the newest measurements were from what was foreseen, if that was further than any path or
/// oscillator could have made them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habit {
    jumps: [f64; MEMORY],
    next: usize,
}

impl Habit {
    /// A measurement missed its prediction by this (s); `limit` (s) is what can be explained.
    pub(super) fn add(&mut self, error: f64, limit: f64) {
        let size = error.abs();
        if let Some(slot) = self.jumps.get_mut(self.next) {
            *slot = if size > limit { size } else { 0.0 };
        }
        self.next = (self.next + 1) % MEMORY;
    }

    /// The size of jumps that is usual (s): the second largest of late. 0 if there was one at most.
    pub(super) fn jumps(&self) -> f64 {
        let (_, second) = self.jumps.iter().fold((0.0f64, 0.0f64), |(first, second), size| {
            if *size > first { (*size, first) } else { (first, second.max(*size)) }
        });
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_jumps_are_a_habit_until_they_are_long_ago() {
        let mut habit = Habit::default();
        habit.add(-30.0, 0.1);
        assert_eq!(habit.jumps(), 0.0);
        habit.add(0.05, 0.1);
        habit.add(2.0, 0.1);
        assert_eq!(habit.jumps(), 2.0);
        habit.add(3.0, 0.1);
        assert_eq!(habit.jumps(), 3.0);
        (0..6).for_each(|_| habit.add(0.0, 0.1));
        assert_eq!(habit.jumps(), 2.0);
        habit.add(0.0, 0.1);
        assert_eq!(habit.jumps(), 0.0);
    }
}
