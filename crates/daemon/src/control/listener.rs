//! The listening end of the control socket, and those who are connected to it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use timeball_host::poll::{Interest, PollSet, Slot};
use timeball_host::process::User;
use timeball_host::unix_socket::{UnixListener, UnixListenerOptions, UnixSocketError};
use timeball_wire::Instant;

use super::connection::{Connection, Fate};
use super::protocol::Response;
use crate::directories::make_parent_of;

/// Connections at once. While all are taken, others wait in the kernel's queue; each of them ends
/// when its patience does.
pub(crate) const MAX_CONNECTIONS: usize = 16;
/// Root and the daemon's user and group may ask.
const MODE: u32 = 0o660;

/// Numbers a connection, for as long as the daemon lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(u64);

/// The control socket.
#[derive(Debug)]
pub(crate) struct ControlListener {
    listener: UnixListener,
    connections: BTreeMap<ConnectionId, Connection<UnixStream>>,
    next_id: u64,
    slot: Option<Slot>,
    slots: Vec<(ConnectionId, Slot)>,
}

impl ControlListener {
    /// Listens at `path`. Its directory is made if it is missing and only one level deep.
    ///
    /// # Errors
    /// [`UnixSocketError`]; a daemon goes on without.
    pub(crate) fn open(path: &Path, user: Option<User>) -> Result<Self, UnixSocketError> {
        make_parent_of(path);
        let group = user.map(|user| user.group);
        let options = UnixListenerOptions { path: path.into(), mode: MODE, group };
        Ok(Self {
            listener: UnixListener::bind(&options)?,
            connections: BTreeMap::new(),
            next_id: 0,
            slot: None,
            slots: Vec::new(),
        })
    }

    /// Takes over those who are connected elsewhere: one of them may be waiting to hear that the
    /// socket has moved.
    pub(crate) fn adopting(mut self, other: Option<Self>) -> Self {
        if let Some(other) = other {
            self.connections = other.connections;
            self.next_id = other.next_id;
        }
        self
    }

    /// Adds its descriptors to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        let has_room = self.connections.len() < MAX_CONNECTIONS;
        self.slot = has_room.then(|| poll.add(&self.listener, Interest::Read));
        self.slots.clear();
        self.slots.extend(self.connections.iter().map(|(id, connection)| {
            let interest = if connection.is_sending() { Interest::Write } else { Interest::Read };
            (*id, poll.add(connection.stream(), interest))
        }));
    }

    /// When [`drop_late`](Self::drop_late) has something to do, or a request waits already.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.connections
            .values()
            .map(|connection| if connection.has_request() { now } else { connection.deadline() })
            .min()
    }

    /// Accepts, reads and writes what the last wait found possible.
    pub(crate) fn turn(&mut self, poll: &PollSet, now: Instant) {
        for (id, slot) in std::mem::take(&mut self.slots) {
            let readiness = poll.readiness(slot);
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let fate = match (readiness.any(), connection.is_sending()) {
                (false, _) => Fate::Keep,
                (true, true) => connection.send(now),
                (true, false) => connection.receive(),
            };
            self.settle(id, fate);
        }
        if self.slot.take().is_some_and(|slot| poll.readiness(slot).any()) {
            self.accept(now);
        }
        self.drop_late(now);
    }

    fn accept(&mut self, now: Instant) {
        match self.listener.accept() {
            Ok(Some(stream)) => {
                let id = ConnectionId(self.next_id);
                self.next_id = self.next_id.saturating_add(1);
                self.connections.insert(id, Connection::new(stream, now));
            }
            Ok(None) => {}
            Err(error) => self.accept_failed(&error),
        }
    }

    /// Such as too many open files: the oldest connection makes room, so that this cannot go on.
    fn accept_failed(&mut self, error: &io::Error) {
        tracing::warn!("a control connection could not be accepted: {error}");
        self.connections.pop_first();
    }

    fn drop_late(&mut self, now: Instant) {
        self.connections.retain(|_, connection| {
            let in_time = now < connection.deadline() || connection.has_request();
            if !in_time {
                tracing::debug!("a control connection took too long and was closed");
            }
            in_time
        });
    }

    /// A request of each connection that has one.
    pub(crate) fn requests(&mut self) -> Vec<(ConnectionId, Result<Vec<u8>, String>)> {
        self.connections
            .iter_mut()
            .filter_map(|(id, connection)| Some((*id, connection.next_request()?)))
            .collect()
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, id: ConnectionId, response: &Response, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let fate = connection.answer(response, now);
            self.settle(id, fate);
        }
    }

    fn settle(&mut self, id: ConnectionId, fate: Fate) {
        match fate {
            Fate::Keep => {}
            Fate::Drop => {
                self.connections.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use timeball_host::clock::Clock;
    use timeball_wire::Span;

    use super::super::connection::PATIENCE;
    use super::*;

    struct Daemon {
        _directory: tempfile::TempDir,
        listener: ControlListener,
        clock: Clock,
        poll: PollSet,
    }

    impl Daemon {
        fn start() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let listener =
                ControlListener::open(&directory.path().join("run/socket"), None).unwrap();
            let clock = Clock::open().unwrap();
            Self { _directory: directory, listener, clock, poll: PollSet::new() }
        }

        fn connect(&mut self) -> UnixStream {
            let client = UnixStream::connect(self.listener.listener.path()).unwrap();
            self.turn_after(Span::ZERO);
            client
        }

        /// A turn that takes place so much later.
        fn turn_after(&mut self, later: Span) {
            self.poll.clear();
            self.listener.watch(&mut self.poll);
            let now = self.clock.monotonic().unwrap();
            self.poll.wait(Some(now)).unwrap();
            self.listener.turn(&self.poll, now + later);
        }
    }

    #[test]
    fn who_says_nothing_is_dropped_in_the_end() {
        let mut daemon = Daemon::start();
        let mut client = daemon.connect();
        client.write_all(b"{\"comm").unwrap();
        daemon.turn_after(PATIENCE.half());
        assert_eq!(daemon.listener.connections.len(), 1);
        daemon.turn_after(PATIENCE + Span::from_millis(1));
        assert_eq!(daemon.listener.connections.len(), 0);
        assert_eq!(client.read(&mut [0; 8]).unwrap_or(0), 0);
    }

    #[test]
    fn who_does_not_take_the_answer_is_dropped_in_the_end() {
        let mut daemon = Daemon::start();
        let mut client = daemon.connect();
        client.write_all(b"{}\n").unwrap();
        daemon.turn_after(Span::ZERO);
        let (id, request) = daemon.listener.requests().pop().unwrap();
        assert_eq!(request, Ok(b"{}\n".to_vec()));
        let now = daemon.clock.monotonic().unwrap();
        daemon.listener.answer(id, &Response::done("x".repeat(1 << 22)), now);
        daemon.turn_after(PATIENCE.half());
        assert_eq!(daemon.listener.connections.len(), 1);
        daemon.turn_after(PATIENCE + Span::from_millis(1));
        assert_eq!(daemon.listener.connections.len(), 0);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut daemon = Daemon::start();
        let clients: Vec<_> = (0..MAX_CONNECTIONS + 3).map(|_| daemon.connect()).collect();
        assert_eq!(daemon.listener.connections.len(), MAX_CONNECTIONS);
        drop(clients);
        // One turn to see them go, one each to let the others in and go.
        for _ in 0..10 {
            daemon.turn_after(Span::ZERO);
        }
        assert_eq!(daemon.listener.connections.len(), 0);
    }
}
