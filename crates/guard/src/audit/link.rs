//! Who answers what is sent to everybody on the local network: to the broadcast address, and to the
//! multicast groups of NTP. Three datagrams, and whatever comes back in time. And who tells everybody
//! there the time without being asked: that takes listening, and no datagram at all.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet};
use timeball_host::random;
use timeball_host::socket::{ProbeSocket, Probed};
use timeball_wire::{Span, Timestamp};

use super::answer::Answer;
use super::probe::{Known, Probe};
use super::scan::Outcome;
use super::target::Target;

/// All hosts of the network (RFC 919 §7), and the groups of NTP (IANA; RFC 5905 §3.1).
const DESTINATIONS: [(Probe, IpAddr); 3] = [
    (Probe::Broadcast, IpAddr::V4(Ipv4Addr::BROADCAST)),
    (Probe::Multicast, IpAddr::V4(Ipv4Addr::new(224, 0, 1, 1))),
    (Probe::Multicast, IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x101))),
];

/// Where broadcasts of either family come to: a socket for IPv4 hears those to all hosts as well.
const GROUPS: [IpAddr; 2] = [DESTINATIONS[1].1, DESTINATIONS[2].1];

/// Answers of more hosts than these are not kept.
const MAX_HOSTS: usize = 1024;
/// Longer than any answer.
const BUFFER_LEN: usize = 2048;

/// How long to wait on a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// For answers.
    pub answers: Span,
    /// For what servers tell everybody unasked; `None` does not listen for that.
    pub broadcasts: Option<Span>,
}

/// Asks everybody at this interface, and listens for so long.
///
/// # Errors
/// The system's, when there is no such interface or it takes no datagrams, or when somebody else listens
/// at the port that broadcasts come to.
pub fn ask(interface: &str, port: u16, patience: Patience) -> io::Result<Vec<Outcome>> {
    let clock = Clock::open()?;
    let mut rng = ChaCha20Rng::from_seed(random::seed()?);
    let mut callers = Vec::new();
    for (probe, destination) in DESTINATIONS {
        let mut socket = ProbeSocket::open_on_link(destination, interface)?;
        let call = Call::new(probe, rng.next_u64(), clock.system()?);
        match socket.send(&call.request, SocketAddr::new(destination, port)) {
            Ok(()) => callers.push((socket, call)),
            // A network without IPv6, or without IPv4.
            Err(error) if is_no_way(&error) => {}
            Err(error) => return Err(error),
        }
    }
    if patience.broadcasts.is_some() {
        for group in GROUPS {
            let socket = ProbeSocket::hear_on_link(group, port, interface).map_err(|error| {
                let message = format!("cannot listen for broadcasts at port {port}: {error}");
                io::Error::new(error.kind(), message)
            })?;
            callers.push((socket, Call::unspoken(clock.system()?)));
        }
    }
    let mut hosts = Hosts::default();
    let wait = patience.broadcasts.map_or(patience.answers, |span| span.max(patience.answers));
    let deadline = clock.monotonic()? + wait;
    let (mut poll, mut buffer) = (PollSet::new(), vec![0; BUFFER_LEN]);
    while clock.monotonic()? < deadline {
        poll.clear();
        for (socket, _) in &callers {
            poll.add(socket, Interest::Read);
        }
        poll.wait(Some(deadline))?;
        for (socket, call) in &mut callers {
            while let Some(probed) = socket.receive(&mut buffer)? {
                if let Probed::Datagram(received) = probed {
                    let datagram = buffer.get(..received.length).unwrap_or(&buffer);
                    hosts.take(call, received.from.ip(), datagram, received.stamp.at);
                }
                if clock.monotonic()? >= deadline {
                    break;
                }
            }
        }
    }
    Ok(hosts.into_outcomes())
}

fn is_no_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable)
}

/// One datagram to everybody.
#[derive(Clone, Debug)]
pub struct Call {
    probe: Probe,
    token: u64,
    request: Vec<u8>,
    origin: Timestamp,
}

impl Call {
    /// To be answered by whoever gets it.
    pub fn new(probe: Probe, token: u64, origin: Timestamp) -> Self {
        Self { probe, token, request: probe.request(token, &Known::default()), origin }
    }

    /// None at all, for what is told unasked.
    pub fn unspoken(origin: Timestamp) -> Self {
        Self { probe: Probe::BroadcastTime, token: 0, request: Vec::new(), origin }
    }
}

/// Who has answered, or talked.
#[derive(Debug, Default)]
pub struct Hosts(BTreeMap<IpAddr, Vec<Answer>>);

