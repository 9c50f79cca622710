//! Two peers that share a key, and whoever is between them and does not.

use timeball_auth::{Algorithm, Key, KeyId};

use super::symmetric::{DELAY, Pair, address, every};
use super::*;
use crate::datagram::compose;
use crate::engine::PeerDatagram;

fn key(number: u32) -> Key {
    let id = KeyId::new(number).expect("not zero");
    Key::new(id, Algorithm::Sha256, format!("the key number {number}").as_bytes()).expect("a key")
}

fn with_key(number: u32) -> Settings {
    let id = KeyId::new(number).expect("not zero");
    Settings { authentication: Authentication::Key(id), ..every(6) }
}

fn pair(settings: [Settings; 2]) -> Pair {
    let mut pair = Pair::new(settings);
    pair.keys = [key(1), key(2)].into_iter().collect();
    pair
}

/// All that an association is, but for what it counts.
fn state(association: &Association) -> String {
    let statistics = Statistics::default();
    format!("{:?}", Association { statistics, ..association.clone() })
}

impl Pair {
    /// Whoever is between the two sends this to one of them.
    fn assert_rejected(&mut self, victim: usize, bytes: &[u8], rule: Reject, what: &str) {
        let before = state(&self.peers[victim].association);
        let counted = self.rejected(victim, rule);
        assert_eq!(self.receive_bytes(victim, bytes), Err(rule), "{what}");
        assert_eq!(state(&self.peers[victim].association), before, "{what}");
        assert_eq!(self.rejected(victim, rule), counted + 1, "{what}");
    }
}

#[test]
fn peers_with_a_key_measure_each_other() {
    for interleaved in [false, true] {
        let settings = Settings { interleaved, ..with_key(1) };
        let mut pair = pair([settings; 2]);
        pair.run(40);
        assert!(pair.peers[1].association.estimator().len() >= 15, "interleaved: {interleaved}");
    }
}

#[test]
fn peers_may_speak_different_versions() {
    for versions in [[3, 3], [3, 4], [4, 3], [4, 4]] {
        let mut pair = pair(versions.map(|version| Settings { version, ..with_key(1) }));
        pair.run(40);
        assert!(pair.peers[1].association.estimator().len() >= 15, "{versions:?}");
    }
}

#[test]
fn peers_with_different_keys_do_not() {
    let mut pair = pair([with_key(1), with_key(2)]);
    pair.run(40);
    for peer in 0..2 {
        assert!(pair.peers[peer].association.estimator().is_empty());
        assert!(pair.rejected(peer, Reject::WrongKey) >= 15);
    }
}

#[test]
fn a_peer_without_the_key_does_not_get_through() {
    let mut pair = pair([every(6), with_key(1)]);
    pair.run(40);
    for peer in 0..2 {
        assert!(pair.peers[peer].association.estimator().is_empty());
    }
    assert!(pair.rejected(0, Reject::UnexpectedMac) >= 15);
    assert!(pair.rejected(1, Reject::MissingMac) >= 15);
}

/// CVE-2015-1799, CVE-2018-7184 and -7185, CVE-2016-1548.
#[test]
fn no_packet_without_the_key_upsets_two_peers() {
    let mut pair = pair([with_key(1); 2]);
    pair.run(10);
    let mut attacks = 0;
    for _ in 0..12 {
        let (sender, genuine) = pair.next();
        let victim = 1 - sender;
        pair.pass(DELAY);
        let mut attack = |header: &Header, what: &str| {
            attacks += 1;
            let bytes = header.to_bytes();
            pair.assert_rejected(victim, &bytes, Reject::MissingMac, what);
            let wrong = compose(header, Some(&key(2)));
            pair.assert_rejected(victim, &wrong, Reject::WrongKey, what);
            let mut forged = compose(header, Some(&key(1)));
            if let Some(last) = forged.last_mut() {
                *last ^= 1;
            }
            pair.assert_rejected(victim, &forged, Reject::BadMac, what);
            let nak = [&bytes[..], &[0; 4]].concat();
            pair.assert_rejected(victim, &nak, Reject::CryptoNak, what);
        };
        // With the origin that the genuine packet has.
        attack(&genuine, "the genuine one without its digest");
        attack(&Header { stratum: 1, transmit_timestamp: NtpTimestamp::ZERO, ..genuine }, "zeros");
        attack(&Header { leap: LeapIndicator::Insert, poll: 17, ..genuine }, "another poll");
        attack(&Header { mode: Mode::SymmetricPassive, ..genuine }, "passive");
        // Those that would be taken for the words of a peer that has not heard of us.
        for origin in [NtpTimestamp::ZERO, NtpTimestamp::from_bits(77)] {
            let greeting = Header {
                origin_timestamp: origin,
                transmit_timestamp: NtpTimestamp::from_bits(0xdead_beef),
                ..genuine
            };
            attack(&greeting, "a greeting");
        }
        let result = pair.receive(victim, &genuine);
        assert!(!matches!(result, Err(reject) if !reject.proves_origin()), "{result:?}");
    }
    assert_eq!(attacks, 12 * 6);
    let measured = pair.peers[1].association.statistics().accepted;
    assert!(measured >= 8, "{measured}");
}

/// Without the key a packet to a server's port makes no association: the engine knows only those
/// that were configured, and they are looked for by address.
#[test]
fn what_a_peer_says_reaches_its_own_association_only() {
    let mut pair = pair([with_key(1); 2]);
    pair.run(10);
    let (sender, genuine) = pair.next();
    let victim = 1 - sender;
    pair.pass(DELAY);
    let elsewhere = "203.0.113.77:123".parse().expect("an address");
    let before = state(&pair.peers[victim].association);
    let signed = compose(&genuine, Some(&key(1)));
    assert_eq!(pair.receive_from(victim, elsewhere, &signed), Err(Reject::WrongSource));
    assert_eq!(state(&pair.peers[victim].association), before);
}

impl Pair {
    pub(super) fn receive_bytes(
        &mut self,
        receiver: usize,
        bytes: &[u8],
    ) -> Result<Accepted, Reject> {
        self.receive_from(receiver, address(1 - receiver), bytes)
    }

    fn receive_from(
        &mut self,
        receiver: usize,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<Accepted, Reject> {
        let now = self.now_of(receiver);
        let datagram = PeerDatagram {
            from,
            to: Some(address(receiver).ip()),
            bytes,
            received: now.system,
            quality: StampQuality::Kernel,
        };
        self.hand_over(receiver, &datagram)
    }
}
