//! Packets that look authenticated, and what none of them does to an association: mode, trailer and
//! length are whatever an attacker likes, the origin timestamp is the right one.

use timeball_auth::{Algorithm, Key};

use super::authenticated::{id, with};
use super::*;
use crate::datagram::compose;

fn key(number: u32, algorithm: Algorithm) -> Key {
    let secret = vec![number as u8; algorithm.exact_key_len().unwrap_or(20)];
    Key::new(id(number), algorithm, &secret).expect("a key")
}

/// An association with something to lose, and a request under way.
fn asked(authentication: Authentication, keys: Vec<Key>) -> (Bench, ExchangeId, Header) {
    let mut bench = Bench::new(Settings { authentication, ..without_volley() });
    let ours = authentication.key().and_then(|id| keys.iter().find(|key| key.id() == id)).cloned();
    bench.keys = keys.into_iter().collect();
    for _ in 0..3 {
        let (exchange, request) = bench.request();
        bench.pass(0.002);
        let answer = compose(&bench.answer_to(&request), ours.as_ref());
        assert!(bench.receive_bytes(exchange, &answer).is_ok());
    }
    let (exchange, request) = bench.request();
    bench.pass(0.002);
    let answer = bench.answer_to(&request);
    (bench, exchange, answer)
}

/// CVE-2015-7979, CVE-2015-7871, CVE-2016-4953: what is no answer at all ends nothing, with a good
/// digest, a wrong one, a crypto-NAK or nothing behind it.
#[test]
fn packets_of_other_modes_end_nothing_whatever_authenticates_them() {
    let ours = key(1, Algorithm::Aes128);
    for authentication in [Authentication::None, Authentication::Key(id(1))] {
        let (mut bench, exchange, answer) = asked(authentication, vec![ours.clone()]);
        for mode in [Mode::Broadcast, Mode::SymmetricActive, Mode::SymmetricPassive, Mode::Client] {
            for origin in [answer.origin_timestamp, NtpTimestamp::ZERO] {
                let header = Header { mode, origin_timestamp: origin, ..answer };
                let good = compose(&header, Some(&ours)).to_vec();
                let mut wrong = good.clone();
                wrong[67] ^= 1;
                let nak = with(&header, &[0; 4]);
                for bytes in [with(&header, &[]), good, wrong, nak] {
                    let what = format!("{mode:?}, {} bytes", bytes.len());
                    bench.assert_rejected(exchange, &bytes, Reject::WrongMode, &what);
                }
            }
        }
    }
}

/// CVE-2016-1547, CVE-2016-4957: nor does a crypto-NAK where nobody wants a digest.
#[test]
fn a_crypto_nak_ends_no_association() {
    for authentication in [Authentication::None, Authentication::Key(id(1))] {
        let (mut bench, exchange, answer) = asked(authentication, vec![key(1, Algorithm::Aes128)]);
        for (origin, rule) in [
            (answer.origin_timestamp, Reject::CryptoNak),
            (NtpTimestamp::ZERO, Reject::ZeroOrigin),
            (NtpTimestamp::from_bits(1), Reject::WrongOrigin),
        ] {
            for leap in [LeapIndicator::NoWarning, LeapIndicator::Unsynchronised] {
                for stratum in [0, 1, 2, 16] {
                    let header = Header { origin_timestamp: origin, leap, stratum, ..answer };
                    bench.assert_rejected(exchange, &with(&header, &[0; 4]), rule, "a crypto-NAK");
                }
            }
        }
    }
}

