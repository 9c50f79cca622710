//! Keys for sources that use Network Time Security: TCP connections that the loop waits for together
//! with everything else.

mod session_file;
mod trust;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::RootCertStore;
use timeball_auth::nts::ke::client::{CertificateTimes, Established, KeError, Request, Session};
use timeball_config::Nts as NtsConfig;
use timeball_core::Input;
use timeball_core::Now;
use timeball_core::association::{KeyFailure, NtsSession};
use timeball_core::engine::{KeptSession, KeyEstablishment};
use timeball_core::selection::SourceId;
use timeball_host::poll::{Interest, PollSet, Readiness, Slot};
use timeball_host::socket::{Arrived, StreamSocket};
use timeball_wire::{Instant, NTP_PORT, Span, Timestamp};

use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::names::{Addresses, Question};

pub use trust::{TrustError, roots, unix_time};

/// A server that has not given keys after this long will not.
const PATIENCE: Span = Span::from_secs(16);

/// Bytes to read at once; more come with the next turn.
const READ: usize = 16_384;

/// All key establishments under way.
#[derive(Debug, Default)]
pub(crate) struct KeyEstablishments {
    config: NtsConfig,
    /// Updates of the clock until certificates have to be valid by it.
    unchecked_updates: u32,
    under_way: Vec<UnderWay>,
    /// Keys for an NTP server whose name is still being resolved.
    unresolved: Vec<(KeyEstablishment, Established)>,
}

#[derive(Debug)]
struct UnderWay {
    wanted: KeyEstablishment,
    socket: StreamSocket,
    session: Session,
    connected: bool,
    deadline: Instant,
    slot: Option<Slot>,
}

/// How one ended.
type Outcome = Result<Established, KeyFailure>;

impl UnderWay {
    /// Goes on as far as the server lets it.
    fn step(&mut self, readiness: Readiness) -> Result<Option<Established>, KeyFailure> {
        if !self.connected {
            if !readiness.any() {
                return Ok(None);
            }
            self.socket.connected().map_err(cannot_connect)?;
            self.connected = true;
        } else if readiness.readable || readiness.closed || readiness.error_queue {
            let mut buffer = [0; READ];
            let arrived = match self.socket.receive(&mut buffer).map_err(broken)? {
                Arrived::Nothing => Ok(()),
                Arrived::End => self.session.receive(&[]),
                Arrived::Bytes(len) => self.session.receive(buffer.get(..len).unwrap_or_default()),
            };
            if let Err(error) = arrived {
                // The server may want to know what was wrong.
                self.send()?;
                return Err(failure(&error));
            }
        }
        let established = self.session.established().map_err(|error| failure(&error));
        self.send()?;
        established
    }

    /// Sends what there is room for.
    fn send(&mut self) -> Result<(), KeyFailure> {
        match self.session.transmit(&mut self.socket) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            result => result.map_err(broken),
        }
    }

    fn interest(&self) -> Interest {
        match (self.connected, self.session.wants_transmit()) {
            (false, _) => Interest::Write,
            (true, true) => Interest::ReadWrite,
            (true, false) => Interest::Read,
        }
    }
}

fn broken(error: io::Error) -> KeyFailure {
    KeyFailure::Passing(error.to_string())
}

fn cannot_connect(error: io::Error) -> KeyFailure {
    KeyFailure::Passing(format!("cannot connect: {error}"))
}

fn failure(error: &KeError) -> KeyFailure {
    match error.is_passing() {
        true => KeyFailure::Passing(error.to_string()),
        false => KeyFailure::Lasting(error.to_string()),
    }
}

impl KeyEstablishments {
    pub(crate) fn new(config: &NtsConfig) -> Self {
        let unchecked_updates = config.unchecked_updates;
        Self { config: config.clone(), unchecked_updates, ..Self::default() }
    }

    pub(crate) fn configure(&mut self, config: &NtsConfig) {
        self.config = config.clone();
    }

    /// The clock was compared with the sources, and corrected.
    pub(crate) fn clock_updated(&mut self) {
        self.unchecked_updates = self.unchecked_updates.saturating_sub(1);
    }

