//! Scans in virtual time, against a network that is a function.

use std::collections::{BTreeMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::answer::Content;
use super::super::probe::Probe;
use super::super::target::Targets;
use super::*;

/// A world in which datagrams take 10 ms there and 10 ms back.
struct World<F> {
    /// What a host answers.
    answers: F,
    now: i64,
    /// Answers on their way.
    flying: Vec<(i64, SocketAddr, Vec<u8>)>,
    /// What was sent, when.
    sent: Vec<(i64, SocketAddr, Vec<u8>)>,
}

const FLIGHT: i64 = 20_000_000;
const NO_TARGET_ASKED: i64 = i64::MAX;

impl<F: FnMut(SocketAddr, &[u8]) -> Vec<Vec<u8>>> World<F> {
    fn new(answers: F) -> Self {
        Self { answers, now: 0, flying: Vec::new(), sent: Vec::new() }
    }

    fn moment(&self) -> Moment {
        Moment {
            monotonic: Instant::from_nanos(self.now),
            system: Timestamp::from_nanos(1_700_000_000_000_000_000 + self.now),
        }
    }

    /// Runs to the end; the outcomes by address.
    fn run(&mut self, targets: &[&str], settings: &Settings) -> BTreeMap<String, Outcome> {
        let mut wanted = Targets::default();
        for target in targets {
            wanted.add(target).unwrap();
        }
        let mut scan = Scan::new(wanted.into_addresses(), settings.clone(), [7; 32]);
        let mut outcomes = BTreeMap::new();
        loop {
            self.deliver(&mut scan);
            let action = scan.poll(self.moment());
            while let Some(outcome) = scan.poll_finished() {
                let address = outcome.target.address.to_string();
                assert!(outcomes.insert(address, outcome).is_none(), "finished once");
            }
            match action {
                Action::Send { to, datagram } => {
                    for answer in (self.answers)(to, &datagram) {
                        self.flying.push((self.now + FLIGHT, to, answer));
                    }
                    self.sent.push((self.now, to, datagram));
                }
                Action::WaitUntil(at) => {
                    assert!(at.nanos() > self.now, "no waiting for the past");
                    let next = self.flying.iter().map(|(at, ..)| *at).min();
                    self.now = at.nanos().min(next.unwrap_or(NO_TARGET_ASKED));
                }
                Action::Finished => return outcomes,
            }
            assert!(self.sent.len() < 100_000, "an end");
        }
    }

    fn deliver<T: Iterator<Item = Target>>(&mut self, scan: &mut Scan<T>) {
        let now = self.now;
        let (due, rest) = self.flying.drain(..).partition(|(at, ..)| *at <= now);
        self.flying = rest;
        let due: Vec<_> = due;
        for (_, from, datagram) in due {
            scan.handle_datagram(self.moment(), from, &datagram);
        }
    }
}

/// An answer with the time, as it was asked for.
fn time_answer(request: &[u8]) -> Option<Vec<u8>> {
    let first = *request.first()?;
    if request.len() != 48 || first & 7 != 3 {
        return None;
    }
    let mut answer = request.to_vec();
    answer[0] = first & 0x38 | 4;
    answer[1] = 2;
    answer.copy_within(40..48, 24);
    Some(answer)
}

fn asked(outcome: &Outcome) -> Vec<Probe> {
    outcome.answers.iter().map(|answer| answer.probe).collect()
}

#[test]
fn who_is_silent_is_asked_the_first_questions_only() {
    let mut world = World::new(|_, _| Vec::new());
    let settings = Settings::default();
    let outcomes = world.run(&["192.0.2.1", "192.0.2.2"], &settings);
    for outcome in outcomes.values() {
        assert_eq!(asked(outcome), Probe::FIRST);
        assert!(outcome.answers.iter().all(|answer| answer.requests == 2));
        assert!(!outcome.has_answered());
    }
    assert_eq!(world.sent.len(), 2 * 3 * 2);
    // Three questions half a second apart, and two timeouts for the last.
    assert!((5_000_000_000..6_000_000_000).contains(&world.now), "{}", world.now);
}

#[test]
fn who_answers_is_asked_everything_once() {
    let mut world = World::new(|_, request| time_answer(request).into_iter().collect());
    let outcomes = world.run(&["192.0.2.1"], &Settings::default());
    let outcome = &outcomes["192.0.2.1"];
    let first = Probe::FIRST.into_iter().chain(Probe::FURTHER);
    let expected: Vec<Probe> = first.chain([Probe::InterleavedAgain]).collect();
    assert_eq!(asked(outcome), expected);
    for answer in &outcome.answers {
        let is_time = answer.probe.time_version().is_some_and(|version| version <= 4);
        let interleaved = [Probe::Interleaved, Probe::InterleavedAgain];
        let is_time = is_time || interleaved.contains(&answer.probe);
        assert_eq!(answer.packets, u32::from(is_time), "{:?}", answer.probe);
        let is_sent_once = is_time || answer.probe == Probe::SymmetricActive;
        assert_eq!(answer.requests, if is_sent_once { 1 } else { 2 }, "{:?}", answer.probe);
    }
}

#[test]
fn the_pace_is_kept_over_all_and_the_interval_for_each() {
    let mut world = World::new(|_, request| time_answer(request).into_iter().collect());
    let settings = Settings { pace: Span::from_millis(20), ..Settings::default() };
    let outcomes = world.run(&["10.0.0.0/26"], &settings);
    assert_eq!(outcomes.len(), 62);
    // Never ahead of the pace, whatever was caught up.
    for (number, (at, ..)) in world.sent.iter().enumerate() {
        let due = (number as i64 - 1) * settings.pace.nanos();
        assert!(*at >= due - LATE_WAKING.nanos(), "request {number} at {at}");
    }
    let mut last_to: HashMap<SocketAddr, i64> = HashMap::new();
    for pair in world.sent.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= (settings.pace - LATE_WAKING).nanos());
    }
    for (at, to, _) in &world.sent {
        let ip = SocketAddr::new(to.ip(), 0);
        if let Some(last) = last_to.insert(ip, *at) {
            assert!(at - last >= settings.interval.nanos(), "{to}");
        }
    }
    // Nobody dawdles either: but for the last few, a request leaves whenever it may.
    let fastest = world.sent.len() as i64 * settings.pace.nanos();
    assert!(world.now < fastest + 20_000_000_000, "{} of {fastest}", world.now);
}

