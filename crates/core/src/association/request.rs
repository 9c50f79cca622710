//! A client's request.
//!
//! It carries nothing but its version, random bits and, in interleaved mode, a timestamp of the
//! server's own: no clock reading leaves this machine, and whoever cannot read the request cannot
//! guess what the answer must repeat.

use std::net::SocketAddr;

use timeball_auth::Keys;
use timeball_wire::{Header, LeapIndicator, Mode, NtpShort, NtpTimestamp, ReferenceId};

use super::Reject;
pub use super::answer::MAX_ANSWER_LEN;
use super::answer::{Answerer, Credentials, Expected, Proof, Reply};

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// Protocol version it was asked with.
    pub version: u8,
    /// The random transmit timestamp, which the answer must repeat as its origin.
    pub cookie: NtpTimestamp,
    /// What authenticates the answer.
    proof: Proof,
    /// What asks for an interleaved answer.
    interleaved: Option<Interleaved>,
}

/// The two timestamps that a request in interleaved mode has on top (RFC 9769 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interleaved {
    /// The server's receive timestamp of our previous request; it knows by this which of its
    /// transmissions is meant.
    server_receive: NtpTimestamp,
    /// The random receive timestamp, which an interleaved answer must repeat as its origin.
    cookie: NtpTimestamp,
}

impl Request {
    /// A request to `destination` with these random bits; zero bits are replaced, since a zero
    /// origin never matches.
    pub fn new(destination: SocketAddr, version: u8, random: u64) -> Self {
        Self {
            destination,
            version: version.clamp(1, 4),
            cookie: NtpTimestamp::from_bits(random.max(1)),
            proof: Proof::None,
            interleaved: None,
        }
    }

    /// The same, the answer to which has to be authenticated like this.
    #[must_use]
    pub const fn authenticated(self, proof: Proof) -> Self {
        Self { proof, ..self }
    }

    /// The same in interleaved mode: asks when the answer left whose receive timestamp was
    /// `server_receive`. Random bits that would make the request ambiguous are replaced.
    #[must_use]
    pub fn interleaved(self, server_receive: NtpTimestamp, random: u64) -> Self {
        let taken = [0, self.cookie.to_bits(), server_receive.to_bits()];
        let free = (0..4).map(|more| random.wrapping_add(more)).find(|bits| !taken.contains(bits));
        let cookie = NtpTimestamp::from_bits(free.unwrap_or(random));
        Self { interleaved: Some(Interleaved { server_receive, cookie }), ..self }
    }

    /// What the answer has to repeat.
    pub fn expected(&self) -> Expected {
        Expected {
            from: self.destination,
            version: self.version,
            by: Answerer::Server,
            proof: self.proof,
            transmit: self.cookie,
            receive: self.interleaved.map(|interleaved| interleaved.cookie),
            mono_root: false,
        }
    }

    /// What it says.
    pub fn header(&self) -> Header {
        let (origin, receive) = match self.interleaved {
            Some(interleaved) => (interleaved.server_receive, interleaved.cookie),
            None => (NtpTimestamp::ZERO, NtpTimestamp::ZERO),
        };
        Header {
            leap: LeapIndicator::NoWarning,
            version: self.version,
            // Version 1 has no modes; servers tell its requests by their source port.
            mode: if self.version == 1 { Mode::Reserved } else { Mode::Client },
            stratum: 0,
            poll: 0,
            // What other data-minimising clients send.
            precision: 32,
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::default(),
            reference_id: ReferenceId::NONE,
            reference_timestamp: NtpTimestamp::ZERO,
            origin_timestamp: origin,
            receive_timestamp: receive,
            transmit_timestamp: self.cookie,
        }
    }

    /// Is this datagram the answer, and what does it say?
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn examine(&self, from: SocketAddr, datagram: &[u8], keys: &Keys) -> Result<Reply, Reject> {
        self.expected().recognise(from, datagram, Credentials::symmetric(keys))?.reply()
    }
}

#[cfg(test)]
mod tests;
