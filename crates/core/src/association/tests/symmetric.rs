//! Two peers, each with an association with the other.

use super::*;
use crate::datagram::compose;
use crate::engine::PeerDatagram;

const ADDRESSES: [&str; 2] = ["192.0.2.1:123", "198.51.100.9:123"];
/// On the way, either way (s).
pub(super) const DELAY: f64 = 0.002;

pub(super) struct Peer {
    /// Its clock minus true time.
    error: Span,
    timeline: Timeline,
    pub(super) association: Association,
    served: ServerView,
    exchanges: u64,
}

pub(super) struct Pair {
    /// True time.
    now: Now,
    rng: ChaCha20Rng,
    pub(super) keys: Keys,
    pub(super) peers: [Peer; 2],
}

pub(super) fn address(peer: usize) -> SocketAddr {
    ADDRESSES[peer].parse().expect("an address")
}

/// One that follows a clock, at this stratum.
fn synchronised(stratum: u8, now: Now) -> ServerView {
    ServerView {
        leap: LeapIndicator::NoWarning,
        stratum,
        reference_id: ReferenceId::from_bytes([203, 0, 113, stratum]),
        reference_time: now.system - Span::from_secs(10),
        root_delay: 0.01,
        root_dispersion: 0.01,
        ..ServerView::unsynchronised(-20, now.monotonic)
    }
}

impl Pair {
    /// The first follows a clock and is right, the second does not and is fast by half a second.
    pub(super) fn new(settings: [Settings; 2]) -> Self {
        let now = Now {
            monotonic: Instant::from_nanos(1_000_000_000),
            system: Timestamp::from_nanos(1_700_000_000_000_000_000),
            raw: None,
            asleep: Span::ZERO,
            frequency: 0.0,
            uncertainty: Span::ZERO,
        };
        let peer = |index: usize| {
            let error = Span::from_seconds(0.5 * index as f64);
            let frequency = Frequency { value: 0.0, sd: 1e-6 };
            let estimator = Estimator::new(estimator::Settings::default(), frequency);
            let first = now.monotonic + Span::from_seconds(1.0 + 20.0 * index as f64);
            Peer {
                error,
                timeline: Timeline::new(Now { system: now.system + error, ..now }),
                association: Association::with_peer(
                    settings[index],
                    address(1 - index),
                    estimator,
                    first,
                ),
                served: ServerView::unsynchronised(-20, now.monotonic),
                exchanges: 0,
            }
        };
        let mut peers = [peer(0), peer(1)];
        peers[0].served = synchronised(2, now);
        Self { now, rng: ChaCha20Rng::from_seed([9; 32]), keys: Keys::default(), peers }
    }

    pub(super) fn pass(&mut self, seconds: f64) {
        let span = Span::from_seconds(seconds);
        self.now.monotonic += span;
        self.now.system += span;
        let now = self.now;
        for peer in &mut self.peers {
            peer.timeline.observe(Now { system: now.system + peer.error, ..now });
        }
    }

    pub(super) fn now_of(&self, peer: usize) -> Now {
        Now { system: self.now.system + self.peers[peer].error, ..self.now }
    }

    /// Waits until somebody's packet is due: whose, and which.
    pub(super) fn next(&mut self) -> (usize, Header) {
        let due = |peer: &Peer| peer.association.next_request().expect("it is online");
        let sender = usize::from(due(&self.peers[1]) < due(&self.peers[0]));
        let wait = (due(&self.peers[sender]) - self.now.monotonic).seconds();
        self.pass(wait.max(0.0));
        (sender, self.send(sender))
    }

    fn send(&mut self, sender: usize) -> Header {
        let now = self.now_of(sender);
        let Peer { timeline, association, served, exchanges, .. } = &mut self.peers[sender];
        association.handle_timeout(now, 0.0);
        *exchanges += 1;
        let surroundings = Surroundings {
            timeline,
            precision: 1e-6,
            frequency: Frequency { value: 0.0, sd: 1e-6 },
            served: Some(served),
            keys: &self.keys,
            own_addresses: &[],
            leap_second: None,
        };
        let exchange = ExchangeId(*exchanges);
        let bytes = association.poll_request(now, &surroundings, exchange, &mut self.rng);
        header_of(&bytes.expect("a packet is due"))
    }

