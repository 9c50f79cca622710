//! What the responder says, and to whom it says nothing.

use std::collections::{BTreeMap, BTreeSet};

mod authenticated;
mod forged_macs;
mod forged_nts;
mod interleaved;
mod mono_root;
mod nts;

use super::*;
use crate::discipline::Corrections;
use crate::server::{Broadcast, StampCounts};
use proptest::prelude::*;
use timeball_wire::{ExtensionField, FieldType, NTP_PORT, PacketWriter, Span};

const PRECISION: i8 = -24;
const CLIENT: &str = "192.0.2.1:40000";
const COOKIE: NtpTimestamp = NtpTimestamp::from_bits(0x0123_4567_89ab_cdef);
const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_500_000_000);
const UPTIME: Instant = Instant::from_nanos(3_600_000_000_000);

fn everybody() -> Settings {
    Settings {
        allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        ..Settings::default()
    }
}

fn synchronised() -> ServerView {
    ServerView {
        leap: LeapIndicator::NoWarning,
        stratum: 2,
        precision: PRECISION,
        reference_id: ReferenceId::from_bytes([198, 51, 100, 7]),
        reference_time: NOW - Span::from_secs(10),
        root_delay: 0.010,
        root_dispersion: 0.001,
        as_of: UPTIME - Span::from_secs(10),
        dispersion_rate: 15e-6,
        served_offset: None,
        corrections: Corrections { epoch: 7, phase: Span::from_millis(250) },
    }
}

fn responder(settings: &Settings, view: ServerView) -> Responder {
    Responder::new(settings, view, *b"a key for tests.")
}

fn serving() -> Responder {
    responder(&everybody(), synchronised())
}

fn arrival(from: &str) -> Arrival {
    Arrival {
        received: NOW - Span::from_nanos(20_000),
        quality: StampQuality::Kernel,
        monotonic: UPTIME,
        from: from.parse().unwrap(),
        to_everybody: false,
    }
}

fn request(version: u8, mode: Mode) -> Header {
    Header {
        leap: LeapIndicator::NoWarning,
        version,
        mode,
        stratum: 0,
        poll: 6,
        precision: 0x20,
        root_delay: NtpShort::default(),
        root_dispersion: NtpShort::default(),
        reference_id: ReferenceId::NONE,
        reference_timestamp: NtpTimestamp::ZERO,
        origin_timestamp: NtpTimestamp::ZERO,
        receive_timestamp: NtpTimestamp::ZERO,
        transmit_timestamp: COOKIE,
    }
}

/// A receive timestamp of this moment.
fn reception(at: Timestamp) -> NtpTimestamp {
    NtpTimestamp::from_bits(NtpTimestamp::from(at).to_bits() | 1)
}

fn client_request() -> [u8; 48] {
    request(4, Mode::Client).to_bytes()
}

fn header_of(datagram: &[u8]) -> Header {
    Header::from_bytes(datagram.first_chunk().unwrap())
}

fn ask(responder: &mut Responder, request: &[u8], from: &str) -> (Verdict, Header) {
    let mut out = [0; MAX_ANSWER_LEN];
    let verdict = responder.respond(request, &arrival(from), NOW, &mut out);
    (verdict, header_of(&out))
}

fn time(responder: &mut Responder, request: &[u8]) -> Header {
    let (verdict, header) = ask(responder, request, CLIENT);
    assert_eq!(verdict, Verdict::Answer(48));
    header
}

/// Refused for this reason, counted under it, and nothing written.
fn assert_refused(responder: &mut Responder, request: &[u8], from: &str, refusal: Refusal) {
    let counted = responder.counters().refused.by(refusal);
    let mut out = [0x5a; MAX_ANSWER_LEN];
    let verdict = responder.respond(request, &arrival(from), NOW, &mut out);
    assert_eq!(verdict, Verdict::Silence(refusal), "{request:02x?} from {from}");
    assert_eq!(out, [0x5a; MAX_ANSWER_LEN]);
    assert_eq!(responder.counters().refused.by(refusal), counted + 1);
}

