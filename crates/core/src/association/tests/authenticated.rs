//! What nobody can do to an association with a key who does not have it.

use timeball_auth::{Algorithm, Key, KeyId};

use super::*;
use crate::datagram::compose;

pub(super) fn id(number: u32) -> KeyId {
    KeyId::new(number).expect("not zero")
}

fn key(number: u32, secret: &[u8; 16]) -> Key {
    Key::new(id(number), Algorithm::Aes128, secret).expect("a key")
}

fn ours() -> Key {
    key(1, b"sixteen of bytes")
}

/// Another good one, which the server of another source shares with us.
fn another() -> Key {
    key(2, b"of somebody else")
}

impl Bench {
    /// Its source has key 1.
    fn with_key() -> Self {
        let mut bench =
            Self::new(Settings { authentication: Authentication::Key(id(1)), ..without_volley() });
        bench.keys = [ours(), another()].into_iter().collect();
        bench
    }

    /// All that the association is, but for what it counts.
    pub(super) fn state(&self) -> String {
        let statistics = Statistics::default();
        format!("{:?}", Association { statistics, ..self.association.clone() })
    }

    /// The attack is rejected by this rule, counted, and leaves nothing behind.
    pub(super) fn assert_rejected(
        &mut self,
        exchange: ExchangeId,
        bytes: &[u8],
        rule: Reject,
        what: &str,
    ) {
        let (before, counted) = (self.state(), self.rejected(rule));
        assert_eq!(self.receive_bytes(exchange, bytes), Err(rule), "{what}");
        assert_eq!(self.state(), before, "{what}");
        assert_eq!(self.rejected(rule), counted + 1, "{what}");
    }
}

/// The header and what follows it.
pub(super) fn with(header: &Header, trailer: &[u8]) -> Vec<u8> {
    [&header.to_bytes()[..], trailer].concat()
}

#[test]
fn requests_carry_the_digest_and_answers_have_to() {
    let mut bench = Bench::with_key();
    bench.pass(1.0);
    let sent = bench.poll(ExchangeId(1)).expect("a request is due");
    let request = header_of(&sent);
    assert_eq!(sent, compose(&request, Some(&ours())).as_slice());
    let answer = bench.answer_to(&request);
    bench.pass(0.002);
    let result = bench.receive_bytes(ExchangeId(1), &compose(&answer, Some(&ours())));
    assert_eq!(result, Ok(Accepted::Measured(None)));
}

#[test]
fn no_attack_without_the_key_changes_anything() {
    let mut bench = Bench::with_key();
    // An association that has something to lose.
    for _ in 0..3 {
        let (exchange, request) = bench.request();
        bench.pass(0.002);
        let answer = compose(&bench.answer_to(&request), Some(&ours()));
        assert!(bench.receive_bytes(exchange, &answer).is_ok());
    }
    let (exchange, request) = bench.request();
    bench.pass(0.002);
    let answer = bench.answer_to(&request);
    let good = compose(&answer, Some(&ours()));

    // CVE-2015-1798: no digest at all, be it time or a kiss-o'-death of any code.
    bench.assert_rejected(exchange, &with(&answer, &[]), Reject::MissingMac, "without a digest");
    for code in [*b"DENY", *b"RSTR", *b"RATE", *b"NTSN", *b"XXXX"] {
        let reference_id = ReferenceId::from_bytes(code);
        let leap = LeapIndicator::Unsynchronised;
        let kiss = Header { leap, stratum: 0, poll: 17, reference_id, ..answer };
        bench.assert_rejected(exchange, &with(&kiss, &[]), Reject::MissingMac, "a kiss");
        let forged = [&kiss.to_bytes()[..], &good[48..]].concat();
        bench.assert_rejected(exchange, &forged, Reject::BadMac, "a kiss with another's digest");
    }
    // CVE-2016-1547, -4953, -4957: a crypto-NAK, with the right origin and with others.
    bench.assert_rejected(exchange, &with(&answer, &[0; 4]), Reject::CryptoNak, "a crypto-NAK");
    for (origin, rule) in [
        (NtpTimestamp::ZERO, Reject::ZeroOrigin),
        (NtpTimestamp::from_bits(9), Reject::WrongOrigin),
    ] {
        let nak = Header { origin_timestamp: origin, ..answer };
        bench.assert_rejected(exchange, &with(&nak, &[0; 4]), rule, "a crypto-NAK to nobody");
        let signed = compose(&nak, Some(&ours()));
        bench.assert_rejected(exchange, &signed, rule, "another answer of the server's");
    }
    // CVE-2015-7974: a good key, but of another source.
    let skeleton = compose(&answer, Some(&another()));
    bench.assert_rejected(exchange, &skeleton, Reject::WrongKey, "a skeleton key");
    let renamed = with(&answer, &[&[0, 0, 0, 1], &skeleton[52..]].concat());
    bench.assert_rejected(exchange, &renamed, Reject::BadMac, "a skeleton key by our key's name");
    // Names of keys that are none, or not ours.
    for number in [0, 3, 65_536, u32::MAX] {
        let trailer = [&u32::to_be_bytes(number)[..], &good[52..]].concat();
        bench.assert_rejected(exchange, &with(&answer, &trailer), Reject::WrongKey, "a wrong name");
    }
    // CVE-2016-1550: every bit counts, first to last.
    for bit in 0..8 * good.len() {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let before = bench.state();
        let result = bench.receive_bytes(exchange, &changed);
        assert!(matches!(result, Err(reject) if !reject.proves_origin()), "bit {bit}: {result:?}");
        assert_eq!(bench.state(), before, "bit {bit}");
    }
    // Digests of other lengths.
    for len in [20, 24, 28, 32, 48, 64] {
        let mut digest = good[52..].to_vec();
        digest.resize(len, 0);
        let trailer = [&[0, 0, 0, 1], &digest[..]].concat();
        let before = bench.state();
        let result = bench.receive_bytes(exchange, &with(&answer, &trailer));
        assert!(matches!(result, Err(Reject::BadMac | Reject::Malformed)), "{len}: {result:?}");
        let old = Header { version: 3, ..answer };
        bench.assert_rejected(exchange, &with(&old, &trailer), Reject::BadMac, "version 3");
        assert_eq!(bench.state(), before, "{len}");
    }
    for len in [1, 2, 3, 8, 12, 16] {
        let trailer = vec![0; len];
        bench.assert_rejected(exchange, &with(&answer, &trailer), Reject::Malformed, "cut");
    }
    // MS-SNTP: asks for a signature, and is none.
    let unsigned = with(&Header { version: 3, ..answer }, &[&[0, 0, 0, 1][..], &[0; 16]].concat());
    bench.assert_rejected(exchange, &unsigned, Reject::BadMac, "no signature of Windows'");

    // After all that the true answer is believed, once.
    let believed = bench.receive_bytes(exchange, &good);
    assert!(matches!(believed, Ok(Accepted::Measured(_))), "{believed:?}");
    bench.assert_rejected(exchange, &good, Reject::Unsolicited, "a replay");
    let (exchange, _) = bench.request();
    bench.assert_rejected(exchange, &good, Reject::WrongOrigin, "a replay to a later request");
}

