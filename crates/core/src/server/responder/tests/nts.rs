//! Requests that Network Time Security protects (RFC 8915 §5.7).

use timeball_auth::nts::fields::NtsFields;
use timeball_auth::nts::request::{Protection, open_response};
use timeball_auth::nts::{AeadAlgorithm, KeyMaterial, MAX_COOKIE_LEN, ServerKeys, SessionSecrets};
use timeball_wire::{Packet, Trailer};

use super::*;

pub(super) const IDENTIFIER: [u8; 32] = [0xa1; 32];

pub(super) fn server_keys(seed: u8) -> Arc<ServerKeys> {
    let material = [0, 1, 2, 3].map(|more| KeyMaterial::new(&[seed + more; KeyMaterial::LEN]));
    Arc::new(ServerKeys::new(material).unwrap())
}

pub(super) fn with_nts(settings: &Settings) -> Responder {
    let mut responder = responder(settings, synchronised());
    responder.take_cookie_keys(Some(CookieKeys::new(server_keys(1), [7; 32])));
    responder
}

pub(super) fn secrets(algorithm: AeadAlgorithm) -> SessionSecrets {
    let len = algorithm.key_len();
    SessionSecrets::new(algorithm, &vec![0xc5; len], &vec![0x5c; len]).unwrap()
}

pub(super) fn cookie(keys: &ServerKeys, algorithm: AeadAlgorithm) -> Vec<u8> {
    let mut cookie = [0; MAX_COOKIE_LEN];
    let len = keys.seal(&secrets(algorithm), &[9; 16], &mut cookie).unwrap();
    cookie[..len].to_vec()
}

/// What a client with a cookie sends.
pub(super) fn protected_with(
    header: Header,
    algorithm: AeadAlgorithm,
    cookie: &[u8],
    more: usize,
) -> Vec<u8> {
    let mut buffer = [0; MAX_ANSWER_LEN];
    let mut writer = PacketWriter::new(&header, &mut buffer).unwrap();
    let protection = Protection {
        unique_identifier: &IDENTIFIER,
        cookie,
        placeholders: more,
        key: &secrets(algorithm).keys().unwrap().to_server,
        nonce: &[3; 16],
    };
    protection.write(&mut writer).unwrap();
    writer.finish().unwrap().to_vec()
}

pub(super) fn protected(algorithm: AeadAlgorithm, more: usize) -> Vec<u8> {
    let cookie = cookie(&server_keys(1), algorithm);
    protected_with(request(4, Mode::Client), algorithm, &cookie, more)
}

pub(super) fn respond(responder: &mut Responder, request: &[u8]) -> (Verdict, Vec<u8>) {
    let mut out = [0; MAX_ANSWER_LEN];
    let verdict = responder.respond(request, &arrival(CLIENT), NOW, &mut out);
    let len = match verdict {
        Verdict::Answer(len) | Verdict::Kiss(len) => len,
        Verdict::Silence(_) => 0,
    };
    assert!(len <= request.len(), "{len} bytes for {}", request.len());
    (verdict, out[..len].to_vec())
}

/// The cookies in an authentic answer.
pub(super) fn cookies_in(algorithm: AeadAlgorithm, answer: &[u8]) -> Vec<Vec<u8>> {
    let packet = Packet::parse(answer).unwrap();
    let key = secrets(algorithm).keys().unwrap().to_client;
    let mut out = [0; MAX_ANSWER_LEN];
    let fields = open_response(&packet, &IDENTIFIER, &key, &mut out).unwrap();
    fields.map(|field| field.unwrap().value.to_vec()).collect()
}

/// An NTS NAK to the request, and nothing more (RFC 8915 §5.7).
pub(super) fn assert_nak(verdict: Verdict, answer: &[u8]) {
    assert!(matches!(verdict, Verdict::Kiss(_)), "{verdict:?}");
    let packet = Packet::parse(answer).unwrap();
    let header = packet.header;
    assert_eq!((header.stratum, header.reference_id.to_bytes()), (0, *b"NTSN"));
    assert_eq!(header.leap, LeapIndicator::Unsynchronised);
    let times = [header.origin_timestamp, header.receive_timestamp, header.transmit_timestamp];
    assert_eq!(times, [COOKIE; 3]);
    let fields = NtsFields::of(&packet).unwrap();
    let only = NtsFields { unique_identifier: Some(&IDENTIFIER), ..NtsFields::default() };
    assert_eq!((fields, packet.trailer), (only, Trailer::None));
}