#[test]
fn an_answer_says_all_that_the_view_says() {
    let answer = time(&mut serving(), &client_request());
    let expected = Header {
        leap: LeapIndicator::NoWarning,
        version: 4,
        mode: Mode::Server,
        stratum: 2,
        poll: 6,
        precision: PRECISION,
        root_delay: NtpShort::from_seconds_ceil(0.010),
        // Ten seconds older than the view.
        root_dispersion: NtpShort::from_seconds_ceil(0.001 + 150e-6),
        reference_id: ReferenceId::from_bytes([198, 51, 100, 7]),
        reference_timestamp: (NOW - Span::from_secs(10)).into(),
        origin_timestamp: COOKIE,
        receive_timestamp: reception(NOW - Span::from_nanos(20_000)),
        transmit_timestamp: Stamps::transmit(NOW),
    };
    assert_eq!(answer, expected);
}

#[test]
fn versions_1_to_4_are_answered_in_kind() {
    for version in 1..=4 {
        let answer = time(&mut serving(), &request(version, Mode::Client).to_bytes());
        assert_eq!((answer.version, answer.mode), (version, Mode::Server));
    }
}

#[test]
fn version_1_without_a_mode_asks_when_it_comes_from_another_port() {
    let old = request(1, Mode::Reserved).to_bytes();
    let answer = time(&mut serving(), &old);
    assert_eq!((answer.version, answer.mode), (1, Mode::Server));
    assert_refused(&mut serving(), &old, "192.0.2.1:123", Refusal::Symmetric);
}

#[test]
fn a_client_on_ntps_own_port_is_answered() {
    let (verdict, _) = ask(&mut serving(), &client_request(), "192.0.2.1:123");
    assert_eq!(verdict, Verdict::Answer(48));
}

#[test]
fn unknown_extension_fields_get_a_plain_header() {
    let mut buffer = [0; 200];
    let mut writer = PacketWriter::new(&request(4, Mode::Client), &mut buffer).unwrap();
    let field_type = FieldType::from_u16(0xF042);
    writer.field(&ExtensionField { field_type, value: &[7; 60] }).unwrap();
    let answer = time(&mut serving(), writer.finish().unwrap());
    assert_eq!(answer.origin_timestamp, COOKIE);
}

#[test]
fn while_not_synchronised_an_answer_says_so() {
    let view = ServerView::unsynchronised(PRECISION, UPTIME);
    let answer = time(&mut responder(&everybody(), view), &client_request());
    assert_eq!((answer.leap, answer.stratum), (LeapIndicator::Unsynchronised, 0));
    assert_eq!(answer.reference_id, ReferenceId::NONE, "tells nobody that we just started");
    assert!(answer.root_dispersion.seconds() >= 16.0);

    // Stratum 16 alone is enough not to be believed.
    let view = ServerView { stratum: 16, ..synchronised() };
    let answer = time(&mut responder(&everybody(), view), &client_request());
    assert_eq!((answer.leap, answer.stratum), (LeapIndicator::Unsynchronised, 0));
}

#[test]
fn a_local_reference_is_served_like_any_other() {
    let view = ServerView::local(10, PRECISION, NOW - Span::from_secs(3), UPTIME);
    let answer = time(&mut responder(&everybody(), view), &client_request());
    assert_eq!((answer.leap, answer.stratum), (LeapIndicator::NoWarning, 10));
    assert_eq!(answer.reference_id, ReferenceId::from_bytes([127, 127, 1, 1]));
    assert_eq!(answer.root_delay.seconds(), 0.0);
    assert_eq!(answer.root_dispersion.to_bits(), 0);
}

#[test]
fn the_reference_time_is_never_later_than_the_answer() {
    let view = ServerView { reference_time: NOW + Span::from_secs(3600), ..synchronised() };
    let answer = time(&mut responder(&everybody(), view), &client_request());
    assert_eq!(answer.reference_timestamp, answer.transmit_timestamp);
}

