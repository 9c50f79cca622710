//! One client that wants keys.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::Arc;

use rustls::ServerConfig;
use timeball_auth::nts::ServerKeys;
use timeball_auth::nts::ke::server::{CookieMaker, Session, Stage, Terms};
use timeball_host::poll::{Interest, Readiness};
use timeball_wire::{Instant, Span};

/// How long a client may take for all of it. Those that are slower, or silent, keep a place from
/// others.
pub(super) const PATIENCE: Span = Span::from_secs(2);

/// How long a client may take to say whole what it wants to begin with while others wait for its
/// place. Who means it says so at once.
pub(super) const GRACE: Span = Span::from_millis(200);

/// Bytes read at once.
const CHUNK: usize = 4096;

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    from: IpAddr,
    session: Session,
    unsent: Vec<u8>,
    /// Everything has been said; the client is to hang up.
    silent: bool,
    /// The client has said something that could be answered, and nothing that could not.
    understood: bool,
    since: Instant,
}

/// Whether it is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is.
    Keep,
    /// There is nothing more to say or to hear.
    Drop,
}

impl Connection {
    /// With a client that has just come.
    ///
    /// # Errors
    /// If this TLS is none.
    pub(super) fn new(
        stream: TcpStream,
        from: IpAddr,
        tls: &Arc<ServerConfig>,
        now: Instant,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            stream,
            from,
            session: Session::new(tls)?,
            unsent: Vec::new(),
            silent: false,
            understood: false,
            since: now,
        })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whose it is.
    pub(super) fn from(&self) -> IpAddr {
        self.from
    }

    /// When it has taken too long.
    pub(super) fn deadline(&self) -> Instant {
        self.since + PATIENCE
    }

    /// From when on its place may be given to another: never, once the client has said what it wants.
    pub(super) fn yields(&self) -> Option<Instant> {
        (!self.understood).then(|| self.since + GRACE)
    }

    /// What to wait for. Who does not take what it is sent is not listened to.
    pub(super) fn interest(&self) -> Interest {
        if self.unsent.is_empty() { Interest::Read } else { Interest::Write }
    }

    /// Does what the last wait found possible.
    pub(super) fn turn(
        &mut self,
        readiness: Readiness,
        terms: &Terms,
        keys: &ServerKeys,
        nonces: impl FnMut() -> [u8; 16],
    ) -> Fate {
        if !readiness.any() {
            return Fate::Keep;
        }
        if self.unsent.is_empty() { self.receive(terms, keys, nonces) } else { self.send() }
    }

    fn receive(
        &mut self,
        terms: &Terms,
        keys: &ServerKeys,
        nonces: impl FnMut() -> [u8; 16],
    ) -> Fate {
        let mut chunk = [0; CHUNK];
        let received = match self.stream.read(&mut chunk) {
            Ok(length) => chunk.get(..length).unwrap_or_default(),
            Err(error) if is_for_later(&error) => return Fate::Keep,
            Err(_) => return Fate::Drop,
        };
        if self.silent {
            return if received.is_empty() { Fate::Drop } else { Fate::Keep };
        }
        let outcome = self.session.receive(received, terms, &mut CookieMaker { keys, nonces });
        let is_good = outcome.is_ok();
        if let Err(error) = outcome {
            tracing::debug!("no keys for {}: {error}", self.from);
        }
        self.session.transmit(&mut self.unsent);
        self.understood = is_good && (self.understood || !self.unsent.is_empty());
        match (self.unsent.is_empty(), received.is_empty()) {
            (true, true) => Fate::Drop,
            (true, false) => self.after_sending(),
            (false, _) => self.send(),
        }
    }

    fn send(&mut self) -> Fate {
        match self.stream.write(&self.unsent) {
            Ok(length) => {
                self.unsent.drain(..length.min(self.unsent.len()));
                if self.unsent.is_empty() { self.after_sending() } else { Fate::Keep }
            }
            Err(error) if is_for_later(&error) => Fate::Keep,
            Err(_) => Fate::Drop,
        }
    }

    /// Hanging up while something is still under way from the client would take back what it was sent.
    fn after_sending(&mut self) -> Fate {
        match self.session.stage() {
            Stage::Listening => Fate::Keep,
            Stage::Answered | Stage::Refused => {
                self.silent = true;
                match self.stream.shutdown(Shutdown::Write) {
                    Ok(()) => Fate::Keep,
                    Err(_) => Fate::Drop,
                }
            }
        }
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