    /// Begins one, at the time `system`. `earliest` is over, whatever the clock says: it is the last
    /// time that was saved.
    fn begin(
        &mut self,
        wanted: KeyEstablishment,
        now: Instant,
        system: Timestamp,
        earliest: Option<Timestamp>,
    ) -> Result<(), KeyFailure> {
        if self.config.algorithms.is_empty() {
            return Err(KeyFailure::Lasting("no cipher is configured for NTS".to_owned()));
        }
        let roots = match trust::roots(&self.config, wanted.certificate_set) {
            // The server may be asked all the same, and turns out not to be trusted.
            Err(TrustError::Nobody(_)) => Arc::new(RootCertStore::empty()),
            roots => roots.map_err(|error| KeyFailure::Lasting(error.to_string()))?,
        };
        let is_behind = earliest.is_some_and(|earliest| system < earliest);
        let times = self.certificate_times(is_behind, earliest);
        if is_behind && times != CertificateTimes::Ignored {
            tracing::warn!(
                "the clock is behind the time that was saved last: certificates are accepted that \
                 are not valid by it, and what servers say of the time has to fit them"
            );
        }
        let request = Request {
            name: &wanted.name,
            roots,
            algorithms: &self.config.algorithms,
            now: trust::unix_time(system),
            times,
        };
        let session = Session::new(&request).map_err(|error| failure(&error))?;
        let device = wanted.bind_device.as_deref();
        let socket = StreamSocket::connect(wanted.address, wanted.bind_address, device)
            .map_err(cannot_connect)?;
        self.under_way.push(UnderWay {
            wanted,
            socket,
            session,
            connected: false,
            deadline: now + PATIENCE,
            slot: None,
        });
        Ok(())
    }

    /// Whether certificates have to be valid now. `earliest` is over, and the clock may be behind it.
    fn certificate_times(&self, is_behind: bool, earliest: Option<Timestamp>) -> CertificateTimes {
        match self.unchecked_updates > 0 {
            true if !self.config.bound_by_certificates => CertificateTimes::Ignored,
            false if !is_behind => CertificateTimes::Checked,
            true | false => {
                let earliest = earliest.unwrap_or(Timestamp::from_nanos(0));
                CertificateTimes::Unchecked { earliest: trust::unix_time(earliest) }
            }
        }
    }

    /// Adds every connection to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        for one in &mut self.under_way {
            one.slot = Some(poll.add(&one.socket, one.interest()));
        }
    }

    /// When the first one has taken too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.under_way.iter().map(|one| one.deadline).min()
    }

    /// Those that have come to an end.
    fn ended(&mut self, poll: &PollSet, now: Instant) -> Vec<(KeyEstablishment, Outcome)> {
        let mut ended = Vec::new();
        self.under_way.retain_mut(|one| {
            let readiness = one.slot.take().map(|slot| poll.readiness(slot)).unwrap_or_default();
            let outcome = match one.step(readiness) {
                Ok(Some(established)) => Ok(established),
                Err(failure) => Err(failure),
                Ok(None) if one.deadline <= now => {
                    let reason = match one.connected {
                        true => "the server does not answer",
                        false => "cannot connect: the server does not answer",
                    };
                    Err(KeyFailure::Passing(reason.to_owned()))
                }
                Ok(None) => return true,
            };
            ended.push((one.wanted.clone(), outcome));
            false
        });
        ended
    }
}

impl EventLoop {
    /// Begins what the engine wants, or tells it why not.
    pub(crate) fn establish_keys(&mut self, wanted: KeyEstablishment) -> Result<(), Error> {
        let now = self.now()?;
        let earliest = self.memory.written();
        let source = wanted.source;
        let begun = self.key_establishments.begin(wanted, now.monotonic, now.system, earliest);
        if let Err(failure) = begun {
            self.engine.handle(now, Input::KeysEstablished { source, result: Err(failure) });
        }
        Ok(())
    }

    /// Goes on with what is under way.
    pub(crate) fn attend_key_establishments(&mut self) -> Result<(), Error> {
        let now = self.monotonic()?;
        for (wanted, outcome) in self.key_establishments.ended(&self.poll, now) {
            match outcome {
                Err(failure) => self.tell_keys(wanted.source, Err(failure))?,
                Ok(established) => self.find_ntp_server(wanted, established)?,
            }
        }
        Ok(())
    }

