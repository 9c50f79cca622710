//! What one exchange with a server tells: two one-way differences and their bounds.

use timeball_wire::{Oscillator, Span, Timestamp};

/// One accepted exchange (RFC 5905 §8), kept on the oscillator's time scale so that no later
/// adjustment of the system clock can change it.
///
/// With θ = true time − oscillator, and queueing delays that are never negative:
/// `outbound = θ + (delay to the server)` and `inbound = (delay from the server) − θ`, so θ lies in
/// `[−inbound, outbound]` whatever the network did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// When: the middle between our transmission and our reception.
    pub at: Oscillator,
    /// T2 − T1: the server's receive timestamp minus our transmission in oscillator time.
    pub outbound: Span,
    /// T4 − T3: our reception in oscillator time minus the server's transmit timestamp.
    pub inbound: Span,
    /// Error of the four timestamps themselves (s): both clocks' precision, and how well the moment
    /// of transmission and reception is known.
    pub dispersion: f64,
    /// Standard deviation (s) of what is wrong with each of the server's timestamps, as far as it is
    /// known apart from all other noise. It may be the same for both, and then no round trip shows it.
    pub reading: f64,
    /// The server's root delay (s), round trip.
    pub root_delay: f64,
    /// The server's root dispersion (s).
    pub root_dispersion: f64,
}

/// The four timestamps of an exchange (RFC 5905 figure 15), ours already in oscillator time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// T1: our request left.
    pub origin: Oscillator,
    /// T2: it reached the server, by the server's clock.
    pub receive: Timestamp,
    /// T3: the server's reply left, by the server's clock.
    pub transmit: Timestamp,
    /// T4: it reached us.
    pub destination: Oscillator,
}

impl Exchange {
    /// How long the exchange took here (T4 − T1).
    pub fn local_interval(&self) -> Span {
        self.destination - self.origin
    }

    /// How long the server held it (T3 − T2).
    pub fn remote_interval(&self) -> Span {
        self.transmit - self.receive
    }

    /// The measurement these timestamps make.
    pub fn measurement(
        &self,
        dispersion: f64,
        root_delay: f64,
        root_dispersion: f64,
    ) -> Measurement {
        Measurement {
            at: self.origin + self.local_interval().half(),
            outbound: Span::from_nanos(self.receive.nanos().saturating_sub(self.origin.nanos())),
            inbound: Span::from_nanos(
                self.destination.nanos().saturating_sub(self.transmit.nanos()),
            ),
            dispersion,
            reading: 0.0,
            root_delay,
            root_dispersion,
        }
    }
}

impl Measurement {
    /// θ, true time minus oscillator, if both ways took equally long.
    pub fn offset(&self) -> Span {
        // Halved one by one: the sum of two nearly opposite spans of fifty years still fits.
        self.outbound.half() - self.inbound.half()
    }

    /// Moves the offset by this much.
    pub fn shift(&mut self, by: Span) {
        self.outbound += by;
        self.inbound -= by;
    }

    /// Round-trip delay (s), at least the dispersion: two clocks of finite precision can make it
    /// seem negative.
    pub fn delay(&self) -> f64 {
        (self.outbound + self.inbound).seconds().max(self.dispersion)
    }

    /// Half-width (s) of the interval that must contain θ if the server's time is right: half the
    /// delay to the reference clock and every dispersion on the way (root synchronisation distance,
    /// RFC 5905 §11.2).
    pub fn root_distance(&self) -> f64 {
        (self.root_delay + self.delay()) / 2.0 + self.root_dispersion + self.dispersion
    }
}
