//! One time out of several truechimers.

use timeball_wire::LeapIndicator;

use crate::estimator::Frequency;
use crate::selection::SourceId;

/// What the truechimers say together.
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    /// The source whose stratum, reference and root values are passed on.
    pub system_peer: SourceId,
    /// All sources in it, the system peer first.
    pub sources: Vec<SourceId>,
    /// True time minus system clock (s).
    pub offset: f64,
    /// One standard deviation of the offset (s).
    pub offset_sd: f64,
    /// Frequency of the oscillator against true time.
    pub frequency: Frequency,
    /// The system peer's root delay (s).
    pub root_delay: f64,
    /// Root dispersion (s), chosen so that `offset ± (root_delay/2 + root_dispersion)` covers the
    /// system peer's interval.
    pub root_dispersion: f64,
    /// The system peer's stratum.
    pub stratum: u8,
    /// The leap warning that most of them give.
    pub leap: LeapIndicator,
}
