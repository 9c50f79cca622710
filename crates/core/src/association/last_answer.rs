//! The last answer of a source, for whoever wants to look at it closely.

use std::net::{IpAddr, SocketAddr};

use timeball_wire::{Header, Oscillator, Timestamp};

use super::answer::Form;
use super::{PollInterval, Reject};
use crate::engine::StampQuality;
use crate::measurement::Measurement;

/// The last datagram that proved to be the answer to a packet of ours, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastAnswer {
    /// What it said.
    pub header: Header,
    /// Whether its transmit timestamp is its own.
    pub form: Form,
    /// Where it came from.
    pub remote: SocketAddr,
    /// The address of ours that it came to, if the socket knows.
    pub local: Option<IpAddr>,
    /// When it arrived, by the system clock.
    pub received: Timestamp,
    /// The poll interval in use when it arrived.
    pub poll: PollInterval,
    /// What was measured by it, good or not; `None` if its sender had no time to give.
    pub measured: Option<Measured>,
    /// The rule that rejected it; `None` if it is good. [`Test::passed`](super::reject::Test::passed)
    /// makes the test results of it that ntpd and chrony show.
    pub reject: Option<Reject>,
}

/// The last good measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastMeasurement {
    /// On the oscillator's time scale.
    pub measurement: Measurement,
    /// True time minus system clock (s), as the clock was set then.
    pub offset: f64,
}

/// What was measured by one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// When: the middle of the exchange.
    pub at: Oscillator,
    /// True time minus system clock (s), as the clock was set when the answer arrived.
    pub offset: f64,
    /// Round-trip delay (s).
    pub delay: f64,
    /// Error of the four timestamps (s).
    pub dispersion: f64,
    /// How long the other side kept our packet (s).
    pub response_time: f64,
    /// How the moment of our transmission is known.
    pub transmit_stamp: StampQuality,
    /// How the moment of our reception is known.
    pub receive_stamp: StampQuality,
}
