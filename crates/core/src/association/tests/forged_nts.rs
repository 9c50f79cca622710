//! Answers with fields of NTS that no honest server sends (RFC 8915 §5), and what none of them does to
//! an association: identifiers, authenticators and cookies of every impossible length, order and number.

use timeball_auth::nts::AeadKey;
use timeball_auth::nts::fields::{MAX_NONCE_LEN, write_authenticator};
use timeball_wire::{ExtensionField, FieldType, MonoRoot, PacketWriter};

use super::nts::{Asked, cookie, fields, passing, respond, secrets, session};
use super::*;

/// An association that has measured, with a request under way: what it asked, the header of the true
/// answer, and the server's key.
fn asked() -> (Bench, Asked, Header, AeadKey) {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    for _ in 0..3 {
        let asked = bench.ask();
        assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    }
    let asked = bench.ask();
    let answer = bench.answer_to(&asked.header);
    (bench, asked, answer, secrets(1).keys().expect("keys").to_client)
}

/// A field of whatever length.
fn field(field_type: FieldType, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len() + 4).expect("a length");
    [&field_type.to_u16().to_be_bytes()[..], &len.to_be_bytes(), value].concat()
}

fn identifier(value: &[u8]) -> Vec<u8> {
    field(FieldType::UNIQUE_IDENTIFIER, value)
}

/// These fields, then the authenticator of all that, then whatever nobody vouches for.
fn sealed(
    header: &Header,
    before: &[(FieldType, &[u8])],
    key: &AeadKey,
    text: &[u8],
    after: &[u8],
) -> Vec<u8> {
    let mut buffer = [0; 1500];
    let mut writer = PacketWriter::new(header, &mut buffer).expect("room");
    for &(field_type, value) in before {
        writer.field(&ExtensionField { field_type, value }).expect("room");
    }
    write_authenticator(&mut writer, key, &[9; MAX_NONCE_LEN], text).expect("room");
    [writer.finish().expect("room"), after].concat()
}

/// An authenticator that says to have a nonce and a ciphertext of these lengths, in so many bytes.
fn authenticator(nonce_len: u16, sealed_len: u16, bytes: usize) -> Vec<u8> {
    let lengths = [nonce_len.to_be_bytes(), sealed_len.to_be_bytes()].concat();
    field(FieldType::NTS_AUTHENTICATOR, &[&lengths[..], &vec![7; bytes]].concat())
}

/// RFC 8915 §5.7: the identifier has to be there, once, whole, before the authenticator, and the one
/// of the request; whoever sends another has not seen the request.
#[test]
fn an_answer_has_exactly_the_identifier_of_the_request() {
    use Reject::{MalformedNts, WrongUniqueIdentifier};
    const UNIQUE: FieldType = FieldType::UNIQUE_IDENTIFIER;
    let (mut bench, asked, answer, key) = asked();
    let own = asked.identifier.as_slice();
    let longer = [own, &[0; 36]].concat();
    let mut wrong = own.to_vec();
    wrong[0] ^= 0x80;
    for (what, before, rule) in [
        ("none", vec![], WrongUniqueIdentifier),
        ("28 bytes of it", vec![&own[..28]], WrongUniqueIdentifier),
        ("36 bytes", vec![&longer[..36]], WrongUniqueIdentifier),
        ("64 bytes", vec![&longer[..64]], WrongUniqueIdentifier),
        ("68 bytes", vec![&longer[..]], WrongUniqueIdentifier),
        ("another", vec![&wrong[..]], WrongUniqueIdentifier),
        ("twice", vec![own, own], MalformedNts),
        ("with another", vec![own, &wrong], MalformedNts),
    ] {
        let before: Vec<_> = before.into_iter().map(|value| (UNIQUE, value)).collect();
        let bytes = sealed(&answer, &before, &key, &fields(&[cookie(9)]), &[]);
        bench.assert_rejected(asked.exchange, &bytes, rule, what);
    }
    let behind = sealed(&answer, &[], &key, &fields(&[cookie(9)]), &identifier(own));
    bench.assert_rejected(asked.exchange, &behind, WrongUniqueIdentifier, "behind the proof");
    // 31 bytes make no field at all (RFC 7822 §3).
    let odd = [&answer.to_bytes()[..], &identifier(&own[..31]), &authenticator(16, 16, 33)];
    bench.assert_rejected(asked.exchange, &odd.concat(), Reject::Malformed, "31 bytes");
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
}

