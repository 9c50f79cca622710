//! Per source: what is true time minus oscillator time, at what rate does it change, how sure are
//! we?

use timeball_wire::{Oscillator, Span};

use crate::measurement::Measurement;

/// How many measurements an estimator may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Never fewer than this, however badly they fit a line.
    pub min_samples: usize,
    /// Never more than this.
    pub max_samples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { min_samples: 6, max_samples: 64 }
    }
}

/// A belief about the oscillator's frequency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frequency {
    /// Seconds of true time gained per second of the oscillator (s/s).
    pub value: f64,
    /// One standard deviation (s/s).
    pub sd: f64,
}

/// What a source says of the oscillator, predicted to one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The moment.
    pub at: Oscillator,
    /// True time minus oscillator.
    pub offset: Span,
    /// One standard deviation of the offset (s), path asymmetry not included.
    pub offset_sd: f64,
    /// How fast the offset changes.
    pub frequency: Frequency,
    /// Standard deviation of single measurements about the estimate (s).
    pub jitter: f64,
    /// Smallest round-trip delay to the source in use (s).
    pub delay: f64,
    /// Round-trip delay to the reference clock (s).
    pub root_delay: f64,
    /// Dispersion to the reference clock (s): the server's, the measurement's, and what
    /// may have grown since.
    pub root_dispersion: f64,
    /// Measurements in use.
    pub samples: usize,
    /// Age of the newest measurement.
    pub age: Span,
}

impl Estimate {
    /// Half-width (s) of the interval that contains true time if the source is right (RFC 5905
    /// §11.2).
    pub fn root_distance(&self) -> f64 {
        self.root_delay / 2.0 + self.root_dispersion
    }
}

/// How a new measurement met the prediction of those before it; the association adapts its poll
/// interval by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surprise {
    /// Measured minus predicted offset (s).
    pub error: f64,
    /// What one would expect of it (s): measurement and prediction uncertainty together.
    pub expected: f64,
    /// Measurements in use after the update.
    pub samples: usize,
}

/// The estimator of one source.
#[derive(Clone, Debug)]
pub struct Estimator {
    _settings: Settings,
}

impl Estimator {
    /// An estimator without measurements. `frequency` is what is already known of the oscillator.
    pub fn new(settings: Settings, _frequency: Frequency) -> Self {
        Self { _settings: settings }
    }

    /// Takes in a measurement; `None` for the first, which nothing predicted.
    pub fn add(&mut self, _measurement: &Measurement) -> Option<Surprise> {
        None
    }

    /// The estimate for `at`, or `None` before the first measurement.
    pub fn estimate(&self, _at: Oscillator) -> Option<Estimate> {
        None
    }

    /// Forgets where the source was but not how fast the oscillator runs: the source stepped or was
    /// replaced, or this machine slept.
    pub fn restart(&mut self) {}

    /// Measurements held.
    pub fn len(&self) -> usize {
        0
    }

    /// True before the first measurement.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