/// The length of a digest follows from the type of the key, not from the packet: 16 bytes for a key
/// of SHA-1 are none, nor are 20 for one of MD5, nor a digest that was cut to 12, 8 or 4.
#[test]
fn a_digest_has_the_length_that_its_key_says() {
    for algorithm in Algorithm::ALL {
        let ours = key(9, algorithm);
        let (mut bench, exchange, answer) = asked(Authentication::Key(id(9)), vec![ours.clone()]);
        for version in [3, 4] {
            let header = Header { version, ..answer };
            let whole = ours.sign(3, &header.to_bytes());
            for len in (0..=72).filter(|len| *len != algorithm.mac_len(version)) {
                let mut digest = whole.as_bytes().to_vec();
                digest.resize(len, 0);
                let trailer = [&9_u32.to_be_bytes()[..], &digest].concat();
                let rule = match (version, len) {
                    (4, 16 | 20) => Reject::BadMac,
                    (3, 16..=68) if len % 4 == 0 => Reject::BadMac,
                    _ => Reject::Malformed,
                };
                let what = format!("{algorithm:?}, version {version}, {len} bytes");
                bench.assert_rejected(exchange, &with(&header, &trailer), rule, &what);
            }
        }
        // The first byte of the digest counts as much as the last (CVE-2016-1550).
        let good = compose(&answer, Some(&ours));
        for place in [52, good.len() - 1] {
            let mut changed = good.clone();
            changed[place] ^= 0x80;
            bench.assert_rejected(exchange, &changed, Reject::BadMac, "one bit");
        }
        let believed = bench.receive_bytes(exchange, &good);
        assert!(matches!(believed, Ok(Accepted::Measured(_))), "{algorithm:?}: {believed:?}");
    }
}

/// Key identifier 0, those that do not exist, those above 65535, and ours with its bytes in the wrong
/// order, as Windows sends them.
#[test]
fn an_identifier_that_is_not_the_sources_names_no_key() {
    let ours = key(1, Algorithm::Sha1);
    let (mut bench, exchange, answer) =
        asked(Authentication::Key(id(1)), vec![ours.clone(), key(2, Algorithm::Sha1)]);
    let good = compose(&answer, Some(&ours));
    for number in [0, 2, 3, 65_535, 65_536, 1_u32.swap_bytes(), u32::MAX] {
        let trailer = [&number.to_be_bytes()[..], &good[52..]].concat();
        bench.assert_rejected(exchange, &with(&answer, &trailer), Reject::WrongKey, "a digest");
    }
}

/// MS-SNTP: sixteen zero bytes, or 68 of them, ask a domain controller for its signature and are none.
#[test]
fn the_place_for_a_windows_signature_is_none() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha1, Algorithm::Aes128] {
        let (mut bench, exchange, answer) =
            asked(Authentication::Key(id(1)), vec![key(1, algorithm)]);
        let old = Header { version: 3, ..answer };
        for len in [16, 68] {
            let trailer = [&1_u32.to_be_bytes()[..], &vec![0; len]].concat();
            bench.assert_rejected(exchange, &with(&old, &trailer), Reject::BadMac, "no signature");
        }
    }
}

/// RFC 7822 §3: what could be an extension field or a MAC is one of both for everybody, and always.
#[test]
fn a_length_that_could_mean_two_things_means_one() {
    let ours = key(1, Algorithm::Aes128);
    let looks_like_a_field = |len: usize| {
        let mut trailer = vec![0; len];
        trailer[..4].copy_from_slice(&[0x01, 0x04, 0, len as u8]);
        trailer
    };
    for (authentication, of_a_field, of_a_mac) in [
        (Authentication::Key(id(1)), Some(Reject::MissingMac), Reject::WrongKey),
        // To whom wants no digest a field that nobody knows is no attack.
        (Authentication::None, None, Reject::UnexpectedMac),
    ] {
        let (mut bench, exchange, answer) = asked(authentication, vec![ours.clone()]);
        for (trailer, rule) in [
            (looks_like_a_field(16), Some(Reject::Malformed)),
            (looks_like_a_field(20), Some(of_a_mac)),
            (looks_like_a_field(24), Some(of_a_mac)),
            (looks_like_a_field(28), of_a_field),
            (vec![0; 8], Some(Reject::Malformed)),
            (vec![0; 12], Some(Reject::Malformed)),
            (vec![0; 19], Some(Reject::Malformed)),
            (vec![0; 21], Some(Reject::Malformed)),
        ] {
            let Some(rule) = rule else { continue };
            let what = format!("{} bytes", trailer.len());
            bench.assert_rejected(exchange, &with(&answer, &trailer), rule, &what);
        }
    }
}
