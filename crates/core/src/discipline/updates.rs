//! What the updates of the clock were like.

/// Share of the newest offset in the long-term average of squares.
const SHARE: f64 = 0.1;

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
    fn the_first_offset_does_not_stay_in_the_average() {
        let mut updates = Updates::default();
        for (offset, rms) in [(100.0, 100.0), (3.0, 3.0), (3.0, 3.0), (-13.0, 5.0)] {
            updates.add(offset, 0.0, 64.0);
            assert!((updates.rms_offset() - rms).abs() < 1e-9, "{updates:?}");
        }
        assert_eq!((updates.count, updates.last_offset), (4, -13.0));
    }
}
