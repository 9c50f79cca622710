//! Keys for a server that has to prove who it is (RFC 8915): when they are wanted, from whom, and which
//! NTP server they are for.

use std::net::{IpAddr, SocketAddr};

use timeball_wire::{Instant, Span};

use super::{
    Association, Authentication, IdleBits, KeyFailure, Nts, NtsSession, NtsState, Reachability,
    Settings,
};

/// Requests in a row that an NTP server which came with keys may leave unanswered: then the next keys
/// had better be for another one.
const SILENT: u32 = 4;

/// How long (s) it takes until a source may begin again, once more, with the host that gives its keys.
const HOMECOMING: Span = Span::from_secs(1024);

impl Association {
    /// Begins to establish keys, if that is the first thing to do now: with this host, at the port that
    /// the settings name. Keys that have served for longer than `refresh` are used no more.
    pub fn begin_key_establishment(&mut self, now: Instant, refresh: Span) -> Option<IpAddr> {
        let due = self.next_request().is_some_and(|due| due <= now);
        let silent = self.is_away() && self.reachability.unanswered() >= SILENT;
        let nts = self.nts.as_mut().filter(|_| due && self.symmetric.is_none())?;
        if !nts.begin(now, refresh) {
            return None;
        }
        if silent {
            nts.refuse(self.address);
        }
        Some(self.ke_address.ip())
    }

    /// Whoever gives the keys has sent us to another server for the time.
    fn is_away(&self) -> bool {
        self.address != self.ke_address
    }

    /// Begins again with the host that gives the keys, if the server it sent us to does not answer.
    /// False if it does, or that was done not long ago.
    pub fn come_home(&mut self, now: Instant) -> bool {
        if !self.is_away() || !self.reachability.is_lost() || now < self.home_again {
            return false;
        }
        self.home_again = now + HOMECOMING;
        if let Some(nts) = &mut self.nts {
            nts.forget();
        }
        self.turn_to(self.ke_address);
        true
    }

    /// From now on it is this server that is asked.
    fn turn_to(&mut self, server: SocketAddr) {
        // What was measured is of another clock, and what was lost was on the way to it.
        self.address = server;
        self.reachability = Reachability::default();
        self.last = None;
        self.idle_bits = IdleBits::default();
        self.estimator.restart();
    }

    /// Of the NTP servers that a name stands for which comes with the keys, another than this one is
    /// wanted.
    pub fn refuse_server(&mut self, server: SocketAddr) {
        if let Some(nts) = &mut self.nts {
            nts.refuse(server);
        }
    }

    /// The NTP server that the next keys had better not be for.
    pub fn unwanted_server(&self) -> Option<SocketAddr> {
        self.nts.as_ref()?.unwanted()
    }

    /// It has no keys, and the host that should give them was asked often enough.
    pub fn gets_no_keys(&self) -> bool {
        self.nts.as_ref().is_some_and(Nts::is_hopeless)
    }

    /// New keys, and a cookie for the next request: that of the next poll, since this one's work was to
    /// get them, but at once if that had failed before. The server may send us to another one for the
    /// time: true if it did.
    pub fn establish_keys(&mut self, mut session: NtsSession, now: Instant) -> bool {
        let Some(nts) = &mut self.nts else { return false };
        let server = session.server.take().unwrap_or(self.ke_address);
        let urgent = nts.is_of_no_use() && nts.failure().is_some();
        let serves = if urgent { now } else { self.next_request.max(now) };
        if nts.establish(session, now, serves) && urgent && self.pending_exchange().is_none() {
            self.hasten(now);
        }
        let moved = server != self.address;
        if moved {
            self.turn_to(server);
        }
        moved
    }

    /// No new keys, for this reason. If there is nothing to ask with, that is to be looked at now.
    pub fn fail_keys(&mut self, failure: &KeyFailure, now: Instant) {
        let Some(nts) = &mut self.nts else { return };
        nts.fail(failure, now);
        if !nts.has_cookie() {
            self.hasten(now);
        }
    }

    /// The clock says something else than it did: by that, a certificate may be valid now.
    pub fn clock_stepped(&mut self, now: Instant) {
        if let Some(nts) = &mut self.nts
            && !nts.has_cookie()
        {
            nts.hasten(now);
            self.hasten(now);
        }
    }

    /// Keys and cookies that another program can go on with.
    pub fn nts_session(&self, now: Instant) -> Option<NtsSession> {
        let session = self.nts.as_ref()?.session(now)?;
        let server = self.is_away().then_some(self.address);
        Some(NtsSession { server, ..session })
    }

    /// The same for a program that may have to go on without any notice, if it is time to write it
    /// down: its cookies are not used here.
    pub fn set_nts_session_aside(&mut self, now: Instant) -> Option<NtsSession> {
        let session = self.nts.as_mut()?.set_aside(now)?;
        let server = self.is_away().then_some(self.address);
        Some(NtsSession { server, ..session })
    }

    /// How the association stands with keys and cookies, if it needs them.
    pub fn nts_state(&self) -> Option<NtsState> {
        self.nts.as_ref().map(Nts::state)
    }

    /// Where keys are established, which the server's address may differ from.
    pub const fn ke_address(&self) -> SocketAddr {
        self.ke_address
    }
}

impl Nts {
    /// Without keys, if a source with these settings needs any.
    pub(super) fn wanted(settings: &Settings, now: Instant) -> Option<Self> {
        match settings.authentication {
            Authentication::None | Authentication::Key(_) => None,
            Authentication::Nts(_) => Some(Self::new(now)),
        }
    }
}
