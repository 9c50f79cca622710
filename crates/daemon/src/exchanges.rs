//! The requests under way: each has a socket of its own, from a port nobody can guess (RFC 9109).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;

use timeball_config::{ClientPort, Network, Timestamping};
use timeball_core::association::request::MAX_ANSWER_LEN;
use timeball_core::engine::{Answer, ExchangeId, StampQuality, Transmit};
use timeball_host::network_card::Direction;
use timeball_host::poll::{Interest, PollSet, Readiness, Slot};
use timeball_host::socket::{
    ClientOptions, ClientSocket, HardwareStamp, Incoming, Received, Stamp, StampKeeper,
    StampSource, Stamping,
};
use timeball_wire::{Instant, Span, Timestamp};

use crate::network_cards::NetworkCards;

/// Longer answers are cut, and rejected for it: one byte more than any answer may have shows which
/// those are.
const MAX_DATAGRAM: usize = MAX_ANSWER_LEN + 1;

/// How long an answer waits for the network card's word on when its request left, which some drivers
/// fetch at leisure. The answer's own stamp is not touched by the wait.
const REPORT_PATIENCE: Span = Span::from_millis(5);

/// The sockets of all requests under way.
#[derive(Debug)]
pub(crate) struct Exchanges {
    under_way: BTreeMap<ExchangeId, Exchange>,
    network: Network,
    cards: NetworkCards,
    /// Without it the first answer on each fresh socket would often lack the kernel's stamp.
    stamp_keeper: Option<StampKeeper>,
    slots: Vec<(ExchangeId, Slot)>,
    buffer: Box<[u8; MAX_DATAGRAM]>,
    /// The port that all requests leave from, once the kernel has chosen it.
    shared_port: Option<u16>,
}

/// A request under way.
#[derive(Debug)]
struct Exchange {
    socket: ClientSocket,
    /// When the request left, without the card's help.
    left: Stamp,
    report: CardReport,
}

/// A network card's word on when a request left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CardReport {
    /// Nobody knows of a card, or the word got lost.
    NotExpected,
    /// It should come any moment.
    Expected,
    /// The answer was faster, and waits for it until then.
    Overdue(Instant),
    /// Here it is.
    Arrived(HardwareStamp),
}

/// What came in on the socket of an exchange.
#[derive(Debug)]
pub(crate) enum Arrival<'a> {
    /// A datagram, and the network card's word on when the request left, if it is of any use. Only
    /// the answer tells which card it was.
    Datagram { answer: Answer<'a>, left: Option<Timestamp> },
    /// The kernel's word on when the request left.
    Sent { at: Timestamp, quality: StampQuality },
    /// The network says that the request did not arrive, or the socket is broken.
    Failed(String),
}

impl Exchanges {
    pub(crate) fn new(network: Network) -> Self {
        Self {
            under_way: BTreeMap::new(),
            cards: NetworkCards::new(&network),
            stamp_keeper: keep_stamping(network.timestamping, None),
            slots: Vec::new(),
            buffer: Box::new([0; MAX_DATAGRAM]),
            shared_port: None,
            network,
        }
    }

    /// Opens sockets this way from now on.
    pub(crate) fn configure(&mut self, network: Network) {
        self.stamp_keeper = keep_stamping(network.timestamping, self.stamp_keeper.take());
        self.cards.configure(&network);
        self.network = network;
    }

    /// Listens to no exchange any more: they will be numbered from the beginning again.
    pub(crate) fn close_all(&mut self) {
        self.under_way.clear();
        self.slots.clear();
    }

    /// Looks at the clocks of the network cards. To be called shortly before
    /// [`transmit`](Self::transmit).
    pub(crate) fn prepare(&mut self, now: Timestamp) {
        self.cards.before_sending(now);
    }

    /// Sends a request from a fresh socket at about `now` and listens there.
    pub(crate) fn transmit(&mut self, request: &Transmit, now: Timestamp) -> io::Result<()> {
        let mut socket = ClientSocket::open(
            request.destination,
            &ClientOptions {
                bind_address: request.bind_address,
                bind_device: request.bind_device.clone(),
                port: self.port(),
                dscp: self.network.dscp,
                stamping: stamping(self.network.timestamping),
            },
        )?;
        if self.network.client_port == ClientPort::Shared && self.shared_port.is_none() {
            self.shared_port = Some(socket.local_address()?.port());
        }
        socket.send(&request.datagram)?;
        let left = Stamp { at: now, source: StampSource::Daemon };
        let report = if self.cards.any() { CardReport::Expected } else { CardReport::NotExpected };
        self.under_way.insert(request.exchange, Exchange { socket, left, report });
        Ok(())
    }

