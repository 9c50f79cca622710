//! What an answer must be like before anything in it is believed.
//!
//! Every check here needs only what was sent and what came back, so a one-shot query uses the same
//! rules as the daemon.

use std::net::SocketAddr;

use timeball_wire::{
    Header, KissCode, LeapIndicator, Message, Mode, NtpTimestamp, Packet, Trailer, classify,
};

use super::Reject;

/// MAXDISP (RFC 5905 §7.2): a root distance (s) from which a server knows nothing.
const MAX_ROOT_DISTANCE: f64 = 16.0;

/// MAXSTRAT (RFC 5905 §7.2): the stratum of a server without time.
const STRATUM_UNSYNCHRONISED: u8 = 16;

/// Longest answer to a plain request: a header, and some room for extension fields and a MAC.
/// Receive into a buffer that is longer, or a cut datagram passes for one of this length.
pub const MAX_ANSWER_LEN: usize = 1024;

/// What the answer to a packet of ours has to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Where it has to come from.
    pub from: SocketAddr,
    /// Protocol version we asked with.
    pub version: u8,
    /// Who answers.
    pub by: Answerer,
    /// Our transmit timestamp: the origin of a basic answer.
    pub transmit: NtpTimestamp,
    /// Our receive timestamp: the origin of an interleaved answer; `None` if we want none.
    pub receive: Option<NtpTimestamp>,
}

/// Who answers a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// A server, in mode 4.
    Server,
    /// A peer, in mode 1, or in mode 2 if it does not know us as one.
    Peer,
}

/// Which of its transmissions an answer's transmit timestamp is of (RFC 9769 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its own.
    Basic,
    /// That of the answer before it.
    Interleaved,
}

/// A datagram that proved to be the answer to a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recognised {
    /// What it says.
    pub header: Header,
    /// How its timestamps are meant.
    pub form: Form,
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

impl Expected {
    /// Is this datagram the answer? Nothing of it is used before its origin has proved that the
    /// sender saw the request.
    ///
    /// # Errors
    /// The first rule that it breaks. None of them [proves the origin](Reject::proves_origin).
    pub fn recognise(&self, from: SocketAddr, datagram: &[u8]) -> Result<Recognised, Reject> {
        let packet = self.packet(from, datagram)?;
        let header = packet.header;
        let origin = header.origin_timestamp;
        if origin.is_zero() {
            return Err(Reject::ZeroOrigin);
        }
        let form = if origin == self.transmit {
            Form::Basic
        } else if Some(origin) == self.receive {
            Form::Interleaved
        } else {
            return Err(Reject::WrongOrigin);
        };
        match packet.trailer {
            Trailer::None => Ok(Recognised { header, form }),
            Trailer::CryptoNak => Err(Reject::CryptoNak),
            Trailer::Mac { .. } => Err(Reject::UnexpectedMac),
        }
    }

    /// The datagram as an NTP packet from the right sender, of the right version and mode.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn packet<'a>(&self, from: SocketAddr, datagram: &'a [u8]) -> Result<Packet<'a>, Reject> {
        if datagram.len() > MAX_ANSWER_LEN {
            return Err(Reject::Oversized);
        }
        if from.ip().to_canonical() != self.from.ip().to_canonical()
            || from.port() != self.from.port()
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
        match (self.by, packet.header.mode) {
            (Answerer::Server, Mode::Server)
            | (Answerer::Peer, Mode::SymmetricActive | Mode::SymmetricPassive) => Ok(packet),
            (Answerer::Server, Mode::Reserved) if packet.header.version == 1 => Ok(packet),
            _ => Err(Reject::WrongMode),
        }
    }
}

impl Recognised {
    /// What it says.
    ///
    /// # Errors
    /// Why it says nothing of use. Every rule is one that [proves the
    /// origin](Reject::proves_origin).
    pub fn reply(&self) -> Result<Reply, Reject> {
        if self.header.stratum == 0 {
            return kiss(&self.header);
        }
        self.sane()?;
        Ok(Reply::Time(self.header))
    }

    /// The checks of RFC 5905 §9.2 and appendix A.5.1.1 that need nothing but the header.
    fn sane(&self) -> Result<(), Reject> {
        let header = &self.header;
        if header.receive_timestamp.is_zero() || header.transmit_timestamp.is_zero() {
            return Err(Reject::ZeroTimestamp);
        }
        if header.leap == LeapIndicator::Unsynchronised || header.stratum == STRATUM_UNSYNCHRONISED
        {
            return Err(Reject::Unsynchronised);
        }
        if header.stratum > STRATUM_UNSYNCHRONISED {
            return Err(Reject::InvalidStratum);
        }
        let distance = header.root_delay.seconds() / 2.0 + header.root_dispersion.seconds();
        if distance >= MAX_ROOT_DISTANCE {
            return Err(Reject::RootDistance);
        }
        let (sent, reference) = (header.transmit_timestamp, header.reference_timestamp);
        let since_reference = sent.to_bits().wrapping_sub(reference.to_bits()).cast_signed();
        // Some servers set no reference time at all; a moment ahead of transmission is rounding. An
        // interleaved answer does not say when it is sent.
        if self.form == Form::Basic && !reference.is_zero() && since_reference < -(1 << 32) {
            return Err(Reject::ReferenceInFuture);
        }
        Ok(())
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
