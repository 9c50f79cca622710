//! Who proves to have a key hears from us with the same key; who only pretends to, hears nothing.

use timeball_auth::{Algorithm, Key, KeyId};
use timeball_wire::{Packet, Trailer};

use super::*;
use crate::datagram::compose;

pub(super) fn key(number: u32, algorithm: Algorithm) -> Key {
    let secret = vec![number as u8; algorithm.exact_key_len().unwrap_or(20)];
    Key::new(KeyId::new(number).unwrap(), algorithm, &secret).unwrap()
}

/// One key of each algorithm, numbered from 1.
pub(super) fn keys() -> Vec<Key> {
    (1..).zip(Algorithm::ALL).map(|(number, algorithm)| key(number, algorithm)).collect()
}

pub(super) fn with_keys(settings: &Settings) -> Responder {
    let mut responder = responder(settings, synchronised());
    responder.take_keys(Arc::new(keys().into_iter().collect()));
    responder
}

pub(super) fn signed(version: u8, key: &Key) -> Vec<u8> {
    compose(&request(version, Mode::Client), Some(key)).to_vec()
}

fn respond(responder: &mut Responder, request: &[u8], from: &str) -> (Verdict, Vec<u8>) {
    let mut out = [0; MAX_ANSWER_LEN];
    let verdict = responder.respond(request, &arrival(from), NOW, &mut out);
    let len = match verdict {
        Verdict::Answer(len) | Verdict::Kiss(len) => len,
        Verdict::Silence(_) => 0,
    };
    (verdict, out[..len].to_vec())
}

fn assert_signed(answer: &[u8], key: &Key) {
    let packet = Packet::parse(answer).unwrap();
    let Trailer::Mac { key_id, digest } = packet.trailer else { panic!("{:?}", packet.trailer) };
    assert_eq!(key_id, key.id().get());
    assert!(key.verify(packet.header.version, packet.bytes_before_trailer(), digest));
}

/// All that clients may notice of the responder, but for the count of what it refused.
pub(super) fn state(responder: &Responder) -> String {
    let mut responder = responder.clone();
    responder.counters.refused = Default::default();
    format!("{responder:?}")
}

#[test]
fn answers_have_the_key_and_the_length_of_the_request() {
    let mut responder = with_keys(&everybody());
    for key in keys() {
        for version in 1..=4 {
            let request = signed(version, &key);
            let (verdict, answer) = respond(&mut responder, &request, CLIENT);
            assert_eq!(verdict, Verdict::Answer(request.len()), "{key:?}");
            assert_signed(&answer, &key);
            assert_eq!(header_of(&answer).version, version);
        }
    }
    assert_eq!(responder.counters().authenticated, 4 * Algorithm::ALL.len() as u64);
    // And whoever asks without hears without.
    let (verdict, _) = respond(&mut responder, &client_request(), CLIENT);
    assert_eq!(verdict, Verdict::Answer(48));
    assert_eq!(responder.counters().authenticated, 4 * Algorithm::ALL.len() as u64);
}

#[test]
fn a_request_with_fields_is_authenticated_with_them() {
    let key = key(12, Algorithm::Aes128);
    let mut buffer = [0; 256];
    let mut writer = PacketWriter::new(&request(4, Mode::Client), &mut buffer).unwrap();
    let field = ExtensionField { field_type: FieldType::UNIQUE_IDENTIFIER, value: &[9; 32] };
    writer.field(&field).unwrap();
    let digest = key.sign(4, writer.written());
    let request = writer.finish_with_mac(12, digest.as_bytes()).unwrap().to_vec();
    let mut responder = with_keys(&everybody());
    let (verdict, answer) = respond(&mut responder, &request, CLIENT);
    assert_eq!(verdict, Verdict::Answer(request.len()), "an identifier comes back");
    assert_signed(&answer, &key);
    // The digest covers the field.
    let mut changed = request;
    changed[60] ^= 1;
    assert_refused(&mut responder, &changed, CLIENT, Refusal::BadMac);
}

/// CVE-2015-7974, -2016-1550, -2020-15025, -2015-7871.
#[test]
fn no_request_without_the_key_is_answered_or_remembered() {
    for key in keys() {
        for version in [3, 4] {
            let good = signed(version, &key);
            let mut responder = with_keys(&everybody());
            respond(&mut responder, &good, CLIENT);
            let before = state(&responder);
            for bit in 8 * 48..8 * good.len() {
                let mut changed = good.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let (verdict, _) = respond(&mut responder, &changed, CLIENT);
                let refused = Refusal::BadMac;
                let unknown = Refusal::UnknownKey;
                assert!(
                    verdict == Verdict::Silence(refused) || verdict == Verdict::Silence(unknown),
                    "{key:?} bit {bit}: {verdict:?}"
                );
            }
            let refused = responder.counters().refused.clone();
            let all = refused.by(Refusal::BadMac) + refused.by(Refusal::UnknownKey);
            assert_eq!(all, 8 * (good.len() as u64 - 48));
            // Who asked how often is remembered, and nothing else: that is as before the first.
            let times = responder.counters().refused.by(Refusal::BadMac);
            assert!(times >= 8 * key.algorithm().mac_len(version) as u64);
            let counters = responder.counters().clone();
            assert_eq!((counters.answered, counters.authenticated), (1, 1));
            assert_eq!(responder.held(), Held::default());
            assert!(before.contains("answered: 1"));
        }
    }
}

