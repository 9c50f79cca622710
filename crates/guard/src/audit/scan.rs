//! Many hosts at a time, at a gentle rate. No I/O: datagrams and moments come in as arguments, what
//! is to be sent comes out.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::iter::Peekable;
use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use timeball_host::socket::Unreachable;
use timeball_wire::{Instant, Span, Timestamp};

pub use super::host::Outcome;
use super::host::{Host, Step};
use super::target::Target;

/// What to ask each host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Questions {
    /// Every probe that is not a burden.
    Everything,
    /// The same, and a [burst](super::probe::Probe::BURST) at the end.
    EverythingAndBurst,
    /// The time, so many times.
    Time(usize),
}

/// How to ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What to ask.
    pub questions: Questions,
    /// The UDP port of NTP.
    pub port: u16,
    /// The shortest time between two requests, whomever they go to.
    pub pace: Span,
    /// The shortest time between two requests to the same host.
    pub interval: Span,
    /// How long to wait for an answer, or the next packet of one.
    pub timeout: Span,
    /// How often to ask again who does not answer.
    pub retries: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            questions: Questions::Everything,
            port: super::probe::DEFAULT_PORT,
            pace: Span::from_millis(10),
            interval: Span::from_millis(500),
            timeout: Span::from_secs(2),
            retries: 1,
        }
    }
}

/// Now, by two clocks that were read together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// For deadlines.
    pub monotonic: Instant,
    /// For offsets.
    pub system: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this datagram.
    Send {
        /// To whom.
        to: SocketAddr,
        /// The datagram.
        datagram: Vec<u8>,
    },
    /// Nothing before this moment, unless something comes in.
    WaitUntil(Instant),
    /// Every host is finished.
    Finished,
}

/// A host and when it wants to be looked at.
struct Live {
    host: Host,
    wake: Instant,
}

/// The hosts that are being asked, and those that will be.
pub struct Scan<T: Iterator<Item = Target>> {
    settings: Settings,
    targets: Peekable<T>,
    live: HashMap<IpAddr, Live>,
    /// When to look at whom. An entry that is not a host's own `wake` is out of date.
    wakes: BinaryHeap<Reverse<(Instant, IpAddr)>>,
    next_slot: Option<Instant>,
    finished: VecDeque<Outcome>,
    rng: ChaCha20Rng,
}

/// Hosts that are asked at the same time; each takes a few kilobytes.
const MAX_LIVE: usize = 8192;

/// How late a wait for the next turn may end: the kernel's clock for waiting ticks in milliseconds.
const LATE_WAKING: Span = Span::from_millis(2);

impl<T: Iterator<Item = Target>> Scan<T> {
    /// A scan that has sent nothing yet.
    pub fn new(targets: T, settings: Settings, seed: [u8; 32]) -> Self {
        Self {
            settings,
            targets: targets.peekable(),
            live: HashMap::new(),
            wakes: BinaryHeap::new(),
            next_slot: None,
            finished: VecDeque::new(),
            rng: ChaCha20Rng::from_seed(seed),
        }
    }

    /// What to do next. To be called until it says to wait.
    pub fn poll(&mut self, now: Moment) -> Action {
        loop {
            let due = self.wakes.peek().map(|Reverse((at, _))| *at);
            let is_due = due.is_some_and(|at| at <= now.monotonic);
            let has_room = self.live.len() < MAX_LIVE && self.targets.peek().is_some();
            match self.next_slot {
                // What is due may want to send, so it waits for the turn to do so.
                Some(slot) if slot > now.monotonic && (is_due || has_room) => {
                    return Action::WaitUntil(slot);
                }
                _ => {}
            }
            if is_due {
                if let Some(action) = self.look_at_next(now) {
                    return action;
                }
            } else if has_room {
                self.admit(now);
            } else {
                return due.map_or(Action::Finished, Action::WaitUntil);
            }
        }
    }

    /// Looks at the host whose time has come; what it wants sent, if anything.
    fn look_at_next(&mut self, now: Moment) -> Option<Action> {
        let Reverse((at, address)) = self.wakes.pop()?;
        let live = self.live.get_mut(&address).filter(|live| live.wake == at)?;
        match live.host.step(now, &self.settings, &mut self.rng) {
            Step::Send { to, datagram } => {
                let after_now = now.monotonic + self.settings.pace;
                // Who was woken late may catch up, but never for more than this.
                let earliest = after_now - LATE_WAKING;
                self.next_slot = Some(match self.next_slot {
                    Some(slot) => (slot + self.settings.pace).max(earliest),
                    None => after_now,
                });
                self.wake(address, now.monotonic);
                Some(Action::Send { to, datagram })
            }
            Step::WaitUntil(at) => {
                self.wake(address, at);
                None
            }
            Step::Finished => {
                if let Some(live) = self.live.remove(&address) {
                    self.finished.push_back(live.host.into_outcome());
                }
                None
            }
        }
    }

    fn admit(&mut self, now: Moment) {
        let Some(target) = self.targets.next() else { return };
        let address = target.address;
        // The same address again: one report is enough.
        if let Entry::Vacant(place) = self.live.entry(address) {
            let host = Host::new(target, self.settings.questions);
            place.insert(Live { host, wake: now.monotonic });
            self.wake(address, now.monotonic);
        }
    }

    fn wake(&mut self, address: IpAddr, at: Instant) {
        if let Some(live) = self.live.get_mut(&address) {
            live.wake = at;
            self.wakes.push(Reverse((at, address)));
        }
    }

    /// Takes a datagram. False if it is not from a host that is being asked, or has nothing to do with
    /// what it was asked.
    pub fn handle_datagram(&mut self, now: Moment, from: SocketAddr, datagram: &[u8]) -> bool {
        let address = from.ip().to_canonical();
        let Some(live) = self.live.get_mut(&address) else { return false };
        let is_answer = live.host.take(now, &self.settings, datagram);
        if is_answer {
            self.wake(address, now.monotonic);
        }
        is_answer
    }

    /// Takes what the network says of a datagram that was sent to this address and begins with these
    /// bytes.
    pub fn handle_unreachable(
        &mut self,
        now: Moment,
        to: SocketAddr,
        reason: Unreachable,
        quoted: &[u8],
    ) {
        let address = to.ip().to_canonical();
        if let Some(live) = self.live.get_mut(&address) {
            live.host.take_unreachable(reason, quoted);
            self.wake(address, now.monotonic);
        }
    }

    /// A host that is finished, each once.
    pub fn poll_finished(&mut self) -> Option<Outcome> {
        self.finished.pop_front()
    }
}

#[cfg(test)]
mod tests;
