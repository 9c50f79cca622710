//! Whatever hosts answer to an audit, or tell a whole network, the audit ends, asks no more than it
//! would have asked anyway, and its report stays small, can be read again and gives a terminal no orders.
#![no_main]

use std::collections::BTreeMap;
use std::iter;
use std::net::SocketAddr;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use timeball_guard::audit::journal::Entry;
use timeball_guard::audit::judge::{Limits, judge, judge_keys, judge_tcp};
use timeball_guard::audit::key_establishment::{CertificateFault, KeyReport, Seen};
use timeball_guard::audit::link::{Call, Hosts};
use timeball_guard::audit::probe::Probe;
use timeball_guard::audit::reference::{self, SAMPLES};
use timeball_guard::audit::report::HostReport;
use timeball_guard::audit::run::report;
use timeball_guard::audit::scan::{Action, Moment, Outcome, Questions, Scan, Settings};
use timeball_guard::audit::target::Targets;
use timeball_guard::audit::tcp::TcpPort;
use timeball_guard::audit::{csv, sarif};
use timeball_host::socket::Unreachable;
use timeball_wire::{Instant, Timestamp};

#[derive(Arbitrary, Debug)]
struct Case {
    questions: Asked,
    /// The last is not repeated: hosts fall silent.
    reactions: Vec<Reaction>,
    keys: Keys,
}

#[derive(Arbitrary, Debug)]
enum Asked {
    Everything,
    EverythingAndBurst,
    /// As reference servers are.
    Time,
}

/// What becomes of a request.
#[derive(Arbitrary, Debug)]
struct Reaction {
    reply: Reply,
    /// Who sends it: one of the hosts that are asked, or a stranger.
    from: u8,
    /// How long that takes (ms).
    after: u16,
}

#[derive(Arbitrary, Debug)]
enum Reply {
    /// Nothing.
    Silence,
    /// The same bytes.
    Echo,
    /// These bytes behind so many of the request, with the sign of an answer, twice.
    Answer { kept: u8, bytes: Vec<u8> },
    /// These bytes, whatever the request was.
    Bytes(Vec<u8>),
    /// The same, made as long as they say: a datagram has up to 65 507 bytes.
    Long { kept: u8, bytes: Vec<u8>, length: u16 },
    /// Fragments of mode 6, each so much further than the one before.
    Fragments {
        offset: u16,
        step: u16,
        length: u16,
        lie: i8,
        count: u8,
        ends: bool,
        wrong: bool,
        fill: u8,
    },
    /// Packets of mode 7, each a list of its own.
    Items { sequence: u8, step: u8, size: u16, items: u16, count: u8, ends: bool, fill: u8 },
    /// The network says that it cannot be delivered, and quotes it.
    Unreachable { reason: u8, quoted: u8 },
}

/// What a look at TCP ports and at keys for NTS has brought.
#[derive(Arbitrary, Debug)]
struct Keys {
    is_tcp_open: bool,
    fault: Option<u8>,
    validity: Option<(u64, u64)>,
    now: u64,
    algorithms: Vec<u16>,
    problem: Option<bool>,
}

/// The hosts that are asked: two of one network, and one of another.
const TARGETS: [&str; 3] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
/// Every kind of request, each twice, and a burst.
const MAX_REQUESTS: usize = TARGETS.len() * (2 * (24 + Probe::MAX_PEERS) + Probe::BURST.0);
const MAX_REPORT: usize = 1 << 20;
/// What a run may take by the clocks that it is told: no answer holds an audit up (ns).
const MAX_TIME: i64 = 300_000_000_000;
/// What is sent in one run, so that it is over soon (bytes).
const MAX_SENT: usize = 1 << 20;
const BEGIN: i64 = 1_700_000_000_000_000_000;

fuzz_target!(|case: Case| {
    overheard(&case.reactions);
    let questions = match case.questions {
        Asked::Everything => Questions::Everything,
        Asked::EverythingAndBurst => Questions::EverythingAndBurst,
        Asked::Time => Questions::Time(SAMPLES),
    };
    let outcomes = scanned(questions, &case.reactions);
    let mut limits = Limits::default();
    if let (Questions::Time(_), Ok((time, _))) = (questions, reference::combine(&outcomes)) {
        assert!(time.uncertainty >= 0.0 && time.agreeing <= TARGETS.len());
        limits.reference = Some(time);
    }
    for outcome in &outcomes {
        if let Some(mut host) = judge(outcome, 123, &limits) {
            let port = if case.keys.is_tcp_open { TcpPort::Open } else { TcpPort::Silent };
            judge_tcp(&mut host, port, port);
            if case.keys.is_tcp_open {
                judge_keys(&mut host, case.keys.seen());
            }
            check(host);
        }
    }
});

