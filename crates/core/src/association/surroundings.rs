//! What examining an answer may need to know of this machine.

use std::net::IpAddr;

use timeball_auth::Keys;
use timeball_wire::{Header, NtpTimestamp, ReferenceId, Span, Timestamp};

use super::Reject;
use crate::estimator::Frequency;
use crate::measurement::Measurement;
use crate::server::ServerView;
use crate::timeline::Timeline;

/// So close to a leap second some clocks have made it and some have not.
const AROUND_LEAP_SECOND: Span = Span::from_secs(5);

/// This machine, as far as its associations have to know it.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Turns system clock readings into oscillator readings.
    pub timeline: &'a Timeline,
    /// Precision of the system clock (s).
    pub precision: f64,
    /// How fast true time gains on the oscillator, as far as all sources together know.
    pub frequency: Frequency,
    /// What we serve, if we serve anybody: a server that follows us is no source.
    pub served: Option<&'a ServerView>,
    /// The keys that this machine shares with others.
    pub keys: &'a Keys,
    /// This machine's addresses.
    pub own_addresses: &'a [IpAddr],
    /// A leap second is due: its moment, by the system clock.
    pub leap_second: Option<Timestamp>,
}

impl Surroundings<'_> {
    /// True time minus system clock (s), had the clock run as well since the measurement as it is
    /// known to by now: an exchange with a peer began a while ago.
    pub(super) fn offset_of(&self, measurement: &Measurement) -> f64 {
        let elapsed = (self.timeline.now() - measurement.at).seconds();
        let now = (measurement.offset() - self.timeline.correction()).seconds();
        now + elapsed * self.frequency.value
    }

    /// A server that follows us would only tell us what we told it; `to` is the address of ours that
    /// it answered.
    pub(super) fn check_loop(&self, header: &Header, to: Option<IpAddr>) -> Result<(), Reject> {
        let Some(served) = self.served else { return Ok(()) };
        let follows = |own: IpAddr| {
            // Behind a loopback address any server of this machine may be meant.
            !own.is_loopback() && header.reference_id == ReferenceId::of_address(own)
        };
        if header.stratum > 1 && self.own_addresses.iter().copied().chain(to).any(follows) {
            return Err(Reject::SynchronisationLoop);
        }
        if header.stratum == served.stratum
            && header.reference_id == served.reference_id
            && header.reference_timestamp == NtpTimestamp::from(served.reference_time)
        {
            return Err(Reject::OwnClock);
        }
        Ok(())
    }

    pub(super) fn check_leap_second(&self, received: Timestamp) -> Result<(), Reject> {
        match self.leap_second {
            Some(leap) if (received - leap).abs() <= AROUND_LEAP_SECOND => {
                Err(Reject::NearLeapSecond)
            }
            _ => Ok(()),
        }
    }
}
