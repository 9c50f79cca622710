//! What will happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use timeball_core::engine::{ExchangeId, ResolveId};
use timeball_core::settings::Family;
use timeball_wire::{Span, Timestamp};

use crate::scenario::Action;
use crate::truth::Moment;

/// A host of the world.
pub(super) type HostId = usize;

/// Bytes on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Occurrence {
    /// A host's datagram leaves it; a request of the engine's bears its exchange.
    Depart { host: HostId, datagram: Datagram, exchange: Option<ExchangeId> },
    /// A datagram reaches a host.
    Arrive { host: HostId, datagram: Datagram },
    /// A host answers a request that it received at `received`.
    Answer { host: HostId, request: Datagram, received: Timestamp },
    /// The engine learns when its request left.
    Sent { host: HostId, exchange: ExchangeId, at: Timestamp },
    /// The engine reads a datagram.
    Deliver { host: HostId, exchange: ExchangeId, datagram: Datagram, received: Timestamp },
    /// The resolver answers.
    Resolved { host: HostId, id: ResolveId, name: String, family: Option<Family> },
    /// A node's timer; of an older generation it has been cancelled.
    Wake { host: HostId, generation: u64 },
    /// The daemon of a node starts.
    Start { host: HostId },
    /// Something happens to a node.
    Act { host: HostId, action: Action },
    /// A node wakes from suspend.
    Resume { host: HostId, rtc_error: Span },
    /// All nodes are looked at.
    Sample,
}

#[derive(Debug)]
struct Entry {
    at: Moment,
    /// Of two things at one moment, the one that was planned first comes first.
    sequence: u64,
    occurrence: Occurrence,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// What will happen, earliest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    planned: u64,
}

impl Queue {
    /// Plans something.
    pub(super) fn plan(&mut self, at: Moment, occurrence: Occurrence) {
        self.heap.push(Reverse(Entry { at, sequence: self.planned, occurrence }));
        self.planned += 1;
    }

    /// Takes the next thing to happen.
    pub(super) fn next(&mut self) -> Option<(Moment, Occurrence)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.occurrence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_then_in_the_order_of_planning() {
        let mut queue = Queue::default();
        for (seconds, host) in [(2.0, 0), (1.0, 1), (2.0, 2), (1.0, 3)] {
            queue.plan(Moment::from_seconds(seconds), Occurrence::Start { host });
        }
        let order: Vec<HostId> = std::iter::from_fn(|| match queue.next()?.1 {
            Occurrence::Start { host } => Some(host),
            _ => None,
        })
        .collect();
        assert_eq!(order, [1, 3, 0, 2]);
    }
}
