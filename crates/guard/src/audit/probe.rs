//! What is asked: each probe is one small request, and knows its answers.

use serde::{Deserialize, Serialize};
use timeball_wire::cmdmon;
use timeball_wire::mode6::{Fragment, Opcode};
use timeball_wire::mode7::{Packet, RequestCode};
use timeball_wire::{Header, LeapIndicator, Mode, NTP_PORT, NtpTimestamp, PacketWriter, Span};

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// The time, in version 4 (RFC 5905).
    TimeV4,
    /// Mode 6: the system's variables, as `ntpq -c rv` asks.
    ReadVariables,
    /// Mode 7: the list of clients, as `ntpdc -c monlist` asks.
    MonitorList1,
    /// The time, in version 3 (RFC 1305).
    TimeV3,
    /// The time, in version 2 (RFC 1119).
    TimeV2,
    /// The time, in version 1 (RFC 1059).
    TimeV1,
    /// The time, in version 5 as drafted.
    TimeV5Draft,
    /// The time, in the interleaved mode (RFC 9769): a server begins to remember its answers.
    Interleaved,
    /// The same again: now it could tell when an answer left.
    InterleavedAgain,
    /// An unauthenticated offer to be a peer, mode 1.
    SymmetricActive,
    /// An answer that nobody asked for, mode 4.
    StrayAnswer,
    /// Mode 6: the list of associations.
    ReadStatus,
    /// Mode 6: for how long the server has been running.
    ReadUptime,
    /// Mode 6: the address of one of its associations.
    ReadPeer,
    /// Mode 6: a nonce, which is needed for [`Probe::ReadMru`].
    RequestNonce,
    /// Mode 6: the list of clients, at most four fragments of it.
    ReadMru,
    /// Mode 7: an error that answers nothing (CVE-2009-3563).
    StrayError,
    /// Mode 7: the list of clients, in its older form.
    MonitorList,
    /// Mode 7: the list of clients, of servers that know no IPv6.
    MonitorList1Old,
    /// Mode 7: the same in its older form.
    MonitorListOld,
    /// Mode 7: the peers' addresses.
    PeerList,
    /// Mode 7: the peers and how they stand.
    PeerSummary,
    /// Mode 7: the system.
    SystemInformation,
    /// Mode 7: the access rules.
    Restrictions,
    /// chrony's command protocol on UDP port 323: how many sources there are.
    ChronyCommand,
    /// The time, many times in a row, to see what the server does about it.
    Burst,
    /// The time, asked of everybody on the local network.
    Broadcast,
    /// The time, asked of those who have joined NTP's multicast group.
    Multicast,
    /// The time that somebody tells everybody on the local network unasked, mode 5. Nothing is sent.
    BroadcastTime,
}

/// Of which protocol a probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A header of 48 bytes with a token where an answer repeats it.
    Time,
    /// Mode 6.
    Control(Opcode),
    /// Mode 7: implementation number and request code.
    Private(u8, RequestCode),
    /// chrony's command protocol.
    Chrony,
}

/// What a host has told that further requests need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The nonce for [`Probe::ReadMru`].
    pub nonce: String,
    /// The association that [`Probe::ReadPeer`] is about.
    pub association: u16,
    /// When the server got an earlier request for the time, for [`Probe::Interleaved`] and
    /// [`Probe::InterleavedAgain`].
    pub receive_timestamp: NtpTimestamp,
}

impl Probe {
    /// What every host is asked. Who answers none of these is asked nothing else.
    pub const FIRST: [Self; 3] = [Self::TimeV4, Self::ReadVariables, Self::MonitorList1];

    /// What a host is asked that has answered something. [`Probe::ReadMru`] follows when a nonce
    /// has come, [`Probe::InterleavedAgain`] when a time has, [`Probe::ReadUptime`] when variables have,
    /// and [`Probe::ReadPeer`] for each of so many [associations](Self::MAX_PEERS).
    pub const FURTHER: [Self; 18] = [
        Self::ReadStatus,
        Self::RequestNonce,
        Self::PeerList,
        Self::SystemInformation,
        Self::Interleaved,
        Self::TimeV3,
        Self::TimeV2,
        Self::TimeV1,
        Self::SymmetricActive,
        Self::StrayAnswer,
        Self::StrayError,
        Self::MonitorList,
        Self::MonitorList1Old,
        Self::MonitorListOld,
        Self::PeerSummary,
        Self::Restrictions,
        Self::TimeV5Draft,
        Self::ChronyCommand,
    ];

    /// How long a host is watched after [`Probe::SymmetricActive`]: one that has taken us for a peer
    /// speaks by itself after two seconds (ntpd's `ntp_minpkt`).
    pub const PEER_SPEAKS_WITHIN: Span = Span::from_secs(4);
    /// What comes later than this after that probe was not sent because of it, but by a peer's own
    /// clock.
    pub const ANSWERED_WITHIN: Span = Span::from_millis(1500);