    /// The local port to send from; 0 for a new one.
    fn port(&self) -> u16 {
        match self.network.client_port {
            ClientPort::PerRequest => 0,
            ClientPort::Shared => self.shared_port.unwrap_or(0),
            ClientPort::Fixed(port) => port,
        }
    }

    /// The system clock runs at another rate from now on.
    pub(crate) fn frequency_changed(&mut self) {
        // Otherwise nothing will be converted that was stamped before.
        if !self.under_way.is_empty() {
            self.cards.frequency_changed();
        }
    }

    /// The system clock was stepped: what the network cards said before can no longer be converted.
    pub(crate) fn clock_stepped(&mut self) {
        self.cards.clock_stepped();
        for exchange in self.under_way.values_mut() {
            exchange.report = CardReport::NotExpected;
        }
    }

    /// Listens no more.
    pub(crate) fn close(&mut self, exchange: ExchangeId) {
        self.under_way.remove(&exchange);
    }

    /// Adds every socket to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        self.slots.clear();
        self.slots.extend(self.under_way.iter().map(|(id, exchange)| {
            let interest = match exchange.report {
                CardReport::Overdue(_) => Interest::ErrorQueue,
                CardReport::NotExpected | CardReport::Expected | CardReport::Arrived(_) => {
                    Interest::Read
                }
            };
            (*id, poll.add(&exchange.socket, interest))
        }));
    }

    /// When the first answer has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.under_way.values().filter_map(|exchange| exchange.report.waited_for_until()).min()
    }

    /// The exchanges on whose sockets the last wait found something, and what. Those whose answer has
    /// waited long enough by `now` are among them.
    pub(crate) fn ready(&mut self, poll: &PollSet, now: Instant) -> Vec<(ExchangeId, Readiness)> {
        let mut ready = Vec::new();
        for (id, slot) in &self.slots {
            let mut readiness = poll.readiness(*slot);
            if let Some(exchange) = self.under_way.get_mut(id)
                && exchange.report.waited_for_until().is_some_and(|until| until <= now)
            {
                exchange.report = CardReport::NotExpected;
                readiness.readable = true;
            }
            if readiness.any() {
                ready.push((*id, readiness));
            }
        }
        ready
    }

    /// Takes the next thing that `readiness` announced: when the request left before what came
    /// back, so that the answer finds the better timestamp in place. `None` when all is taken.
    pub(crate) fn next(
        &mut self,
        id: ExchangeId,
        readiness: &mut Readiness,
        now: Instant,
    ) -> Option<Arrival<'_>> {
        // What is already closed has nothing to say any more.
        let exchange = self.under_way.get_mut(&id)?;
        loop {
            if exchange.report.keeps_answer_waiting(*readiness, now) {
                return None;
            }
            return Some(match exchange.socket.incoming(readiness, self.buffer.as_mut_slice()) {
                Ok(None) => return None,
                Ok(Some(Incoming::Datagram(received))) => {
                    let (received, left) = exchange.consult_card(received, &mut self.cards);
                    let answer = answer(id, &received, self.buffer.as_slice());
                    Arrival::Datagram { answer, left }
                }
                Ok(Some(Incoming::Transmitted(transmitted))) => {
                    if let Some(hardware) = transmitted.hardware {
                        exchange.report = CardReport::Arrived(hardware);
                    }
                    let Some(stamp) = transmitted.stamp else { continue };
                    exchange.left = stamp;
                    Arrival::Sent { at: stamp.at, quality: quality(stamp.source) }
                }
                Ok(Some(Incoming::Unreachable(unreachable))) => {
                    failed(&exchange.socket, &unreachable)
                }
                Err(error) => failed(&exchange.socket, &error),
            });
        }
    }
}

fn keep_stamping(timestamping: Timestamping, keeper: Option<StampKeeper>) -> Option<StampKeeper> {
    match timestamping {
        Timestamping::Daemon => None,
        // A kernel that refuses costs precision, which each measurement will say.
        Timestamping::Kernel | Timestamping::Hardware => {
            keeper.or_else(|| StampKeeper::open().ok())
        }
    }
}

impl CardReport {
    /// True if what is there to read has to wait for the report, which would be lost with the socket.
    fn keeps_answer_waiting(&mut self, readiness: Readiness, now: Instant) -> bool {
        // The report may be in the error queue.
        if readiness.error_queue || !readiness.readable {
            return false;
        }
        match self {
            Self::NotExpected | Self::Arrived(_) => false,
            Self::Overdue(_) => true,
            Self::Expected => {
                *self = Self::Overdue(now + REPORT_PATIENCE);
                true
            }
        }
    }