/// All that clients may notice of the responder, but for what it counts, and that no two timestamps
/// are the same.
pub(super) fn state(responder: &Responder) -> String {
    let mut responder = responder.clone();
    responder.counters = Counters::default();
    responder.stamps = Stamps::default();
    responder.cookies = None;
    format!("{responder:?}")
}

#[test]
fn a_batch_that_was_judged_first_has_the_transmit_timestamp_of_each_answer() {
    let mut responder = with_nts(&everybody());
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let mut forged = protected(algorithm, 1);
    forged[100] ^= 1;
    let requests = [protected(algorithm, 0), forged, client_request().to_vec(), vec![0x24; 48]];
    let accepted: Vec<_> = requests
        .iter()
        .filter_map(|request| responder.judge(request, &arrival(CLIENT)).ok())
        .collect();
    let counters = responder.counters();
    assert_eq!((accepted.len(), counters.received(), counters.nts_authenticated), (3, 1, 1));
    let mut out = [[0; MAX_ANSWER_LEN]; 3];
    let verdicts: Vec<_> = (0..)
        .zip(accepted.iter().zip(&mut out))
        .map(|(after, (accepted, out))| {
            let transmit = NOW + Span::from_millis(after);
            responder.answer(accepted, transmit, out)
        })
        .collect();
    let [Verdict::Answer(proven), Verdict::Kiss(nak), Verdict::Answer(48)] = verdicts[..] else {
        panic!("{verdicts:?}");
    };
    assert_eq!(cookies_in(algorithm, &out[0][..proven]).len(), 1);
    assert_nak(verdicts[1], &out[1][..nak]);
    for (answer, after) in [(&out[0], 0), (&out[2], 2)] {
        let header = header_of(answer);
        assert_eq!(header.receive_timestamp, reception(NOW - Span::from_nanos(20_000)));
        let transmit = Stamps::transmit(NOW + Span::from_millis(after));
        assert_eq!(header.transmit_timestamp, transmit);
    }
    assert_eq!(responder.counters().received(), 4);
}

#[test]
fn an_answer_is_authentic_as_long_as_its_request_and_brings_the_cookies_asked_for() {
    let mut responder = with_nts(&everybody());
    for algorithm in AeadAlgorithm::ALL {
        for more in 0..8 {
            let request = protected(algorithm, more);
            let (verdict, answer) = respond(&mut responder, &request);
            assert_eq!(verdict, Verdict::Answer(request.len()), "{algorithm:?} {more}");
            assert_eq!(cookies_in(algorithm, &answer).len(), more + 1);
            let header = header_of(&answer);
            assert_eq!((header.mode, header.stratum), (Mode::Server, 2));
            assert_eq!(header.origin_timestamp, COOKIE);
        }
    }
    let counters = responder.counters();
    assert_eq!(
        (counters.answered, counters.nts_authenticated, counters.authenticated),
        (24, 24, 24)
    );
}

#[test]
fn new_cookies_are_good_for_the_next_request() {
    let algorithm = AeadAlgorithm::Aes128GcmSiv;
    let mut responder = with_nts(&everybody());
    let mut cookie = cookie(&server_keys(1), algorithm);
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let request = protected_with(self::request(4, Mode::Client), algorithm, &cookie, 0);
        let (_, answer) = respond(&mut responder, &request);
        cookie = cookies_in(algorithm, &answer).remove(0);
        assert!(seen.insert(cookie.clone()), "no cookie comes twice");
    }
}

#[test]
fn a_request_sent_again_is_answered_again_and_nothing_else_comes_of_it() {
    let request = protected(AeadAlgorithm::AesSivCmac256, 0);
    let mut quiet = with_nts(&Settings { client_log: None, ..everybody() });
    respond(&mut quiet, &request);
    let before = state(&quiet);
    for _ in 0..10 {
        let (verdict, _) = respond(&mut quiet, &request);
        assert_eq!(verdict, Verdict::Answer(request.len()));
        assert_eq!(state(&quiet), before);
    }
}

