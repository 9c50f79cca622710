//! From the four timestamps of an exchange to a measurement, if they can be true.

use timeball_wire::Header;

use super::Reject;
use crate::engine::StampQuality;
use crate::measurement::{Exchange, Measurement};

/// Frequency tolerance (s/s) of any clock (PHI, RFC 5905 §7.2): what an exchange may be wrong by for
/// every second it takes.
const PHI: f64 = 15e-6;

/// A server that holds a request longer (s) has been asleep.
const MAX_REMOTE_INTERVAL: f64 = 4.0;

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
    let local = exchange.local_interval().seconds();
    let remote = exchange.remote_interval().seconds();
    let precision = stamping.precision + f64::from(header.precision.clamp(-32, 0)).exp2();
    if remote < -precision || remote > MAX_REMOTE_INTERVAL {
        return Err(Reject::ServerInterval);
    }
    let stamps = stamping.transmit.error() + stamping.receive.error();
    let dispersion = precision + stamps + PHI * local.max(0.0);
    if local < 0.0 || local - remote < -dispersion {
        return Err(Reject::NegativeDelay);
    }
    if local - remote > max_delay {
        return Err(Reject::MaxDelay);
    }
    let (root_delay, root_dispersion) =
        (header.root_delay.seconds(), header.root_dispersion.seconds());
    Ok(exchange.measurement(dispersion, root_delay, root_dispersion))
}
