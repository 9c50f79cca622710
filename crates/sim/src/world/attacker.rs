//! Forged datagrams.

use timeball_wire::{
    Header, KissCode, LeapIndicator, Mode, NtpShort, NtpTimestamp, ReferenceId, Span, Timestamp,
};

use super::queue::{Datagram, HostId};
use super::server::kiss;
use crate::link::Window;
use crate::noise::Stream;
use crate::scenario::Forgery;

/// Somebody who forges answers.
#[derive(Debug)]
pub(super) struct Attacker {
    pub(super) victim: HostId,
    pub(super) pretends: HostId,
    pub(super) during: Window,
    sends: Vec<Forgery>,
    offset: Span,
    stream: Stream,
    /// The last answer that the server really gave to the victim.
    overheard: Option<Vec<u8>>,
}

impl Attacker {
    pub(super) fn new(
        victim: HostId,
        pretends: HostId,
        script: &crate::scenario::Attacker,
        stream: Stream,
    ) -> Self {
        Self {
            victim,
            pretends,
            during: script.during,
            sends: script.sends.clone(),
            offset: Span::from_seconds(script.offset),
            stream,
            overheard: None,
        }
    }

    /// Notes an answer that passes by.
    pub(super) fn overhear(&mut self, bytes: &[u8]) {
        self.overheard = Some(bytes.to_vec());
    }

    /// What is sent because of this request, each with its delay (s); `utc` is true time and
    /// `round_trip` (s) how long the real answer takes at least.
    pub(super) fn forge(
        &mut self,
        request: &Datagram,
        utc: Timestamp,
        round_trip: f64,
    ) -> Vec<(f64, Datagram)> {
        let mut forged = Vec::new();
        for forgery in self.sends.clone() {
            let Some(bytes) = self.bytes(forgery, request, utc) else { continue };
            let mut from = request.to;
            if forgery == Forgery::WrongSource {
                from.set_port(from.port().wrapping_add(1));
            }
            // Some come before the real answer, some after it.
            let delay = self.stream.uniform(0.0, 2.0 * round_trip);
            forged.push((delay, Datagram { from, to: request.from, bytes }));
        }
        forged
    }

    fn bytes(&mut self, forgery: Forgery, request: &Datagram, utc: Timestamp) -> Option<Vec<u8>> {
        let request = Header::from_bytes(request.bytes.first_chunk()?);
        let guess = NtpTimestamp::from_bits(self.stream.bits());
        let guessed = Header { transmit_timestamp: guess, ..request };
        let answer = self.answer(&guessed, utc);
        let of = |header: Header| Some(header.to_bytes().to_vec());
        match forgery {
            Forgery::WrongOrigin | Forgery::WrongSource => of(answer),
            Forgery::ZeroOrigin => of(Header { origin_timestamp: NtpTimestamp::ZERO, ..answer }),
            Forgery::KissRate => of(kiss(&guessed, KissCode::Rate)),
            Forgery::KissDeny => of(kiss(&guessed, KissCode::Deny)),
            Forgery::CryptoNak => of(answer).map(|bytes| [bytes, vec![0; 4]].concat()),
            // A response to "read variables", without any.
            Forgery::Control => Some(vec![0x26, 0x82, 0, 1, 6, 0x18, 0, 0, 0, 0, 0, 0]),
            // A response to "monitor list", without entries.
            Forgery::Private => Some(vec![0x97, 0, 3, 42, 0, 0, 0, 72]),
            Forgery::Truncated => of(answer).map(|bytes| bytes[..Header::LEN / 2].to_vec()),
            Forgery::Oversized => of(answer).map(|bytes| [bytes, vec![0; 2048]].concat()),
            Forgery::Replay => self.overheard.clone(),
            Forgery::WrongVersion => of(Header { version: 3, ..answer }),
            Forgery::WrongMode => of(Header { mode: Mode::Client, ..answer }),
        }
    }

    fn answer(&self, request: &Header, utc: Timestamp) -> Header {
        let lie = utc + self.offset;
        Header {
            leap: LeapIndicator::NoWarning,
            version: request.version,
            mode: Mode::Server,
            stratum: 1,
            poll: request.poll,
            precision: -24,
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::default(),
            reference_id: ReferenceId::from_bytes(*b"GPS\0"),
            reference_timestamp: lie.into(),
            origin_timestamp: request.transmit_timestamp,
            receive_timestamp: lie.into(),
            transmit_timestamp: lie.into(),
        }
    }
}
