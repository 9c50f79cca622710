//! Conversations with the daemon: a request, its answer, and the patience in between.

mod channel;
mod unix;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet, Woken};
use timeball_host::resolver::AddressFamily;
use timeball_host::signals::Signals;
use timeball_wire::cmdmon::{MAX_LEN, Reply, ReplyError, Request, Status};
use timeball_wire::{Instant, Span};

use self::channel::{Channel, Destination, Heard};
use super::names;
use super::trouble::{Outcome, Trouble};

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// For the first answer; doubled with every retry.
    pub(super) timeout: Span,
    /// How often a request is repeated.
    pub(super) retries: u16,
}

impl Patience {
    pub(super) const DEFAULT: Self = Self { timeout: Span::from_millis(1000), retries: 2 };

    fn timeout_of(self, attempt: u16) -> Span {
        let doubled = 1_i64.checked_shl(attempt.into()).unwrap_or(i64::MAX);
        Span::from_nanos(self.timeout.nanos().saturating_mul(doubled))
    }
}

/// The daemon, wherever it is.
#[derive(Debug)]
pub(super) struct Daemon {
    destinations: Vec<Destination>,
    /// The destination that is tried next, and the way to the one that is in use.
    next: usize,
    channel: Option<Channel>,
    signals: Signals,
    clock: Clock,
    pub(super) patience: Patience,
}

impl Daemon {
    /// Connects to the first of these hosts that can be connected to: names, addresses, or paths of
    /// sockets.
    ///
    /// # Errors
    ///
    /// [`Trouble::Usage`] when there is none, with the reason for each.
    pub(super) fn connect(hosts: &[String], port: u16, family: AddressFamily) -> Outcome<Self> {
        let destinations: Vec<_> =
            hosts.iter().flat_map(|host| destinations_of(host, port, family)).collect();
        let mut daemon = Self {
            destinations,
            next: 0,
            channel: None,
            signals: Signals::install()?,
            clock: Clock::open()?,
            patience: Patience::DEFAULT,
        };
        daemon.connect_to_next().map_err(|reasons| {
            let none = if reasons.is_empty() { "no such host" } else { "" };
            Trouble::usage(format!("Could not open connection to daemon: {reasons}{none}"))
        })?;
        Ok(daemon)
    }

    /// Asks one destination after the other.
    ///
    /// # Errors
    ///
    /// [`Trouble::Unreachable`], [`Trouble::Interrupted`], or [`Trouble::Refused`] by a daemon of
    /// another version.
    pub(super) fn ask(&mut self, request: &Request) -> Outcome<Reply> {
        loop {
            if let Some(reply) = self.ask_this_one(request)? {
                return Ok(reply);
            }
            // Why others cannot be connected to is of no interest once one could be.
            self.connect_to_next().map_err(|_| Trouble::Unreachable)?;
        }
    }

    /// Waits for so long, unless a signal ends it.
    pub(super) fn sleep(&self, span: Span) -> Outcome {
        let deadline = self.clock.monotonic()? + span;
        loop {
            let mut set = PollSet::new();
            if let Some(descriptor) = self.signals.descriptor() {
                set.add(descriptor, Interest::Read);
            }
            let woken = set.wait(Some(deadline))?;
            if self.signals.take().next().is_some() {
                return Err(Trouble::Interrupted);
            }
            match woken {
                Woken::Deadline => return Ok(()),
                Woken::Ready(_) | Woken::Interrupted => {}
            }
        }
    }

    /// What ends a wait at the prompt.
    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Takes the next destination that can be connected to; the first one again after the last.
    /// Otherwise says why there is none.
    fn connect_to_next(&mut self) -> Result<(), String> {
        // The old socket's file goes before the new one's comes.
        self.channel = None;
        let mut reasons = Vec::new();
        while let Some(destination) = self.destinations.get(self.next) {
            self.next += 1;
            match Channel::open(destination) {
                Ok(channel) => {
                    self.channel = Some(channel);
                    return Ok(());
                }
                Err(error) => reasons.push(format!("{destination}: {error}")),
            }
        }
        self.next = 0;
        Err(reasons.join("; "))
    }

    /// `None` if this destination does not answer.
    fn ask_this_one(&mut self, request: &Request) -> Outcome<Option<Reply>> {
        let Self { channel: Some(channel), signals, clock, patience, .. } = self else {
            return Ok(None);
        };
        for attempt in 0..=patience.retries {
            let mut sequence = [0; 4];
            timeball_host::random::fill(&mut sequence)?;
            let sequence = u32::from_ne_bytes(sequence);
            let mut buffer = [0; MAX_LEN];
            let datagram =
                request.emit(sequence, attempt, &mut buffer).map_err(io::Error::other)?;
            if channel.send(datagram).is_err() {
                return Ok(None);
            }
            let question = Question {
                command: request.code(),
                sequence,
                deadline: clock.monotonic()? + patience.timeout_of(attempt),
            };
            let reply = question.await_reply(channel, clock, signals)?;
            if reply.is_some() {
                return Ok(reply);
            }
        }
        Ok(None)
    }
}

/// A request that was sent.
struct Question {
    command: u16,
    sequence: u32,
    deadline: Instant,
}

impl Question {
    /// `None` if there is no reply in time.
    fn await_reply(
        &self,
        channel: &mut Channel,
        clock: &Clock,
        signals: &Signals,
    ) -> Outcome<Option<Reply>> {
        // One more, so that a reply that is too long is seen to be.
        let mut buffer = [0; MAX_LEN + 1];
        loop {
            let length = match channel.receive(&mut buffer, self.deadline, signals) {
                Ok(Heard::Datagram(length)) => length,
                Ok(Heard::Nobody | Heard::Nothing) | Err(_) => return Ok(None),
                Ok(Heard::Interrupted) => return Err(Trouble::Interrupted),
            };
            let datagram = buffer.get(..length).unwrap_or_default();
            match Reply::parse(datagram, self.command, self.sequence) {
                Ok(reply) => return Ok(Some(reply)),
                Err(ReplyError::NotForUs) if clock.monotonic()? < self.deadline => {}
                Err(ReplyError::NotForUs) => return Ok(None),
                Err(ReplyError::Version(_)) => {
                    return Err(Trouble::Refused(Status::BadPacketVersion));
                }
                Err(ReplyError::Malformed) => return Err(Trouble::BadReply),
            }
        }
    }
}

fn destinations_of(host: &str, port: u16, family: AddressFamily) -> Vec<Destination> {
    if host.starts_with('/') {
        return vec![Destination::Unix(PathBuf::from(host))];
    }
    let addresses = names::resolve_all(host, family);
    addresses.into_iter().map(|ip| Destination::Udp(SocketAddr::new(ip, port))).collect()
}