#[test]
fn a_nonce_is_used_and_only_a_plain_one() {
    for (nonce, is_used) in [("deadbeef00", true), ("a, limit=9999", false), ("", false)] {
        let mut world = World::new(|_, request: &[u8]| {
            if request.get(1) != Some(&12) {
                return Vec::new();
            }
            let data = format!("nonce={nonce}");
            let mut answer = request.to_vec();
            answer[1] |= 0x80;
            answer[11] = u8::try_from(data.len()).unwrap();
            answer.extend(data.bytes());
            vec![answer]
        });
        // Something must answer at first.
        let base = &mut world.answers;
        let mut both = World::new(|to, request: &[u8]| {
            let mut answers = base(to, request);
            answers.extend(time_answer(request));
            answers
        });
        let outcomes = both.run(&["192.0.2.1"], &Settings::default());
        let was_used = asked(&outcomes["192.0.2.1"]).contains(&Probe::ReadMru);
        // What stands behind a comma is another variable, so the plain start is all there is of it.
        assert_eq!(was_used, is_used || nonce.starts_with("a,"), "{nonce}");
        for (_, _, datagram) in &both.sent {
            assert!(!datagram.windows(5).any(|window| window == b"limit"));
        }
    }
}

#[test]
fn an_endless_answer_ends_all_the_same() {
    let mut world = World::new(|_, request: &[u8]| {
        if request.first() == Some(&0x17) {
            // Fragments without end, none of which says that it is the last.
            let packet = [0xd7, 0, request[2], request[3], 0, 1, 0, 4, 1, 2, 3, 4];
            return vec![packet.to_vec(); 300];
        }
        Vec::new()
    });
    let outcomes = world.run(&["192.0.2.1"], &Settings::default());
    let answers = &outcomes["192.0.2.1"].answers;
    let list = answers.iter().find(|answer| answer.probe == Probe::MonitorList1).unwrap();
    assert_eq!((list.requests, list.packets), (1, 300));
    assert!(world.now < 60_000_000_000, "{}", world.now);
}

