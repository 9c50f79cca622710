//! What an answer must be like before anything in it is believed.
//!
//! Every check here needs only what was sent and what came back, so a one-shot query uses the same
//! rules as the daemon.

use std::net::SocketAddr;

use timeball_auth::nts::fields::UNIQUE_IDENTIFIER_LEN;
use timeball_auth::nts::request::{ResponseError, open_response};
use timeball_auth::nts::{AeadKey, is_usable_cookie};
use timeball_auth::{KeyId, Keys};
use timeball_wire::{
    FieldType, Header, KissCode, LeapIndicator, Message, Mode, MonoRoot, NtpShort, NtpTimestamp,
    Packet, Time32, Trailer, classify,
};

use super::Reject;

/// MAXDISP (RFC 5905 §7.2): a root distance (s) from which a server knows nothing.
const MAX_ROOT_DISTANCE: f64 = 16.0;

/// MAXSTRAT (RFC 5905 §7.2): the stratum of a server without time.
const STRATUM_UNSYNCHRONISED: u8 = 16;

/// Root values of the header may differ from finer ones by as much (s): two units of theirs.
const ROOT_RESOLUTION: f64 = 2.0 / 65536.0;

/// Longest answer to a request: a header, and room for the extension fields of NTS with eight cookies.
/// Receive into a buffer that is longer, or a cut datagram passes for one of this length.
pub const MAX_ANSWER_LEN: usize = 1500;

/// The kiss code of an NTS NAK (RFC 8915 §5.7).
const NTS_NAK: KissCode = KissCode::Other(*b"NTSN");

/// What the answer to a packet of ours has to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Where it has to come from.
    pub from: SocketAddr,
    /// Protocol version we asked with.
    pub version: u8,
    /// Who answers.
    pub by: Answerer,
    /// What has to authenticate the answer.
    pub proof: Proof,
    /// Our transmit timestamp: the origin of a basic answer.
    pub transmit: NtpTimestamp,
    /// Our receive timestamp: the origin of an interleaved answer; `None` if we want none.
    pub receive: Option<NtpTimestamp>,
    /// We asked for monotonic time and finer root values.
    pub mono_root: bool,
}

/// What has to authenticate an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
    /// The key of the request.
    Key(KeyId),
    /// The keys of NTS, and that it repeats this of the request.
    Nts {
        /// The request's unique identifier.
        unique_identifier: [u8; UNIQUE_IDENTIFIER_LEN],
    },
}

/// The keys that can authenticate an answer.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// Those that this machine shares with others.
    pub keys: &'a Keys,
    /// The one that NTS has established for what this server sends.
    pub nts: Option<&'a AeadKey>,
}

impl<'a> Credentials<'a> {
    /// Without NTS.
    pub const fn symmetric(keys: &'a Keys) -> Self {
        Self { keys, nts: None }
    }
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
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// What it says.
    pub header: Header,
    /// How its timestamps are meant.
    pub form: Form,
    /// Monotonic time and finer root values, if we asked for them.
    pub mono_root: Option<MonoRoot>,
    /// Fresh cookies, in an answer with NTS.
    pub cookies: Vec<Vec<u8>>,
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
    /// sender saw the request, and the key, if there is one, who the sender is.
    ///
    /// # Errors
    /// The first rule that it breaks. None of them [proves the origin](Reject::proves_origin).
    pub fn recognise(
        &self,
        from: SocketAddr,
        datagram: &[u8],
        credentials: Credentials<'_>,
    ) -> Result<Recognised, Reject> {
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
        let cookies = self.authenticate(&packet, credentials)?;
        Ok(Recognised { header, form, mono_root: self.mono_root(&packet), cookies })
    }