    /// Associations that a host is asked about; few have more.
    pub const MAX_PEERS: usize = 8;

    /// How many times [`Probe::Burst`] is sent, and how much time is between them.
    pub const BURST: (usize, Span) = (20, Span::from_millis(100));

    /// The variable that [`Probe::ReadUptime`] asks for.
    pub const UPTIME: &str = "ss_uptime";
    /// The variable that [`Probe::ReadPeer`] asks for.
    pub const PEER_ADDRESS: &str = "srcadr";

    /// Of which protocol it is.
    pub const fn family(self) -> Family {
        match self {
            Self::TimeV1
            | Self::TimeV2
            | Self::TimeV3
            | Self::TimeV4
            | Self::TimeV5Draft
            | Self::Interleaved
            | Self::InterleavedAgain
            | Self::SymmetricActive
            | Self::StrayAnswer
            | Self::Burst
            | Self::Broadcast
            | Self::Multicast
            | Self::BroadcastTime => Family::Time,
            Self::ReadVariables | Self::ReadUptime | Self::ReadPeer => {
                Family::Control(Opcode::ReadVariables)
            }
            Self::ReadStatus => Family::Control(Opcode::ReadStatus),
            Self::RequestNonce => Family::Control(Opcode::RequestNonce),
            Self::ReadMru => Family::Control(Opcode::ReadMru),
            Self::StrayError => Family::Private(0, RequestCode::PEER_LIST),
            Self::MonitorList1 => Family::Private(Packet::XNTPD, RequestCode::MONITOR_LIST_1),
            Self::MonitorList => Family::Private(Packet::XNTPD, RequestCode::MONITOR_LIST),
            Self::MonitorList1Old => {
                Family::Private(Packet::XNTPD_OLD, RequestCode::MONITOR_LIST_1)
            }
            Self::MonitorListOld => Family::Private(Packet::XNTPD_OLD, RequestCode::MONITOR_LIST),
            Self::PeerList => Family::Private(Packet::XNTPD, RequestCode::PEER_LIST),
            Self::PeerSummary => Family::Private(Packet::XNTPD, RequestCode::PEER_LIST_SUMMARY),
            Self::SystemInformation => {
                Family::Private(Packet::XNTPD, RequestCode::SYSTEM_INFORMATION)
            }
            Self::Restrictions => Family::Private(Packet::XNTPD, RequestCode::RESTRICTIONS),
            Self::ChronyCommand => Family::Chrony,
        }
    }

    /// The version in its request, for those that ask for the time.
    pub const fn time_version(self) -> Option<u8> {
        match self {
            Self::TimeV1 => Some(1),
            Self::TimeV2 => Some(2),
            Self::TimeV3 => Some(3),
            Self::TimeV4 => Some(4),
            Self::TimeV5Draft => Some(5),
            _ => None,
        }
    }

    const fn is_interleaved(self) -> bool {
        matches!(self, Self::Interleaved | Self::InterleavedAgain)
    }

    /// The UDP port it is sent to, where NTP is at `ntp_port`.
    pub const fn port(self, ntp_port: u16) -> u16 {
        match self {
            Self::ChronyCommand => cmdmon::PORT,
            _ => ntp_port,
        }
    }