/// RFC 8915 §5.6: every length in an authenticator is its sender's word only.
#[test]
fn lengths_in_an_authenticator_lead_nowhere() {
    use Reject::{BadAuthenticator, Malformed, MalformedNts};
    let (mut bench, asked, answer, key) = asked();
    let start = [&answer.to_bytes()[..], &identifier(&asked.identifier)].concat();
    for (nonce_len, sealed_len, bytes, rule) in [
        (0, 0, 32, BadAuthenticator),
        (0, 16, 32, BadAuthenticator),
        (4, 16, 32, BadAuthenticator),
        (12, 16, 32, BadAuthenticator),
        (16, 0, 32, BadAuthenticator),
        (16, 15, 32, BadAuthenticator),
        (16, 16, 32, BadAuthenticator),
        // More than there is, by one and by as much as can be said.
        (16, 17, 32, MalformedNts),
        (17, 16, 32, MalformedNts),
        (16, 60_000, 32, MalformedNts),
        (60_000, 16, 32, MalformedNts),
        (u16::MAX, u16::MAX, 32, MalformedNts),
        // The padding of both is missing.
        (13, 15, 28, MalformedNts),
        (0, 0, 20, BadAuthenticator),
        // Fields that are none (RFC 7822 §3): too short to be the last, and of no whole words.
        (0, 0, 8, Malformed),
        (16, 16, 33, Malformed),
    ] {
        let bytes = [start.as_slice(), &authenticator(nonce_len, sealed_len, bytes)].concat();
        let what = format!("{nonce_len} and {sealed_len} in {} bytes", bytes.len());
        bench.assert_rejected(asked.exchange, &bytes, rule, &what);
    }
    // A field that ends after the datagram does.
    let good = respond(&answer, &asked.identifier, Some(&key), &[cookie(9)]);
    for len in (49..good.len()).filter(|len| *len != start.len()) {
        // What is left may have the length of a MAC.
        let rule = match [48, start.len()].map(|end| len.wrapping_sub(end)) {
            [20 | 24, _] | [_, 20 | 24] => Reject::UnexpectedMac,
            _ => Malformed,
        };
        bench.assert_rejected(asked.exchange, &good[..len], rule, &format!("{len} bytes"));
    }
    let rule = Reject::MissingAuthenticator;
    bench.assert_rejected(asked.exchange, &good[..start.len()], rule, "cut before it");
    assert!(bench.receive_bytes(asked.exchange, &good).is_ok());
}

/// The first authenticator is the one that counts, and it counts for what precedes it.
#[test]
fn an_authenticator_vouches_for_what_is_before_it() {
    let (mut bench, asked, answer, key) = asked();
    let own = (FieldType::UNIQUE_IDENTIFIER, asked.identifier.as_slice());
    let good = sealed(&answer, &[own], &key, &[], &[]);
    let (start, proof) = good.split_at(48 + 36);
    // Another one before the good one.
    let first = [start, &authenticator(16, 16, 32), proof].concat();
    bench.assert_rejected(asked.exchange, &first, Reject::BadAuthenticator, "two of them");
    // The good one at the beginning, or of a packet that had one field more, or one less.
    let moved = [&good[..48], proof, &good[48..84]].concat();
    bench.assert_rejected(asked.exchange, &moved, Reject::WrongUniqueIdentifier, "moved");
    let other = field(FieldType::from_u16(0x2005), &[0; 24]);
    let more = [start, &other, proof].concat();
    bench.assert_rejected(asked.exchange, &more, Reject::BadAuthenticator, "a field more");
    let with_field = [own, (FieldType::from_u16(0x2005), &[0; 24][..])];
    let with_field = sealed(&answer, &with_field, &key, &[], &[]);
    let less = [&with_field[..84], &with_field[84 + 28..]].concat();
    bench.assert_rejected(asked.exchange, &less, Reject::BadAuthenticator, "a field less");
    // What is behind it may be anything: the answer is authentic, and nothing of that is used.
    let root = MonoRoot { epoch: 77, ..MonoRoot::default() };
    let behind = [
        field(FieldType::NTS_COOKIE, &cookie(66)),
        field(FieldType::MONO_ROOT, &root.to_value()),
        identifier(&[0; 32]),
        authenticator(u16::MAX, u16::MAX, 32),
    ];
    let cookies = bench.nts().cookies;
    assert!(bench.receive_bytes(asked.exchange, &[good, behind.concat()].concat()).is_ok());
    assert_eq!(bench.nts().cookies, cookies);
    for _ in 0..cookies {
        assert_ne!(bench.ask().cookie, cookie(66));
    }
}