#[test]
fn the_poll_interval_is_copied_within_reason() {
    for (asked, answered) in [(6, 6), (0, 0), (-7, -7), (17, 17), (127, 17), (-128, -7)] {
        let asking = Header { poll: asked, ..request(4, Mode::Client) };
        assert_eq!(time(&mut serving(), &asking.to_bytes()).poll, answered);
    }
}

#[test]
fn the_poll_interval_is_raised_to_the_rate_limits() {
    for (interval, asked, answered) in
        [(8.0, 0, 3), (8.1, 0, 4), (8.0, 10, 10), (1.0, -7, 0), (1e9, 6, 17), (0.0, -7, -7)]
    {
        let rate_limit = Some(RateLimit { interval, ..RateLimit::default() });
        let mut responder = responder(&Settings { rate_limit, ..everybody() }, synchronised());
        let asking = Header { poll: asked, ..request(4, Mode::Client) };
        assert_eq!(time(&mut responder, &asking.to_bytes()).poll, answered, "{interval} s");
    }
}

#[test]
fn a_kiss_carries_no_time() {
    let rate_limit = Some(RateLimit { interval: 64.0, burst: 1, leak: 0, kiss: 1 });
    let mut responder = responder(&Settings { rate_limit, ..everybody() }, synchronised());
    time(&mut responder, &client_request());
    let (verdict, kiss) = ask(&mut responder, &client_request(), CLIENT);
    assert_eq!(verdict, Verdict::Kiss(48));
    let expected = Header {
        leap: LeapIndicator::Unsynchronised,
        mode: Mode::Server,
        stratum: 0,
        poll: 6,
        precision: PRECISION,
        reference_id: ReferenceId::from_bytes(*b"RATE"),
        origin_timestamp: COOKIE,
        receive_timestamp: COOKIE,
        ..request(4, Mode::Client)
    };
    assert_eq!(kiss, expected);
}

#[test]
fn a_spoofer_cannot_silence_its_victim() {
    let rate_limit = Some(RateLimit { interval: 8.0, burst: 8, leak: 4, kiss: 4 });
    let mut responder = responder(&Settings { rate_limit, ..everybody() }, synchronised());
    let verdicts: Vec<_> =
        (0..4000).map(|_| ask(&mut responder, &client_request(), CLIENT).0).collect();
    let answered = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Answer(_))).count();
    assert!((900..1120).contains(&answered), "{answered} of 8 + 3992 / 4");
    let counters = responder.counters();
    assert_eq!(counters.answered, answered as u64);
    assert_eq!(counters.leaked, answered as u64 - 8);
    assert!(counters.kissed > 0);
    assert_eq!(counters.received(), 4000);
}

#[test]
fn other_settings_take_effect_at_once_and_forgive_no_debt() {
    let limit = RateLimit { interval: 64.0, burst: 1, leak: 0, kiss: 0 };
    let limited = Settings { rate_limit: Some(limit), ..everybody() };
    let mut responder = responder(&limited, synchronised());
    time(&mut responder, &client_request());
    responder.configure(&limited);
    assert_refused(&mut responder, &client_request(), CLIENT, Refusal::RateLimited);
    responder.configure(&Settings::default());
    assert_refused(&mut responder, &client_request(), CLIENT, Refusal::Denied);
    responder.configure(&everybody());
    time(&mut responder, &client_request());
}

#[test]
fn nobody_is_served_by_default() {
    let mut responder = responder(&Settings::default(), synchronised());
    for from in ["127.0.0.1:40000", "192.0.2.1:123", "[::1]:40000", "[2001:db8::1]:123"] {
        assert_refused(&mut responder, &client_request(), from, Refusal::Denied);
    }
}

#[test]
fn senders_that_are_no_client_are_refused() {
    for (from, refusal) in [
        ("192.0.2.1:0", Refusal::PortZero),
        ("192.0.2.1:7", Refusal::ReflectorPort),
        ("192.0.2.1:19", Refusal::ReflectorPort),
        ("192.0.2.1:37", Refusal::ReflectorPort),
        ("0.0.0.0:40000", Refusal::MartianSource),
        ("0.1.2.3:40000", Refusal::MartianSource),
        ("224.0.1.1:40000", Refusal::MartianSource),
        ("240.0.0.1:40000", Refusal::MartianSource),
        ("255.255.255.255:40000", Refusal::MartianSource),
        ("[::]:40000", Refusal::MartianSource),
        ("[ff05::101]:40000", Refusal::MartianSource),
        ("[::ffff:224.0.1.1]:40000", Refusal::MartianSource),
    ] {
        assert_refused(&mut serving(), &client_request(), from, refusal);
    }
}