impl Hosts {
    /// Takes a datagram that came to where answers to this call come.
    pub fn take(&mut self, call: &Call, from: IpAddr, datagram: &[u8], at: Timestamp) {
        let from = from.to_canonical();
        let is_known = self.0.contains_key(&from);
        if !call.probe.is_answered_by(call.token, datagram)
            || !is_known && self.0.len() >= MAX_HOSTS
        {
            return;
        }
        let answers = self.0.entry(from).or_default();
        let place = answers.iter().position(|answer| answer.probe == call.probe);
        let place = place.unwrap_or_else(|| {
            let mut answer = Answer::new(call.probe);
            if !call.request.is_empty() {
                answer.sent(&call.request);
            }
            answers.push(answer);
            answers.len().saturating_sub(1)
        });
        if let Some(answer) = answers.get_mut(place) {
            answer.take(datagram, &call.request, call.origin, at);
        }
    }

    /// All of them, by address.
    pub fn into_outcomes(self) -> Vec<Outcome> {
        let hosts = self.0.into_iter();
        hosts
            .map(|(address, answers)| Outcome {
                target: Target { address, name: None },
                answers,
                unreachable: None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::FindingId;
    use super::super::judge::{Limits, judge};
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

    fn answer_to(call: &Call) -> Vec<u8> {
        let mut answer = call.request.clone();
        (answer[0], answer[1]) = (0x24, 2);
        answer.copy_within(40..48, 24);
        answer
    }

    #[test]
    fn who_answers_is_found_and_whoever_only_talks_is_not() {
        let broadcast = Call::new(Probe::Broadcast, 1, NOW);
        let multicast = Call::new(Probe::Multicast, 2, NOW);
        let mut hosts = Hosts::default();
        let [both, one, talker] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        hosts.take(&broadcast, both, &answer_to(&broadcast), NOW);
        hosts.take(&multicast, both, &answer_to(&multicast), NOW);
        hosts.take(&multicast, one, &answer_to(&multicast), NOW);
        hosts.take(&broadcast, talker, &answer_to(&multicast), NOW);
        hosts.take(&broadcast, talker, &broadcast.request, NOW);
        let found: Vec<_> = hosts
            .into_outcomes()
            .iter()
            .map(|outcome| {
                let report = judge(outcome, 123, &Limits::default()).unwrap();
                let of_link = |id: &FindingId| {
                    matches!(id, FindingId::AnswersBroadcast | FindingId::AnswersMulticast)
                };
                let ids = report.findings.iter().map(|finding| finding.id).filter(of_link);
                (report.address, ids.collect::<Vec<_>>())
            })
            .collect();
        use FindingId::{AnswersBroadcast, AnswersMulticast};
        let expected =
            [(both, vec![AnswersBroadcast, AnswersMulticast]), (one, vec![AnswersMulticast])];
        assert_eq!(found, expected);
    }

    #[test]
    fn who_tells_everybody_the_time_is_found_with_what_proves_it() {
        let listening = Call::unspoken(NOW);
        let mut datagram = [0; 48];
        (datagram[0], datagram[1], datagram[2]) = (0x25, 2, 6);
        let keyed = [&datagram[..], &[0, 0, 0, 7], &[0x5a; 20]].concat();
        let mut hosts = Hosts::default();
        let [open, proven, client] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        for _ in 0..2 {
            hosts.take(&listening, open, &datagram, NOW);
            hosts.take(&listening, proven, &keyed, NOW);
        }
        // What else comes to that port is no broadcast.
        let request = Call::new(Probe::Broadcast, 1, NOW);
        hosts.take(&listening, client, &request.request, NOW);
        hosts.take(&listening, client, &datagram[..47], NOW);
        let reports: Vec<_> = hosts
            .into_outcomes()
            .iter()
            .map(|outcome| judge(outcome, 123, &Limits::default()).unwrap())
            .collect();
        let found: Vec<_> = reports
            .iter()
            .map(|report| {
                let findings = report.findings.iter();
                let told = findings.map(|finding| (finding.id, finding.evidence.as_str()));
                (report.address, told.collect::<Vec<_>>())
            })
            .collect();
        let evidence = "stratum 2, every 2^6 s by its own word: 96 bytes in 2 packets, no key";
        assert_eq!(
            found,
            [(open, vec![(FindingId::BroadcastsTime, evidence)]), (proven, Vec::new())]
        );
        // It has not answered a request for the time.
        assert_eq!(reports[0].time, None);
        assert_eq!((reports[1].probes[0].requests, reports[1].probes[0].packets), (0, 2));
    }

    #[test]
    fn a_flood_of_answers_stays_small() {
        let call = Call::new(Probe::Broadcast, 1, NOW);
        let answer = answer_to(&call);
        let mut hosts = Hosts::default();
        for number in 0..5000_u32 {
            hosts.take(&call, IpAddr::from(number.to_be_bytes()), &answer, NOW);
        }
        assert_eq!(hosts.into_outcomes().len(), MAX_HOSTS);
    }
}
