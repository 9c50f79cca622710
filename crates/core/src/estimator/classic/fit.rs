//! How many of the newest measurements should the line go through?

use super::Frequency;
use super::line::Line;
use super::window::Window;

/// A prior is held against the newest measurements if there are so many…
const JURY: std::ops::RangeInclusive<usize> = 8..=16;
/// …and doubted if they contradict it by more than this many standard deviations.
const CONTRADICTION: f64 = 3.0;

/// What the measurements in use say together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) line: Line,
    /// Measurements in use.
    pub(super) samples: usize,
    /// Variance of the measurements in use about the line (s²).
    pub(super) residual_variance: f64,
}

impl Fit {
    /// The line over that many of the newest measurements, at least `fewest`, which predicts the next
    /// one best: over few of them noise makes it uncertain, over many the wander of the oscillator.
    /// `None` without measurements.
    pub(super) fn best(
        window: &Window,
        fewest: usize,
        prior: Frequency,
        wander: f64,
    ) -> Option<Self> {
        let horizon = match window.latest(2) {
            [previous, _] => -previous.t,
            _ => 0.0,
        };
        let prior = believable(prior, window);
        let (line, samples) = lengths(fewest, window.len())
            .map(|samples| (Line::fit(window.latest(samples), prior), samples))
            .min_by(|(a, _), (b, _)| {
                a.variance(horizon, wander).total_cmp(&b.variance(horizon, wander))
            })?;
        let used = window.latest(samples);
        let squares: f64 = used.iter().map(|point| (point.y - line.at(point.t)).powi(2)).sum();
        let residual_variance = match samples {
            // Two points are on any line.
            ..3 => window.newest()?.variance,
            _ => squares / (samples - 2) as f64,
        };
        Some(Self { line, samples, residual_variance })
    }

    /// Runs of measurements in use that are on the same side of the line. Few runs of many
    /// measurements tell of something that is no noise.
    pub(super) fn runs(&self, window: &Window) -> usize {
        let sides = window.latest(self.samples).iter().map(|point| point.y > self.line.at(point.t));
        let mut before = None;
        sides.filter(|side| before.replace(*side) != Some(*side)).count()
    }
}

/// The prior, less sure than it claims to be if measurements contradict it.
fn believable(prior: Frequency, window: &Window) -> Frequency {
    let jury = window.latest(*JURY.end());
    if jury.len() < *JURY.start() {
        return prior;
    }
    let unbiased = Line::fit(jury, Frequency { sd: 1.0, ..prior });
    let contradiction = (unbiased.slope() - prior.value) / CONTRADICTION;
    let variance = contradiction.powi(2) - unbiased.slope_variance(0.0, 0.0);
    Frequency { sd: prior.sd.max(variance.max(0.0).sqrt()), ..prior }
}

/// Lengths to try, each a quarter longer than the one before, up to all that are held.
fn lengths(fewest: usize, held: usize) -> impl Iterator<Item = usize> {
    let longer =
        move |length: &usize| (*length < held).then(|| (length + length / 4 + 1).min(held));
    std::iter::successors((held > 0).then(|| fewest.clamp(1, held)), longer)
}
