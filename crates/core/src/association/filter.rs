//! The median of several polls as one measurement.

use timeball_wire::Span;

use crate::measurement::Measurement;

/// The measurements of the polls so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    measurements: Vec<Measurement>,
    /// Polls so far, with and without a measurement.
    polls: usize,
}

impl Filter {
    /// A poll is over. After every `length` of them returns the measurement whose offset is the
    /// median, if there was any; `frequency` (s/s) is how fast offsets grow meanwhile.
    ///
    /// One of the measurements and not a mean of them, so that its delay and its bounds are true.
    pub(super) fn polled(
        &mut self,
        measurement: Option<Measurement>,
        length: usize,
        frequency: f64,
    ) -> Option<Measurement> {
        self.measurements.extend(measurement);
        self.polls += 1;
        if self.polls < length {
            return None;
        }
        self.polls = 0;
        let mut measurements = std::mem::take(&mut self.measurements);
        let first = *measurements.first()?;
        // Relative to the first, so that fifty years of offset cost no digits.
        let offset = |of: &Measurement| {
            (of.offset() - first.offset()).seconds() - frequency * (of.at - first.at).seconds()
        };
        let middle = (measurements.len() - 1) / 2;
        let (_, median, _) =
            measurements.select_nth_unstable_by(middle, |a, b| offset(a).total_cmp(&offset(b)));
        Some(*median)
    }

    /// Every offset measured so far was too small by this much, as it turns out.
    pub(super) fn shift(&mut self, by: Span) {
        for measurement in &mut self.measurements {
            measurement.shift(by);
        }
    }

    /// Forgets the polls so far.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use timeball_wire::{Oscillator, Span};

    use super::*;

    fn measurement(second: i64, offset: f64) -> Measurement {
        Measurement {
            at: Oscillator::from_nanos(0) + Span::from_secs(second),
            outbound: Span::from_seconds(offset + 1e-3),
            inbound: Span::from_seconds(1e-3 - offset),
            dispersion: 0.0,
            reading: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
        }
    }

    #[test]
    fn a_length_of_one_takes_each_as_it_is() {
        let mut filter = Filter::default();
        for second in 0..3 {
            let measurement = measurement(second, 1.0);
            assert_eq!(filter.polled(Some(measurement), 1, 0.0), Some(measurement));
        }
        assert_eq!(filter.polled(None, 1, 0.0), None);
    }

    #[test]
    fn the_median_stands_for_all() {
        let mut filter = Filter::default();
        assert_eq!(filter.polled(Some(measurement(0, 5e-3)), 3, 0.0), None);
        assert_eq!(filter.polled(Some(measurement(1, 1e-3)), 3, 0.0), None);
        let median = measurement(2, 2e-3);
        assert_eq!(filter.polled(Some(median), 3, 0.0), Some(median));
    }

    #[test]
    fn polls_without_a_measurement_count() {
        let mut filter = Filter::default();
        let only = measurement(0, 5e-3);
        assert_eq!(filter.polled(Some(only), 3, 0.0), None);
        assert_eq!(filter.polled(None, 3, 0.0), None);
        assert_eq!(filter.polled(None, 3, 0.0), Some(only));
        // Nothing of it is left.
        for _ in 0..3 {
            assert_eq!(filter.polled(None, 3, 0.0), None);
        }
    }

    #[test]
    fn a_drifting_clock_does_not_choose_the_median() {
        let mut filter = Filter::default();
        let drift = 100e-6;
        for second in [0, 100] {
            let error = if second == 0 { 1e-3 } else { -1e-3 };
            let measurement = measurement(second, drift * second as f64 + error);
            assert_eq!(filter.polled(Some(measurement), 3, drift), None);
        }
        // The latest by time, and by raw offset, but in the middle of the errors.
        let median = measurement(200, drift * 200.0);
        assert_eq!(filter.polled(Some(median), 3, drift), Some(median));
    }
}