    /// Whether somebody who forges the sender's address could cause its answer. A nonce cannot be
    /// had that way, and a broadcast has no cause.
    pub const fn can_be_forged(self) -> bool {
        !matches!(self, Self::ReadMru | Self::BroadcastTime)
    }

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimeV1 => "time-v1",
            Self::TimeV2 => "time-v2",
            Self::TimeV3 => "time-v3",
            Self::TimeV4 => "time-v4",
            Self::TimeV5Draft => "time-v5-draft",
            Self::Interleaved => "interleaved",
            Self::InterleavedAgain => "interleaved-again",
            Self::SymmetricActive => "symmetric-active",
            Self::StrayAnswer => "stray-answer",
            Self::ReadVariables => "read-variables",
            Self::ReadStatus => "read-status",
            Self::ReadUptime => "read-uptime",
            Self::ReadPeer => "read-peer",
            Self::RequestNonce => "request-nonce",
            Self::ReadMru => "read-mru",
            Self::StrayError => "stray-error",
            Self::MonitorList1 => "monitor-list1",
            Self::MonitorList => "monitor-list",
            Self::MonitorList1Old => "monitor-list1-old",
            Self::MonitorListOld => "monitor-list-old",
            Self::PeerList => "peer-list",
            Self::PeerSummary => "peer-summary",
            Self::SystemInformation => "system-information",
            Self::Restrictions => "restrictions",
            Self::ChronyCommand => "chrony-command",
            Self::Burst => "burst",
            Self::Broadcast => "broadcast",
            Self::Multicast => "multicast",
            Self::BroadcastTime => "broadcast-time",
        }
    }

    /// The request. `token` is unguessable, and an answer repeats as much of it as fits.
    pub fn request(self, token: u64, known: &Known) -> Vec<u8> {
        match self.family() {
            Family::Time => self.time_request(token, known),
            Family::Control(opcode) => {
                let data = match self {
                    Self::ReadMru => format!("nonce={}, frags=4", known.nonce),
                    Self::ReadUptime => Self::UPTIME.to_owned(),
                    Self::ReadPeer => Self::PEER_ADDRESS.to_owned(),
                    _ => String::new(),
                };
                // ntpq's version: ntpd answers in the same.
                let association = if self == Self::ReadPeer { known.association } else { 0 };
                let request = Fragment::request(2, opcode, sequence(token), association);
                let mut buffer = [0; 128];
                let request = Fragment { data: data.as_bytes(), ..request };
                request.emit(&mut buffer).map(<[u8]>::to_vec).unwrap_or_default()
            }
            Family::Private(implementation, code) => {
                let request = Packet::request(2, implementation, code);
                let (request, len) = match self {
                    Self::StrayError => (Packet { is_response: true, ..request }, 8),
                    _ => (request, Packet::REQUEST_LEN),
                };
                let mut buffer = [0; Packet::REQUEST_LEN];
                request.emit(len, &mut buffer).map(<[u8]>::to_vec).unwrap_or_default()
            }
            Family::Chrony => {
                let mut buffer = [0; cmdmon::MAX_LEN];
                let request = cmdmon::Request::SourceCount {};
                let emitted = request.emit(chrony_sequence(token), 0, &mut buffer);
                emitted.map(<[u8]>::to_vec).unwrap_or_default()
            }
        }
    }

    fn time_request(self, token: u64, known: &Known) -> Vec<u8> {
        let mode = match self {
            Self::SymmetricActive => Mode::SymmetricActive,
            Self::StrayAnswer => Mode::Server,
            _ => Mode::Client,
        };
        let header = Header {
            leap: LeapIndicator::NoWarning,
            version: self.time_version().unwrap_or(4),
            mode,
            stratum: if mode == Mode::Client { 0 } else { 3 },
            poll: if mode == Mode::Client { 0 } else { 6 },
            precision: 0,
            root_delay: Default::default(),
            root_dispersion: Default::default(),
            reference_id: Default::default(),
            reference_timestamp: NtpTimestamp::ZERO,
            // An interleaved request tells the server which of its answers it follows.
            origin_timestamp: match self {
                _ if self.is_interleaved() => known.receive_timestamp,
                _ => NtpTimestamp::ZERO,
            },
            receive_timestamp: match self {
                _ if self.is_interleaved() => NtpTimestamp::from_bits(interleaved(token)),
                _ => NtpTimestamp::ZERO,
            },
            transmit_timestamp: NtpTimestamp::from_bits(token),
        };
        let mut buffer = [0; Header::LEN];
        let mut bytes = PacketWriter::new(&header, &mut buffer)
            .and_then(PacketWriter::finish)
            .map(<[u8]>::to_vec)
            .unwrap_or_default();
        if self == Self::TimeV5Draft {
            draft_5(&mut bytes, token);
        }
        bytes
    }

    /// Whether `datagram` answers this probe. Only what can be an answer at all counts; what else it
    /// says is not looked at.
    pub fn is_answered_by(self, token: u64, datagram: &[u8]) -> bool {
        match self.family() {
            Family::Time => {
                let Some(header) = datagram.first_chunk::<{ Header::LEN }>() else { return false };
                let header = Header::from_bytes(header);
                // In version 5 the same place repeats the client's cookie.
                let origin = header.origin_timestamp.to_bits();
                if self == Self::BroadcastTime {
                    return header.mode == Mode::Broadcast;
                }
                (origin == token || self.is_interleaved() && origin == interleaved(token))
                    && matches!(header.mode, Mode::Server | Mode::SymmetricPassive)
            }
            Family::Control(opcode) => Fragment::parse(datagram).is_ok_and(|fragment| {
                fragment.is_response
                    && fragment.opcode == opcode
                    && fragment.sequence == sequence(token)
            }),
            Family::Private(implementation, code) => Packet::parse(datagram).is_ok_and(|packet| {
                packet.is_response
                    && packet.implementation == implementation
                    && packet.request_code == code
            }),
            Family::Chrony => cmdmon::Reply::parse(
                datagram,
                cmdmon::Request::SourceCount {}.code(),
                chrony_sequence(token),
            )
            .is_ok(),
        }
    }
}