#[test]
fn names_and_lengths_that_are_none_are_refused() {
    let mut responder = with_keys(&everybody());
    let md5 = key(1, Algorithm::Md5);
    let sha1 = key(2, Algorithm::Sha1);
    for (number, digest, refusal) in [
        (0_u32, vec![0; 16], Refusal::UnknownKey),
        (99, md5.sign(4, &client_request()).as_bytes().to_vec(), Refusal::UnknownKey),
        (65_536, vec![0; 20], Refusal::UnknownKey),
        (u32::MAX, vec![0; 16], Refusal::UnknownKey),
        // 16 bytes where there should be 20, and the other way round.
        (2, sha1.sign(4, &client_request()).as_bytes()[..16].to_vec(), Refusal::BadMac),
        (1, [md5.sign(4, &client_request()).as_bytes(), &[0; 4]].concat(), Refusal::BadMac),
        // The digest of another key.
        (2, md5.sign(4, &client_request()).as_bytes().to_vec(), Refusal::BadMac),
        (1, vec![0; 12], Refusal::Malformed),
        (1, vec![0; 8], Refusal::Malformed),
        (1, vec![], Refusal::Malformed),
        (0, vec![], Refusal::CryptoNak),
    ] {
        let request = [&client_request()[..], &number.to_be_bytes(), &digest].concat();
        assert_refused(&mut responder, &request, CLIENT, refusal);
    }
    // Windows asks its domain controller.
    let windows = [&request(3, Mode::Client).to_bytes()[..], &[1, 2, 3, 4], &[0; 16]].concat();
    assert_refused(&mut responder, &windows, CLIENT, Refusal::UnknownKey);
}

#[test]
fn a_key_is_good_for_its_hosts_only() {
    let net = "192.0.2.0/25".parse().unwrap();
    let limited = key(12, Algorithm::Aes128).limited_to(vec![net]);
    let mut responder = serving();
    responder.take_keys(Arc::new([limited.clone()].into_iter().collect()));
    let request = signed(4, &limited);
    assert_eq!(respond(&mut responder, &request, CLIENT).0, Verdict::Answer(68));
    assert_refused(&mut responder, &request, "192.0.2.200:40000", Refusal::KeyNotForHost);
}

#[test]
fn a_rule_can_ask_for_a_key() {
    let nets = ["192.0.2.0/24", "2001:db8::/32"].map(|net| net.parse().unwrap());
    let settings = Settings { require_key: nets.to_vec(), ..everybody() };
    let mut responder = with_keys(&settings);
    let key = key(12, Algorithm::Aes128);
    for (from, asked) in [
        (CLIENT, true),
        ("[::ffff:192.0.2.1]:40000", true),
        ("[2001:db8::1]:40000", true),
        ("198.51.100.1:40000", false),
    ] {
        match asked {
            true => assert_refused(&mut responder, &client_request(), from, Refusal::MissingMac),
            false => {
                assert_eq!(respond(&mut responder, &client_request(), from).0, Verdict::Answer(48))
            }
        }
        assert_eq!(respond(&mut responder, &signed(4, &key), from).0, Verdict::Answer(68));
    }
}

#[test]
fn a_kiss_is_signed_like_any_answer() {
    let rate_limit = Some(RateLimit { interval: 64.0, burst: 1, leak: 0, kiss: 1 });
    let mut responder = with_keys(&Settings { rate_limit, ..everybody() });
    let key = key(12, Algorithm::Aes128);
    let request = signed(4, &key);
    let kiss = (0..4).map(|_| respond(&mut responder, &request, CLIENT)).find(|(verdict, _)| {
        assert_ne!(*verdict, Verdict::Silence(Refusal::BadMac));
        matches!(verdict, Verdict::Kiss(68))
    });
    let (_, kiss) = kiss.unwrap();
    assert_signed(&kiss, &key);
    assert_eq!(header_of(&kiss).stratum, 0);
    // Who only pretends to have the key is not told.
    let mut forged = request;
    forged[67] ^= 1;
    assert_refused(&mut responder, &forged, CLIENT, Refusal::BadMac);
}

#[test]
fn keys_are_exchanged_at_once() {
    let mut responder = with_keys(&everybody());
    let old = signed(4, &key(12, Algorithm::Aes128));
    let new = Key::new(KeyId::new(12).unwrap(), Algorithm::Aes128, &[0xaa; 16]).unwrap();
    responder.take_keys(Arc::new([new.clone()].into_iter().collect()));
    assert_refused(&mut responder, &old, CLIENT, Refusal::BadMac);
    let (_, answer) = respond(&mut responder, &signed(4, &new), CLIENT);
    assert_signed(&answer, &new);
    responder.take_keys(Arc::default());
    assert_refused(&mut responder, &signed(4, &new), CLIENT, Refusal::UnknownKey);
}
