//! What the last update said, and how much less it is worth by now (holdover).

use timeball_wire::{Instant, Span, Timestamp};

use super::SKEW;
use crate::combination::Combination;
use crate::now::Now;
use crate::selection::SourceId;

/// The last update of the clock, as clients and operators see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Whose stratum and reference are passed on.
    pub system_peer: SourceId,
    /// Its stratum.
    pub stratum: u8,
    /// When, by the system clock.
    pub time: Timestamp,
    /// When, by the monotonic clock.
    pub at: Instant,
    /// Round-trip delay to the reference clock (s).
    pub root_delay: f64,
    /// Dispersion to the reference clock (s) then.
    pub root_dispersion: f64,
    /// Growth of the dispersion since (s/s): what is not known of the frequency, and the wander
    /// that an oscillator may always show.
    pub dispersion_rate: f64,
    /// One standard deviation of the offset (s).
    pub offset_sd: f64,
}

impl Reference {
    /// The reference that this combination makes. `wander` is in s/s.
    pub fn new(now: Now, combination: &Combination, wander: f64) -> Self {
        Self {
            system_peer: combination.system_peer,
            stratum: combination.stratum,
            time: now.system,
            at: now.monotonic,
            root_delay: combination.root_delay,
            root_dispersion: combination.root_dispersion,
            dispersion_rate: wander + SKEW * combination.frequency.sd,
            offset_sd: combination.offset_sd,
        }
    }

    /// Dispersion (s) to the reference clock at `now`.
    pub fn dispersion(&self, now: Instant) -> f64 {
        let age = (now - self.at).seconds().max(0.0);
        self.root_dispersion + age * self.dispersion_rate
    }

    /// Root distance (s) at `now` (RFC 5905 §11.2): the clock's target is within this of true time.
    pub fn distance(&self, now: Instant) -> f64 {
        self.root_delay / 2.0 + self.dispersion(now)
    }

    /// When the root distance will have grown to this many seconds; `self.at` if it is larger already.
    pub fn exceeds_at(&self, distance: f64) -> Instant {
        let growth = (distance - self.distance(self.at)).max(0.0);
        self.at + Span::from_seconds(growth / self.dispersion_rate.max(f64::MIN_POSITIVE))
    }

    /// Something happened that nobody measured.
    pub fn add_dispersion(&mut self, seconds: f64) {
        self.root_dispersion += seconds;
    }
}