#[test]
fn only_a_host_itself_answers_for_it() {
    let mut world = World::new(|_, _| Vec::new());
    let mut targets = Targets::default();
    targets.add("192.0.2.1").unwrap();
    let mut scan = Scan::new(targets.into_addresses(), Settings::default(), [7; 32]);
    let Action::Send { to, datagram } = scan.poll(world.moment()) else { panic!() };
    let answer = time_answer(&datagram).unwrap();
    let other: SocketAddr = "192.0.2.2:123".parse().unwrap();
    world.now += FLIGHT;
    assert!(!scan.handle_datagram(world.moment(), other, &answer));
    let mut guessed = answer.clone();
    guessed[24] ^= 1;
    assert!(!scan.handle_datagram(world.moment(), to, &guessed));
    assert!(scan.handle_datagram(world.moment(), to, &answer));
}

#[test]
fn what_the_network_says_ends_the_wait() {
    let mut world = World::new(|_, _| Vec::new());
    let mut targets = Targets::default();
    targets.add("192.0.2.1").unwrap();
    let mut scan = Scan::new(targets.into_addresses(), Settings::default(), [7; 32]);
    let mut sent = HashSet::new();
    loop {
        match scan.poll(world.moment()) {
            Action::Send { to, datagram } => {
                let quoted = &datagram[..8.min(datagram.len())];
                scan.handle_unreachable(world.moment(), to, Unreachable::Port, quoted);
                assert!(sent.insert(datagram), "nothing is sent twice");
            }
            Action::WaitUntil(at) => world.now = at.nanos(),
            Action::Finished => break,
        }
    }
    let outcome = scan.poll_finished().unwrap();
    assert_eq!((outcome.unreachable, sent.len()), (Some(Unreachable::Port), 3));
    assert!(world.now < 2_000_000_000, "{}", world.now);
}

#[test]
fn a_burst_comes_last_and_each_of_it_is_sent_once() {
    let mut world = World::new(|_, request: &[u8]| time_answer(request).into_iter().collect());
    let settings = Settings { questions: Questions::EverythingAndBurst, ..Settings::default() };
    let outcomes = world.run(&["192.0.2.1"], &settings);
    let asked = asked(&outcomes["192.0.2.1"]);
    let (times, interval) = Probe::BURST;
    let (before, burst) = asked.split_at(asked.len() - times);
    assert!(!before.contains(&Probe::Burst) && burst.iter().all(|&probe| probe == Probe::Burst));
    let last = &world.sent[world.sent.len() - times..];
    for pair in last.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, interval.nanos());
        assert_ne!(pair[1].2, pair[0].2, "each has a token of its own");
    }

    // Who does not give the time has no limit to be tried.
    let mut world = World::new(|_, request: &[u8]| {
        (request.get(1) == Some(&2))
            .then(|| [&[0x16, 0x82], &request[2..]].concat())
            .into_iter()
            .collect()
    });
    let outcomes = world.run(&["192.0.2.1"], &settings);
    assert!(!self::asked(&outcomes["192.0.2.1"]).contains(&Probe::Burst));
}

