//! What goes in besides measurements, and what comes out.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use timeball_wire::{Oscillator, Span};

/// What is known from before cannot be surer than this (s/s): the machine was off, the room is
/// warmer. Nor can it be less sure than this and still mean anything.
const SD: RangeInclusive<f64> = 5e-7..=1e-2;
/// No oscillator is further off than this (s/s).
const LARGEST: f64 = 0.1;

/// How an estimator turns measurements into an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A bank of smoothers, each with another idea of the oscillator and of the queues on the way.
    #[default]
    Bank,
    /// A weighted regression over as many measurements as fit a line.
    Classic,
}

/// How an estimator works, and how many measurements it may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// By which method.
    pub method: Method,
    /// Never fewer than this, however badly they fit a line.
    pub min_samples: usize,
    /// Never more than this.
    pub max_samples: usize,
    /// The path's round-trip delay without queues (s), if the operator knows it better than any
    /// measurement tells; 0 if not.
    pub min_delay: f64,
    /// The part of every queueing delay that is on the way to the server, −0.5 (all on the way
    /// back) to 0.5 (all on the way there); `None` to learn it.
    pub asymmetry: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::default(),
            min_samples: 6,
            max_samples: 64,
            min_delay: 0.0,
            asymmetry: None,
        }
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

impl Frequency {
    /// The same, as a number that one can compute with.
    pub(super) fn sane(self) -> Self {
        let Self { value, sd } = self;
        let value = if value.is_nan() { 0.0 } else { value.clamp(-LARGEST, LARGEST) };
        let sd = if sd.is_nan() { *SD.end() } else { sd.clamp(*SD.start(), *SD.end()) };
        Self { value, sd }
    }
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
    /// The source's clock was found to have been stepped by this much (s); what was measured before
    /// is forgotten.
    pub stepped: Option<f64>,
    /// When the next one would be welcome.
    pub wish: Wish,
}

/// When an estimator would like to have its next measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// It does not know: may the association judge by the surprise.
    None,
    /// At once: this one may be plainly wrong, or something has happened.
    Soon,
    /// When what the oscillator may have done meanwhile begins to count.
    After {
        /// Time between two measurements (s).
        interval: f64,
        /// Time (s) since the first one, or since something happened.
        settled: f64,
    },
}

/// What an estimator has learnt, for whoever wants to know more than the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Measurements held.
    pub held: usize,
    /// Measurements in use.
    pub used: usize,
    /// Time between the oldest and the newest measurement in use (s).
    pub span: f64,
    /// Time before the newest measurement of which something is still known (s).
    pub memory: f64,
    /// Runs of measurements in use that are on the same side of the line.
    pub runs: usize,
    /// Smallest round-trip delay of the present route (s).
    pub delay_floor: f64,
    /// Median of the time that measurements spent in queues (s).
    pub typical_excess: f64,
    /// Standard deviation of a measurement that spent no time in queues (s).
    pub noise: f64,
    /// Standard deviation of the measurements in use about the line (s).
    pub residual_sd: f64,
    /// The part of the time in queues that is taken out of the offset: from −0.5 (all of it is on the
    /// way back) to 0.5 (on the way there); 0 if nothing is known.
    pub asymmetry: f64,
    /// Standard deviation that the oscillator's frequency gains in a second (s/s), as learnt.
    pub wander: f64,
}