#[test]
fn what_is_no_request_is_refused() {
    for (mode, refusal) in [
        (Mode::Reserved, Refusal::ReservedMode),
        (Mode::SymmetricActive, Refusal::Symmetric),
        (Mode::SymmetricPassive, Refusal::Symmetric),
        (Mode::Server, Refusal::Response),
        (Mode::Broadcast, Refusal::Broadcast),
    ] {
        assert_refused(&mut serving(), &request(4, mode).to_bytes(), CLIENT, refusal);
    }
    for version in [0, 5, 6, 7] {
        let request = request(version, Mode::Client).to_bytes();
        assert_refused(&mut serving(), &request, CLIENT, Refusal::UnsupportedVersion);
    }
}

#[test]
fn what_was_sent_to_everybody_gets_no_answer() {
    let mut responder = serving();
    let mut out = [0x5a; MAX_ANSWER_LEN];
    let to_everybody = Arrival { to_everybody: true, ..arrival(CLIENT) };
    for (request, refusal) in [
        (client_request(), Refusal::SentToEverybody),
        // A broadcast server's time is not mistaken for a request.
        (request(4, Mode::Broadcast).to_bytes(), Refusal::Broadcast),
    ] {
        let verdict = responder.respond(&request, &to_everybody, NOW, &mut out);
        assert_eq!(verdict, Verdict::Silence(refusal));
        assert_eq!(responder.counters().refused.by(refusal), 1);
    }
    assert_eq!(out, [0x5a; MAX_ANSWER_LEN]);
}