    /// When the answer has waited long enough, if it waits.
    fn waited_for_until(&self) -> Option<Instant> {
        match self {
            Self::Overdue(until) => Some(*until),
            Self::NotExpected | Self::Expected | Self::Arrived(_) => None,
        }
    }
}

impl Exchange {
    /// The datagram with the better of its two stamps, and the card's word on when the request left,
    /// if that is better than the kernel's.
    fn consult_card(
        &self,
        mut received: Received,
        cards: &mut NetworkCards,
    ) -> (Received, Option<Timestamp>) {
        let stamped_by = received.hardware.and_then(|stamp| stamp.interface);
        // A bridge or a bond has no card of its own.
        let Some(interface) = stamped_by.or(received.interface) else {
            return (received, None);
        };
        cards.meet(interface);
        let sent = match self.report {
            CardReport::Arrived(stamp) => Some(stamp),
            CardReport::NotExpected | CardReport::Expected | CardReport::Overdue(_) => None,
        };
        if received.hardware.is_some() || sent.is_some() {
            cards.before_converting(interface);
        }
        if let Some(stamp) = received.hardware {
            received.stamp = cards.better(received.stamp, &stamp, interface, Direction::Received);
        }
        let left = sent.map(|stamp| cards.better(self.left, &stamp, interface, Direction::Sent));
        let by_card = left.filter(|stamp| stamp.source == StampSource::Hardware);
        (received, by_card.map(|stamp| stamp.at))
    }
}

fn failed(socket: &ClientSocket, why: &dyn Display) -> Arrival<'static> {
    tracing::debug!("no answer from {}: {why}", socket.peer());
    Arrival::Failed(why.to_string())
}

/// A datagram that was cut is still longer than any answer may be, so the engine rejects it for
/// that.
fn answer<'a>(exchange: ExchangeId, received: &Received, buffer: &'a [u8]) -> Answer<'a> {
    Answer {
        exchange,
        from: received.from,
        to: received.to,
        bytes: buffer.get(..received.length).unwrap_or(buffer),
        received: received.stamp.at,
        quality: quality(received.stamp.source),
    }
}

/// What to ask the kernel for.
pub(crate) const fn stamping(wanted: Timestamping) -> Stamping {
    match wanted {
        Timestamping::Hardware => Stamping::Hardware,
        Timestamping::Kernel => Stamping::Kernel,
        Timestamping::Daemon => Stamping::Daemon,
    }
}

pub(crate) const fn quality(source: StampSource) -> StampQuality {
    match source {
        StampSource::Daemon => StampQuality::Daemon,
        StampSource::Kernel => StampQuality::Kernel,
        StampSource::Hardware => StampQuality::Hardware,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(5_000_000_000);
    const ANSWER: Readiness =
        Readiness { readable: true, writable: false, error_queue: false, closed: false };
    const ANSWER_AND_REPORT: Readiness = Readiness { error_queue: true, ..ANSWER };
    const STAMP: HardwareStamp = HardwareStamp { nanos: 1, interface: None, frame_length: None };

    #[test]
    fn an_answer_waits_for_the_report_that_it_overtook() {
        let mut report = CardReport::Expected;
        assert_eq!(report.waited_for_until(), None);
        assert!(report.keeps_answer_waiting(ANSWER, NOW));
        let until = NOW + REPORT_PATIENCE;
        assert_eq!(report.waited_for_until(), Some(until));
        // A later look does not prolong the wait.
        assert!(report.keeps_answer_waiting(ANSWER, NOW + Span::from_millis(1)));
        assert_eq!(report, CardReport::Overdue(until));
        // What is in the error queue is taken first.
        assert!(!report.keeps_answer_waiting(ANSWER_AND_REPORT, NOW));
        report = CardReport::Arrived(STAMP);
        assert!(!report.keeps_answer_waiting(ANSWER, NOW));
        assert_eq!(report.waited_for_until(), None);
    }

    #[test]
    fn without_a_card_no_answer_waits() {
        let mut report = CardReport::NotExpected;
        for readiness in [ANSWER, ANSWER_AND_REPORT, Readiness::default()] {
            assert!(!report.keeps_answer_waiting(readiness, NOW));
        }
        assert_eq!(report, CardReport::NotExpected);
    }

    #[test]
    fn nothing_to_read_starts_no_wait() {
        let mut report = CardReport::Expected;
        assert!(!report.keeps_answer_waiting(Readiness::default(), NOW));
        assert_eq!(report, CardReport::Expected);
    }
}
