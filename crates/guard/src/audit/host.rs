//! One host: which probes are out, which are to come, and when to give up.

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand_core::Rng;
use timeball_host::socket::Unreachable;
use timeball_wire::mode6::{Associations, Variables};
use timeball_wire::{Instant, NtpTimestamp, Span, Timestamp};

use super::answer::{Answer, Content};
use super::probe::{Known, Probe};
use super::scan::{Moment, Questions, Settings};
use super::target::Target;

/// What is to be done for a host.
pub(super) enum Step {
    /// Send this.
    Send { to: SocketAddr, datagram: Vec<u8> },
    /// Nothing before this moment, unless something comes in.
    WaitUntil(Instant),
    /// All is said.
    Finished,
}

/// How far the questions have gone.
enum Stage {
    /// Is anybody there?
    First,
    /// Everything else.
    Further,
    /// What the answers to everything else have made possible.
    Last,
    /// What a limit of the rate would spoil for all the rest.
    Burst,
}

/// A probe that has been sent.
struct Flight {
    token: u64,
    request: Vec<u8>,
    /// When it was sent last, by the system clock.
    origin: Timestamp,
    /// Until when an answer is waited for; `None` when it no longer is.
    deadline: Option<Instant>,
    /// No answer is waited for beyond this, however many packets it has.
    limit: Instant,
    answer: Answer,
}

/// One host that is being asked.
pub(super) struct Host {
    pub(super) target: Target,
    stage: Stage,
    waiting: VecDeque<Probe>,
    flights: Vec<Flight>,
    /// Not to be sent to before this.
    next_send: Option<Instant>,
    unreachable: Option<Unreachable>,
}

/// What became of a host.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Who it is.
    pub target: Target,
    /// What came back to each probe that was sent.
    pub answers: Vec<Answer>,
    /// What the network said of it, if anything.
    pub unreachable: Option<Unreachable>,
}

impl Outcome {
    /// Whether anything came from the host itself.
    pub fn has_answered(&self) -> bool {
        self.answers.iter().any(|answer| answer.packets > 0)
    }
}

/// A long answer is waited for as long as it goes on, but no longer than this many timeouts.
const MAX_TIMEOUTS: i64 = 4;

impl Host {
    pub(super) fn new(target: Target, questions: Questions) -> Self {
        let (stage, waiting) = match questions {
            Questions::Everything | Questions::EverythingAndBurst => {
                (Stage::First, Probe::FIRST.into())
            }
            Questions::Time(times) => (Stage::Burst, vec![Probe::TimeV4; times].into()),
        };
        Self { target, stage, waiting, flights: Vec::new(), next_send: None, unreachable: None }
    }

    pub(super) fn step(&mut self, now: Moment, settings: &Settings, rng: &mut impl Rng) -> Step {
        loop {
            let may_send = self.next_send.is_none_or(|at| at <= now.monotonic);
            for flight in &mut self.flights {
                if flight.deadline.is_none_or(|deadline| deadline > now.monotonic) {
                    continue;
                }
                let is_silent = flight.answer.packets == 0;
                if !is_silent || flight.answer.requests > flight.retries(settings) {
                    flight.deadline = None;
                } else if may_send {
                    self.next_send = Some(now.monotonic + settings.interval);
                    let to = address(&self.target, flight.answer.probe, settings);
                    return Step::Send { to, datagram: flight.send(now, settings) };
                }
            }
            if let (true, Some(&probe)) = (may_send, self.waiting.front()) {
                self.waiting.pop_front();
                self.next_send = Some(now.monotonic + interval_after(probe, settings));
                let mut flight = Flight::new(probe, rng.next_u64(), &self.known(), now);
                let datagram = flight.send(now, settings);
                self.flights.push(flight);
                return Step::Send { to: address(&self.target, probe, settings), datagram };
            }
            if let Some(at) = self.next_event() {
                return Step::WaitUntil(at);
            }
            if !self.enter_next_stage(settings.questions) {
                return Step::Finished;
            }
        }
    }

    /// When there is something to do, if there is.
    fn next_event(&self) -> Option<Instant> {
        let deadlines = self.flights.iter().filter_map(|flight| flight.deadline);
        // A retry that is due waits for its turn to be sent as well.
        let deadlines = deadlines.map(|at| self.next_send.map_or(at, |turn| turn.max(at)));
        let next = if self.waiting.is_empty() { None } else { self.next_send };
        deadlines.chain(next).min()
    }

    /// Goes on to the next questions, if there are any.
    fn enter_next_stage(&mut self, questions: Questions) -> bool {
        match self.stage {
            Stage::First if self.flights.iter().any(|flight| flight.answer.packets > 0) => {
                self.stage = Stage::Further;
                self.waiting.extend(Probe::FURTHER);
                true
            }
            Stage::Further => {
                self.stage = Stage::Last;
                if self.receive_timestamp(Probe::Interleaved).is_some() {
                    self.waiting.push_back(Probe::InterleavedAgain);
                }
                if self.nonce().is_some() {
                    self.waiting.push_back(Probe::ReadMru);
                }
                if self.told(Probe::ReadVariables).is_some() {
                    self.waiting.push_back(Probe::ReadUptime);
                }
                let peers = self.associations().len().min(Probe::MAX_PEERS);
                self.waiting.extend(vec![Probe::ReadPeer; peers]);
                !self.waiting.is_empty() || self.enter_next_stage(questions)
            }
            Stage::Last => {
                self.stage = Stage::Burst;
                let (times, _) = Probe::BURST;
                let gives_time = self.receive_timestamp(Probe::TimeV4).is_some();
                if gives_time && questions == Questions::EverythingAndBurst {
                    self.waiting.extend(vec![Probe::Burst; times]);
                }
                !self.waiting.is_empty()
            }
            Stage::First | Stage::Burst => false,
        }
    }

