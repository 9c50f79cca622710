//! What the updates of the clock were like.

/// Share of the newest offset in the long-term average of squares.
const SHARE: f64 = 0.1;

/// So many updates tell how much they differ.
const ENOUGH: u64 = 8;

/// The updates of the clock so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Updates {
    /// How many.
    pub count: u64,
    /// What the last one found: true time minus where the one before said it would be (s).
    pub last_offset: f64,
    /// The frequency that the last one found minus the one in use since (s/s).
    pub residual_frequency: f64,
    /// Time between the last two (s).
    pub interval: f64,
    mean_square: f64,
}

impl Updates {
    /// Long-term average of the offset (s): the root of the mean square.
    pub fn rms_offset(&self) -> f64 {
        self.mean_square.sqrt()
    }

    /// By how much the frequency (s/s) seems to change from one update to the next; without limit
    /// while there are too few to tell.
    pub(super) fn unsteadiness(&self) -> f64 {
        if self.count < ENOUGH || self.interval <= 0.0 {
            return f64::INFINITY;
        }
        self.rms_offset() / self.interval
    }

    pub(super) fn add(&mut self, offset: f64, residual_frequency: f64, interval: f64) {
        let square = offset * offset;
        // The first offset is where the clock was found, and says nothing of how well it is kept.
        self.mean_square = match self.count {
            0 | 1 => square,
            _ => self.mean_square + SHARE * (square - self.mean_square),
        };
        self.count += 1;
        self.last_offset = offset;
        self.residual_frequency = residual_frequency;
        self.interval = interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_found_where_it_was_expected_is_steady() {
        let mut updates = Updates::default();
        for _ in 1..ENOUGH {
            updates.add(64e-9, 0.0, 64.0);
            assert_eq!(updates.unsteadiness(), f64::INFINITY);
        }
        updates.add(64e-9, 0.0, 64.0);
        assert!((updates.unsteadiness() - 1e-9).abs() < 1e-15, "{updates:?}");
    }

    #[test]
    fn the_first_offset_does_not_stay_in_the_average() {
        let mut updates = Updates::default();
        for (offset, rms) in [(100.0, 100.0), (3.0, 3.0), (3.0, 3.0), (-13.0, 5.0)] {
            updates.add(offset, 0.0, 64.0);
            assert!((updates.rms_offset() - rms).abs() < 1e-9, "{updates:?}");
        }
        assert_eq!((updates.count, updates.last_offset), (4, -13.0));
    }
}
