//! A server's session of key establishment (RFC 8915 §4).

mod certificates;
mod response;

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, ServerConnection};
use timeball_wire::BufferTooSmall;
use timeball_wire::nts_ke::{ErrorCode, NTS_KE_ALPN};

pub use certificates::{Certificates, CertificatesError};

use super::{ExporterContext, Message, MessageError, crypto_provider, session_secrets};
use crate::nts::fields::MAX_NONCE_LEN;
use crate::nts::{AeadAlgorithm, ServerKeys};
use response::{Agreement, agree, refusal, response};

/// Longest request that is taken (bytes): RFC 8915 §4 asks for 1024 at least.
const MAX_REQUEST_LEN: usize = 4096;

/// Most that a client may send in all (bytes), its half of the handshake included.
const MAX_RECEIVED: usize = 32_768;

/// What is negotiated with clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Ciphers that may be chosen; of those that a client offers it is the first.
    pub algorithms: Vec<AeadAlgorithm>,
    /// The NTP server to ask, if it is another host: a name or an address.
    pub ntp_server: Option<String>,
    /// Its UDP port, if it is not the usual one.
    pub ntp_port: Option<u16>,
}

/// The keys that cookies are made with, and bytes that were never used for that.
#[derive(Debug)]
pub struct CookieMaker<'k, N> {
    /// The keys.
    pub keys: &'k ServerKeys,
    /// Never gives the same bytes twice.
    pub nonces: N,
}

/// TLS as servers of key establishment speak it: version 1.3, this protocol alone, and no connection
/// that is the continuation of another.
///
/// # Errors
/// If the certificates are of no use for that.
pub fn tls(certificates: Certificates) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(crypto_provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![NTS_KE_ALPN.to_vec()];
    // Who offers several suites has no reason to mind which of them it is; who pays for it does.
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// A session under way. Bytes from the client go [in](Self::receive), bytes for it come
/// [out](Self::transmit).
#[derive(Debug)]
pub struct Session {
    connection: ServerConnection,
    request: Message,
    received: usize,
    stage: Stage,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The client has not said all that it has to say.
    Listening,
    /// It has been answered: with keys, or that nothing of what it offers is possible here.
    Answered,
    /// There is nothing more to say to it, and nothing to hear.
    Refused,
}

/// Why a client gets no keys.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client speaks another protocol over TLS.
    #[error("the client does not ask for NTS key establishment (no ALPN `ntske/1`)")]
    Alpn,
    /// The client hung up in the middle.
    #[error("the client hung up in the middle")]
    Truncated,
    /// It sends more than any client has to say.
    #[error("the client has sent more than {MAX_RECEIVED} bytes")]
    TooMuch,
    /// What it asks is no message.
    #[error("its request is none: {0}")]
    Message(#[from] MessageError),
    /// What it asks is no request.
    #[error("its request is none: {0}")]
    Records(&'static str),
    /// It asks for something that has to be understood, and is not.
    #[error("it asks with a critical record of the unknown type {0}")]
    UnrecognisedCriticalRecord(u16),
    /// TLS had no use for the bytes that came.
    #[error("TLS: {0}")]
    Io(#[from] io::Error),
    /// The answer cannot be written.
    #[error("the answer cannot be written: {0}")]
    Answer(#[from] BufferTooSmall),
}

impl SessionError {
    /// How the client is told (RFC 8915 §4.1.3), if it can be told by a record.
    const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Message(_) | Self::Records(_) => Some(ErrorCode::BadRequest),
            Self::UnrecognisedCriticalRecord(_) => Some(ErrorCode::UnrecognisedCriticalRecord),
            Self::Answer(_) => Some(ErrorCode::InternalServerError),
            Self::Tls(_) | Self::Alpn | Self::Truncated | Self::TooMuch | Self::Io(_) => None,
        }
    }
}

impl Session {
    /// Begins one.
    ///
    /// # Errors
    /// If this TLS is none.
    pub fn new(tls: &Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            connection: ServerConnection::new(Arc::clone(tls))?,
            request: Message::new(MAX_REQUEST_LEN),
            received: 0,
            stage: Stage::Listening,
        })
    }

    /// How far it has come.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Takes in what the client has sent; no bytes at all say that it has hung up. What comes after
    /// the answer is not looked at.
    ///
    /// # Errors
    /// Why the client gets no keys. What is still to [transmit](Self::transmit) tells it.
    pub fn receive<N: FnMut() -> [u8; MAX_NONCE_LEN]>(
        &mut self,
        bytes: &[u8],
        terms: &Terms,
        cookies: &mut CookieMaker<'_, N>,
    ) -> Result<(), SessionError> {
        if self.stage != Stage::Listening {
            return Ok(());
        }
        let outcome = self.listen(bytes).and_then(|()| self.answer(terms, cookies));
        if let Err(error) = &outcome {
            self.stage = Stage::Refused;
            if let Some(code) = error.code() {
                self.say(&refusal(code)?)?;
            } else if !self.connection.is_handshaking() {
                self.connection.send_close_notify();
            }
        }
        outcome
    }

    fn listen(&mut self, mut bytes: &[u8]) -> Result<(), SessionError> {
        if bytes.is_empty() {
            return Err(SessionError::Truncated);
        }
        self.received = self.received.saturating_add(bytes.len());
        if self.received > MAX_RECEIVED {
            return Err(SessionError::TooMuch);
        }
        while !bytes.is_empty() {
            if self.connection.read_tls(&mut bytes)? == 0 {
                return Err(SessionError::Truncated);
            }
            let ended = self.connection.process_new_packets()?.peer_has_closed();
            if !self.connection.is_handshaking()
                && self.connection.alpn_protocol() != Some(NTS_KE_ALPN)
            {
                return Err(SessionError::Alpn);
            }
            self.read_plain()?;
            if ended && !self.request.is_complete() {
                return Err(SessionError::Truncated);
            }
        }
        Ok(())
    }

    fn read_plain(&mut self) -> Result<(), SessionError> {
        let mut buffer = [0; 1024];
        loop {
            match self.connection.reader().read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(len) => self.request.push(buffer.get(..len).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn answer<N: FnMut() -> [u8; MAX_NONCE_LEN]>(
        &mut self,
        terms: &Terms,
        cookies: &mut CookieMaker<'_, N>,
    ) -> Result<(), SessionError> {
        if !self.request.is_complete() {
            return Ok(());
        }
        let agreement = agree(self.request.records(), &terms.algorithms)?;
        let secrets = match agreement {
            Agreement::Algorithm { algorithm, context } => {
                Some(session_secrets(&self.connection, algorithm, context)?)
            }
            Agreement::NoProtocol | Agreement::NoAlgorithm => None,
        };
        let response = response(agreement, secrets.as_ref(), terms, cookies)?;
        self.say(&response)?;
        self.stage = Stage::Answered;
        Ok(())
    }

    /// The last word of the session.
    fn say(&mut self, message: &[u8]) -> Result<(), SessionError> {
        self.connection.writer().write_all(message)?;
        self.connection.send_close_notify();
        Ok(())
    }

    /// Appends the bytes for the client to `out`.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        while self.connection.wants_write() {
            // Writing to a vector does not fail.
            if self.connection.write_tls(out).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
