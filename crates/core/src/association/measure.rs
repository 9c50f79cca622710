//! From the four timestamps of an exchange to a measurement, if they can be true.

use timeball_wire::{Header, Span};

use super::Reject;
use crate::engine::StampQuality;
use crate::estimator::Frequency;
use crate::measurement::{Exchange, Measurement};

/// Frequency tolerance (s/s) of any clock (PHI, RFC 5905 §7.2): what an exchange may be wrong by for
/// every second it takes.
const PHI: f64 = 15e-6;

/// A server that holds a request longer (s) has been asleep.
const MAX_REMOTE_INTERVAL: f64 = 4.0;

/// An oscillator may have changed by so much (s/s) since its frequency was learnt; from an exchange
/// that is rejected for it nothing could be learnt anew.
const CHANGED: f64 = 1000e-6;

/// How well our own two timestamps of an exchange are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamping {
    /// T1.
    pub transmit: StampQuality,
    /// T4.
    pub receive: StampQuality,
    /// Precision of the system clock (s).
    pub precision: f64,
}

/// The measurement that an answer makes.
///
/// # Errors
/// [`Reject::ServerInterval`], [`Reject::NegativeDelay`] or [`Reject::MaxDelay`] (`max_delay` in
/// seconds) if its timestamps cannot be, or are of no use.
pub fn measure(
    header: &Header,
    exchange: &Exchange,
    stamping: &Stamping,
    max_delay: f64,
) -> Result<Measurement, Reject> {
    let timing = Timing {
        exchange: *exchange,
        stamping: *stamping,
        precision: header.precision,
        reading: 0.0,
        root_delay: header.root_delay.seconds(),
        root_dispersion: header.root_dispersion.seconds(),
        hold: Hold::Short,
    };
    timing.check(max_delay)?;
    Ok(timing.measurement())
}

/// An exchange, and all that is needed to measure by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timing {
    pub(super) exchange: Exchange,
    pub(super) stamping: Stamping,
    /// Precision of the server's clock, log₂ seconds.
    pub(super) precision: i8,
    /// What is known to be wrong with the server's timestamps: standard deviation (s).
    pub(super) reading: f64,
    /// The server's root delay (s).
    pub(super) root_delay: f64,
    /// The server's root dispersion (s).
    pub(super) root_dispersion: f64,
    pub(super) hold: Hold,
}

/// How long the other side may keep a packet before its answer leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hold {
    /// A server answers at once.
    Short,
    /// A peer answers when its own poll is due. What the oscillator drifts meanwhile, as far as this
    /// is known, would otherwise pass for delay.
    UntilItsPoll(Frequency),
    /// The same, but its packet was on the way before ours, which is another one than it answers.
    Crossed(Frequency),
}

impl Timing {
    /// The measurement, however unlikely.
    pub(super) fn measurement(&self) -> Measurement {
        let Self { root_delay, root_dispersion, .. } = *self;
        let mut measurement =
            self.exchange.measurement(self.dispersion(), root_delay, root_dispersion);
        // Half of it since our transmission and half until our reception: the moment of the
        // measurement is in the middle.
        let drift = Span::from_seconds(self.drift() / 2.0);
        measurement.outbound += drift;
        measurement.inbound += drift;
        measurement.reading = self.reading;
        // What is wrong with it makes the delay wrong, and so the bound of the offset, but not the
        // offset.
        measurement.root_dispersion += self.drift_sd() / 2.0;
        measurement
    }

    /// How long the other side kept our packet (s).
    pub(super) fn response_time(&self) -> f64 {
        self.exchange.remote_interval().seconds()
    }

    /// Can the timestamps be, and are they of use?
    ///
    /// # Errors
    /// As [`measure`].
    pub(super) fn check(&self, max_delay: f64) -> Result<(), Reject> {
        let (local, remote) = (self.local_interval(), self.response_time());
        let (possible, longest) = match self.hold {
            Hold::Short => (local >= 0.0, MAX_REMOTE_INTERVAL),
            Hold::UntilItsPoll(_) => (local >= 0.0, f64::INFINITY),
            Hold::Crossed(_) => (true, 0.0),
        };
        let precedes = remote < -self.precision() && !matches!(self.hold, Hold::Crossed(_));
        if precedes || remote > longest {
            return Err(Reject::ServerInterval);
        }
        let delay = self.raw_delay();
        if !possible || delay < -self.dispersion() - self.drift_limit() {
            return Err(Reject::NegativeDelay);
        }
        if delay - self.drift_limit() > max_delay { Err(Reject::MaxDelay) } else { Ok(()) }
    }

    /// Round-trip delay (s), as short as the clocks can tell.
    pub(super) fn delay(&self) -> f64 {
        self.raw_delay().max(self.precision())
    }

    fn raw_delay(&self) -> f64 {
        self.local_interval() + self.drift() - self.response_time()
    }

    fn local_interval(&self) -> f64 {
        self.exchange.local_interval().seconds()
    }

    /// Of both clocks (s).
    fn precision(&self) -> f64 {
        self.stamping.precision + f64::from(self.precision.clamp(-32, 0)).exp2()
    }

    fn dispersion(&self) -> f64 {
        let stamps = self.stamping.transmit.error() + self.stamping.receive.error();
        let tolerated = match self.hold {
            Hold::Short => PHI * self.local_interval().max(0.0),
            Hold::UntilItsPoll(_) | Hold::Crossed(_) => 0.0,
        };
        self.precision() + stamps + tolerated
    }

    /// What true time gains on the oscillator during the exchange (s).
    fn drift(&self) -> f64 {
        match self.hold {
            Hold::Short => 0.0,
            Hold::UntilItsPoll(frequency) | Hold::Crossed(frequency) => {
                frequency.value * self.local_interval()
            }
        }
    }

    /// Largest error of that (s) that is no reason to reject the exchange.
    fn drift_limit(&self) -> f64 {
        match self.hold {
            Hold::Short => 0.0,
            Hold::UntilItsPoll(frequency) | Hold::Crossed(frequency) => {
                (CHANGED + 4.0 * frequency.sd) * self.local_interval().abs()
            }
        }
    }

    /// Standard deviation of that (s).
    fn drift_sd(&self) -> f64 {
        match self.hold {
            Hold::Short => 0.0,
            Hold::UntilItsPoll(frequency) | Hold::Crossed(frequency) => {
                frequency.sd * self.local_interval().abs()
            }
        }
    }
}
