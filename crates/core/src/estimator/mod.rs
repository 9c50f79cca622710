//! Per source: what is true time minus oscillator time, at what rate does it change, how sure are
//! we?
//!
//! Two methods answer that, and an operator may choose: the `bank` of smoothers, and the
//! `classic` regression, which stays so that one can be held against the other.
//!
//! Two uncertainties are reported. The standard deviation is what noise and the oscillator's wander
//! make of the estimate; an asymmetric path is invisible to it. The root distance contains the truth
//! whatever the path does, as long as the source is right.

mod bank;
mod classic;
mod estimate;
mod misreading;
#[cfg(test)]
mod tests;
mod triple;
#[cfg(test)]
mod world;

pub use estimate::{Estimate, Frequency, Method, Settings, Statistics, Surprise, Wish};

use timeball_wire::{Oscillator, Span};

use crate::measurement::Measurement;
use bank::Bank;
use classic::Classic;
use misreading::Misreading;

/// Every quantity of seconds that a packet can carry is below this (2¹⁶ s, RFC 5905 §6).
const LARGEST: f64 = 65536.0;

/// What a frequency that was known may have changed ((s/s)²/s) beyond the longest time over which it was
/// ever put to the test, at least: 1 ppm between day and night.
const UNTESTED: f64 = 1e-17;

/// Variance (s²) of an offset whose frequency has walked with this strength ((s/s)²/s) for so long (s):
/// q² t³/3 (Zucca and Tavella 2005).
fn wandered(strength: f64, t: f64) -> f64 {
    strength * t.powi(3) / 3.0
}

/// A magnitude (s) that a packet may claim: what is not a number is taken for the worst.
fn limited(seconds: f64) -> f64 {
    if seconds.is_nan() { LARGEST } else { seconds.clamp(0.0, LARGEST) }
}

/// The estimator of one source.
#[derive(Clone, Debug)]
pub struct Estimator(By);

/// Both are large, and neither shall make the other's owner larger.
#[derive(Clone, Debug)]
enum By {
    Bank(Box<Bank>),
    Classic(Box<Classic>),
}

/// Calls the same method of whichever estimator it is.
macro_rules! of_either {
    ($estimator:expr, $either:ident => $call:expr) => {
        match $estimator {
            By::Bank($either) => $call,
            By::Classic($either) => $call,
        }
    };
}

impl Estimator {
    /// An estimator without measurements. `frequency` is what is already known of the oscillator.
    pub fn new(settings: Settings, frequency: Frequency) -> Self {
        Self(match settings.method {
            Method::Bank => By::Bank(Box::new(Bank::new(settings, frequency))),
            Method::Classic => By::Classic(Box::new(Classic::new(settings, frequency))),
        })
    }

    /// Takes in a measurement; `None` for the first, which nothing predicted, and for one that is not
    /// newer than all others, which is ignored: oscillator time never goes back, so whoever rewinds
    /// it has to [`restart`](Self::restart).
    pub fn add(&mut self, measurement: &Measurement) -> Option<Surprise> {
        of_either!(&mut self.0, estimator => estimator.add(measurement))
    }

    /// The estimate for `at`, or `None` before the first measurement.
    pub fn estimate(&self, at: Oscillator) -> Option<Estimate> {
        of_either!(&self.0, estimator => estimator.estimate(at))
    }

    /// Forgets where the source was but not how fast the oscillator runs: the source stepped or was
    /// replaced, or this machine slept.
    pub fn restart(&mut self) {
        of_either!(&mut self.0, estimator => estimator.restart());
    }

    /// From `since` on the oscillator may be misread by this much (s), always by the same: nobody knows
    /// when the clock's frequency changed.
    pub fn doubt(&mut self, since: Oscillator, by: f64) {
        of_either!(&mut self.0, estimator => estimator.doubt(since, by));
    }

    /// The measurements held, oldest first, to be [added](Self::add) to another estimator.
    pub fn measurements(&self) -> impl Iterator<Item = Measurement> {
        let (bank, classic) = match &self.0 {
            By::Bank(bank) => (Some(bank.measurements()), None),
            By::Classic(classic) => (None, Some(classic.measurements())),
        };
        bank.into_iter().flatten().chain(classic.into_iter().flatten())
    }

    /// Every offset measured so far was too small by this much, as it turns out.
    pub fn shift(&mut self, by: Span) {
        of_either!(&mut self.0, estimator => estimator.shift(by));
    }

    /// Measurements held.
    pub fn len(&self) -> usize {
        of_either!(&self.0, estimator => estimator.len())
    }

    /// True before the first measurement.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was learnt so far, or `None` before the first measurement.
    pub fn statistics(&self) -> Option<Statistics> {
        of_either!(&self.0, estimator => estimator.statistics())
    }
}