    /// Is the packet authenticated as it has to be, and in no other way? Returns the cookies that were
    /// encrypted in it.
    ///
    /// # Errors
    /// Why it is not.
    pub fn authenticate(
        &self,
        packet: &Packet<'_>,
        credentials: Credentials<'_>,
    ) -> Result<Vec<Vec<u8>>, Reject> {
        match (self.proof, packet.trailer) {
            (_, Trailer::CryptoNak) => Err(Reject::CryptoNak),
            (Proof::None, Trailer::None) => Ok(Vec::new()),
            (Proof::None | Proof::Nts { .. }, Trailer::Mac { .. }) => Err(Reject::UnexpectedMac),
            (Proof::Key(_), Trailer::None) => Err(Reject::MissingMac),
            (Proof::Key(id), Trailer::Mac { key_id, .. }) if key_id != id.get() => {
                Err(Reject::WrongKey)
            }
            (Proof::Key(id), Trailer::Mac { digest, .. }) => {
                let key = credentials.keys.get(id).ok_or(Reject::UnknownKey)?;
                if !key.is_for(self.from.ip()) {
                    return Err(Reject::KeyNotForHost);
                }
                match key.verify(packet.header.version, packet.bytes_before_trailer(), digest) {
                    true => Ok(Vec::new()),
                    false => Err(Reject::BadMac),
                }
            }
            (Proof::Nts { unique_identifier }, Trailer::None) => {
                let key = credentials.nts.ok_or(Reject::UnknownKey)?;
                open(packet, &unique_identifier, key)
            }
        }
    }

    fn mono_root(&self, packet: &Packet<'_>) -> Option<MonoRoot> {
        // What follows the authenticator of NTS, nobody has vouched for.
        let mut fields = packet
            .extension_fields()
            .take_while(|field| field.field_type != FieldType::NTS_AUTHENTICATOR)
            .filter(|_| self.mono_root);
        fields.find_map(|field| MonoRoot::from_field(&field))
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
        match (self.by, packet.header.mode) {
            // Old servers answer with their own, lower version; peers speak each in its own.
            (Answerer::Server, _) if packet.header.version > self.version => {
                Err(Reject::WrongVersion)
            }
            (Answerer::Server, Mode::Server)
            | (Answerer::Peer, Mode::SymmetricActive | Mode::SymmetricPassive) => Ok(packet),
            (Answerer::Server, Mode::Reserved) if packet.header.version == 1 => Ok(packet),
            _ => Err(Reject::WrongMode),
        }
    }
}

/// Is the packet authentic by the keys of NTS? Returns its cookies.
fn open(
    packet: &Packet<'_>,
    unique_identifier: &[u8; UNIQUE_IDENTIFIER_LEN],
    key: &AeadKey,
) -> Result<Vec<Vec<u8>>, Reject> {
    let mut text = [0; MAX_ANSWER_LEN];
    match open_response(packet, unique_identifier, key, &mut text) {
        Ok(fields) => Ok(fields
            .filter_map(Result::ok)
            .filter(|field| field.field_type == FieldType::NTS_COOKIE)
            .filter(|field| is_usable_cookie(field.value))
            .map(|field| field.value.to_vec())
            .collect()),
        Err(ResponseError::UniqueIdentifier) => Err(Reject::WrongUniqueIdentifier),
        Err(ResponseError::Unauthenticated) => {
            let header = &packet.header;
            match header.stratum == 0 && header.reference_id.kiss_code() == NTS_NAK {
                true => Err(Reject::NtsNak),
                false => Err(Reject::MissingAuthenticator),
            }
        }
        Err(ResponseError::NotAuthentic) => Err(Reject::BadAuthenticator),
        Err(ResponseError::Fields(_)) => Err(Reject::MalformedNts),
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

    /// Its sender's root delay (s), as exactly as it says it.
    pub(super) fn root_delay(&self) -> f64 {
        let coarse = self.header.root_delay.seconds();
        self.consistent_mono_root().map_or(coarse, |said| said.root_delay.seconds())
    }

    /// The same of its root dispersion (s).
    pub(super) fn root_dispersion(&self) -> f64 {
        let coarse = self.header.root_dispersion.seconds();
        self.consistent_mono_root().map_or(coarse, |said| said.root_dispersion.seconds())
    }

    /// What the field says if the header does not contradict it.
    pub(super) fn consistent_mono_root(&self) -> Option<MonoRoot> {
        let like = |fine: Time32, coarse: NtpShort| {
            (fine.seconds() - coarse.seconds()).abs() <= ROOT_RESOLUTION
        };
        self.mono_root.filter(|said| {
            like(said.root_delay, self.header.root_delay)
                && like(said.root_dispersion, self.header.root_dispersion)
        })
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