/// RFC 8915 §5.7: whatever an authentic server gives, at most eight cookies are kept, and none that
/// would make a request too long or could not be put into one.
#[test]
fn no_more_cookies_are_kept_than_are_wanted_and_none_that_are_of_no_use() {
    let usable = |count: u8| (0..count).map(|number| vec![number; 12]).collect::<Vec<_>>();
    for (cookies, more) in [
        (usable(0), 0),
        (usable(1), 1),
        (usable(9), 4),
        (usable(80), 4),
        (vec![vec![]; 3], 0),
        (vec![vec![1; 8]; 3], 0),
        (vec![vec![1; 516]; 2], 0),
        (vec![vec![1; 1200]], 0),
        (vec![vec![1; 512]; 2], 2),
    ] {
        let mut bench = Bench::with_nts();
        assert!(bench.begin());
        bench.establish(session(1, 5));
        let asked = bench.ask();
        let answer = bench.answer_to(&asked.header);
        let text: Vec<u8> =
            cookies.iter().flat_map(|value| field(FieldType::NTS_COOKIE, value)).collect();
        let own = (FieldType::UNIQUE_IDENTIFIER, asked.identifier.as_slice());
        let key = secrets(1).keys().expect("keys").to_client;
        let bytes = sealed(&answer, &[own], &key, &text, &[]);
        assert!(bench.receive_bytes(asked.exchange, &bytes).is_ok());
        let first = cookies.first().map_or(0, Vec::len);
        assert_eq!(bench.nts().cookies, 4 + more, "{} of {first} bytes", cookies.len());
        // What was kept goes into requests that any path takes.
        while bench.nts().cookies > 0 {
            assert!(bench.ask().bytes.len() <= 1232);
        }
    }
}

/// Encrypted fields whose lengths do not add up are none, though the server's key has made them.
#[test]
fn cookies_of_impossible_lengths_are_no_fields() {
    let (mut bench, asked, answer, key) = asked();
    let own = (FieldType::UNIQUE_IDENTIFIER, asked.identifier.as_slice());
    for len in [0_u16, 3, 5, 99, 102, 103, 108, 65_532, u16::MAX] {
        let mut text = fields(&[cookie(9)]);
        text[2..4].copy_from_slice(&len.to_be_bytes());
        let bytes = sealed(&answer, &[own], &key, &text, &[]);
        let what = format!("{len} bytes");
        bench.assert_rejected(asked.exchange, &bytes, Reject::MalformedNts, &what);
    }
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
}

/// CVE-2015-7979, CVE-2016-1547, CVE-2016-4953: other modes and crypto-NAKs are no answers here either.
#[test]
fn packets_of_other_modes_end_nothing_here_either() {
    let (mut bench, asked, answer, key) = asked();
    for mode in [Mode::Broadcast, Mode::SymmetricActive, Mode::SymmetricPassive, Mode::Client] {
        let header = Header { mode, ..answer };
        let proven = respond(&header, &asked.identifier, Some(&key), &[]);
        for bytes in [header.to_bytes().to_vec(), proven] {
            bench.assert_rejected(asked.exchange, &bytes, Reject::WrongMode, "another mode");
        }
        let nak = [&header.to_bytes()[..], &[0; 4]].concat();
        bench.assert_rejected(asked.exchange, &nak, Reject::WrongMode, "a crypto-NAK");
    }
    let nak = [&answer.to_bytes()[..], &[0; 4]].concat();
    bench.assert_rejected(asked.exchange, &nak, Reject::CryptoNak, "a crypto-NAK");
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
}

/// However often it is told that its cookies are no good, a source with NTS asks with a cookie or not
/// at all: it is never brought down to plain NTP.
#[test]
fn no_nak_and_no_silence_brings_it_down_to_plain_ntp() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    let reference_id = ReferenceId::from_bytes(*b"NTSN");
    for left in (0..8).rev() {
        let asked = bench.ask();
        let answer = bench.answer_to(&asked.header);
        let nak = Header { stratum: 0, reference_id, ..answer };
        let nak = respond(&nak, &asked.identifier, None, &[]);
        assert_eq!(bench.receive_bytes(asked.exchange, &nak), Err(Reject::NtsNak));
        let plain = answer.to_bytes();
        bench.assert_rejected(asked.exchange, &plain, Reject::WrongUniqueIdentifier, "plain");
        assert_eq!(bench.nts().cookies, left);
    }
    assert_eq!(bench.rejected(Reject::NtsNak), 8);
    for _ in 0..20 {
        bench.pass((bench.next_request() - bench.now.monotonic).seconds().max(1.0));
        bench.association.handle_timeout(bench.now, 0.0);
        if bench.begin() {
            bench.association.fail_keys(&passing("nobody there"), bench.now.monotonic);
        }
        assert_eq!(bench.poll(ExchangeId(999)), None);
    }
    assert!(bench.association.estimator().is_empty());
}