#[test]
fn cookies_of_others_get_a_nak_and_are_counted() {
    let mut responder = with_nts(&everybody());
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let foreign = cookie(&server_keys(100), algorithm);
    let request = protected_with(self::request(4, Mode::Client), algorithm, &foreign, 2);
    let (verdict, answer) = respond(&mut responder, &request);
    assert_nak(verdict, &answer);
    let counters = responder.counters();
    assert_eq!((counters.nts_bad_cookies, counters.kissed, counters.authenticated), (1, 1, 0));
    let quiet = || with_nts(&Settings { client_log: None, ..everybody() });
    let mut responder = quiet();
    respond(&mut responder, &request);
    assert_eq!(state(&responder), state(&quiet()));
}

#[test]
fn what_was_changed_on_its_way_gets_a_nak_or_nothing_and_never_the_time() {
    let settings = Settings { client_log: None, ..everybody() };
    for algorithm in [AeadAlgorithm::AesSivCmac256, AeadAlgorithm::Aes128GcmSiv] {
        let good = protected(algorithm, 1);
        let mut responder = with_nts(&settings);
        let before = state(&responder);
        // The first bytes say what kind of a packet it is; behind them everything is authenticated,
        // but for what makes it another kind of a packet: types and lengths of fields.
        for bit in 8 * 8..8 * good.len() {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let (verdict, answer) = respond(&mut responder, &changed);
            match verdict {
                Verdict::Kiss(_) => {
                    assert_eq!(header_of(&answer).reference_id.to_bytes(), *b"NTSN");
                }
                Verdict::Silence(_) => {}
                // Without an authenticator it is a plain request, and its answer proves nothing.
                Verdict::Answer(_) => {
                    let fields = Packet::parse(&answer).unwrap().extension_fields();
                    let types: Vec<_> = fields.map(|field| field.field_type).collect();
                    assert!(!types.contains(&FieldType::NTS_AUTHENTICATOR), "bit {bit}");
                    let place = bit / 8;
                    let authenticator = good.len() - 4 - 4 - algorithm.nonce_len() - 16;
                    assert!((authenticator..authenticator + 2).contains(&place), "bit {bit}");
                }
            }
            responder.pending = None;
        }
        let counters = responder.counters().clone();
        assert_eq!(counters.authenticated, 0);
        assert!(counters.nts_bad_cookies > 100, "{counters:?}");
        assert!(counters.nts_bad_authenticators > 100, "{counters:?}");
        assert!(counters.refused.by(Refusal::MalformedNts) > 10, "{counters:?}");
        assert_eq!(state(&responder), before);
    }
}

#[test]
fn fields_that_do_not_make_a_request_are_refused_and_counted() {
    let mut responder = with_nts(&everybody());
    let good = protected(AeadAlgorithm::AesSivCmac256, 0);
    // Without its cookie: header, identifier, cookie, authenticator.
    let (start, rest) = good.split_at(48 + 36);
    let cut = [start, &rest[rest.len() - 40..]].concat();
    assert_refused(&mut responder, &cut, CLIENT, Refusal::MalformedNts);
    // With a MAC as well.
    let both = [good.as_slice(), &[1; 20]].concat();
    assert_refused(&mut responder, &both, CLIENT, Refusal::MalformedNts);
    for len in 49..good.len() {
        let (verdict, answer) = respond(&mut responder, &good[..len]);
        let authentic = !answer.is_empty() && answer.len() > 48 + 36;
        assert!(!authentic, "cut to {len} bytes: {verdict:?}");
    }
}

#[test]
fn the_rate_is_limited_before_anything_is_opened() {
    let limit = RateLimit { interval: 8.0, burst: 1, leak: 0, kiss: 0 };
    let mut responder = with_nts(&Settings { rate_limit: Some(limit), ..everybody() });
    let good = protected(AeadAlgorithm::AesSivCmac256, 0);
    assert!(matches!(respond(&mut responder, &good).0, Verdict::Answer(_)));
    let (verdict, _) = respond(&mut responder, &good);
    assert_eq!(verdict, Verdict::Silence(Refusal::RateLimited));
    assert_eq!(responder.counters().nts_authenticated, 1);
}