#[test]
fn control_and_private_messages_are_refused() {
    // readvar, and monlist as nmap asks for it.
    let readvar = [0x16, 0x02, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut monlist = [0; 48];
    monlist[..4].copy_from_slice(&[0x17, 0x00, 0x03, 0x2a]);
    // The answer of CVE-2009-3563, which two servers could send each other for ever.
    let error = [0x97, 0, 0, 0, 0, 0, 0, 0];
    for (message, refusal) in [
        (&readvar[..], Refusal::ControlMessage),
        (&readvar[..11], Refusal::TooShort),
        (&monlist, Refusal::PrivateMessage),
        (&monlist[..8], Refusal::PrivateMessage),
        (&monlist[..7], Refusal::TooShort),
        (&error, Refusal::PrivateMessage),
    ] {
        assert_refused(&mut serving(), message, CLIENT, refusal);
    }
}

#[test]
fn lengths_that_are_no_packets_are_refused() {
    let mut long = client_request().to_vec();
    long.resize(2048, 0);
    for (len, refusal) in [
        (0, Refusal::TooShort),
        (1, Refusal::TooShort),
        (12, Refusal::TooShort),
        (47, Refusal::TooShort),
        (49, Refusal::Malformed),
        (51, Refusal::Malformed),
        (56, Refusal::Malformed),
        (64, Refusal::Malformed),
        (2048, Refusal::Malformed),
    ] {
        assert_refused(&mut serving(), &long[..len], CLIENT, refusal);
    }
}

#[test]
fn a_mac_without_a_key_is_refused_in_silence() {
    let mut buffer = [0; 120];
    for (digest_len, version) in [(16, 4), (20, 4), (16, 3), (68, 3)] {
        let writer = PacketWriter::new(&request(version, Mode::Client), &mut buffer).unwrap();
        let request = writer.finish_with_mac(42, &[9; 68][..digest_len]).unwrap();
        assert_refused(&mut serving(), request, CLIENT, Refusal::UnknownKey);
    }
    let writer = PacketWriter::new(&request(4, Mode::Client), &mut buffer).unwrap();
    let request = writer.finish_with_crypto_nak().unwrap();
    assert_refused(&mut serving(), request, CLIENT, Refusal::CryptoNak);
}

#[test]
fn requests_over_the_limit_are_refused() {
    let rate_limit = Some(RateLimit { interval: 8.0, burst: 1, leak: 0, kiss: 0 });
    let mut responder = responder(&Settings { rate_limit, ..everybody() }, synchronised());
    time(&mut responder, &client_request());
    assert_refused(&mut responder, &client_request(), CLIENT, Refusal::RateLimited);
    let (verdict, _) = ask(&mut responder, &client_request(), "192.0.2.2:40000");
    assert_eq!(verdict, Verdict::Answer(48), "another client has its own bucket");
}

#[test]
fn clients_are_remembered_with_what_became_of_their_requests() {
    let rate_limit = Some(RateLimit { interval: 8.0, burst: 1, leak: 0, kiss: 0 });
    let mut responder = responder(&Settings { rate_limit, ..everybody() }, synchronised());
    for _ in 0..3 {
        ask(&mut responder, &client_request(), CLIENT);
    }
    ask(&mut responder, &request(4, Mode::Server).to_bytes(), CLIENT);
    responder.note_command(Some([127, 0, 0, 1].into()), Treatment::Served, UPTIME);
    let clients: Vec<_> = responder.clients().unwrap().iter_from(0).collect();
    assert_eq!(clients.len(), 2);
    let (place, client) =
        clients.into_iter().find(|(_, c)| c.address == IpAddr::from([192, 0, 2, 1])).unwrap();
    assert_eq!((client.ntp.hits, client.ntp.drops, client.command.hits), (3, 2, 0));
    responder.reset_client(place);
    assert_eq!(responder.clients().unwrap().get(place).unwrap().ntp.hits, 0);
    let counters = responder.counters();
    assert_eq!((counters.requests(), counters.commands), (3, 1));
    assert_eq!(counters.received_by, StampCounts { kernel: 1, ..StampCounts::default() });
}

#[test]
fn who_serves_nobody_remembers_nothing() {
    let nobody = Settings::default();
    assert!(responder(&nobody, synchronised()).clients().is_none());
    let unlogged = Settings { client_log: None, ..everybody() };
    assert!(responder(&unlogged, synchronised()).clients().is_none());

    let mut responder = responder(&nobody, synchronised());
    responder.change_access("192.0.2.0/24".parse().unwrap(), Access::Allow, Extent::Default);
    assert!(responder.clients().is_some());
    time(&mut responder, &client_request());
    responder.change_access("0.0.0.0/0".parse().unwrap(), Access::Deny, Extent::All);
    assert_refused(&mut responder, &client_request(), CLIENT, Refusal::Denied);
    assert!(responder.clients().is_none() && !responder.access().allow_anybody());
}

#[test]
fn broadcasts_tell_the_time_once_it_is_known() {
    let destination = "192.0.2.255:123".parse().unwrap();
    let broadcasts = vec![Broadcast { interval: 64.0, destination }];
    let view = ServerView::unsynchronised(PRECISION, UPTIME);
    let mut responder = responder(&Settings { broadcasts, ..Settings::default() }, view);
    let mut out = [0; 48];
    let at = |seconds| (UPTIME + Span::from_secs(seconds), NOW + Span::from_secs(seconds));
    for seconds in [0, 64] {
        let (now, transmit) = at(seconds);
        assert_eq!(responder.broadcast(now, transmit, &mut out), None);
    }
    responder.publish(synchronised());
    let (now, transmit) = at(128);
    assert_eq!(responder.next_broadcast(), Some(now));
    assert_eq!(responder.broadcast(now, transmit, &mut out), Some(destination));
    let sent = Header::from_bytes(&out);
    assert_eq!((sent.mode, sent.version, sent.stratum, sent.poll), (Mode::Broadcast, 4, 2, 6));
    assert_eq!(sent.transmit_timestamp, Stamps::transmit(transmit));
    assert!(sent.origin_timestamp.is_zero() && sent.receive_timestamp.is_zero());
    assert_eq!(responder.broadcast(now, transmit, &mut out), None);
    assert_eq!(responder.counters().broadcasts, 1);
}

#[test]
fn only_requests_count_against_the_limit() {
    let rate_limit = Some(RateLimit { interval: 8.0, burst: 1, leak: 0, kiss: 0 });
    let mut responder = responder(&Settings { rate_limit, ..everybody() }, synchronised());
    for _ in 0..100 {
        let response = request(4, Mode::Server).to_bytes();
        assert_refused(&mut responder, &response, CLIENT, Refusal::Response);
    }
    time(&mut responder, &client_request());
}

#[test]
fn every_refusal_has_its_own_name_and_survives_serialisation() {
    let names: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.name()).collect();
    assert_eq!(names.len(), Refusal::ALL.len());

    let mut responder = serving();
    ask(&mut responder, &client_request(), CLIENT);
    ask(&mut responder, &[], CLIENT);
    let counts = BTreeMap::from(responder.counters().refused.clone());
    assert_eq!(counts, BTreeMap::from([(Refusal::TooShort, 1)]), "zeros are left out");
    let read = Counters { refused: counts.into(), ..responder.counters().clone() };
    assert_eq!(&read, responder.counters());

    let mut sum = read;
    sum.add(responder.counters());
    assert_eq!((sum.answered, sum.refused.by(Refusal::TooShort)), (2, 2));
}

