//! A client's session of key establishment (RFC 8915 §4).

mod certificates;
mod response;

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{InvalidDnsNameError, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};
use timeball_wire::BufferTooSmall;
use timeball_wire::nts_ke::{Body, ErrorCode, NTPV4, NTS_KE_ALPN, Numbers, Record};

use certificates::Verifier;
pub use certificates::{CertificateTimes, Validity};

use super::{
    ExporterContext, Message, MessageError, crypto_provider, session_secrets, write_records,
};
use crate::nts::{AeadAlgorithm, SessionSecrets};
use response::Response;

/// Longest answer that is taken: RFC 8915 §4 asks for this much at least.
const MAX_RESPONSE_LEN: usize = 65_536;

/// Most cookies that are kept: as many as a server is asked to give (RFC 8915 §4.1.6).
pub const MAX_COOKIES: usize = 8;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Whom it wants to speak to: the name, or address, that the certificate has to be for.
    pub name: &'a str,
    /// Whose certificates it trusts; if nobody's, no server will do.
    pub roots: Arc<RootCertStore>,
    /// The ciphers that it offers, the best first.
    pub algorithms: &'a [AeadAlgorithm],
    /// What time it is (Unix time), as far as is known.
    pub now: UnixTime,
    /// Whether the certificate has to be valid at that time.
    pub times: CertificateTimes,
}

/// A session under way. Bytes from the server go [in](Self::receive), bytes for it come
/// [out](Self::transmit), and in the end there are [keys](Self::established).
#[derive(Debug)]
pub struct Session {
    connection: ClientConnection,
    verifier: Arc<Verifier>,
    algorithms: Vec<AeadAlgorithm>,
    asked: bool,
    response: Message,
}

/// What a session was for.
#[derive(Debug)]
pub struct Established {
    /// The keys.
    pub secrets: SessionSecrets,
    /// Other keys, to be tried if the server does not know those: it did not say which way it takes
    /// keys from the session.
    pub alternative: Option<SessionSecrets>,
    /// At least one cookie, each good for one request.
    pub cookies: Vec<Vec<u8>>,
    /// The NTP server to ask, if it is not the host that gave the keys: a name or an address.
    pub server: Option<String>,
    /// Its port, if it is not the usual one.
    pub port: Option<u16>,
    /// When the certificate is valid, if it was not at the time that it had to be checked against:
    /// what the server says of the time has to lie within.
    pub validity: Option<Validity>,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Client and server agree on keys of TLS, and the server proves who it is.
    Handshake,
    /// The client has asked.
    Asked,
    /// The server has answered.
    Answered,
}

/// Why a session gave no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeError {
    /// The server's name is none that a certificate could be for.
    #[error("`{0}` is not a name that a certificate could be for")]
    Name(String, #[source] InvalidDnsNameError),
    /// TLS failed; the certificate may be the reason.
    #[error("TLS: {}", of_tls(.0))]
    Tls(#[from] rustls::Error),
    /// Whoever answers does not speak NTS key establishment.
    #[error("the server does not speak NTS key establishment (no ALPN `ntske/1`)")]
    Alpn,
    /// The connection ended too soon.
    #[error("the server hung up in the middle")]
    Truncated,
    /// What came is no message.
    #[error("its answer is none: {0}")]
    Message(#[from] MessageError),
    /// The server refused.
    #[error("the server refuses: {}", refusal(*.0))]
    Refused(ErrorCode),
    /// The server warns of something that nobody has defined.
    #[error("the server warns of {0}, which is unknown")]
    Warned(u16),
    /// A record that has to be understood is not.
    #[error("the server answers with a critical record of the unknown type {0}")]
    UnrecognisedCriticalRecord(u16),
    /// A record is missing or there are two, or it says what it must not.
    #[error("its answer is none: {0}")]
    Records(&'static str),
    /// The server has no NTPv4.
    #[error("the server does not serve NTPv4 with NTS")]
    NoNtpv4,
    /// The server has none of the ciphers.
    #[error("the server has none of the ciphers that were offered")]
    NoAlgorithm,
    /// The server wants a cipher that was not offered.
    #[error("the server chose the cipher {0}, which was not offered")]
    AlgorithmNotOffered(u16),
    /// There is no cookie, or none that fits into a request.
    #[error("the server gives no cookie that fits into a request")]
    NoCookies,
    /// TLS had no use for the bytes that came.
    #[error("TLS: {0}")]
    Io(#[from] io::Error),
    /// The request cannot be written.
    #[error(transparent)]
    Request(#[from] BufferTooSmall),
}

impl KeError {
    /// The session ended before anybody found fault with anything: the next may do better.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Truncated | Self::Io(_) => true,
            Self::Name(..)
            | Self::Tls(_)
            | Self::Alpn
            | Self::Message(_)
            | Self::Refused(_)
            | Self::Warned(_)
            | Self::UnrecognisedCriticalRecord(_)
            | Self::Records(_)
            | Self::NoNtpv4
            | Self::NoAlgorithm
            | Self::AlgorithmNotOffered(_)
            | Self::NoCookies
            | Self::Request(_) => false,
        }
    }
}

/// What TLS did not like; the most frequent reason in so many words.
fn of_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => format!("the server has an expired certificate ({error})"),
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("nobody who is trusted vouches for the server ({error})")
        }
        other => other.to_string(),
    }
}

fn refusal(code: ErrorCode) -> String {
    match code {
        ErrorCode::UnrecognisedCriticalRecord => "it does not know a critical record".to_owned(),
        ErrorCode::BadRequest => "it calls the request bad".to_owned(),
        ErrorCode::InternalServerError => "something went wrong on its side".to_owned(),
        ErrorCode::Other(number) => format!("error {number}"),
    }
}