    /// With the digest that the peers have agreed on.
    pub(super) fn receive(&mut self, receiver: usize, header: &Header) -> Result<Accepted, Reject> {
        let key = self.peers[1 - receiver].association.settings().authentication.key();
        let bytes = compose(header, key.and_then(|id| self.keys.get(id)));
        self.receive_bytes(receiver, &bytes)
    }

    pub(super) fn hand_over(
        &mut self,
        receiver: usize,
        datagram: &PeerDatagram<'_>,
    ) -> Result<Accepted, Reject> {
        let now = self.now_of(receiver);
        let Peer { timeline, association, served, .. } = &mut self.peers[receiver];
        let surroundings = Surroundings {
            timeline,
            precision: 1e-6,
            frequency: Frequency { value: 0.0, sd: 1e-6 },
            served: Some(served),
            keys: &self.keys,
            own_addresses: &[address(receiver).ip()],
            leap_second: None,
        };
        association.handle_peer_datagram(now, datagram, &surroundings, &mut self.rng)
    }

    /// The next packet arrives: at whom, and what he makes of it.
    fn step(&mut self) -> (usize, Result<Accepted, Reject>) {
        let (sender, header) = self.next();
        self.pass(DELAY);
        (1 - sender, self.receive(1 - sender, &header))
    }

    /// So many packets arrive, and whatever becomes of them.
    pub(super) fn run(&mut self, packets: usize) {
        for _ in 0..packets {
            let _ = self.step();
        }
    }

    fn measured(&self, peer: usize) -> Measured {
        let last = self.peers[peer].association.last_answer().expect("an answer");
        last.measured.expect("it was measured")
    }

    pub(super) fn rejected(&self, peer: usize, reject: Reject) -> u64 {
        let statistics = self.peers[peer].association.statistics();
        statistics.rejected.get(&reject).copied().unwrap_or(0)
    }
}

pub(super) fn every(poll: i8) -> Settings {
    let poll = PollInterval::new(poll);
    Settings { minpoll: poll, maxpoll: poll, ..Settings::default() }
}

#[test]
fn two_that_have_never_met_get_to_know_each_other() {
    let mut pair = Pair::new([every(6); 2]);
    // The first packet answers nothing, and says so.
    let (sender, first) = pair.next();
    assert_eq!((sender, first.mode), (0, Mode::SymmetricActive));
    assert!(first.origin_timestamp.is_zero() && first.receive_timestamp.is_zero());
    pair.pass(DELAY);
    assert_eq!(pair.receive(1, &first), Err(Reject::ZeroOrigin));
    // The answer to it does, and its sender has no time to give.
    let (sender, second) = pair.next();
    assert_eq!(sender, 1);
    assert_eq!(second.origin_timestamp, first.transmit_timestamp);
    assert_eq!((second.stratum, second.leap), (0, LeapIndicator::Unsynchronised));
    pair.pass(DELAY);
    assert_eq!(pair.receive(0, &second), Err(Reject::Unsynchronised));
    // What the first says now is believed.
    let (sender, third) = pair.next();
    assert_eq!((sender, third.stratum), (0, 2));
    assert_eq!(third.origin_timestamp, second.transmit_timestamp);
    pair.pass(DELAY);
    assert_eq!(pair.receive(1, &third), Ok(Accepted::Measured(None)));
    let measured = pair.measured(1);
    assert!((measured.offset + 0.5).abs() < 5e-6, "{measured:?}");
    assert!((measured.delay - 2.0 * DELAY).abs() < 5e-6, "{measured:?}");
}