    /// What the host has told that further requests need.
    fn known(&self) -> Known {
        let told = |probe| self.receive_timestamp(probe);
        let receive_timestamp = told(Probe::Interleaved).or_else(|| told(Probe::TimeV4));
        let is_about_peer = |flight: &&Flight| flight.answer.probe == Probe::ReadPeer;
        let peers = self.flights.iter().filter(is_about_peer).count();
        Known {
            nonce: self.nonce().unwrap_or_default(),
            association: self.associations().get(peers).copied().unwrap_or_default(),
            receive_timestamp: receive_timestamp.unwrap_or_default(),
        }
    }

    /// When the host says that it got this request for the time.
    fn receive_timestamp(&self, probe: Probe) -> Option<NtpTimestamp> {
        self.flights.iter().find_map(|flight| match &flight.answer.content {
            Content::Time(time) if flight.answer.probe == probe => {
                Some(time.header.receive_timestamp)
            }
            _ => None,
        })
    }

    /// The data of its answer to this control message, unless that was a refusal.
    fn told(&self, probe: Probe) -> Option<Vec<u8>> {
        self.flights.iter().find_map(|flight| match &flight.answer.content {
            Content::Control(control)
                if flight.answer.probe == probe && control.error.is_none() =>
            {
                Some(control.data())
            }
            _ => None,
        })
    }

    fn nonce(&self) -> Option<String> {
        let data = self.told(Probe::RequestNonce)?;
        let nonce = Variables::value(&data, "nonce")?;
        // Nothing that would be read as something else when it is sent back.
        let is_plain =
            (1..=64).contains(&nonce.len()) && nonce.iter().all(u8::is_ascii_alphanumeric);
        is_plain.then(|| String::from_utf8_lossy(nonce).into_owned())
    }

    /// The associations that it has told.
    fn associations(&self) -> Vec<u16> {
        let data = self.told(Probe::ReadStatus).unwrap_or_default();
        Associations::new(&data).map(|association| association.id).collect()
    }

    /// Takes a datagram from the host. False if it has nothing to do with any probe.
    pub(super) fn take(&mut self, now: Moment, settings: &Settings, datagram: &[u8]) -> bool {
        let sent = |flight: &&mut Flight| flight.answer.requests > 0;
        let mut flights = self.flights.iter_mut().filter(sent);
        // The newest first: of two probes that a datagram could answer it is more likely that one.
        let Some(flight) = flights.rfind(|flight| flight.is_answered_by(datagram)) else {
            return false;
        };
        if datagram == flight.request {
            flight.answer.take_echo(datagram);
        } else {
            flight.answer.take(datagram, &flight.request, flight.origin, now.system);
        }
        flight.deadline = match flight.answer.probe {
            // Whether it goes on by itself is the question.
            Probe::SymmetricActive => flight.deadline,
            _ if flight.answer.is_complete() => None,
            _ => Some((now.monotonic + settings.timeout).min(flight.limit)),
        };
        true
    }

    /// Takes what the network says: a datagram that begins like this did not arrive.
    pub(super) fn take_unreachable(&mut self, reason: Unreachable, quoted: &[u8]) {
        self.unreachable = Some(reason);
        let mut flying = self.flights.iter_mut().filter(|flight| flight.deadline.is_some());
        if let Some(flight) = flying.find(|flight| flight.request.starts_with(quoted)) {
            flight.deadline = None;
        }
    }

    pub(super) fn into_outcome(self) -> Outcome {
        Outcome {
            target: self.target,
            answers: self.flights.into_iter().map(|flight| flight.answer).collect(),
            unreachable: self.unreachable,
        }
    }
}

impl Flight {
    fn new(probe: Probe, token: u64, known: &Known, now: Moment) -> Self {
        Self {
            token,
            request: probe.request(token, known),
            origin: now.system,
            deadline: None,
            limit: now.monotonic,
            answer: Answer::new(probe),
        }
    }

    /// The request, noted as sent.
    fn send(&mut self, now: Moment, settings: &Settings) -> Vec<u8> {
        self.origin = now.system;
        let patience = match self.answer.probe {
            Probe::SymmetricActive => settings.timeout.max(Probe::PEER_SPEAKS_WITHIN),
            _ => settings.timeout,
        };
        self.deadline = Some(now.monotonic + patience);
        for _ in 0..MAX_TIMEOUTS {
            self.limit += settings.timeout;
        }
        self.answer.sent(&self.request);
        self.request.clone()
    }

    /// How often it is sent again. Of a burst it matters which of them are answered; of a peer, whether
    /// it says anything that it was not asked.
    fn retries(&self, settings: &Settings) -> u32 {
        match self.answer.probe {
            Probe::Burst | Probe::SymmetricActive => 0,
            _ => settings.retries,
        }
    }

    fn is_answered_by(&self, datagram: &[u8]) -> bool {
        datagram == self.request || self.answer.probe.is_answered_by(self.token, datagram)
    }
}

fn interval_after(probe: Probe, settings: &Settings) -> Span {
    match probe {
        Probe::Burst => Probe::BURST.1,
        _ => settings.interval,
    }
}

fn address(target: &Target, probe: Probe, settings: &Settings) -> SocketAddr {
    SocketAddr::new(target.address, probe.port(settings.port))
}