#[test]
fn a_reference_is_asked_for_the_time_alone() {
    let mut world = World::new(|_, request: &[u8]| time_answer(request).into_iter().collect());
    let settings = Settings {
        questions: Questions::Time(3),
        interval: Span::from_secs(2),
        ..Settings::default()
    };
    let outcomes = world.run(&["192.0.2.1"], &settings);
    assert_eq!(asked(&outcomes["192.0.2.1"]), [Probe::TimeV4; 3]);
    let times: Vec<i64> = world.sent.iter().map(|(at, ..)| at / 1_000_000_000).collect();
    assert_eq!(times, [0, 2, 4]);
}

#[test]
fn the_longest_datagrams_that_there_are_take_no_memory() {
    let mut world = World::new(|_, request: &[u8]| {
        let mut answer = request.to_vec();
        answer.resize(65_507, 0x41);
        match request[0] & 7 {
            3 => {
                answer[0] = 0x24;
                answer.copy_within(40..48, 24);
            }
            6 => {
                answer[1] |= 0xa0;
                answer[10..12].copy_from_slice(&65_495_u16.to_be_bytes());
            }
            // Sixteen items of 4095 bytes: more than any datagram of mode 7 may have.
            7 => {
                answer[0] |= 0xc0;
                answer[4..8].copy_from_slice(&[0, 15, 0x0f, 0xff]);
            }
            _ => {}
        }
        vec![answer; 100]
    });
    let outcomes = world.run(&["192.0.2.1"], &Settings::default());
    let outcome = &outcomes["192.0.2.1"];
    let most = outcome.answers.iter().map(|answer| answer.packets).max();
    assert_eq!(most, Some(100), "they were taken");
    let kept: usize = outcome
        .answers
        .iter()
        .map(|answer| match &answer.content {
            Content::Private(private) => private.items.iter().map(Vec::len).sum(),
            Content::Control(control) => control.data().len(),
            _ => 0,
        } + answer.first.len())
        .sum();
    assert!(kept < 4 << 20, "{kept} bytes of {}", 100 * 65_507 * outcome.answers.len());
    let report = crate::audit::judge::judge(outcome, 123, &Default::default()).unwrap();
    assert!(serde_json::to_string(&report).unwrap().len() < 1 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever comes back, a scan ends, and asks no more than it would have asked anyway.
    #[test]
    fn a_malicious_host_gains_nothing(
        noise in vec((any::<prop::sample::Index>(), vec(any::<u8>(), 0..300)), 1..60),
    ) {
        let mut next = 0;
        let mut world = World::new(|_, request: &[u8]| {
            (0..4)
                .map(|_| {
                    next += 1;
                    let (kind, bytes) = &noise[next % noise.len()];
                    let mut answer = bytes.clone();
                    // Much of the noise begins as an answer would.
                    let head = [0, 1, 8, 12, 48][kind.index(5)].min(request.len()).min(answer.len());
                    answer[..head].copy_from_slice(&request[..head]);
                    if let (Some(first), Some(second)) = (request.first(), answer.get_mut(1)) {
                        match first & 7 {
                            6 => *second |= 0x80,
                            7 => answer[0] |= 0x80,
                            _ => answer[0] = 0x24,
                        }
                    }
                    if answer.len() >= 48 && request.len() >= 48 {
                        answer[24..32].copy_from_slice(&request[40..48]);
                    }
                    answer
                })
                .collect()
        });
        let outcomes = world.run(&["192.0.2.1"], &Settings::default());
        prop_assert_eq!(outcomes.len(), 1);
        let outcome = &outcomes["192.0.2.1"];
        prop_assert!(outcome.answers.len() <= 24 + Probe::MAX_PEERS);
        prop_assert!(outcome.answers.iter().all(|answer| answer.requests <= 2));
        let limits = crate::audit::judge::Limits::default();
        let report = crate::audit::judge::judge(outcome, 123, &limits);
        if let Some(report) = report {
            let json = serde_json::to_string(&report).unwrap();
            prop_assert!(json.len() < 1 << 20);
        }
    }
}
