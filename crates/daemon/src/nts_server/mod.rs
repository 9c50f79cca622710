//! The server's side of Network Time Security (RFC 8915): keys for clients, and the keys of cookies by
//! which the responder knows those clients again.
//!
//! | file | what it is about |
//! |---|---|
//! | `cookie_keys` | the keys of cookies: when they change, and where they are kept |
//! | `identity` | the certificates, read again when they change |
//! | `service` | who may connect, how many, how often |
//! | `connection` | one client, from handshake to farewell |
//! | `thread` | the service in a thread of its own |

mod connection;
mod cookie_keys;
mod identity;
mod service;
mod thread;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use timeball_auth::nts::ke::server::Terms;
use timeball_config::Config;
use timeball_core::server::{AccessRules, CookieKeys};
use timeball_host::poll::PollSet;
use timeball_host::random;
use timeball_host::socket::TcpListener;
use timeball_wire::{Instant, NTP_PORT};

use self::cookie_keys::CookieKeyRing;
use self::identity::Identity;
use self::service::{Board, Orders, Service};
use self::thread::ServiceThread;
use crate::error::Error;
use crate::event_loop::EventLoop;

/// Gives keys to clients, and keeps those of their cookies.
#[derive(Debug, Default)]
pub(crate) struct NtsServer {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    config: Config,
    access: AccessRules,
    ring: CookieKeyRing,
    board: Arc<Board>,
    place: Place,
}

/// Where the service is.
#[derive(Debug)]
enum Place {
    /// Part of the daemon's loop.
    Here(Box<Service>),
    /// Ready for a thread, which starts with the first turn of the loop: by then the process has given
    /// up the rights that a thread would keep.
    Prepared(Box<Service>),
    /// In its thread.
    Thread { _thread: ServiceThread },
    /// It could not be started.
    Nowhere,
}

impl NtsServer {
    /// Begins, ends or goes on as the configuration has it. True if the keys of cookies may be others.
    ///
    /// # Errors
    /// When this machine has no random numbers.
    pub(crate) fn configure(
        &mut self,
        config: &Config,
        access: &AccessRules,
        now: Instant,
    ) -> io::Result<()> {
        if !config.gives_keys() {
            self.running = None;
            return Ok(());
        }
        match &mut self.running {
            Some(running) => running.configure(config, access, now)?,
            None => self.running = Some(Running::start(config, access, now)?),
        }
        Ok(())
    }

    /// Other clients are served from now on.
    pub(crate) fn change_access(&mut self, access: &AccessRules) {
        if let Some(running) = &mut self.running {
            running.access = access.clone();
            running.give_orders();
        }
    }

    /// What the responder opens cookies with, and makes new ones.
    ///
    /// # Errors
    /// When this machine has no random numbers.
    pub(crate) fn cookie_keys(&self) -> io::Result<Option<CookieKeys>> {
        let Some(running) = &self.running else { return Ok(None) };
        Ok(Some(CookieKeys::new(running.ring.keys(), random::seed()?)))
    }

    /// Adds its descriptors to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        let Some(running) = &mut self.running else { return };
        running.start_thread();
        if let Place::Here(service) = &mut running.place {
            service.watch(poll);
        }
    }

    /// When something is to be done here.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let running = self.running.as_ref()?;
        let service = match &running.place {
            Place::Here(service) => service.deadline(),
            Place::Prepared(_) | Place::Thread { .. } | Place::Nowhere => None,
        };
        [service, running.ring.due()].into_iter().flatten().min()
    }

    /// Keeps the keys for the next start.
    pub(crate) fn stop(&mut self, now: Instant) {
        if let Some(mut running) = self.running.take() {
            running.ring.keep(now);
        }
    }
}

impl Running {
    fn start(config: &Config, access: &AccessRules, now: Instant) -> io::Result<Self> {
        let ring = CookieKeyRing::open(config, now)?;
        let board = Arc::new(Board::new(orders(config, access, &ring)));
        let mut running = Self {
            config: config.clone(),
            access: access.clone(),
            ring,
            board,
            place: Place::Nowhere,
        };
        running.settle(now)?;
        Ok(running)
    }

    fn configure(&mut self, config: &Config, access: &AccessRules, now: Instant) -> io::Result<()> {
        let (new, old) = (&config.serve, &self.config.serve);
        let same_place = new.key_establishment.port == old.key_establishment.port
            && new.key_establishment.own_thread == old.key_establishment.own_thread
            && new.key_establishment.certificates == old.key_establishment.certificates
            && new.bind_addresses == old.bind_addresses
            && new.bind_device == old.bind_device;
        self.config = config.clone();
        self.access = access.clone();
        self.ring.configure(config, now);
        self.give_orders();
        if !same_place || matches!(self.place, Place::Nowhere) {
            // The old sockets make room first.
            self.place = Place::Nowhere;
            self.settle(now)?;
        }
        Ok(())
    }

