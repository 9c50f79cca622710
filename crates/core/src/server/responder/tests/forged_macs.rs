//! Packets that look authenticated, and that a server neither answers nor remembers.

use timeball_auth::Algorithm;

use super::authenticated::{key, keys, signed, state, with_keys};
use super::*;
use crate::datagram::compose;

/// With every kind of a key, and nothing that is meant to be remembered.
fn forgetful() -> Responder {
    with_keys(&Settings { client_log: None, ..everybody() })
}

/// Refused and counted, and everything else is as before.
fn assert_leaves_nothing(responder: &mut Responder, datagram: &[u8], refusal: Refusal) {
    let before = state(responder);
    assert_refused(responder, datagram, CLIENT, refusal);
    assert_eq!(state(responder), before, "{datagram:02x?}");
}

fn with(header: &Header, trailer: &[u8]) -> Vec<u8> {
    [&header.to_bytes()[..], trailer].concat()
}

/// CVE-2015-7871 ("NAK to the future"), CVE-2015-7979, CVE-2016-1547, CVE-2016-4953, CVE-2016-4957:
/// whatever authenticates them, or pretends to, packets that ask for nothing make no association, end
/// none, and get no answer.
#[test]
fn packets_that_are_no_requests_mobilise_nobody() {
    let mut responder = forgetful();
    let ours = key(12, Algorithm::Aes128);
    for (mode, refusal) in [
        (Mode::SymmetricActive, Refusal::Symmetric),
        (Mode::SymmetricPassive, Refusal::Symmetric),
        (Mode::Server, Refusal::Response),
        (Mode::Broadcast, Refusal::Broadcast),
    ] {
        for version in 1..=4 {
            let header = request(version, mode);
            let good = compose(&header, Some(&ours));
            let mut wrong = good.to_vec();
            wrong[67] ^= 1;
            for bytes in [with(&header, &[]), good.to_vec(), wrong, with(&header, &[0; 4])] {
                assert_leaves_nothing(&mut responder, &bytes, refusal);
            }
        }
    }
    for version in 1..=4 {
        let nak = with(&request(version, Mode::Client), &[0; 4]);
        assert_leaves_nothing(&mut responder, &nak, Refusal::CryptoNak);
    }
}

/// The length of a digest follows from the type of the key, not from the packet: 16 bytes for a key of
/// SHA-1 are none, nor are 20 for one of MD5, nor a digest that was cut to 12, 8 or 4. And the first
/// byte of it counts as much as the last (CVE-2016-1550).
#[test]
fn a_digest_has_the_length_that_its_key_says() {
    let mut responder = forgetful();
    for key in keys() {
        for version in [3, 4] {
            let header = request(version, Mode::Client);
            let own = key.algorithm().mac_len(version);
            let whole = key.sign(3, &header.to_bytes());
            for len in (0..=72).filter(|len| *len != own) {
                let mut digest = whole.as_bytes().to_vec();
                digest.resize(len, 0);
                let trailer = [&key.id().get().to_be_bytes()[..], &digest].concat();
                let refusal = match (version, len) {
                    (4, 16 | 20) => Refusal::BadMac,
                    (3, 16..=68) if len % 4 == 0 => Refusal::BadMac,
                    _ => Refusal::Malformed,
                };
                assert_leaves_nothing(&mut responder, &with(&header, &trailer), refusal);
            }
            let good = signed(version, &key);
            for place in [52, good.len() - 1] {
                let mut changed = good.clone();
                changed[place] ^= 0x80;
                assert_leaves_nothing(&mut responder, &changed, Refusal::BadMac);
            }
        }
    }
}

/// MS-SNTP: sixteen zero bytes, or 68 of them, ask a domain controller for its signature, with a key
/// identifier that has its bytes in the order of Intel's processors. Nobody here signs for Windows.
#[test]
fn windows_gets_no_signature() {
    let mut responder = forgetful();
    let ours = key(12, Algorithm::Aes128);
    for len in [16, 68] {
        for (number, refusal) in [
            (12_u32, Refusal::BadMac),
            (12_u32.swap_bytes(), Refusal::UnknownKey),
            (0x8000_01f4, Refusal::UnknownKey),
        ] {
            let trailer = [&number.to_be_bytes()[..], &vec![0; len]].concat();
            let asked = with(&request(3, Mode::Client), &trailer);
            assert_leaves_nothing(&mut responder, &asked, refusal);
        }
    }
    // A good digest under the same name the other way round.
    let mut swapped = signed(4, &ours);
    swapped[48..52].reverse();
    assert_leaves_nothing(&mut responder, &swapped, Refusal::UnknownKey);
}

/// RFC 7822 §3: what could be an extension field or a MAC is one of both for everybody, and always.
#[test]
fn a_length_that_could_mean_two_things_means_one() {
    let mut responder = forgetful();
    let header = request(4, Mode::Client);
    let looks_like_a_field = |len: usize| {
        let mut trailer = vec![0; len];
        trailer[..4].copy_from_slice(&[0x01, 0x04, 0, len as u8]);
        trailer
    };
    for (trailer, refusal) in [
        (looks_like_a_field(16), Refusal::Malformed),
        (looks_like_a_field(20), Refusal::UnknownKey),
        (looks_like_a_field(24), Refusal::UnknownKey),
        (vec![0; 8], Refusal::Malformed),
        (vec![0; 12], Refusal::Malformed),
        (vec![0; 19], Refusal::Malformed),
        (vec![0; 21], Refusal::Malformed),
        (vec![0; 26], Refusal::Malformed),
    ] {
        assert_leaves_nothing(&mut responder, &with(&header, &trailer), refusal);
    }
    // From 28 bytes on it is a field, and its request one without a MAC.
    let asked = with(&header, &looks_like_a_field(28));
    assert_eq!(ask(&mut responder, &asked, CLIENT).0, Verdict::Answer(asked.len()));
    let required = Settings { require_key: everybody().allow, client_log: None, ..everybody() };
    assert_leaves_nothing(&mut with_keys(&required), &asked, Refusal::MissingMac);
}
