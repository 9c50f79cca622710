//! What the server says of its own clock; the engine publishes it, every worker reads it.

use serde::{Deserialize, Serialize};
use timeball_wire::{
    Instant, LeapIndicator, MonoRoot, NtpShort, NtpTimestamp, ReferenceId, Span, Time32, Timestamp,
};

use crate::discipline::Corrections;
use crate::discipline::smoothing::ServedOffset;

/// The address that ntpd and chrony give to a clock which is its own reference; clients that see it
/// know that there is nobody beyond.
pub const LOCAL_CLOCK: ReferenceId = ReferenceId::from_bytes([127, 127, 1, 1]);

/// The reference ID of a server whose time is smoothed, as chrony has it: what its address says of
/// the time is not quite so any more.
pub const SMOOTHED_TIME: ReferenceId = ReferenceId::from_bytes([127, 127, 1, 255]);

/// The part of every answer that is the same for all clients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerView {
    /// Leap warning, or `Unsynchronised`.
    pub leap: LeapIndicator,
    /// Our stratum; 16 while not synchronised.
    pub stratum: u8,
    /// Precision of the system clock, log₂ seconds.
    pub precision: i8,
    /// Whom we follow.
    pub reference_id: ReferenceId,
    /// When the clock was last set or corrected.
    pub reference_time: Timestamp,
    /// Round-trip delay to the reference clock (s).
    pub root_delay: f64,
    /// Dispersion to the reference clock (s) at `as_of`.
    pub root_dispersion: f64,
    /// When `root_dispersion` was right.
    pub as_of: Instant,
    /// How fast it grows (s/s).
    pub dispersion_rate: f64,
    /// Served time minus system clock: what is still to be slewed, and what is being smoothed; `None`:
    /// nothing.
    pub served_offset: Option<ServedOffset>,
    /// What was done to the time served.
    #[serde(default)]
    pub corrections: Corrections,
}

impl ServerView {
    /// What a server says that has never been synchronised.
    pub const fn unsynchronised(precision: i8, as_of: Instant) -> Self {
        Self {
            leap: LeapIndicator::Unsynchronised,
            stratum: 16,
            precision,
            reference_id: ReferenceId::NONE,
            reference_time: Timestamp::from_nanos(0),
            root_delay: 0.0,
            root_dispersion: 16.0,
            as_of,
            dispersion_rate: 0.0,
            served_offset: None,
            corrections: Corrections::begin(0),
        }
    }

    /// What a server says whose own clock is the reference, by an operator's decree: however far it is
    /// from true time, it claims neither root delay nor root dispersion.
    pub fn local(stratum: u8, precision: i8, reference_time: Timestamp, as_of: Instant) -> Self {
        Self {
            leap: LeapIndicator::NoWarning,
            stratum: stratum.clamp(1, 15),
            precision,
            reference_id: LOCAL_CLOCK,
            reference_time,
            root_delay: 0.0,
            root_dispersion: 0.0,
            as_of,
            dispersion_rate: 0.0,
            served_offset: None,
            corrections: Corrections::begin(0),
        }
    }

    /// Time served minus system clock.
    pub fn offset_at(&self, now: Instant) -> Span {
        let offset = self.served_offset.map_or(0.0, |served| served.offset_at(now));
        Span::from_seconds(offset)
    }

    /// Root dispersion at `now`, never understated.
    pub fn root_dispersion_at(&self, now: Instant) -> NtpShort {
        NtpShort::from_seconds_ceil(self.dispersion_at(now))
    }

    /// The answer to a packet that asks for monotonic time and finer root values, and arrived at
    /// `receive` by the time served.
    pub fn mono_root_at(&self, now: Instant, receive: NtpTimestamp) -> MonoRoot {
        // Smoothed time follows the corrections in its own way.
        let smoothed = self.served_offset.is_some_and(|served| served.is_smoothing_at(now));
        let monotonic = receive.later_by(-self.corrections.phase);
        MonoRoot {
            root_delay: Time32::from_seconds_ceil(self.root_delay),
            root_dispersion: Time32::from_seconds_ceil(self.dispersion_at(now)),
            receive: if smoothed || receive.is_zero() { NtpTimestamp::ZERO } else { monotonic },
            epoch: self.corrections.epoch,
        }
    }

    fn dispersion_at(&self, now: Instant) -> f64 {
        let age = (now - self.as_of).seconds().max(0.0);
        self.root_dispersion + age * self.dispersion_rate
    }
}