    /// Keys may be for another server than the one that gave them, which may be known by name only.
    fn find_ntp_server(
        &mut self,
        wanted: KeyEstablishment,
        established: Established,
    ) -> Result<(), Error> {
        let name = match (&established.server, established.port) {
            (None, None) => {
                let session = Ok(session(established, None));
                return self.tell_keys(wanted.source, session);
            }
            (None, Some(port)) => {
                let server = SocketAddr::new(wanted.address.ip(), port);
                let session = Ok(session(established, Some(server)));
                return self.tell_keys(wanted.source, session);
            }
            (Some(name), _) => name.clone(),
        };
        let question = Question::NtpServer(wanted.source);
        let family = wanted.family;
        self.key_establishments.unresolved.retain(|(other, _)| other.source != wanted.source);
        self.key_establishments.unresolved.push((wanted, established));
        match self.names.resolve(question, &name, family) {
            Some(addresses) => self.take_ntp_server(question, addresses),
            None => Ok(()),
        }
    }

    /// The address of a server that keys are for, if the question was that.
    pub(crate) fn take_ntp_server(
        &mut self,
        question: Question,
        addresses: Addresses,
    ) -> Result<(), Error> {
        let unresolved = &mut self.key_establishments.unresolved;
        let is_it = |(wanted, _): &(KeyEstablishment, Established)| {
            question == Question::NtpServer(wanted.source)
        };
        let Some(index) = unresolved.iter().position(is_it) else { return Ok(()) };
        let (wanted, established) = unresolved.swap_remove(index);
        let named = established.server.clone().unwrap_or_default();
        let found = match addresses {
            Err(error) => Err(error.to_string()),
            Ok(addresses) => choose(&addresses, wanted.unwanted, wanted.address.ip())
                .ok_or_else(|| "it has no address that a server could have".to_owned()),
        };
        let result = match found {
            Err(reason) => {
                let reason = format!("the NTP server `{named}` that it names: {reason}");
                Err(KeyFailure::Passing(reason))
            }
            Ok(address) => {
                let port = established.port.unwrap_or(NTP_PORT);
                Ok(session(established, Some(SocketAddr::new(address, port))))
            }
        };
        self.tell_keys(wanted.source, result)
    }

    fn tell_keys(
        &mut self,
        source: SourceId,
        result: Result<NtsSession, KeyFailure>,
    ) -> Result<(), Error> {
        self.tell(Input::KeysEstablished { source, result: result.map(Box::new) })
    }

    /// Keeps keys and cookies for the next run, if the configuration has a place for them.
    pub(crate) fn keep_sessions(&mut self) -> Result<(), Error> {
        let Some(directory) = self.config.nts.directory.clone() else { return Ok(()) };
        let now = self.now()?;
        let sessions: Vec<KeptSession> = self.engine.keep_sessions(now);
        session_file::save(&directory, &sessions, now.system);
        Ok(())
    }

    /// Writes down what a run after a crash will need, whenever there is something new of it.
    pub(crate) fn set_sessions_aside(&mut self, now: Now) {
        if let Some(directory) = &self.config.nts.directory {
            session_file::save(directory, &self.engine.set_sessions_aside(now), now.system);
        }
    }

    /// Takes in what the last run has kept, which is used once and no more.
    pub(crate) fn restore_sessions(&mut self) -> Result<(), Error> {
        let Some(directory) = self.config.nts.directory.clone() else { return Ok(()) };
        let now = self.now()?;
        let sessions = session_file::take(&directory, now.system);
        self.engine.restore_sessions(now, sessions);
        self.carry_out_outputs()
    }
}

/// Of the addresses of a name that came with keys `from` somewhere, the first that could be a server's;
/// if that is unwanted, the one behind it, so that all of them get their turn.
fn choose(addresses: &[IpAddr], unwanted: Option<SocketAddr>, from: IpAddr) -> Option<IpAddr> {
    let unwanted = unwanted.map(|server| server.ip().to_canonical());
    let is_unwanted = |address: &IpAddr| Some(address.to_canonical()) == unwanted;
    let first = addresses.iter().position(is_unwanted).map_or(0, |place| place + 1);
    let (before, after) = addresses.split_at_checked(first)?;
    after.iter().chain(before).copied().find(|address| is_plausible(*address, from))
}

