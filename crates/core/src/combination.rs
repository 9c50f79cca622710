//! One time out of several truechimers.

use timeball_wire::LeapIndicator;

use crate::estimator::Frequency;
use crate::selection::{Contender, SourceId};

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

/// The part of a source's root distance that its systematic error (path asymmetry, its server's own
/// error) is expected to fill, as a standard deviation. It weighs a near source against a far one.
const SYSTEMATIC_SHARE: f64 = 0.25;
/// Variance that sources share: the same oscillator wanders under all of them, and their packets
/// leave through the same interface. Errors are taken to be correlated by this much, so that the
/// uncertainty of many sources never falls below √½ of that of the typical one.
const CORRELATION: f64 = 0.5;
/// A source whose frequency differs from the system peer's by more standard deviations than this
/// does not take part in the frequency.
const FREQUENCY_LIMIT: f64 = 5.0;
/// Smallest standard deviations that are believed: a nanosecond, and a nanosecond per second.
const SMALLEST_SD: f64 = 1e-9;

impl Combination {
    /// Combines `peer` with `others`, which do not contain it.
    ///
    /// Offsets are weighted by the inverse of their variance, in which the systematic error counts;
    /// frequencies by the inverse of theirs.
    pub(crate) fn of(peer: &Contender, others: &[Contender], leap: LeapIndicator) -> Self {
        let all = || std::iter::once(peer).chain(others);
        let (offset, offset_sd) = weighted_mean(all().map(|c| {
            let systematic = SYSTEMATIC_SHARE * c.view.root_distance();
            let variance = c.view.offset_sd.powi(2) + systematic.powi(2);
            Weighed { value: c.view.offset, sd: c.view.offset_sd, variance }
        }));
        let consistent = all().filter(|c| {
            let (a, b) = (peer.view.frequency, c.view.frequency);
            (a.value - b.value).abs() <= FREQUENCY_LIMIT * a.sd.hypot(b.sd)
        });
        let (frequency, frequency_sd) = weighted_mean(consistent.map(|c| {
            let Frequency { value, sd } = c.view.frequency;
            Weighed { value, sd, variance: sd * sd }
        }));
        Self {
            system_peer: peer.source,
            sources: all().map(|c| c.source).collect(),
            offset,
            offset_sd,
            frequency: Frequency { value: frequency, sd: frequency_sd },
            root_delay: peer.view.root_delay,
            root_dispersion: peer.view.root_dispersion + (offset - peer.view.offset).abs(),
            stratum: peer.stratum,
            leap,
        }
    }
}

/// A value, its standard deviation, and the variance by which it is weighted.
struct Weighed {
    value: f64,
    sd: f64,
    variance: f64,
}

/// The mean with weights 1/variance, and its standard deviation if errors are correlated by
/// [`CORRELATION`].
fn weighted_mean(values: impl Iterator<Item = Weighed> + Clone) -> (f64, f64) {
    let weight = |w: &Weighed| 1.0 / (w.variance + SMALLEST_SD * SMALLEST_SD);
    let total: f64 = values.clone().map(|w| weight(&w)).sum();
    let (mut mean, mut independent, mut common) = (0.0, 0.0, 0.0);
    for w in values {
        let share = weight(&w) / total;
        mean += share * w.value;
        independent += (share * w.sd).powi(2);
        common += share * w.sd;
    }
    let variance = (1.0 - CORRELATION) * independent + CORRELATION * common.powi(2);
    (mean, variance.sqrt())
}

/// The leap warning that more than half of the votes give.
pub(crate) fn leap_vote(votes: &[LeapIndicator]) -> LeapIndicator {
    [LeapIndicator::Insert, LeapIndicator::Delete]
        .into_iter()
        .find(|warning| 2 * votes.iter().filter(|vote| *vote == warning).count() > votes.len())
        .unwrap_or(LeapIndicator::NoWarning)
}