/// Datagrams that get far: any bytes, and well-formed headers with something behind them.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let header = (0u8..8, 0u8..8, any::<[u8; 47]>());
    let formed = (header, prop::collection::vec(any::<u8>(), 0..80)).prop_map(
        |((version, mode, rest), tail)| [&[version << 3 | mode][..], &rest, &tail].concat(),
    );
    let request = (1u8..=4, any::<[u8; 47]>())
        .prop_map(|(version, rest)| [&[version << 3 | 3][..], &rest].concat());
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), formed, request]
}

fn sender() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
    let port = prop_oneof![any::<u16>(), Just(123)];
    (prop_oneof![v4, v6], port).prop_map(SocketAddr::from)
}

fn settings() -> impl Strategy<Value = Settings> {
    let limit = (0.0..100.0, 0u32..3, 0u32..3, 0u32..3)
        .prop_map(|(interval, burst, leak, kiss)| RateLimit { interval, burst, leak, kiss });
    prop::option::of(limit).prop_map(|rate_limit| Settings { rate_limit, ..everybody() })
}

proptest! {
    #[test]
    fn no_answer_is_longer_than_its_request_nor_elicits_another(
        settings in settings(),
        exchanges in prop::collection::vec((datagram(), sender(), any::<i64>(), any::<i64>()), 1..20),
    ) {
        let mut responder = responder(&settings, synchronised());
        for (count, (request, from, received, transmit)) in exchanges.into_iter().enumerate() {
            let arrival = Arrival {
                received: Timestamp::from_nanos(received),
                quality: StampQuality::Daemon,
                monotonic: UPTIME + Span::from_nanos(transmit >> 20),
                from,
                to_everybody: count % 16 == 15,
            };
            let mut out = [0; MAX_ANSWER_LEN];
            let verdict = responder.respond(&request, &arrival, Timestamp::from_nanos(transmit), &mut out);
            prop_assert_eq!(responder.counters().received(), 2 * count as u64 + 1);
            let len = match verdict {
                Verdict::Answer(len) | Verdict::Kiss(len) => len,
                Verdict::Silence(_) => 0,
            };
            prop_assert!(len <= request.len() && len <= out.len());
            // From the port it was sent to, and as a forger would have it come from elsewhere.
            let port = if count % 2 == 0 { from.port() } else { NTP_PORT };
            let again = Arrival { from: SocketAddr::new(from.ip(), port), ..arrival };
            let answer = out;
            let verdict = responder.respond(&answer[..len], &again, Timestamp::from_nanos(transmit), &mut out);
            prop_assert!(matches!(verdict, Verdict::Silence(_)), "{:?}", verdict);
        }
    }
}