/// Nobody sends us to ourselves, or to nobody: only who is here already may name such an address.
fn is_plausible(address: IpAddr, from: IpAddr) -> bool {
    let address = address.to_canonical();
    let broadcast = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    let nobody = address.is_unspecified() || address.is_multicast() || address == broadcast;
    !nobody && (!address.is_loopback() || from.to_canonical().is_loopback())
}

/// What the engine keeps of it; `server` is whom to ask, if that is not who gave the keys.
pub fn session(established: Established, server: Option<SocketAddr>) -> NtsSession {
    let at = |seconds| {
        Timestamp::from_nanos(
            i64::try_from(seconds)
                .unwrap_or(i64::MAX / 1_000_000_000)
                .saturating_mul(1_000_000_000),
        )
    };
    NtsSession {
        secrets: established.secrets,
        alternative: established.alternative,
        cookies: established.cookies,
        server,
        validity: established.validity.map(|valid| (at(valid.not_before), at(valid.not_after))),
        age: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolvers shuffle: what matters is that another one comes next.
    #[test]
    fn all_addresses_of_a_name_get_their_turn() {
        let addresses = ["192.0.2.1", "224.0.1.1", "2001:db8::3"].map(|text| text.parse().unwrap());
        let from = "192.0.2.9".parse().unwrap();
        let chosen = |unwanted: Option<&str>| {
            let unwanted = unwanted.map(|text| SocketAddr::new(text.parse().unwrap(), NTP_PORT));
            choose(&addresses, unwanted, from).map(|address| address.to_string())
        };
        for (unwanted, expected) in [
            (None, "192.0.2.1"),
            (Some("192.0.2.7"), "192.0.2.1"),
            (Some("192.0.2.1"), "2001:db8::3"),
            (Some("::ffff:192.0.2.1"), "2001:db8::3"),
            (Some("2001:db8::3"), "192.0.2.1"),
        ] {
            assert_eq!(chosen(unwanted).as_deref(), Some(expected), "{unwanted:?}");
        }
        let only = &addresses[..1];
        let unwanted = Some(SocketAddr::new(only[0], NTP_PORT));
        assert_eq!(choose(only, unwanted, from), Some(only[0]), "better than nobody");
        assert_eq!(choose(&addresses[1..2], None, from), None);
        assert_eq!(choose(&[], None, from), None);
    }

    #[test]
    fn only_an_operator_has_expired_certificates_accepted() {
        let now = Timestamp::from_nanos(7_000_000_000);
        let bound = CertificateTimes::Unchecked { earliest: trust::unix_time(now) };
        for (unchecked_updates, bound_by_certificates, is_behind, expected) in [
            (0, true, false, CertificateTimes::Checked),
            (0, false, false, CertificateTimes::Checked),
            (0, true, true, bound),
            (0, false, true, bound),
            (1, true, false, bound),
            (1, true, true, bound),
            (1, false, false, CertificateTimes::Ignored),
            (1, false, true, CertificateTimes::Ignored),
        ] {
            let config =
                NtsConfig { unchecked_updates, bound_by_certificates, ..NtsConfig::default() };
            let mut one = KeyEstablishments::new(&config);
            assert_eq!(one.certificate_times(is_behind, Some(now)), expected, "{config:?}");
            one.clock_updated();
            assert_ne!(one.certificate_times(false, Some(now)), CertificateTimes::Ignored);
        }
    }

    #[test]
    fn nobody_is_sent_to_this_machine_from_outside() {
        for (address, from, expected) in [
            ("192.0.2.1", "192.0.2.2", true),
            ("2001:db8::1", "192.0.2.2", true),
            ("127.0.0.1", "192.0.2.2", false),
            ("::1", "192.0.2.2", false),
            ("::ffff:127.0.0.1", "192.0.2.2", false),
            ("127.0.0.2", "127.0.0.1", true),
            ("0.0.0.0", "127.0.0.1", false),
            ("224.0.1.1", "192.0.2.2", false),
            ("255.255.255.255", "192.0.2.2", false),
            ("ff02::101", "2001:db8::1", false),
        ] {
            let parse = |text: &str| text.parse().unwrap();
            assert_eq!(is_plausible(parse(address), parse(from)), expected, "{address} {from}");
        }
    }
}