/// What becomes of all hosts.
fn scanned(questions: Questions, reactions: &[Reaction]) -> Vec<Outcome> {
    let mut targets = Targets::default();
    for target in TARGETS {
        targets.add(target).unwrap();
    }
    let settings = Settings { questions, ..Settings::default() };
    let mut scan = Scan::new(targets.into_addresses(), settings, [7; 32]);
    let (mut now, mut requests, mut room) = (0, 0, MAX_SENT);
    // What is on its way, by when it arrives and in the order in which it left.
    let mut flying: BTreeMap<(i64, usize), (SocketAddr, Vec<u8>)> = BTreeMap::new();
    let mut reactions = reactions.iter();
    loop {
        let moment = Moment {
            monotonic: Instant::from_nanos(now),
            system: Timestamp::from_nanos(BEGIN + now),
        };
        while let Some(entry) = flying.first_entry().filter(|entry| entry.key().0 <= now) {
            let (from, datagram) = entry.remove();
            let is_taken = scan.handle_datagram(moment, from, &datagram);
            assert!(!is_taken || TARGETS.contains(&from.ip().to_string().as_str()));
        }
        match scan.poll(moment) {
            Action::Send { to, datagram } => {
                requests += 1;
                assert!(requests <= MAX_REQUESTS, "too many requests");
                let Some(reaction) = reactions.next() else { continue };
                if let Reply::Unreachable { reason, quoted } = reaction.reply {
                    let quoted = datagram.get(..quoted.into()).unwrap_or(&datagram);
                    scan.handle_unreachable(moment, to, unreachable(reason), quoted);
                }
                let from = reaction.from(to);
                let at = now + i64::from(reaction.after) * 1_000_000;
                for (number, answer) in reaction.reply.datagrams(&datagram).enumerate() {
                    let Some(left) = room.checked_sub(answer.len()) else { break };
                    room = left;
                    flying.insert((at, requests * 1000 + number), (from, answer));
                }
            }
            Action::WaitUntil(at) => {
                assert!(at.nanos() > now, "it waits for what is over");
                let arrival = flying.first_key_value().map_or(i64::MAX, |((at, _), _)| *at);
                now = at.nanos().min(arrival.max(now));
                assert!(now < MAX_TIME, "it does not end");
            }
            Action::Finished => break,
        }
    }
    let outcomes: Vec<Outcome> = iter::from_fn(|| scan.poll_finished()).collect();
    assert_eq!(outcomes.len(), TARGETS.len());
    outcomes
}

/// The same bytes on a local network: as answers to what everybody was asked, and as what nobody asked.
fn overheard(reactions: &[Reaction]) {
    let now = Timestamp::from_nanos(BEGIN);
    let calls = [
        (Call::new(Probe::Broadcast, 7, now), Probe::Broadcast.request(7, &Default::default()), 4),
        (Call::new(Probe::Multicast, 8, now), Probe::Multicast.request(8, &Default::default()), 4),
        (Call::unspoken(now), Probe::Broadcast.request(7, &Default::default()), 5),
    ];
    let mut hosts = Hosts::default();
    for (number, reaction) in (0_u32..).zip(reactions.iter().take(64)) {
        for (call, request, mode) in &calls {
            for mut datagram in reaction.reply.datagrams(request).take(4) {
                if let Some(first) = datagram.first_mut() {
                    *first = *first & 0xf8 | mode;
                }
                hosts.take(call, number.to_be_bytes().into(), &datagram, now);
            }
        }
    }
    for outcome in hosts.into_outcomes() {
        if let Some(host) = judge(&outcome, 123, &Limits::default()) {
            check(host);
        }
    }
}