/// The one moment at which a session's certificates are looked at.
#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

impl Session {
    /// Begins one: the first bytes for the server are there to be taken.
    ///
    /// # Errors
    /// If nobody could prove to have that name.
    pub fn new(request: &Request<'_>) -> Result<Self, KeError> {
        let name = request.name.strip_suffix('.').unwrap_or(request.name);
        let server = ServerName::try_from(name.to_owned())
            .map_err(|error| KeError::Name(request.name.to_owned(), error))?;
        let provider = crypto_provider();
        let verifier = Verifier::new(&request.roots, &provider, request.times)?;
        let time = Arc::new(At(request.now));
        let mut config = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_no_client_auth();
        config.alpn_protocols = vec![NTS_KE_ALPN.to_vec()];
        // Whoever resumed a session would be known again by it.
        config.resumption = Resumption::disabled();
        Ok(Self {
            connection: ClientConnection::new(Arc::new(config), server)?,
            verifier,
            algorithms: request.algorithms.to_vec(),
            asked: false,
            response: Message::new(MAX_RESPONSE_LEN),
        })
    }

    /// Takes in what the server has sent; no bytes at all say that it has hung up.
    ///
    /// # Errors
    /// Why there will be no keys. What is still to [transmit](Self::transmit) tells the server.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), KeError> {
        if bytes.is_empty() {
            return if self.response.is_complete() { Ok(()) } else { Err(KeError::Truncated) };
        }
        while !bytes.is_empty() {
            if self.connection.read_tls(&mut bytes)? == 0 {
                return Err(KeError::Truncated);
            }
            let state = self.connection.process_new_packets()?;
            let ended = state.peer_has_closed();
            self.ask()?;
            self.read_plain()?;
            if ended && !self.response.is_complete() {
                return Err(KeError::Truncated);
            }
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<(), KeError> {
        if self.asked || self.connection.is_handshaking() {
            return Ok(());
        }
        if self.connection.alpn_protocol() != Some(NTS_KE_ALPN) {
            return Err(KeError::Alpn);
        }
        let request = request(&self.algorithms)?;
        self.connection.writer().write_all(&request)?;
        self.asked = true;
        Ok(())
    }

    fn read_plain(&mut self) -> Result<(), KeError> {
        let mut buffer = [0; 2048];
        loop {
            match self.connection.reader().read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) if !self.asked => {
                    return Err(KeError::Records("it came before the request"));
                }
                Ok(len) => self.response.push(buffer.get(..len).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes what is for the server, as far as `out` takes it.
    ///
    /// # Errors
    /// Those of `out`; nothing is lost then.
    pub fn transmit(&mut self, out: &mut impl io::Write) -> io::Result<()> {
        while self.wants_transmit() {
            self.connection.write_tls(&mut OneByOne(out))?;
        }
        Ok(())
    }

    /// There is something for the server.
    pub fn wants_transmit(&self) -> bool {
        self.connection.wants_write()
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        match (self.asked, self.response.is_complete()) {
            (_, true) => Stage::Answered,
            (true, false) => Stage::Asked,
            (false, false) => Stage::Handshake,
        }
    }

    /// The keys and all the rest, once the server has answered. What is then still to
    /// [transmit](Self::transmit) says goodbye.
    ///
    /// # Errors
    /// Why the answer is of no use.
    pub fn established(&mut self) -> Result<Option<Established>, KeError> {
        if !self.response.is_complete() {
            return Ok(None);
        }
        self.connection.send_close_notify();
        let response = Response::read(&self.response, &self.algorithms)?;
        let secrets = |context| session_secrets(&self.connection, response.algorithm, context);
        // Who does not agree on the record may be an old chrony, or somebody who has never heard of
        // it and does as the RFC says.
        let ambiguous =
            response.algorithm == AeadAlgorithm::Aes128GcmSiv && !response.compliant_exporter;
        let (secrets, alternative) = match ambiguous {
            true => (secrets(ExporterContext::Chrony)?, Some(secrets(ExporterContext::Compliant)?)),
            false => (secrets(ExporterContext::Compliant)?, None),
        };
        Ok(Some(Established {
            secrets,
            alternative,
            cookies: response.cookies.into_iter().map(<[u8]>::to_vec).collect(),
            server: response.server.map(str::to_owned),
            port: response.port,
            validity: self.verifier.forgiven(),
        }))
    }
}

/// Writes each record of TLS for itself, so that each can travel for itself, as those of chronyd do:
/// who counts the packets of a handshake, as chrony's own tests do, finds the same number.
struct OneByOne<'a, W>(&'a mut W);

impl<W: io::Write> io::Write for OneByOne<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What a client asks: keys for NTPv4 and one of these ciphers.
fn request(algorithms: &[AeadAlgorithm]) -> Result<Vec<u8>, BufferTooSmall> {
    let numbers = |numbers: &[u16]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    };
    let protocols = numbers(&[NTPV4]);
    let offered: Vec<u16> = algorithms.iter().map(|algorithm| algorithm.number()).collect();
    let offered = numbers(&offered);
    let list = |bytes| Numbers::new(bytes).ok_or(BufferTooSmall);
    let mut records = vec![
        Record::critical(Body::NextProtocol(list(&protocols)?)),
        Record::critical(Body::AeadAlgorithms(list(&offered)?)),
    ];
    if algorithms.contains(&AeadAlgorithm::Aes128GcmSiv) {
        records.push(Record::optional(Body::CompliantExporter));
    }
    records.push(Record::critical(Body::EndOfMessage));
    write_records(&records)
}

#[cfg(test)]
mod tests;
