//! Requests with fields of NTS that no honest client sends (RFC 8915 §5): none of them gets an
//! authentic answer, and none leaves anything behind.

use timeball_auth::nts::fields::write_authenticator;
use timeball_auth::nts::{AeadAlgorithm, AeadKey, KeyMaterial, ServerKeys};

use super::nts::{
    IDENTIFIER, assert_nak, cookie, cookies_in, protected, protected_with, respond, secrets,
    server_keys, state, with_nts,
};
use super::*;

const ALGORITHM: AeadAlgorithm = AeadAlgorithm::AesSivCmac256;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is no packet.
    Garbage,
    /// No answer: its fields make no request.
    Silence,
    /// An NTS NAK: the cookie is none.
    Cookie,
    /// An NTS NAK: the sender has not the cookie's keys.
    Authenticator,
}

/// With NTS, and nothing that is meant to be remembered.
fn forgetful() -> Responder {
    with_nts(&Settings { client_log: None, ..everybody() })
}

/// This becomes of it, under this counter, and everything else is as before.
fn assert_fate(responder: &mut Responder, datagram: &[u8], fate: Fate, what: &str) {
    let count = |responder: &Responder| {
        let counters = responder.counters();
        let refused = [Refusal::Malformed, Refusal::MalformedNts];
        let [garbage, silence] = refused.map(|refusal| counters.refused.by(refusal));
        [garbage, silence, counters.nts_bad_cookies, counters.nts_bad_authenticators]
    };
    let (before, mut counted) = (state(responder), count(responder));
    let (verdict, answer) = respond(responder, datagram);
    match fate {
        Fate::Garbage => assert_eq!(verdict, Verdict::Silence(Refusal::Malformed), "{what}"),
        Fate::Silence => assert_eq!(verdict, Verdict::Silence(Refusal::MalformedNts), "{what}"),
        Fate::Cookie | Fate::Authenticator => assert_nak(verdict, &answer),
    }
    counted[fate as usize] += 1;
    assert_eq!(count(responder), counted, "{what}");
    assert_eq!(responder.counters().authenticated, 0, "{what}");
    assert_eq!(state(responder), before, "{what}");
}

/// A field of whatever length.
fn field(field_type: FieldType, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len() + 4).unwrap();
    [&field_type.to_u16().to_be_bytes()[..], &len.to_be_bytes(), value].concat()
}

/// An authenticator that says to have a nonce and a ciphertext of these lengths, in so many bytes.
fn authenticator(nonce_len: u16, sealed_len: u16, bytes: usize) -> Vec<u8> {
    let lengths = [nonce_len.to_be_bytes(), sealed_len.to_be_bytes()].concat();
    field(FieldType::NTS_AUTHENTICATOR, &[&lengths[..], &vec![7; bytes]].concat())
}

/// A request with these fields, authentic with this key.
fn sealed(fields: &[(FieldType, &[u8])], key: &AeadKey) -> Vec<u8> {
    let mut buffer = [0; MAX_ANSWER_LEN];
    let mut writer = PacketWriter::new(&request(4, Mode::Client), &mut buffer).unwrap();
    for &(field_type, value) in fields {
        writer.field(&ExtensionField { field_type, value }).unwrap();
    }
    write_authenticator(&mut writer, key, &[3; 16], &[]).unwrap();
    writer.finish().unwrap().to_vec()
}

fn to_server() -> AeadKey {
    secrets(ALGORITHM).keys().unwrap().to_server
}

const UNIQUE: FieldType = FieldType::UNIQUE_IDENTIFIER;
const COOKIE_FIELD: FieldType = FieldType::NTS_COOKIE;

/// CVE-2023-4012: a server that knows nothing of NTS passes over its fields, whatever is in them.
#[test]
fn without_nts_its_fields_are_nothing() {
    let mut responder = responder(&Settings { client_log: None, ..everybody() }, synchronised());
    let before = state(&responder);
    let good = protected(ALGORITHM, 7);
    let fields = [
        field(UNIQUE, &[]),
        field(UNIQUE, &[1; 12]),
        field(COOKIE_FIELD, &[1; 12]),
        field(FieldType::NTS_COOKIE_PLACEHOLDER, &[0; 12]),
        authenticator(0, 0, 8),
        authenticator(u16::MAX, u16::MAX, 8),
    ];
    for wanted in &fields {
        let asked = [&client_request()[..], wanted, &field(UNIQUE, &[2; 32])].concat();
        let (verdict, answer) = respond(&mut responder, &asked);
        let garbage = wanted.len() < 16;
        assert_eq!(verdict == Verdict::Silence(Refusal::Malformed), garbage, "{wanted:02x?}");
        assert!(garbage || matches!(verdict, Verdict::Answer(_)), "{verdict:?}");
        let authentic = answer.len() > 48
            && Packet::parse(&answer)
                .unwrap()
                .extension_fields()
                .any(|field| field.field_type == FieldType::NTS_AUTHENTICATOR);
        assert!(!authentic);
    }
    assert!(matches!(respond(&mut responder, &good).0, Verdict::Answer(84)));
    assert_eq!(state(&responder), before);
}