#[test]
fn the_one_with_time_is_followed_and_the_other_is_not() {
    let mut pair = Pair::new([every(6); 2]);
    pair.run(40);
    assert!(pair.peers[1].association.estimator().len() >= 15);
    assert_eq!(pair.peers[0].association.estimator().len(), 0);
    assert_eq!(pair.peers[1].association.stratum(), 2);
    assert_eq!(pair.peers[1].association.reachability().register(), 0xff);
    // It answers as soon as it is asked.
    assert!(pair.measured(1).response_time.abs() < 7.0, "{:?}", pair.measured(1));
}

#[test]
fn who_follows_us_is_no_source() {
    let mut pair = Pair::new([every(6); 2]);
    pair.run(10);
    pair.peers[1].served = ServerView {
        reference_id: ReferenceId::of_address(address(0).ip()),
        ..synchronised(3, pair.now)
    };
    pair.run(10);
    assert!(pair.rejected(0, Reject::SynchronisationLoop) >= 4);
    assert_eq!(pair.peers[0].association.estimator().len(), 0);
    assert!(pair.peers[1].association.estimator().len() >= 8);
}

#[test]
fn a_lost_packet_costs_one_measurement() {
    let mut pair = Pair::new([every(6); 2]);
    pair.run(20);
    for lost in [0, 1] {
        let before = pair.peers[1].association.statistics().accepted;
        let mut sent = 0;
        // Every third packet of one of them is lost.
        for _ in 0..60 {
            let (sender, header) = pair.next();
            sent += usize::from(sender == lost);
            pair.pass(DELAY);
            if sender != lost || sent % 3 != 0 {
                let _ = pair.receive(1 - sender, &header);
            }
        }
        let made = pair.peers[1].association.statistics().accepted - before;
        assert!(made >= 8, "{made} with those of {lost} lost");
        assert!((pair.measured(1).offset + 0.5).abs() < 1e-3, "{:?}", pair.measured(1));
    }
}

#[test]
fn what_was_sent_before_is_not_believed_again() {
    let mut pair = Pair::new([every(6); 2]);
    pair.run(8);
    let (mut sender, mut header) = pair.next();
    while sender != 0 {
        pair.pass(DELAY);
        let _ = pair.receive(1 - sender, &header);
        (sender, header) = pair.next();
    }
    pair.pass(DELAY);
    assert!(pair.receive(1, &header).is_ok());
    let measurements = pair.peers[1].association.estimator().len();
    assert_eq!(pair.receive(1, &header), Err(Reject::Unsolicited));
    // Nor when the next packet is on its way.
    let answer = pair.send_early(1);
    assert_eq!(pair.receive(1, &header), Err(Reject::WrongOrigin));
    assert_eq!(pair.peers[1].association.estimator().len(), measurements);
    // And it does no harm.
    pair.pass(DELAY);
    let _ = pair.receive(0, &answer);
    pair.run(4);
    assert!(pair.peers[1].association.estimator().len() > measurements);
}

#[test]
fn who_guesses_disturbs_nothing() {
    let mut pair = Pair::new([every(6); 2]);
    pair.run(9);
    let before = pair.peers[1].association.estimator().len();
    for round in 0..20 {
        let forged = Header {
            origin_timestamp: NtpTimestamp::from_bits(round),
            ..Header::from_bytes(&[0; Header::LEN])
        };
        let modes = [
            (Mode::SymmetricActive, Reject::WrongOrigin),
            (Mode::SymmetricPassive, Reject::WrongOrigin),
            (Mode::Server, Reject::WrongMode),
            (Mode::Client, Reject::WrongMode),
            (Mode::Broadcast, Reject::WrongMode),
        ];
        for (mode, reject) in modes {
            let expected = if round == 0 && reject == Reject::WrongOrigin {
                Reject::ZeroOrigin
            } else {
                reject
            };
            let transmit = NtpTimestamp::from(pair.now.system);
            let forged = Header { mode, version: 4, transmit_timestamp: transmit, ..forged };
            assert_eq!(pair.receive(1, &forged), Err(expected), "{mode:?}");
        }
        pair.run(1);
    }
    assert!(pair.peers[1].association.estimator().len() >= before + 8);
}

