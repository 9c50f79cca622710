//! Is the server who it says it is, also while nobody knows what time it is?

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

/// Whether a certificate has to be valid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateTimes {
    /// Yes.
    Checked,
    /// The clock is not known to be right, so that a valid certificate may seem not to be (RFC 8915
    /// §8.5). One is accepted that was or will be valid, unless it expired before this moment (Unix
    /// time), which is known to be over.
    Unchecked {
        /// That moment.
        earliest: UnixTime,
    },
    /// No, by an operator's decree: it may have expired for good, and says nothing of what time it is.
    Ignored,
}

/// From when to when a certificate is valid (Unix time, s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub not_before: u64,
    /// Its last.
    pub not_after: u64,
}

/// Certificates of a chain whose times can be out of joint, and then some.
const ATTEMPTS: usize = 8;

/// What a certificate says of the time that is not asked.
const ANY_TIME: Validity = Validity { not_before: 0, not_after: END_OF_TIME };

/// As far from now as any certificate: the end of the year 9999, which stands for "never".
const END_OF_TIME: u64 = 253_402_300_799;

#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: nobody is trusted.
    usual: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    times: CertificateTimes,
    /// When the certificate is valid that was accepted though it seems not to be.
    forgiven: Mutex<Option<Validity>>,
}

impl Verifier {
    pub(super) fn new(
        roots: &Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
        times: CertificateTimes,
    ) -> Result<Arc<Self>, Error> {
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
        let usual = match builder.build() {
            Ok(verifier) => Some(verifier),
            Err(VerifierBuilderError::NoRootAnchors) => None,
            Err(error) => return Err(Error::Other(OtherError(Arc::new(error)))),
        };
        let algorithms = provider.signature_verification_algorithms;
        Ok(Arc::new(Self { usual, algorithms, times, forgiven: Mutex::new(None) }))
    }

    pub(super) fn forgiven(&self) -> Option<Validity> {
        *self.forgiven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forgive(&self, validity: Validity) {
        *self.forgiven.lock().unwrap_or_else(PoisonError::into_inner) = Some(validity);
    }

    /// A moment at which all certificates of the chain are valid, the nearest to `now`.
    fn valid_at(
        &self,
        earliest: UnixTime,
        mut now: UnixTime,
        verify: impl Fn(UnixTime) -> Result<ServerCertVerified, Error>,
    ) -> Result<ServerCertVerified, Error> {
        let mut result = verify(now);
        for _ in 0..ATTEMPTS {
            now = match &result {
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                    not_after,
                    ..
                })) if *not_after >= earliest => *not_after,
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) => *not_before,
                _ => break,
            };
            result = verify(now);
        }
        let verified = result?;
        // What is wrong with it at the beginning and at the end of time are its limits.
        let not_before = match verify(UnixTime::since_unix_epoch(std::time::Duration::ZERO)) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => not_before.as_secs(),
            _ => 0,
        };
        let end = std::time::Duration::from_secs(END_OF_TIME);
        let not_after = match verify(UnixTime::since_unix_epoch(end)) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => not_after.as_secs(),
            _ => END_OF_TIME,
        };
        self.forgive(Validity { not_before, not_after });
        Ok(verified)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(usual) = &self.usual else { return Err(CertificateError::UnknownIssuer.into()) };
        let verify = |at| {
            usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at)
        };
        match self.times {
            CertificateTimes::Checked => verify(now),
            CertificateTimes::Unchecked { earliest } => self.valid_at(earliest, now, verify),
            CertificateTimes::Ignored => {
                let earliest = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
                let verified = self.valid_at(earliest, now, verify)?;
                self.forgive(ANY_TIME);
                Ok(verified)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
