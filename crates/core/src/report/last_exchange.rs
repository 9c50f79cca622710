//! The last exchange with a source, for whoever wants to look at it closely.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use timeball_wire::{LeapIndicator, Mode, ReferenceId, Timestamp};

use crate::association::Test;
use crate::engine::StampQuality;

/// A measurement, as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastMeasurement {
    /// Time since.
    pub age: f64,
    /// True time minus system clock, as the clock was set then.
    pub measured_offset: f64,
    /// The same by the clock of now: less what the clock was adjusted by since.
    pub offset: f64,
    /// Bound of its error.
    pub bound: f64,
}

/// A packet that proved to be an answer to us, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastExchange {
    /// The address of ours that it came to, if the socket knows.
    pub local_address: Option<IpAddr>,
    /// Its leap warning.
    pub leap: LeapIndicator,
    /// Protocol version.
    pub version: u8,
    /// Association mode.
    pub mode: Mode,
    /// Stratum.
    pub stratum: u8,
    /// Our poll interval then, which a server repeats (log₂ s).
    pub poll: i8,
    /// Precision (log₂ s).
    pub precision: i8,
    /// Root delay.
    pub root_delay: f64,
    /// Root dispersion.
    pub root_dispersion: f64,
    /// Reference ID.
    pub reference_id: ReferenceId,
    /// When its sender was last set; `None` if it does not say.
    pub reference_time: Option<Timestamp>,
    /// True time minus system clock.
    pub offset: f64,
    /// Round-trip delay.
    pub delay: f64,
    /// Error of the four timestamps.
    pub dispersion: f64,
    /// How long the other side kept our packet.
    pub response_time: f64,
    /// The share of queueing delays that is on the way to the server, less one half.
    pub jitter_asymmetry: f64,
    /// The tests that it passed.
    pub tests_passed: Vec<Test>,
    /// It was in interleaved mode (RFC 9769).
    pub interleaved: bool,
    /// How the moment of our transmission is known.
    pub transmit_stamp: StampQuality,
    /// How the moment of our reception is known.
    pub receive_stamp: StampQuality,
}