/// What else than the token an answer in the interleaved mode repeats.
const fn interleaved(token: u64) -> u64 {
    token.rotate_left(32)
}

/// The part of a token that fits a control message.
const fn sequence(token: u64) -> u16 {
    token as u16
}

/// The part of a token that fits chrony's protocol.
const fn chrony_sequence(token: u64) -> u32 {
    token as u32
}

/// Makes a request of version 5 (draft-ietf-ntp-ntpv5): the client's cookie has its own place, and a
/// field names the draft.
fn draft_5(bytes: &mut Vec<u8>, token: u64) {
    const DRAFT: &[u8; 24] = b"draft-ietf-ntp-ntpv5-07\0";
    if let Some(cookie) = bytes.get_mut(24..32) {
        cookie.copy_from_slice(&token.to_be_bytes());
    }
    if let Some(transmit) = bytes.get_mut(40..48) {
        transmit.fill(0);
    }
    bytes.extend_from_slice(&[0xf5, 0xff, 0, 27]);
    bytes.extend_from_slice(DRAFT);
}

/// The port of the service that is audited, unless it is told otherwise.
pub const DEFAULT_PORT: u16 = NTP_PORT;

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: u64 = 0x0123_4567_89ab_cdef;

    fn all() -> impl Iterator<Item = Probe> {
        Probe::FIRST
            .into_iter()
            .chain(Probe::FURTHER)
            .chain([Probe::ReadMru, Probe::InterleavedAgain, Probe::ReadUptime, Probe::ReadPeer])
            .chain([Probe::Burst, Probe::Broadcast, Probe::Multicast, Probe::BroadcastTime])
    }

    #[test]
    fn the_famous_requests_are_byte_by_byte_as_known() {
        let monlist = Probe::MonitorList1.request(TOKEN, &Known::default());
        assert_eq!(monlist[..8], [0x17, 0x00, 0x03, 0x2a, 0, 0, 0, 0]);
        assert_eq!(monlist[8..], [0; 40]);
        let variables = Probe::ReadVariables.request(TOKEN, &Known::default());
        assert_eq!(variables, [0x16, 0x02, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            Probe::StrayError.request(TOKEN, &Known::default()),
            [0x97, 0, 0, 0, 0, 0, 0, 0]
        );
        let time = Probe::TimeV4.request(TOKEN, &Known::default());
        assert_eq!((time[0], &time[40..]), (0x23, &TOKEN.to_be_bytes()[..]));
        let known = Known { nonce: "0123456789ab".into(), ..Known::default() };
        let mru = Probe::ReadMru.request(TOKEN, &known);
        assert_eq!(&mru[12..], b"nonce=0123456789ab, frags=4\0");
        let known = Known { association: 0x1234, ..Known::default() };
        let peer = Probe::ReadPeer.request(TOKEN, &known);
        assert_eq!(peer[..12], [0x16, 0x02, 0xcd, 0xef, 0, 0, 0x12, 0x34, 0, 0, 0, 6]);
        assert_eq!(&peer[12..], b"srcadr\0\0");
    }

    #[test]
    fn there_is_a_request_for_each_and_none_is_an_answer() {
        for probe in all() {
            let request = probe.request(TOKEN, &Known::default());
            assert!(!request.is_empty(), "{probe:?}");
            assert!(request.len().is_multiple_of(4), "{probe:?}");
            // An echo must not pass for an answer; only the stray error is one in form.
            let is_answer = probe.is_answered_by(TOKEN, &request);
            assert_eq!(is_answer, probe == Probe::StrayError, "{probe:?}");
            let json = serde_json::to_string(&probe).unwrap();
            assert_eq!(json, format!("\"{}\"", probe.name()));
        }
    }

    #[test]
    fn an_answer_must_know_the_token() {
        let mut answer = Probe::TimeV4.request(TOKEN, &Known::default());
        answer[0] = 0x24;
        answer.copy_within(40..48, 24);
        assert!(Probe::TimeV4.is_answered_by(TOKEN, &answer));
        assert!(!Probe::TimeV4.is_answered_by(TOKEN ^ 1, &answer));
        assert!(!Probe::TimeV4.is_answered_by(TOKEN, &answer[..47]));
        let mut answer = Probe::ReadStatus.request(TOKEN, &Known::default());
        answer[1] |= 0x80;
        assert!(Probe::ReadStatus.is_answered_by(TOKEN, &answer));
        assert!(!Probe::ReadVariables.is_answered_by(TOKEN, &answer));
        assert!(!Probe::ReadStatus.is_answered_by(TOKEN ^ 1, &answer));
    }
}