#[test]
fn a_kiss_with_the_digest_is_heeded() {
    let mut bench = Bench::with_key();
    let (exchange, request) = bench.request();
    let kiss = Header {
        leap: LeapIndicator::Unsynchronised,
        stratum: 0,
        reference_id: ReferenceId::from_bytes(*b"DENY"),
        ..bench.answer_to(&request)
    };
    let signed = compose(&kiss, Some(&ours()));
    assert_eq!(bench.receive_bytes(exchange, &signed), Ok(Accepted::Kissed(KissCode::Deny)));
    assert_eq!(bench.association.dismissed(), Some(KissCode::Deny));
}

#[test]
fn a_digest_that_nobody_asked_for_is_none() {
    let mut bench = Bench::new(without_volley());
    bench.keys = [ours()].into_iter().collect();
    let (exchange, request) = bench.request();
    let answer = bench.answer_to(&request);
    let signed = compose(&answer, Some(&ours()));
    bench.assert_rejected(exchange, &signed, Reject::UnexpectedMac, "a good digest");
    let nak = with(&answer, &[0; 4]);
    bench.assert_rejected(exchange, &nak, Reject::CryptoNak, "a crypto-NAK");
}

#[test]
fn a_key_for_other_hosts_proves_nothing() {
    let mut bench = Bench::with_key();
    let net = "192.0.2.2/32".parse().expect("a network");
    bench.keys = [ours().limited_to(vec![net])].into_iter().collect();
    let (exchange, request) = bench.request();
    let signed = compose(&bench.answer_to(&request), Some(&ours()));
    bench.assert_rejected(exchange, &signed, Reject::KeyNotForHost, "the right digest");
}

#[test]
fn keys_come_and_go_and_the_association_stays() {
    let mut bench = Bench::with_key();
    let (exchange, request) = bench.request();
    bench.pass(0.002);
    let signed = compose(&bench.answer_to(&request), Some(&ours()));
    let keys = std::mem::take(&mut bench.keys);
    bench.assert_rejected(exchange, &signed, Reject::UnknownKey, "the key has just gone");
    bench.keys = keys;
    assert!(bench.receive_bytes(exchange, &signed).is_ok());

    // Without its key it asks nobody, and tries again.
    bench.keys = Keys::default();
    for polls in 1..5 {
        bench.pass((bench.next_request() - bench.now.monotonic).seconds());
        let exchange = ExchangeId(1000);
        assert_eq!(bench.poll(exchange), None);
        assert!(!bench.association.is_pending(exchange));
        assert_eq!(bench.association.reachability().register(), 1 << polls);
        assert_eq!(bench.association.failure(), Some("its key 1 is not known"));
        assert!(bench.next_request() > bench.now.monotonic);
    }
    assert_eq!(bench.association.estimator().len(), 1);

    // It was replaced by another of the same name.
    let replaced = key(1, b"a new sixteen by");
    bench.keys = [replaced.clone()].into_iter().collect();
    let (exchange, request) = bench.request();
    bench.pass(0.002);
    let answer = bench.answer_to(&request);
    let outdated = compose(&answer, Some(&ours()));
    bench.assert_rejected(exchange, &outdated, Reject::BadMac, "the key that was");
    let signed = compose(&answer, Some(&replaced));
    let believed = bench.receive_bytes(exchange, &signed);
    assert!(matches!(believed, Ok(Accepted::Measured(_))), "{believed:?}");
    assert_eq!(bench.association.estimator().len(), 2);
    assert_eq!(bench.association.failure(), None);
}
