//! Who the server can prove to be.

use std::fmt;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroize as _;

/// Certificates, each with its key. Which of them a client is shown follows from the name that it asks
/// for, and from the signatures that it understands.
pub struct Certificates(Vec<Certificate>);

struct Certificate {
    chain: Arc<CertifiedKey>,
    /// The first of the chain: it says for which names.
    own: CertificateDer<'static>,
}

/// Why a certificate and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// There is no certificate in the first file.
    #[error("there is no certificate in it (PEM, `-----BEGIN CERTIFICATE-----`)")]
    NoCertificate,
    /// There is no private key in the second file, or one that is encrypted.
    #[error("there is no private key in it (PEM, not encrypted)")]
    NoKey,
    /// They do not belong together, or are of no known kind.
    #[error("certificate and key are of no use together: {0}")]
    Unusable(#[from] Error),
    /// There is nothing to be proven with.
    #[error("there is no certificate")]
    None,
}

impl Certificates {
    /// Those in pairs of PEM files: a chain of certificates, the server's own first, and its key.
    ///
    /// # Errors
    /// Which pair cannot be used, counted from 0, and why.
    pub fn from_pem<'p>(
        pairs: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
    ) -> Result<Self, (usize, CertificatesError)> {
        let read = |(index, (chain, key))| {
            Certificate::from_pem(chain, key).map_err(|error| (index, error))
        };
        let all = pairs.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() { Err((0, CertificatesError::None)) } else { Ok(Self(all)) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Certificate {
    fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificatesError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| CertificatesError::NoCertificate)?;
        let own = chain.first().cloned().ok_or(CertificatesError::NoCertificate)?;
        // What follows from its text stays out of messages.
        let mut key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificatesError::NoKey)?;
        let signing = any_supported_type(&key);
        // The signer has a copy of its own.
        key.zeroize();
        let chain = CertifiedKey::new(chain, signing?);
        match chain.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self { chain: Arc::new(chain), own })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn is_for(&self, name: &ServerName<'_>) -> bool {
        let own = ParsedCertificate::try_from(&self.own);
        own.is_ok_and(|own| verify_server_name(&own, name).is_ok())
    }
}

impl ResolvesServerCert for Certificates {
    /// The first that is for the name; for another name, or none, the first of all.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let schemes = hello.signature_schemes();
        let understood = |one: &&Certificate| one.chain.key.choose_scheme(schemes).is_some();
        let named = self.0.iter().filter(understood).find(|one| match &name {
            Some(name) => one.is_for(name),
            None => true,
        });
        let chosen = named.or_else(|| self.0.iter().find(understood)).or(self.0.first());
        chosen.map(|one| Arc::clone(&one.chain))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates", self.0.len())
    }
}
