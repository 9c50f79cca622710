//! The requests under way: each has a socket of its own, from a port nobody can guess (RFC 9109).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;

use timeball_config::{Network, Timestamping};
use timeball_core::engine::{Answer, ExchangeId, StampQuality, Transmit};
use timeball_host::poll::{Interest, PollSet, Readiness, Slot};
use timeball_host::socket::{
    ClientOptions, ClientSocket, Incoming, Received, StampKeeper, StampSource, Stamping,
};
use timeball_wire::Timestamp;

/// Longer answers are cut, and rejected for it. An answer to a request without extension fields is
/// 48 bytes long; this leaves room to recognise what else might come.
const MAX_DATAGRAM: usize = 1024;

/// The sockets of all requests under way.
#[derive(Debug)]
pub(crate) struct Exchanges {
    sockets: BTreeMap<ExchangeId, ClientSocket>,
    network: Network,
    /// Without it the first answer on each fresh socket would often lack the kernel's stamp.
    stamp_keeper: Option<StampKeeper>,
    slots: Vec<(ExchangeId, Slot)>,
    buffer: Box<[u8; MAX_DATAGRAM]>,
}

/// What came in on the socket of an exchange.
#[derive(Debug)]
pub(crate) enum Arrival<'a> {
    /// A datagram.
    Datagram(Answer<'a>),
    /// The kernel's word on when the request left.
    Sent { at: Timestamp, quality: StampQuality },
    /// The network says that the request did not arrive, or the socket is broken.
    Failed(String),
}

impl Exchanges {
    pub(crate) fn new(network: Network) -> Self {
        let mut exchanges = Self {
            sockets: BTreeMap::new(),
            network: network.clone(),
            stamp_keeper: None,
            slots: Vec::new(),
            buffer: Box::new([0; MAX_DATAGRAM]),
        };
        exchanges.configure(network);
        exchanges
    }

    /// Opens sockets this way from now on.
    pub(crate) fn configure(&mut self, network: Network) {
        self.stamp_keeper = match network.timestamping {
            Timestamping::Daemon => None,
            Timestamping::Kernel | Timestamping::Hardware => {
                // A kernel that refuses costs precision, which each measurement will say.
                self.stamp_keeper.take().or_else(|| StampKeeper::open().ok())
            }
        };
        self.network = network;
    }

    /// Sends a request from a fresh socket and listens there.
    pub(crate) fn transmit(&mut self, request: &Transmit) -> io::Result<()> {
        let mut socket = ClientSocket::open(
            request.destination,
            &ClientOptions {
                bind_address: request.bind_address,
                bind_device: request.bind_device.clone(),
                dscp: self.network.dscp,
                stamping: stamping(self.network.timestamping),
            },
        )?;
        socket.send(&request.datagram)?;
        self.sockets.insert(request.exchange, socket);
        Ok(())
    }

    /// Listens no more.
    pub(crate) fn close(&mut self, exchange: ExchangeId) {
        self.sockets.remove(&exchange);
    }

    /// Adds every socket to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        self.slots.clear();
        let slots = self.sockets.iter().map(|(id, socket)| (*id, poll.add(socket, Interest::Read)));
        self.slots.extend(slots);
    }

    /// The exchanges on whose sockets the last wait found something, and what.
    pub(crate) fn ready(&self, poll: &PollSet) -> Vec<(ExchangeId, Readiness)> {
        let readiness = self.slots.iter().map(|(id, slot)| (*id, poll.readiness(*slot)));
        readiness.filter(|(_, readiness)| readiness.any()).collect()
    }

    /// Takes the next thing that `readiness` announced: when the request left before what came
    /// back, so that the answer finds the better timestamp in place. `None` when all is taken.
    pub(crate) fn next(
        &mut self,
        exchange: ExchangeId,
        readiness: &mut Readiness,
    ) -> Option<Arrival<'_>> {
        // What is already closed has nothing to say any more.
        let socket = self.sockets.get_mut(&exchange)?;
        loop {
            return Some(match socket.incoming(readiness, self.buffer.as_mut_slice()) {
                Ok(None) => return None,
                Ok(Some(Incoming::Datagram(received))) => {
                    Arrival::Datagram(answer(exchange, &received, self.buffer.as_slice()))
                }
                Ok(Some(Incoming::Transmitted(transmitted))) => match transmitted.stamp {
                    Some(stamp) => Arrival::Sent { at: stamp.at, quality: quality(stamp.source) },
                    None => continue,
                },
                Ok(Some(Incoming::Unreachable(unreachable))) => failed(socket, &unreachable),
                Err(error) => failed(socket, &error),
            });
        }
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

const fn quality(source: StampSource) -> StampQuality {
    match source {
        StampSource::Daemon => StampQuality::Daemon,
        StampSource::Kernel => StampQuality::Kernel,
        StampSource::Hardware => StampQuality::Hardware,
    }
}