/// Small, read again as it was written, and nothing that a terminal would obey.
fn check(host: HostReport) {
    let entry = Entry::Answered(Box::new(host));
    let line = serde_json::to_string(&entry).unwrap();
    assert!(line.len() < MAX_REPORT, "{} bytes", line.len());
    let again: Entry = serde_json::from_str(&line).expect("a journal can be read again");
    let findings = |entry: &Entry| match entry {
        Entry::Answered(host) => (host.address, host.findings.clone()),
        Entry::Unreachable(_) | Entry::Silent(_) => unreachable!("it has answered"),
    };
    assert_eq!(findings(&again), findings(&entry));
    let report = report([again], Vec::new());
    let table = csv::render(&report);
    assert!(!table.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r')), "{table:?}");
    assert!(sarif::render(&report).is_object());
}

impl Reaction {
    fn from(&self, asked: SocketAddr) -> SocketAddr {
        match self.from {
            1 => SocketAddr::new(TARGETS[0].parse().unwrap(), 123),
            2 => SocketAddr::new(TARGETS[2].parse().unwrap(), 123),
            3 => SocketAddr::new([198, 51, 100, 1].into(), 123),
            _ => asked,
        }
    }
}

impl Reply {
    fn datagrams<'a>(&'a self, request: &'a [u8]) -> Box<dyn Iterator<Item = Vec<u8>> + 'a> {
        match self {
            Self::Silence | Self::Unreachable { .. } => none(),
            Self::Echo => Box::new(iter::once(request.to_vec())),
            Self::Answer { kept, bytes } => {
                Box::new(iter::repeat_n(answer(request, *kept, bytes, 0), 2))
            }
            Self::Bytes(bytes) => Box::new(iter::once(bytes.clone())),
            Self::Long { kept, bytes, length } => {
                let length = usize::from(*length).min(65_507);
                Box::new(iter::once(answer(request, *kept, bytes, length)))
            }
            Self::Fragments { offset, step, length, lie, count, ends, wrong, fill } => {
                let Some(&[_, opcode, high, low]) = request.first_chunk() else { return none() };
                let sequence = u16::from_be_bytes([high, low]) ^ u16::from(*wrong);
                let length = (*length).min(65_000);
                let fragment = move |number: u8| {
                    let more = if *ends && number == *count { 0 } else { 0x20 };
                    let at = offset.wrapping_add(step.wrapping_mul(number.into()));
                    let claimed = length.wrapping_add_signed((*lie).into());
                    let mut datagram = vec![0x16, 0x80 | more | opcode & 0x1f];
                    for word in [sequence, 0, 0, at, claimed] {
                        datagram.extend(word.to_be_bytes());
                    }
                    datagram.resize(datagram.len() + usize::from(length), *fill);
                    datagram
                };
                Box::new((0..=*count).map(fragment))
            }
            Self::Items { sequence, step, size, items, count, ends, fill } => {
                let Some(&[_, _, implementation, code]) = request.first_chunk() else {
                    return none();
                };
                let packet = move |number: u8| {
                    let more = if *ends && number == *count { 0 } else { 0x40 };
                    let sequence = sequence.wrapping_add(step.wrapping_mul(number)) & 0x7f;
                    let mut datagram = vec![0x97 | more, sequence, implementation, code];
                    datagram.extend((items & 0xfff).to_be_bytes());
                    datagram.extend((size & 0xfff).to_be_bytes());
                    let length = usize::from(items & 0xfff) * usize::from(size & 0xfff);
                    datagram.resize(8 + length.min(65_000), *fill);
                    datagram
                };
                Box::new((0..=*count).map(packet))
            }
        }
    }
}

fn none() -> Box<dyn Iterator<Item = Vec<u8>>> {
    Box::new(iter::empty())
}

/// An answer to a request, by its form: so many bytes of it, others behind, and zeros up to a length.
fn answer(request: &[u8], kept: u8, bytes: &[u8], length: usize) -> Vec<u8> {
    let mut answer = request.get(..usize::from(kept)).unwrap_or(request).to_vec();
    answer.extend(bytes);
    answer.resize(answer.len().max(length), 0);
    if let Some([first, second, ..]) = answer.get_mut(..) {
        match *first & 7 {
            6 => *second |= 0x80,
            7 => *first |= 0x80,
            _ => *first = 0x24,
        }
    }
    // The origin of an answer is what the request called its transmission.
    if let (Some(origin), Some(transmit)) = (answer.get_mut(24..32), request.get(40..48)) {
        origin.copy_from_slice(transmit);
    }
    answer
}

fn unreachable(reason: u8) -> Unreachable {
    match reason % 5 {
        0 => Unreachable::Port,
        1 => Unreachable::Host,
        2 => Unreachable::Network,
        3 => Unreachable::Protocol,
        _ => Unreachable::Forbidden,
    }
}

impl Keys {
    fn seen(&self) -> Seen {
        let fault = self.fault.map(|fault| match fault % 6 {
            0 => CertificateFault::UnknownIssuer,
            1 => CertificateFault::OtherName { asked_by_address: true },
            2 => CertificateFault::OtherName { asked_by_address: false },
            3 => CertificateFault::Over,
            4 => CertificateFault::NotYet,
            _ => CertificateFault::Invalid,
        });
        let report = KeyReport {
            name: "ntp.example".into(),
            valid_from: None,
            valid_until: None,
            algorithms: self.algorithms.clone(),
            cookies: 8,
            cookie_length: 100,
            server: None,
            port: None,
            problem: self.problem.map(|_| "no keys".into()),
        };
        Seen { report, fault, validity: self.validity, now: self.now }
    }
}