#[test]
fn who_polls_more_often_makes_the_other_do_so() {
    let lazy = Settings { minpoll: PollInterval::new(4), ..every(8) };
    let mut pair = Pair::new([lazy, every(5)]);
    // The first would ask the second, which follows it, more and more rarely.
    pair.peers[1].served = ServerView {
        reference_id: ReferenceId::of_address(address(0).ip()),
        ..synchronised(3, pair.now)
    };
    pair.run(200);
    assert_eq!(pair.peers[0].association.poll_interval(), PollInterval::new(5));
    // What is lost is not waited for at that pace.
    for _ in 0..40 {
        if pair.next().0 == 1 {
            pair.pass(DELAY);
        }
    }
    assert!(pair.peers[0].association.poll_interval() > PollInterval::new(5));
    // But no more often than it is willing to.
    let mut pair = Pair::new([every(6), every(4)]);
    pair.run(60);
    assert_eq!(pair.peers[0].association.poll_interval(), PollInterval::new(6));
    assert_eq!(pair.peers[1].association.poll_interval(), PollInterval::new(4));
    assert!(pair.peers[1].association.estimator().len() >= 8);
}

#[test]
fn equals_keep_out_of_each_others_way() {
    let mut pair = Pair::new([every(6); 2]);
    pair.peers[1].served = ServerView {
        reference_id: ReferenceId::from_bytes([203, 0, 113, 77]),
        ..synchronised(2, pair.now)
    };
    pair.run(60);
    for peer in 0..2 {
        assert!(pair.peers[peer].association.estimator().len() >= 20);
        let held = pair.measured(peer).response_time / 64.0;
        assert!((0.2..0.8).contains(&held), "{held} of a poll interval");
    }
}

#[test]
fn peers_in_interleaved_mode_measure_by_what_comes_late() {
    let interleaved = Settings { interleaved: true, ..every(5) };
    let mut pair = Pair::new([interleaved; 2]);
    let mut forms = Vec::new();
    for _ in 0..60 {
        let (receiver, result) = pair.step();
        if receiver == 1 && result.is_ok() {
            forms.push(pair.peers[1].association.last_answer().expect("an answer").form);
        }
    }
    let late = forms.iter().filter(|form| **form == Form::Interleaved).count();
    assert!(late >= 20 && late + 4 >= forms.len(), "{forms:?}");
    let measured = pair.measured(1);
    assert!((measured.offset + 0.5).abs() < 5e-6, "{measured:?}");
    assert!((measured.delay - 2.0 * DELAY).abs() < 10e-6, "{measured:?}");
}

#[test]
fn only_one_of_two_that_interleaves_gets_no_measurements_of_another_time() {
    let interleaved = Settings { interleaved: true, ..every(5) };
    let mut pair = Pair::new([interleaved, every(5)]);
    for _ in 0..60 {
        let (receiver, result) = pair.step();
        if receiver == 1 && result.is_ok() {
            let measured = pair.measured(1);
            assert!((measured.offset + 0.5).abs() < 1e-3, "{measured:?}");
        }
    }
}

#[test]
fn interleaved_packets_survive_loss() {
    let interleaved = Settings { interleaved: true, ..every(5) };
    let mut pair = Pair::new([interleaved; 2]);
    let mut good = 0;
    for packet in 0..300_u64 {
        let (sender, header) = pair.next();
        pair.pass(DELAY);
        // A third of them, in no order.
        if packet.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33 & 0xff < 85 {
            continue;
        }
        if pair.receive(1 - sender, &header).is_ok() && sender == 0 {
            good += 1;
            let measured = pair.measured(1);
            assert!((measured.offset + 0.5).abs() < 1e-3, "{measured:?}");
        }
    }
    assert!(good >= 40, "{good}");
}

impl Pair {
    /// A packet of a peer before it is due.
    fn send_early(&mut self, sender: usize) -> Header {
        let due = self.peers[sender].association.next_request().expect("it is online");
        self.pass((due - self.now.monotonic).seconds().max(0.0));
        self.send(sender)
    }
}