#[test]
fn a_client_that_proves_itself_is_told_so_by_an_authentic_kiss() {
    let limit = RateLimit { interval: 8.0, burst: 1, leak: 0, kiss: 1 };
    let mut responder = with_nts(&Settings { rate_limit: Some(limit), ..everybody() });
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let good = protected(algorithm, 0);
    respond(&mut responder, &good);
    let (verdict, kiss) = respond(&mut responder, &good);
    assert_eq!(verdict, Verdict::Kiss(good.len()));
    assert_eq!(header_of(&kiss).reference_id.to_bytes(), *b"RATE");
    assert_eq!(cookies_in(algorithm, &kiss).len(), 1);
}

#[test]
fn who_must_have_a_key_may_have_nts_instead() {
    let settings = Settings { require_key: everybody().allow, ..everybody() };
    let mut responder = with_nts(&settings);
    let good = protected(AeadAlgorithm::AesSivCmac256, 0);
    assert!(matches!(respond(&mut responder, &good).0, Verdict::Answer(_)));
    assert_refused(&mut responder, &client_request(), CLIENT, Refusal::MissingMac);
}

#[test]
fn without_keys_for_cookies_a_protected_request_is_like_any_other() {
    let mut responder = serving();
    let good = protected(AeadAlgorithm::AesSivCmac256, 0);
    let (verdict, answer) = respond(&mut responder, &good);
    assert_eq!(verdict, Verdict::Answer(48 + 36));
    assert_eq!(answer[52..], IDENTIFIER);
    assert_eq!(responder.counters().authenticated, 0);
}

/// RFC 8915 §5.3: also without the rest of NTS.
#[test]
fn a_unique_identifier_comes_back() {
    let mut buffer = [0; 256];
    let mut writer = PacketWriter::new(&request(4, Mode::Client), &mut buffer).unwrap();
    let field_type = FieldType::UNIQUE_IDENTIFIER;
    writer.field(&ExtensionField { field_type, value: &IDENTIFIER }).unwrap();
    let request = writer.finish().unwrap().to_vec();
    for mut responder in [serving(), with_nts(&everybody())] {
        let (verdict, answer) = respond(&mut responder, &request);
        assert_eq!(verdict, Verdict::Answer(request.len()));
        assert_eq!(answer[48..], request[48..]);
    }
}

#[test]
fn interleaved_mode_works_under_protection() {
    let mut responder = with_nts(&everybody());
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let cookie = cookie(&server_keys(1), algorithm);
    let ask = |header| protected_with(header, algorithm, &cookie, 0);
    let mut header = request(4, Mode::Client);
    for _ in 0..3 {
        let (_, answer) = respond(&mut responder, &ask(header));
        header.origin_timestamp = header_of(&answer).receive_timestamp;
        header.receive_timestamp = NtpTimestamp::from_bits(header.receive_timestamp.to_bits() + 4);
    }
    assert_eq!(responder.counters().interleaved, 1);
    // Somebody who has only seen it can take nothing away.
    let mut forged = ask(header);
    *forged.last_mut().unwrap() ^= 1;
    let before = responder.held();
    let (verdict, nak) = respond(&mut responder, &forged);
    assert_nak(verdict, &nak);
    assert_eq!(responder.held(), before);
}

proptest! {
    /// Whatever fields there are, in whatever order, with whatever lengths.
    #[test]
    fn no_answer_is_longer_than_its_request(
        pieces in proptest::collection::vec((0_usize..7, 0_usize..40), 0..8),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
        flip in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let good = protected(AeadAlgorithm::Aes128GcmSiv, 2);
        let parts = [
            &good[48..84], &good[84..152], &good[152..220], &good[good.len() - 36..], &noise[..],
            &good[48..good.len()], &[0x5a; 20][..],
        ];
        let mut request = client_request().to_vec();
        for (which, cut) in pieces {
            let part = parts[which];
            request.extend(&part[..part.len() - cut.min(part.len()) / 4 * 4]);
        }
        request.truncate(MAX_ANSWER_LEN);
        if let Some(flip) = flip {
            let place = flip.index(request.len());
            request[place] ^= 0x10;
        }
        let mut responder = with_nts(&everybody());
        // It compares lengths.
        let (_, answer) = respond(&mut responder, &request);
        // And an answer is no request.
        prop_assert!(matches!(respond(&mut responder, &answer).0, Verdict::Silence(_)));
    }
}
