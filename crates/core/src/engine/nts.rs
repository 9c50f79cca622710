//! Keys that sources establish with their servers (RFC 8915).

use std::net::{IpAddr, SocketAddr};

use super::{Engine, KeyEstablishment};
use crate::association::{Authentication, KeyFailure, NtsSession};
use crate::event::Event;
use crate::now::Now;
use crate::selection::SourceId;
use crate::settings::SourceSettings;

/// Keys and cookies that outlive the program: those of one server.
#[derive(Clone, Debug)]
pub struct KeptSession {
    /// The source's name as configured.
    pub name: String,
    /// Who gave them.
    pub address: IpAddr,
    /// They themselves.
    pub session: NtsSession,
}

/// What to do for a source that wants keys from the host at `address`, rather for another NTP server
/// than the `unwanted` one.
pub(super) fn key_establishment(
    settings: &SourceSettings,
    source: SourceId,
    address: IpAddr,
    unwanted: Option<SocketAddr>,
) -> KeyEstablishment {
    let server = match settings.association.authentication {
        Authentication::Nts(server) => server,
        Authentication::None | Authentication::Key(_) => Default::default(),
    };
    KeyEstablishment {
        source,
        name: settings.name.clone(),
        address: SocketAddr::new(address, server.port),
        bind_address: settings.bind_address,
        bind_device: settings.bind_device.clone(),
        certificate_set: server.certificate_set,
        family: settings.family,
        unwanted,
    }
}

impl Engine {
    pub(super) fn take_established_keys(
        &mut self,
        now: Now,
        id: SourceId,
        result: Result<Box<NtsSession>, KeyFailure>,
    ) {
        let taken = |server: SocketAddr| {
            self.members().any(|m| m.id != id && m.association.address() == server)
        };
        let named = result.as_ref().ok().and_then(|session| session.server);
        let refused = named.filter(|server| taken(*server));
        // A source that is gone needs no keys.
        let Some(member) = self.members_mut().find(|member| member.id == id) else { return };
        let result = match refused {
            Some(server) => {
                member.association.refuse_server(server);
                let reason = "the NTP server that it names is another source's";
                Err(KeyFailure::Passing(reason.to_owned()))
            }
            None => result,
        };
        let name = member.label.clone();
        match result {
            Ok(session) => {
                let cookies = session.cookies.len();
                let moved = member.association.establish_keys(*session, now.monotonic);
                let server = moved.then_some(member.association.address());
                self.outbox.event(Event::KeysEstablished { name, cookies, server });
            }
            Err(failure) => {
                member.association.fail_keys(&failure, now.monotonic);
                let reason = failure.reason().to_owned();
                self.outbox.event(Event::KeyEstablishmentFailed { name, reason });
            }
        }
        self.replace_unfit(now);
        self.send_requests(now);
    }

    /// Keys and cookies of all sources, for an engine after this one.
    pub fn keep_sessions(&self, now: Now) -> Vec<KeptSession> {
        let members = self.sources.iter().flat_map(|source| {
            source.members.iter().map(|member| (&source.settings.name, &member.association))
        });
        members
            .filter_map(|(name, association)| {
                Some(KeptSession {
                    name: name.clone(),
                    address: association.ke_address().ip(),
                    session: association.nts_session(now.monotonic)?,
                })
            })
            .collect()
    }

    /// What has to be written down now, so that an engine after this one can go on even if this one has
    /// no time to [keep](Self::keep_sessions) anything: keys, and cookies that are not used here.
    pub fn set_sessions_aside(&mut self, now: Now) -> Vec<KeptSession> {
        let members = self.sources.iter_mut().flat_map(|source| {
            let name = &source.settings.name;
            source.members.iter_mut().map(move |member| (name, &mut member.association))
        });
        members
            .filter_map(|(name, association)| {
                let session = association.set_nts_session_aside(now.monotonic)?;
                let address = association.ke_address().ip();
                Some(KeptSession { name: name.clone(), address, session })
            })
            .collect()
    }

    /// Takes in what an engine before this one has [kept](Self::keep_sessions). Sources whose addresses
    /// are not known yet get it when they are.
    pub fn restore_sessions(&mut self, now: Now, sessions: Vec<KeptSession>) {
        self.kept_sessions.extend(sessions);
        for source in 0..self.sources.len() {
            for member in 0..self.sources[source].members.len() {
                self.recall_session(now, source, member);
            }
        }
    }

    /// Gives an association the keys that were kept for it.
    pub(super) fn recall_session(&mut self, now: Now, source: usize, member: usize) {
        let source = &mut self.sources[source];
        let association = &mut source.members[member].association;
        let address = association.ke_address().ip().to_canonical();
        let is_it = |kept: &KeptSession| {
            kept.name == source.settings.name && kept.address.to_canonical() == address
        };
        let wanted = association.nts_state().is_some_and(|state| state.algorithm.is_none());
        let found = self.kept_sessions.iter().position(is_it).filter(|_| wanted);
        if let Some(index) = found {
            let kept = self.kept_sessions.swap_remove(index);
            let soon = association.next_request();
            association.establish_keys(kept.session, now.monotonic);
            if let Some(soon) = soon {
                association.postpone(soon);
            }
        }
    }
}
