//! Keys of Network Time Security from a server, once and without a daemon (RFC 8915 §4).

use std::fmt::Display;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rustls::RootCertStore;
use timeball_auth::nts::AeadAlgorithm;
use timeball_auth::nts::ke::client::{CertificateTimes, Established, Request, Session, Stage};
use timeball_config::{Nts, TrustedCertificates};
use timeball_daemon::nts::{TrustError, roots, unix_time};
use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet, Slot};
use timeball_host::resolver::AddressFamily;
use timeball_host::socket::{Arrived, StreamSocket};
use timeball_wire::{Instant, Span};

use crate::resolve;

/// Bytes to read at once.
const READ: usize = 16_384;

/// Who is trusted, and what is offered.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network Time Security")]
pub(crate) struct KeyArguments {
    #[command(flatten)]
    trust: TrustArguments,
    /// Offer only these ciphers, by their numbers, the best first
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', value_parser = algorithm, default_values = ["30", "15"])]
    pub(crate) algorithms: Vec<AeadAlgorithm>,
}

/// Whose certificates are good.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArguments {
    /// Trust the certificates in this file or directory, beside the system's
    #[arg(long, value_name = "PATH")]
    trust: Vec<PathBuf>,
    /// Trust none of the system's certificates
    #[arg(long)]
    no_system_certificates: bool,
}

impl TrustArguments {
    /// The authorities.
    ///
    /// # Errors
    /// When a file cannot be used, or there are none.
    pub(crate) fn roots(&self) -> Result<Arc<RootCertStore>, TrustError> {
        let trusted = self.trust.iter();
        let config = Nts {
            trusted: trusted
                .map(|path| TrustedCertificates { set: 0, path: path.clone() })
                .collect(),
            system_certificates: !self.no_system_certificates,
            ..Nts::default()
        };
        roots(&config, 0)
    }
}

impl KeyArguments {
    /// Trusts these certificates beside the system's, and offers the ciphers that are offered unless
    /// somebody says otherwise.
    pub(crate) fn trusting(trust: Vec<PathBuf>) -> Self {
        let algorithms = vec![AeadAlgorithm::Aes128GcmSiv, AeadAlgorithm::AesSivCmac256];
        let trust = TrustArguments { trust, no_system_certificates: false };
        Self { trust, algorithms }
    }
}

fn algorithm(text: &str) -> Result<AeadAlgorithm, String> {
    let number = text.parse().ok().and_then(AeadAlgorithm::from_number);
    number.ok_or_else(|| "15, 17 and 30 are known".to_owned())
}

/// How far it has come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// So many authorities are trusted.
    Trust(usize),
    /// There is a connection.
    Connection(SocketAddr),
    /// The server has proved who it is, and speaks the protocol.
    Certificate,
}

/// Told of every step. With an error, it goes no further.
pub(crate) type Witness<'a> = &'a mut dyn FnMut(Step) -> Result<(), String>;

/// What establishing keys takes.
#[derive(Debug)]
pub(crate) struct KeyEstablishment<'a> {
    /// Who is trusted, and what is offered.
    pub(crate) arguments: &'a KeyArguments,
    /// How long (s) to wait for each step.
    pub(crate) timeout: f64,
    /// This machine's clock, by which certificates have to be valid.
    pub(crate) clock: &'a Clock,
}

impl KeyEstablishment<'_> {
    /// Keys from the server at this address, which has to prove that it has this name.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn run(
        &self,
        name: &str,
        server: SocketAddr,
        witness: Witness<'_>,
    ) -> Result<Established, String> {
        let roots = self.arguments.trust.roots().map_err(say)?;
        witness(Step::Trust(roots.len()))?;
        let request = Request {
            name,
            roots,
            algorithms: &self.arguments.algorithms,
            now: unix_time(self.clock.system().map_err(say)?),
            times: CertificateTimes::Checked,
        };
        let mut session = Session::new(&request).map_err(say)?;
        let mut socket = self
            .connect(server)
            .map_err(|reason| format!("cannot connect to {server} (TCP): {reason}"))?;
        witness(Step::Connection(server))?;
        self.speak(&mut socket, &mut session, witness)
    }

    /// Whom the keys are for: the host that has given them, if it named no other.
    ///
    /// # Errors
    /// If the one that it named cannot be found.
    pub(crate) fn ntp_server(
        &self,
        established: &Established,
        usual: SocketAddr,
        family: AddressFamily,
    ) -> Result<SocketAddr, String> {
        let address: IpAddr = match &established.server {
            None => usual.ip(),
            Some(name) => {
                let found = resolve::addresses(name, family, self.timeout);
                let found = found.map_err(|reason| format!("{name}, which it names: {reason}"))?;
                found.first().copied().ok_or_else(|| format!("{name} has no address"))?
            }
        };
        Ok(SocketAddr::new(address, established.port.unwrap_or(usual.port())))
    }

    fn connect(&self, server: SocketAddr) -> Result<StreamSocket, String> {
        let socket = StreamSocket::connect(server, None, None).map_err(say)?;
        match wait(|poll| poll.add(&socket, Interest::Write), self.deadline()?)? {
            true => socket.connected().map_err(say)?,
            false => return Err("no answer".to_owned()),
        }
        Ok(socket)
    }

    fn speak(
        &self,
        socket: &mut StreamSocket,
        session: &mut Session,
        witness: Witness<'_>,
    ) -> Result<Established, String> {
        let deadline = self.deadline()?;
        let mut buffer = vec![0; READ];
        let mut stage = session.stage();
        loop {
            match session.transmit(socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => result.map_err(say)?,
            }
            if session.stage() > stage {
                if stage == Stage::Handshake {
                    witness(Step::Certificate)?;
                }
                stage = session.stage();
            }
            if let Some(established) = session.established().map_err(say)? {
                return Ok(established);
            }
            let interest = match session.wants_transmit() {
                true => Interest::ReadWrite,
                false => Interest::Read,
            };
            if !wait(|poll| poll.add(&*socket, interest), deadline)? {
                return Err("the server says no more".to_owned());
            }
            match socket.receive(&mut buffer).map_err(say)? {
                Arrived::Nothing => {}
                Arrived::End => session.receive(&[]).map_err(say)?,
                Arrived::Bytes(len) => {
                    session.receive(buffer.get(..len).unwrap_or_default()).map_err(say)?;
                }
            }
        }
    }

    fn deadline(&self) -> Result<Instant, String> {
        let now = self.clock.monotonic().map_err(say)?;
        Ok(now + Span::from_seconds(self.timeout))
    }
}

/// True if something has happened before the deadline.
fn wait(add: impl FnOnce(&mut PollSet) -> Slot, deadline: Instant) -> Result<bool, String> {
    let mut poll = PollSet::new();
    let slot = add(&mut poll);
    poll.wait(Some(deadline)).map_err(say)?;
    Ok(poll.readiness(slot).any())
}

fn say(error: impl Display) -> String {
    error.to_string()
}
