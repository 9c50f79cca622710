//! Many samples of a clock as one measurement: the mean of those in the middle.

use std::collections::VecDeque;

use timeball_wire::{Oscillator, Span};

/// A measurement is made of no fewer samples than this, if it could be made of as many.
const FEWEST: usize = 4;

/// The part of all samples, those nearest to the median, that is used. Serial lines and busy machines
/// make samples late, some by much: whatever is far off on either side says nothing.
const MIDDLE: f64 = 0.6;

/// A sample: how far true time is ahead of the oscillator, according to the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Oscillator,
    pub(super) offset: Span,
}

/// What many samples say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Filtered {
    /// The mean of the samples' times.
    pub(super) at: Oscillator,
    /// True time minus oscillator then.
    pub(super) offset: Span,
    /// Standard error of the offset (s); 0 where a single sample does not tell.
    pub(super) dispersion: f64,
}

/// The samples since the last poll, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    samples: VecDeque<Sample>,
}

impl Filter {
    /// Takes in a sample; of more than `length` the oldest is forgotten.
    pub(super) fn add(&mut self, sample: Sample, length: usize) {
        while self.samples.len() >= length.max(1) {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// What all samples so far say together, and forgets them. `None` if they are too few out of
    /// `length`; `frequency` (s/s) is how fast offsets grow meanwhile.
    pub(super) fn take(&mut self, length: usize, frequency: f64) -> Option<Filtered> {
        let samples = std::mem::take(&mut self.samples);
        let first = *samples.front()?;
        if samples.len() < FEWEST.min(length) {
            return None;
        }
        // Relative to the first, so that fifty years of offset cost no digits.
        let mut points: Vec<Point> = samples
            .iter()
            .map(|sample| {
                let t = (sample.at - first.at).seconds();
                Point { t, y: (sample.offset - first.offset).seconds() - frequency * t }
            })
            .collect();
        points.sort_by(|a, b| a.y.total_cmp(&b.y));
        let middle = middle(&points);
        let n = middle.len() as f64;
        let t = middle.iter().map(|point| point.t).sum::<f64>() / n;
        let y = middle.iter().map(|point| point.y).sum::<f64>() / n;
        Some(Filtered {
            at: first.at + Span::from_seconds(t),
            // A line through the points passes through their mean, whatever its slope.
            offset: first.offset + Span::from_seconds(y + frequency * t),
            dispersion: standard_error(middle, t, y),
        })
    }

    /// Every offset so far was too small by this much, as it turns out.
    pub(super) fn shift(&mut self, by: Span) {
        for sample in &mut self.samples {
            sample.offset += by;
        }
    }

    /// Forgets the samples so far.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }
}

/// A sample with the growth of the offset taken out (s, s).
#[derive(Clone, Copy, Debug)]
struct Point {
    t: f64,
    y: f64,
}

/// Those in the middle of sorted points; as many below it as above.
fn middle(sorted: &[Point]) -> &[Point] {
    let n = sorted.len();
    let wanted = ((n as f64 * MIDDLE).round() as usize).clamp(1, n);
    let dropped = (n - wanted) / 2;
    sorted.get(dropped..n - dropped).unwrap_or(sorted)
}

/// Standard error of the mean of `points`, about the line through them if they are enough for one.
fn standard_error(points: &[Point], t: f64, y: f64) -> f64 {
    let n = points.len();
    let (mut tt, mut ty, mut yy) = (0.0, 0.0, 0.0);
    for point in points {
        let (dt, dy) = (point.t - t, point.y - y);
        tt += dt * dt;
        ty += dt * dy;
        yy += dy * dy;
    }
    let (squares, freedom) = match n {
        0 | 1 => return 0.0,
        2 | 3 => (yy, n - 1),
        _ if tt > 0.0 => (yy - ty * ty / tt, n - 2),
        _ => (yy, n - 1),
    };
    (squares.max(0.0) / freedom as f64 / n as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(second: f64, offset: f64) -> Sample {
        Sample {
            at: Oscillator::from_nanos(0) + Span::from_seconds(second),
            offset: Span::from_secs(50 * 365 * 86_400) + Span::from_seconds(offset),
        }
    }

    fn filtered(samples: &[Sample], length: usize, frequency: f64) -> Option<Filtered> {
        let mut filter = Filter::default();
        samples.iter().for_each(|sample| filter.add(*sample, length));
        let result = filter.take(length, frequency);
        assert_eq!(filter.take(length, frequency), None, "nothing is left");
        result
    }

    #[test]
    fn a_length_of_one_takes_the_newest_as_it_is() {
        let (old, new) = (sample(0.0, 1.0), sample(1.0, 2.0));
        let expected = Filtered { at: new.at, offset: new.offset, dispersion: 0.0 };
        assert_eq!(filtered(&[old, new], 1, 0.0), Some(expected));
    }

    #[test]
    fn too_few_say_nothing() {
        let samples: Vec<_> = (0..3).map(|second| sample(second.into(), 0.0)).collect();
        assert_eq!(filtered(&samples, 16, 0.0), None);
        assert!(filtered(&samples, 3, 0.0).is_some());
        assert_eq!(filtered(&[], 1, 0.0), None);
    }

    #[test]
    fn what_is_far_off_counts_for_nothing() {
        let mut samples: Vec<_> = (0..10).map(|second| sample(second.into(), 1e-3)).collect();
        samples[2] = sample(2.0, 0.5);
        samples[3] = sample(3.0, 0.4);
        samples[7] = sample(7.0, -0.3);
        let result = filtered(&samples, 10, 0.0).unwrap();
        assert_eq!(result.offset, samples[0].offset);
        assert_eq!(result.dispersion, 0.0);
    }

    #[test]
    fn a_drifting_clock_does_not_choose_the_middle() {
        let drift = 100e-6;
        let samples: Vec<_> =
            (0..16).map(|second| sample(second.into(), drift * f64::from(second))).collect();
        let result = filtered(&samples, 16, drift).unwrap();
        let then = (result.at - samples[0].at).seconds();
        let error = (result.offset - samples[0].offset).seconds() - drift * then;
        assert!(error.abs() < 2e-9, "{error}");
        assert!(result.dispersion < 2e-9, "{result:?}");
    }

    #[test]
    fn the_dispersion_is_that_of_the_mean() {
        // ±1 µs in turn; of ten, six are used, and those have a slope that is none of their scatter.
        let samples: Vec<_> = (0..10)
            .map(|second| sample(second.into(), if second % 2 == 0 { 1e-6 } else { -1e-6 }))
            .collect();
        let result = filtered(&samples, 10, 0.0).unwrap();
        assert!((result.offset - sample(0.0, 0.0).offset).seconds().abs() < 1e-9, "{result:?}");
        assert!((0.27e-6..0.28e-6).contains(&result.dispersion), "{result:?}");
    }

    proptest! {
        #[test]
        fn the_result_lies_among_the_samples(
            offsets in prop::collection::vec(-1.0..1.0, 1..70usize),
            length in 1..70usize,
        ) {
            let samples: Vec<_> =
                offsets.iter().enumerate().map(|(t, &offset)| sample(t as f64, offset)).collect();
            if let Some(result) = filtered(&samples, length, 0.0) {
                let tolerance = Span::from_nanos(2);
                let least = samples.iter().map(|s| s.offset).min().unwrap();
                let most = samples.iter().map(|s| s.offset).max().unwrap();
                prop_assert!(least - tolerance <= result.offset);
                prop_assert!(result.offset <= most + tolerance);
                prop_assert!(samples[0].at <= result.at && result.at <= samples[samples.len() - 1].at);
                prop_assert!(result.dispersion.is_finite() && result.dispersion >= 0.0);
            } else {
                prop_assert!(samples.len() < FEWEST.min(length));
            }
        }
    }
}
