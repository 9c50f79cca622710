//! What is known of the frequency without the measurements in the window.

use timeball_wire::Oscillator;

use super::Frequency;

/// Variance per second ((s/s)²/s) that a frequency from before the first measurement gains: 1 ppm in
/// a quarter of an hour, as for a machine that warms up.
const COLD_FADING: f64 = 1e-15;
/// The least that a frequency measured here gains: 0.1 ppm in a quarter of an hour.
const WARM_FADING: f64 = 1e-17;
/// How much faster it fades than the oscillator was seen to wander.
const WARM_FACTOR: f64 = 10.0;

/// A belief about the frequency that fades with time.
///
/// It enters the fit like one more observation of the slope, so that measurements two seconds apart
/// do not overrule a drift file; as they come to cover hours, it loses its weight, both because they
/// become surer and because it becomes less so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    frequency: Frequency,
    /// When it was as sure as `frequency` says; unknown until the first measurement.
    since: Option<Oscillator>,
    /// Variance that it gains per second.
    fading: f64,
}

impl Prior {
    /// What was known before the start.
    pub(super) fn cold(frequency: Frequency) -> Self {
        Self { frequency: frequency.sane(), since: None, fading: COLD_FADING }
    }

    /// What was measured until `since` of an oscillator with this wander.
    pub(super) fn warm(frequency: Frequency, since: Oscillator, wander: f64) -> Self {
        let frequency = Frequency { sd: frequency.sd, ..frequency.sane() };
        Self { frequency, since: Some(since), fading: WARM_FADING.max(WARM_FACTOR * wander) }
    }

    /// Begins to fade, if it does not already.
    pub(super) fn start(&mut self, at: Oscillator) {
        self.since.get_or_insert(at);
    }

    /// The frequency changed by about this much (s/s).
    pub(super) fn shift(&mut self, by: f64) {
        let Frequency { value, sd } = self.frequency;
        self.frequency = Frequency { value: value + by, sd: sd.hypot(by / 2.0) }.sane();
    }

    /// The belief at a moment.
    pub(super) fn at(&self, at: Oscillator) -> Frequency {
        let age = self.since.map_or(0.0, |since| (at - since).seconds().max(0.0));
        let variance = self.frequency.sd.powi(2) + self.fading * age;
        Frequency { value: self.frequency.value, sd: variance.sqrt() }
    }
}
