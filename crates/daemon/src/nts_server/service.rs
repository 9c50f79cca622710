//! Gives keys to whoever connects and may have them, in the daemon's own loop or in a thread.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use timeball_auth::nts::ServerKeys;
use timeball_auth::nts::ke::server::Terms;
use timeball_core::server::rate_limit::{RateLimiter, Ruling};
use timeball_core::server::{AccessRules, Habit, RateLimit, Treatment};
use timeball_host::poll::{Interest, PollSet, Slot};
use timeball_host::random;
use timeball_host::socket::TcpListener;
use timeball_wire::{Instant, Span};

use super::connection::{Connection, Fate};
use super::identity::Identity;

/// One address, or /64 network of IPv6, may have one in so many of all connections.
const SHARE: usize = 8;

/// How long nobody is accepted after the system had no room for a connection.
const RESPITE: Span = Span::from_millis(100);

/// Clients whose treatment is remembered until the daemon asks for it.
const MOST_REMEMBERED: usize = 4096;

/// What the service works by. It is replaced as a whole.
#[derive(Debug)]
pub(super) struct Orders {
    /// Who may have keys.
    pub(super) access: AccessRules,
    /// What is negotiated.
    pub(super) terms: Terms,
    /// What cookies are made with.
    pub(super) keys: Arc<ServerKeys>,
    /// Clients at once.
    pub(super) max_connections: usize,
    /// Limit per client.
    pub(super) rate_limit: Option<RateLimit>,
}

/// What became of those who connected.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many were listened to.
    pub(super) served: u64,
    /// How many were one too many.
    pub(super) dropped: u64,
    /// Who they were, as far as they are remembered.
    pub(super) clients: Vec<(IpAddr, Treatment)>,
}

/// Where the daemon and its service meet. Nobody holds a lock for longer than it takes to read it.
#[derive(Debug)]
pub(super) struct Board {
    orders: Mutex<Arc<Orders>>,
    tally: Mutex<Tally>,
}

impl Board {
    pub(super) fn new(orders: Orders) -> Self {
        Self { orders: Mutex::new(Arc::new(orders)), tally: Mutex::default() }
    }

    /// The orders in force.
    fn orders(&self) -> Arc<Orders> {
        Arc::clone(&locked(&self.orders))
    }

    /// Other orders from now on.
    pub(super) fn give(&self, orders: Orders) {
        *locked(&self.orders) = Arc::new(orders);
    }

    /// What has become of clients since the last call.
    pub(super) fn take_tally(&self) -> Tally {
        std::mem::take(&mut *locked(&self.tally))
    }

    fn note(&self, from: IpAddr, treatment: Treatment) {
        let mut tally = locked(&self.tally);
        match treatment {
            Treatment::Served => tally.served = tally.served.saturating_add(1),
            Treatment::Dropped => tally.dropped = tally.dropped.saturating_add(1),
        }
        if tally.clients.len() < MOST_REMEMBERED {
            tally.clients.push((from, treatment));
        }
    }
}

/// A thread that panicked has left whole values behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sockets, and those who are connected.
#[derive(Debug)]
pub(super) struct Service {
    board: Arc<Board>,
    identity: Identity,
    listeners: Vec<TcpListener>,
    connections: BTreeMap<u64, Connection>,
    next_id: u64,
    limiter: Option<(RateLimit, RateLimiter)>,
    hash_key: [u8; 16],
    random: ChaCha20Rng,
    /// Nobody is accepted before.
    respite: Option<Instant>,
    /// There is a place for a client, or one that can be taken from another.
    has_place: bool,
    listening: Vec<Slot>,
    talking: Vec<(u64, Slot)>,
}

impl Service {
    /// A service on these sockets. `hash_key` must be unpredictable to clients.
    ///
    /// # Errors
    /// When this machine has no random numbers.
    pub(super) fn new(
        board: Arc<Board>,
        identity: Identity,
        listeners: Vec<TcpListener>,
        hash_key: [u8; 16],
    ) -> io::Result<Self> {
        Ok(Self {
            board,
            identity,
            listeners,
            connections: BTreeMap::new(),
            next_id: 0,
            limiter: None,
            hash_key,
            random: ChaCha20Rng::from_seed(random::seed()?),
            respite: None,
            has_place: true,
            listening: Vec::new(),
            talking: Vec::new(),
        })
    }