/// RFC 8915 §5.6: every length in an authenticator is its sender's word only.
#[test]
fn lengths_in_an_authenticator_lead_nowhere() {
    use Fate::{Authenticator, Garbage, Silence};
    let mut responder = forgetful();
    let good = protected(ALGORITHM, 0);
    let start = &good[..good.len() - 40];
    for (nonce_len, sealed_len, bytes, fate) in [
        (0, 0, 32, Authenticator),
        (0, 16, 32, Authenticator),
        (4, 16, 32, Authenticator),
        (12, 16, 32, Authenticator),
        (16, 0, 32, Authenticator),
        (16, 15, 32, Authenticator),
        (16, 16, 32, Authenticator),
        // No room for a nonce in the response (§5.6).
        (4, 16, 20, Silence),
        // More than there is, by one and by as much as can be said.
        (16, 17, 32, Silence),
        (17, 16, 32, Silence),
        (16, 60_000, 32, Silence),
        (60_000, 16, 32, Silence),
        (u16::MAX, u16::MAX, 32, Silence),
        // The padding of both is missing.
        (13, 15, 28, Silence),
        // Fields that are none (RFC 7822 §3): too short to be the last, and of no whole words.
        (0, 0, 8, Garbage),
        (16, 16, 33, Garbage),
    ] {
        let datagram = [start, &authenticator(nonce_len, sealed_len, bytes)].concat();
        let what = format!("{nonce_len} and {sealed_len} in {bytes} bytes");
        assert_fate(&mut responder, &datagram, fate, &what);
    }
}

/// The first authenticator is the one that counts, and it counts for what precedes it.
#[test]
fn an_authenticator_vouches_for_what_is_before_it() {
    let mut responder = forgetful();
    let good = protected(ALGORITHM, 0);
    let (start, proof) = good.split_at(good.len() - 40);
    let two = [start, &authenticator(16, 16, 32), proof].concat();
    assert_fate(&mut responder, &two, Fate::Authenticator, "another one before it");
    let first = [&start[..48], proof, &start[48..]].concat();
    assert_fate(&mut responder, &first, Fate::Silence, "at the beginning");
    let placeholder = field(FieldType::NTS_COOKIE_PLACEHOLDER, &vec![0; start.len() - 48 - 40]);
    let more = [start, &placeholder, proof].concat();
    assert_fate(&mut responder, &more, Fate::Authenticator, "a field more");
    let longer = protected(ALGORITHM, 1);
    let less = [start, &longer[longer.len() - 40..]].concat();
    assert_fate(&mut responder, &less, Fate::Authenticator, "a field less");
    // What is behind it is not looked at, and brings no more cookies.
    for behind in [placeholder, authenticator(u16::MAX, u16::MAX, 32), field(UNIQUE, &[9; 64])] {
        let (verdict, answer) = respond(&mut responder, &[good.as_slice(), &behind].concat());
        assert!(matches!(verdict, Verdict::Answer(_)), "{verdict:?}");
        assert_eq!(cookies_in(ALGORITHM, &answer).len(), 1);
    }
}

