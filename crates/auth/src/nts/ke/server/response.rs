//! What client and server agree on, and how the client is told.

use timeball_wire::BufferTooSmall;
use timeball_wire::nts_ke::{Body, ErrorCode, NTPV4, Numbers, Record};

use super::{AeadAlgorithm, CookieMaker, ExporterContext, SessionError, Terms};
use crate::nts::MAX_COOKIE_LEN;
use crate::nts::SessionSecrets;
use crate::nts::fields::MAX_NONCE_LEN;
use crate::nts::ke::write_records;
use crate::nts::response::MAX_COOKIES;

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// There will be keys for this cipher.
    Algorithm {
        /// Which.
        algorithm: AeadAlgorithm,
        /// How both sides take its keys from the session.
        context: ExporterContext,
    },
    /// The client does not speak NTPv4.
    NoProtocol,
    /// None of the client's ciphers is one of ours.
    NoAlgorithm,
}

/// Finds what the client asks for among what there is.
///
/// # Errors
/// Why it is no request (RFC 8915 §4.1).
pub(super) fn agree<'r>(
    records: impl Iterator<Item = Record<'r>>,
    algorithms: &[AeadAlgorithm],
) -> Result<Agreement, SessionError> {
    let (mut protocols, mut offered, mut compliant) = (None, None, false);
    for Record { critical, body } in records {
        let repeated = match body {
            Body::NextProtocol(numbers) => protocols.replace(numbers).is_some(),
            Body::AeadAlgorithms(numbers) => offered.replace(numbers).is_some(),
            Body::CompliantExporter => {
                compliant = true;
                false
            }
            // Which server a client would like to ask is not for us to say.
            Body::EndOfMessage | Body::Server(_) | Body::Port(_) => false,
            Body::Error(_) | Body::Warning(_) | Body::Cookie(_) => {
                return Err(SessionError::Records("it has a record that only servers send"));
            }
            Body::Unknown { record_type, .. } if critical => {
                return Err(SessionError::UnrecognisedCriticalRecord(record_type));
            }
            Body::Unknown { .. } => false,
        };
        if repeated {
            return Err(SessionError::Records(
                "it has two records of a type that may be there once",
            ));
        }
    }
    let protocols = protocols.ok_or(SessionError::Records("it has no list of protocols"))?;
    if protocols.iter().next().is_none() {
        return Err(SessionError::Records("its list of protocols is empty"));
    }
    if !protocols.iter().any(|protocol| protocol == NTPV4) {
        return Ok(Agreement::NoProtocol);
    }
    let offered = offered.ok_or(SessionError::Records("it has no list of AEAD algorithms"))?;
    if offered.iter().next().is_none() {
        return Err(SessionError::Records("its list of AEAD algorithms is empty"));
    }
    let chosen = offered
        .iter()
        .filter_map(AeadAlgorithm::from_number)
        .find(|algorithm| algorithms.contains(algorithm));
    let context = if compliant { ExporterContext::Compliant } else { ExporterContext::Chrony };
    Ok(match chosen {
        Some(algorithm) => Agreement::Algorithm { algorithm, context },
        None => Agreement::NoAlgorithm,
    })
}

/// The message that answers a request, with cookies if there are keys.
pub(super) fn response<N: FnMut() -> [u8; MAX_NONCE_LEN]>(
    agreement: Agreement,
    secrets: Option<&SessionSecrets>,
    terms: &Terms,
    cookies: &mut CookieMaker<'_, N>,
) -> Result<Vec<u8>, BufferTooSmall> {
    let numbers = |bytes| Numbers::new(bytes).ok_or(BufferTooSmall);
    let ntpv4 = NTPV4.to_be_bytes();
    let algorithm = match agreement {
        Agreement::Algorithm { algorithm, .. } => algorithm.number().to_be_bytes(),
        Agreement::NoProtocol | Agreement::NoAlgorithm => [0; 2],
    };
    let fresh = match secrets {
        Some(secrets) => fresh_cookies(secrets, cookies)?,
        None => Vec::new(),
    };
    let mut records = Vec::new();
    match agreement {
        Agreement::NoProtocol => {
            records.push(Record::critical(Body::NextProtocol(numbers(&[])?)));
        }
        Agreement::NoAlgorithm => {
            records.push(Record::critical(Body::NextProtocol(numbers(&ntpv4)?)));
            records.push(Record::critical(Body::AeadAlgorithms(numbers(&[])?)));
        }
        Agreement::Algorithm { algorithm: chosen, context } => {
            records.push(Record::critical(Body::NextProtocol(numbers(&ntpv4)?)));
            records.push(Record::critical(Body::AeadAlgorithms(numbers(&algorithm)?)));
            // Who has not asked would not know what it means.
            let both = context == ExporterContext::Compliant;
            if both && chosen == AeadAlgorithm::Aes128GcmSiv {
                records.push(Record::optional(Body::CompliantExporter));
            }
            if let Some(server) = &terms.ntp_server {
                records.push(Record::critical(Body::Server(server)));
            }
            if let Some(port) = terms.ntp_port {
                records.push(Record::critical(Body::Port(port)));
            }
        }
    }
    records.extend(fresh.iter().map(|cookie| Record::optional(Body::Cookie(cookie))));
    records.push(Record::critical(Body::EndOfMessage));
    write_records(&records)
}

fn fresh_cookies<N: FnMut() -> [u8; MAX_NONCE_LEN]>(
    secrets: &SessionSecrets,
    maker: &mut CookieMaker<'_, N>,
) -> Result<Vec<Vec<u8>>, BufferTooSmall> {
    let mut cookie = || {
        let mut bytes = [0; MAX_COOKIE_LEN];
        let len = maker.keys.seal(secrets, &(maker.nonces)(), &mut bytes)?;
        bytes.get(..len).map(<[u8]>::to_vec)
    };
    (0..MAX_COOKIES).map(|_| cookie().ok_or(BufferTooSmall)).collect()
}

/// The message that refuses a request.
pub(super) fn refusal(code: ErrorCode) -> Result<Vec<u8>, BufferTooSmall> {
    write_records(&[Record::critical(Body::Error(code)), Record::critical(Body::EndOfMessage)])
}