    fn give_orders(&self) {
        self.board.give(orders(&self.config, &self.access, &self.ring));
    }

    /// Opens files and sockets. What cannot be opened is an error in the log, and not the end of a
    /// daemon that has other things to do.
    fn settle(&mut self, now: Instant) -> io::Result<()> {
        let nts = &self.config.serve.key_establishment;
        let identity = match Identity::open(&nts.certificates, now) {
            Ok(identity) => identity,
            Err(error) => {
                tracing::error!("clients get no keys for NTS: {error}");
                return Ok(());
            }
        };
        let listeners = listen(&self.config);
        if listeners.is_empty() {
            return Ok(());
        }
        let mut hash_key = [0; 16];
        random::fill(&mut hash_key)?;
        let own_thread = nts.own_thread;
        let service = Service::new(Arc::clone(&self.board), identity, listeners, hash_key)?;
        for address in service.addresses() {
            tracing::info!("giving keys for NTS on {address}");
        }
        let service = Box::new(service);
        self.place = if own_thread { Place::Prepared(service) } else { Place::Here(service) };
        Ok(())
    }

    fn start_thread(&mut self) {
        self.place = match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Prepared(service) => match ServiceThread::start(*service) {
                Ok(thread) => Place::Thread { _thread: thread },
                Err(error) => {
                    tracing::error!("no thread to give keys for NTS in: {error}");
                    Place::Nowhere
                }
            },
            place @ (Place::Here(_) | Place::Thread { .. } | Place::Nowhere) => place,
        };
    }
}

fn orders(config: &Config, access: &AccessRules, ring: &CookieKeyRing) -> Orders {
    let nts = &config.serve.key_establishment;
    Orders {
        access: access.clone(),
        terms: Terms {
            algorithms: config.nts.algorithms.clone(),
            ntp_server: nts.ntp_server.clone(),
            ntp_port: Some(config.serve.port).filter(|port| *port != NTP_PORT),
        },
        keys: ring.keys(),
        max_connections: nts.max_connections,
        rate_limit: nts.rate_limit,
    }
}

/// Listens where clients are served.
fn listen(config: &Config) -> Vec<TcpListener> {
    let serve = &config.serve;
    let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let addresses: &[IpAddr] = match serve.bind_addresses.as_slice() {
        [] => &everywhere,
        some => some,
    };
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(*address, serve.key_establishment.port);
        match TcpListener::open(address, serve.bind_device.as_deref()) {
            Ok(listener) => listeners.push(listener),
            // One address family is enough to serve everywhere.
            Err(error) if address.ip().is_unspecified() && !listeners.is_empty() => {
                tracing::info!("not giving keys for NTS on {address}: {error}");
            }
            Err(error) => tracing::error!("cannot give keys for NTS on {address}: {error}"),
        }
    }
    listeners
}

impl EventLoop {
    /// Lets key establishment do what the last wait found possible, and changes the keys of cookies if
    /// it is time to.
    pub(crate) fn attend_nts(&mut self) -> Result<(), Error> {
        if self.nts_server.running.is_none() {
            return Ok(());
        }
        let now = self.monotonic()?;
        let Some(running) = &mut self.nts_server.running else { return Ok(()) };
        if let Place::Here(service) = &mut running.place {
            service.turn(&self.poll, now);
        }
        let tally = running.board.take_tally();
        self.server.responder_mut().count_key_exchanges(tally.served, tally.dropped);
        for (from, treatment) in tally.clients {
            self.server.responder_mut().note_key_exchange(from, treatment, now);
        }
        if running.ring.rotate(now).map_err(Error::Random)? {
            running.give_orders();
            self.hand_out_cookie_keys()?;
        }
        Ok(())
    }

    /// Takes the keys of cookies from their file, if another server has changed them.
    pub(crate) fn read_cookie_keys_again(&mut self) -> Result<(), Error> {
        let now = self.monotonic()?;
        let Some(running) = &mut self.nts_server.running else { return Ok(()) };
        if running.ring.read_again(now) {
            running.give_orders();
            self.hand_out_cookie_keys()?;
        }
        Ok(())
    }

    /// Works by the configuration, as far as it is about NTS.
    pub(crate) fn configure_nts(&mut self) -> Result<(), Error> {
        let now = self.monotonic()?;
        let access = self.server.responder().access();
        self.nts_server.configure(&self.config, access, now).map_err(Error::Random)?;
        self.hand_out_cookie_keys()
    }

    /// The responder knows the keys from now on.
    fn hand_out_cookie_keys(&mut self) -> Result<(), Error> {
        let keys = self.nts_server.cookie_keys().map_err(Error::Random)?;
        self.server.responder_mut().take_cookie_keys(keys);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