/// RFC 8915 §5.3: one identifier, of 32 bytes or more; the answer repeats it as it is.
#[test]
fn a_request_has_one_identifier_that_is_long_enough() {
    let mut responder = forgetful();
    let (cookie, key) = (cookie(&server_keys(1), ALGORITHM), to_server());
    let cookie = (COOKIE_FIELD, cookie.as_slice());
    let long = [0xa1; 68];
    for (what, identifiers) in [
        ("none", vec![]),
        ("12 bytes", vec![&long[..12]]),
        ("28 bytes", vec![&long[..28]]),
        ("twice", vec![&IDENTIFIER[..], &IDENTIFIER]),
        ("two", vec![&IDENTIFIER[..], &long]),
    ] {
        let mut fields: Vec<_> = identifiers.into_iter().map(|value| (UNIQUE, value)).collect();
        fields.push(cookie);
        assert_fate(&mut responder, &sealed(&fields, &key), Fate::Silence, what);
    }
    let odd = [&client_request()[..], &field(UNIQUE, &long[..31]), &field(COOKIE_FIELD, &[1; 33])];
    let odd = [&odd.concat()[..], &authenticator(16, 16, 32)].concat();
    assert_fate(&mut responder, &odd, Fate::Garbage, "31 bytes");
    for len in [32, 64, 68] {
        let asked = sealed(&[(UNIQUE, &long[..len]), cookie], &key);
        let (verdict, answer) = respond(&mut responder, &asked);
        assert_eq!(verdict, Verdict::Answer(asked.len()));
        assert_eq!(answer[52..52 + len], long[..len]);
    }
}

/// Cookies of other lengths, of other servers, of keys that are gone, for another cipher, or with the
/// two keys of a client exchanged: none opens anything.
#[test]
fn a_forged_cookie_opens_nothing() {
    let mut responder = forgetful();
    let (own, key) = (cookie(&server_keys(1), ALGORITHM), to_server());
    let with_cookie = |cookie: &[u8], key: &AeadKey| {
        sealed(&[(UNIQUE, &IDENTIFIER), (COOKIE_FIELD, cookie)], key)
    };
    for len in [12, 16, 60, 64, 92, 100, 256, 1300] {
        let mut resized = own.clone();
        resized.resize(len, 0);
        let what = format!("{len} bytes");
        assert_fate(&mut responder, &with_cookie(&resized, &key), Fate::Cookie, &what);
    }
    let empty = [&client_request()[..], &field(UNIQUE, &IDENTIFIER), &field(COOKIE_FIELD, &[])];
    let empty = [&empty.concat()[..], &authenticator(16, 16, 32)].concat();
    assert_fate(&mut responder, &empty, Fate::Garbage, "no bytes");
    let foreign = cookie(&server_keys(100), ALGORITHM);
    assert_fate(&mut responder, &with_cookie(&foreign, &key), Fate::Cookie, "another server's");
    // The length of a cookie says what its keys are for; whoever uses another cipher has other keys.
    for algorithm in [AeadAlgorithm::AesSivCmac512, AeadAlgorithm::Aes128GcmSiv] {
        let other = cookie(&server_keys(1), algorithm);
        let what = format!("for {algorithm:?}");
        assert_fate(&mut responder, &with_cookie(&other, &key), Fate::Authenticator, &what);
    }
    let swapped = secrets(ALGORITHM).keys().unwrap().to_client;
    assert_fate(&mut responder, &with_cookie(&own, &swapped), Fate::Authenticator, "swapped keys");
    // Ten changes of keys later.
    let mut changed = ServerKeys::clone(&server_keys(1));
    (50..60).for_each(|seed| changed.rotate(&KeyMaterial::new(&[seed; KeyMaterial::LEN])));
    responder.take_cookie_keys(Some(CookieKeys::new(Arc::new(changed), [7; 32])));
    assert_fate(&mut responder, &protected(ALGORITHM, 0), Fate::Cookie, "too old");
}

/// Who tries cookies and proofs learns nothing from the answers: they are the same byte for byte.
#[test]
fn a_nak_does_not_tell_what_was_wrong() {
    let mut responder = forgetful();
    let own = cookie(&server_keys(1), ALGORITHM);
    let mut naks = BTreeSet::new();
    for (cookie_bit, proof_bit) in [(0, 1), (1, 0), (0x8000, 0), (1, 1)] {
        let mut cookie = own.clone();
        cookie[4] ^= (cookie_bit & 0xff) as u8;
        cookie[own.len() - 1] ^= (cookie_bit >> 8) as u8;
        let mut asked = protected_with(request(4, Mode::Client), ALGORITHM, &cookie, 0);
        *asked.last_mut().unwrap() ^= proof_bit;
        let (verdict, nak) = respond(&mut responder, &asked);
        assert_nak(verdict, &nak);
        naks.insert(nak);
    }
    assert_eq!(naks.len(), 1);
    let counters = responder.counters();
    assert_eq!((counters.nts_bad_cookies, counters.nts_bad_authenticators), (3, 1));
}
