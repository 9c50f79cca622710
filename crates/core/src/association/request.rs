//! One request, and what may answer it.
//!
//! The request carries nothing but its version and 64 random bits in the transmit timestamp: no
//! clock reading leaves this machine, and whoever cannot read the request cannot guess what the
//! answer must repeat. Every check here needs only the request and the answer, so a one-shot query
//! uses the same rules as the daemon.

use std::net::SocketAddr;

use timeball_wire::{
    Header, KissCode, LeapIndicator, Message, Mode, NtpShort, NtpTimestamp, Packet, ReferenceId,
    Trailer, classify,
};

use super::Reject;

/// MAXDISP (RFC 5905 §7.2): a root distance (s) from which a server knows nothing.
const MAX_ROOT_DISTANCE: f64 = 16.0;

/// MAXSTRAT (RFC 5905 §7.2): the stratum of a server without time.
const STRATUM_UNSYNCHRONISED: u8 = 16;

/// Longest answer to a plain request: a header, and some room for extension fields and a MAC.
pub const MAX_ANSWER_LEN: usize = 1024;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// Protocol version it was asked with.
    pub version: u8,
    /// The random transmit timestamp, which the answer must repeat as its origin.
    pub cookie: NtpTimestamp,
}

/// What an answer says, once it is known to be one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply {
    /// Time.
    Time(Header),
    /// A kiss-o'-death: the server wants something of us (RFC 5905 §7.4).
    Kiss {
        /// What it wants.
        code: KissCode,
        /// The poll interval it names (log₂ s).
        poll: i8,
    },
}

impl Request {
    /// A request to `destination` with these random bits; zero bits are replaced, since a zero
    /// origin never matches.
    pub fn new(destination: SocketAddr, version: u8, random: u64) -> Self {
        Self {
            destination,
            version: version.clamp(1, 4),
            cookie: NtpTimestamp::from_bits(random.max(1)),
        }
    }

    /// The datagram.
    pub fn to_bytes(&self) -> [u8; Header::LEN] {
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
            origin_timestamp: NtpTimestamp::ZERO,
            receive_timestamp: NtpTimestamp::ZERO,
            transmit_timestamp: self.cookie,
        }
        .to_bytes()
    }

    /// Is this datagram the answer? Nothing of it is used before its origin has proved that the
    /// sender saw the request.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn examine(&self, from: SocketAddr, datagram: &[u8]) -> Result<Reply, Reject> {
        let packet = self.recognise(from, datagram)?;
        let header = packet.header;
        if header.origin_timestamp.is_zero() {
            return Err(Reject::ZeroOrigin);
        }
        if header.origin_timestamp != self.cookie {
            return Err(Reject::WrongOrigin);
        }
        match packet.trailer {
            Trailer::None => {}
            Trailer::CryptoNak => return Err(Reject::CryptoNak),
            Trailer::Mac { .. } => return Err(Reject::UnexpectedMac),
        }
        if header.stratum == 0 {
            return kiss(&header);
        }
        sane(&header)?;
        Ok(Reply::Time(header))
    }

    fn recognise<'a>(&self, from: SocketAddr, datagram: &'a [u8]) -> Result<Packet<'a>, Reject> {
        if datagram.len() > MAX_ANSWER_LEN {
            return Err(Reject::Oversized);
        }
        if from.ip().to_canonical() != self.destination.ip().to_canonical()
            || from.port() != self.destination.port()
        {
            return Err(Reject::WrongSource);
        }
        let packet = match classify(datagram) {
            Message::Time(packet) => packet,
            Message::Control(_) => return Err(Reject::ControlMessage),
            Message::Private(_) => return Err(Reject::PrivateMessage),
            Message::Garbage(_) => return Err(Reject::Malformed),
        };
        // Old servers answer with their own, lower version.
        if packet.header.version > self.version {
            return Err(Reject::WrongVersion);
        }
        match (packet.header.version, packet.header.mode) {
            (_, Mode::Server) | (1, Mode::Reserved) => Ok(packet),
            _ => Err(Reject::WrongMode),
        }
    }
}

/// Stratum 0 is a kiss-o'-death, or a server without time: stratum 16 is 0 on the wire.
fn kiss(header: &Header) -> Result<Reply, Reject> {
    match header.reference_id.kiss_code() {
        KissCode::Other(_) if header.leap == LeapIndicator::Unsynchronised => {
            Err(Reject::Unsynchronised)
        }
        code => Ok(Reply::Kiss { code, poll: header.poll }),
    }
}

/// The checks of RFC 5905 §9.2 and appendix A.5.1.1 that need nothing but the header.
fn sane(header: &Header) -> Result<(), Reject> {
    if header.receive_timestamp.is_zero() || header.transmit_timestamp.is_zero() {
        return Err(Reject::ZeroTimestamp);
    }
    if header.leap == LeapIndicator::Unsynchronised || header.stratum == STRATUM_UNSYNCHRONISED {
        return Err(Reject::Unsynchronised);
    }
    if header.stratum > STRATUM_UNSYNCHRONISED {
        return Err(Reject::InvalidStratum);
    }
    let distance = header.root_delay.seconds() / 2.0 + header.root_dispersion.seconds();
    if distance >= MAX_ROOT_DISTANCE {
        return Err(Reject::RootDistance);
    }
    let since_reference =
        header.transmit_timestamp.to_bits().wrapping_sub(header.reference_timestamp.to_bits());
    // Some servers set no reference time at all; a moment ahead of transmission is rounding.
    if !header.reference_timestamp.is_zero() && since_reference.cast_signed() < -(1 << 32) {
        return Err(Reject::ReferenceInFuture);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