    /// Where it listens.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().map(TcpListener::local_address)
    }

    /// How many are connected.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Adds its descriptors to what is waited for.
    pub(super) fn watch(&mut self, poll: &mut PollSet) {
        self.listening.clear();
        if self.has_place && self.respite.is_none() {
            let listeners = self.listeners.iter();
            self.listening.extend(listeners.map(|socket| poll.add(socket, Interest::Read)));
        }
        self.talking.clear();
        self.talking.extend(
            self.connections.iter().map(|(id, connection)| {
                (*id, poll.add(connection.stream(), connection.interest()))
            }),
        );
    }

    /// When [`turn`](Self::turn) has something to do though nothing has come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = self.connections.values().map(Connection::deadline);
        let yields = self.first_to_yield().filter(|_| !self.has_place);
        patience.chain(self.respite).chain(yields.map(|(_, at)| at)).min()
    }

    /// The client that has said nothing of use for longest, and when its place may be taken.
    fn first_to_yield(&self) -> Option<(u64, Instant)> {
        self.connections.iter().find_map(|(id, one)| Some((*id, one.yields()?)))
    }

    fn is_full(&self, orders: &Orders) -> bool {
        self.connections.len() >= orders.max_connections
    }

    /// A client that may give up its place to another now.
    fn who_yields(&self, now: Instant) -> Option<u64> {
        self.first_to_yield().filter(|(_, at)| *at <= now).map(|(id, _)| id)
    }

    /// Does what the last wait found possible.
    pub(super) fn turn(&mut self, poll: &PollSet, now: Instant) {
        let orders = self.board.orders();
        for (id, slot) in std::mem::take(&mut self.talking) {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let random = &mut self.random;
            let nonces = || {
                let mut nonce = [0; 16];
                random.fill_bytes(&mut nonce);
                nonce
            };
            let fate = connection.turn(poll.readiness(slot), &orders.terms, &orders.keys, nonces);
            if fate == Fate::Drop {
                self.connections.remove(&id);
            }
        }
        self.connections.retain(|_, connection| {
            let in_time = now < connection.deadline();
            if !in_time {
                tracing::debug!("{} took too long to ask for keys", connection.from());
            }
            in_time
        });
        self.respite = self.respite.filter(|end| now < *end);
        for (index, slot) in std::mem::take(&mut self.listening).into_iter().enumerate() {
            if poll.readiness(slot).any() {
                self.accept(index, &orders, now);
            }
        }
        self.has_place = !self.is_full(&orders) || self.who_yields(now).is_some();
    }

    /// Accepts one who waits, if there is a place; the next wait tells of others.
    fn accept(&mut self, index: usize, orders: &Orders, now: Instant) {
        let taken = match self.is_full(orders) {
            true => match self.who_yields(now) {
                Some(id) => Some(id),
                None => return,
            },
            false => None,
        };
        let Some(listener) = self.listeners.get(index) else { return };
        match listener.accept() {
            Ok(Some((stream, from))) => self.welcome(stream, from.ip(), taken, orders, now),
            Ok(None) => {}
            // Such as too many open files.
            Err(error) => {
                tracing::warn!("a client that wants keys could not be accepted: {error}");
                self.respite = Some(now + RESPITE);
            }
        }
    }

    /// Whoever may not be here is not told why. Who may has the place `taken` from another, if all
    /// were taken.
    fn welcome(
        &mut self,
        stream: TcpStream,
        from: IpAddr,
        taken: Option<u64>,
        orders: &Orders,
        now: Instant,
    ) {
        if !orders.access.allows(from) {
            return;
        }
        if !self.is_within_limits(from, orders, now) {
            self.board.note(from, Treatment::Dropped);
            return;
        }
        self.board.note(from, Treatment::Served);
        if let Some(other) = taken.and_then(|id| self.connections.remove(&id)) {
            tracing::debug!("{} said nothing while others waited", other.from());
        }
        match Connection::new(stream, from, self.identity.tls(now), now) {
            Ok(connection) => {
                self.connections.insert(self.next_id, connection);
                self.next_id = self.next_id.wrapping_add(1);
            }
            Err(error) => tracing::warn!("no TLS for {from}: {error}"),
        }
    }

    fn is_within_limits(&mut self, from: IpAddr, orders: &Orders, now: Instant) -> bool {
        let connections = self.connections.values();
        let own = connections.filter(|other| subscriber(other.from()) == subscriber(from)).count();
        if own >= (orders.max_connections / SHARE).max(1) {
            return false;
        }
        let Some(limit) = &orders.rate_limit else {
            self.limiter = None;
            return true;
        };
        let (known, limiter) =
            self.limiter.get_or_insert_with(|| (*limit, RateLimiter::new(limit, &self.hash_key)));
        if known != limit {
            *known = *limit;
            limiter.configure(limit);
        }
        match limiter.judge(from, Habit::Steady, now) {
            Ruling::Within | Ruling::Leak => true,
            Ruling::Kiss | Ruling::Over => false,
        }
    }
}

/// Who is taken for one: an IPv4 address, or the /64 network of an IPv6 one.
fn subscriber(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}
