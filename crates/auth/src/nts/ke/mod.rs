//! NTS key establishment (RFC 8915 §4): TLS 1.3, a few records in each direction, and keys that both
//! sides take from the TLS session.
//!
//! Sessions do no I/O: bytes that arrived go in, bytes to send come out, and whoever drives one has to
//! end it when its time is over. This module has what client and server share; each has its own beside
//! it.

pub mod client;
mod message;
pub mod server;

use std::ops::Deref;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, ConnectionCommon};
use zeroize::Zeroizing;

pub use message::{Message, MessageError, write_records};

use super::{AeadAlgorithm, SessionSecrets};

/// How the keys of a session are made different from those of every other use of its TLS connection
/// (RFC 8915 §5.1).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-network-time-security";

/// Whose number is in the context that keys for AEAD_AES_128_GCM_SIV are exported with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExporterContext {
    /// The algorithm's own, as RFC 8915 §5.1 has it. What both sides mean that agree on
    /// [record 1024](timeball_wire::nts_ke::Body::CompliantExporter).
    Compliant,
    /// That of AEAD_AES_SIV_CMAC_256, by an old mistake of chrony's, which it keeps up with whoever
    /// does not agree on that record.
    Chrony,
}

impl ExporterContext {
    /// The number in the context for keys of this algorithm.
    const fn algorithm_number(self, algorithm: AeadAlgorithm) -> u16 {
        match (self, algorithm) {
            (Self::Chrony, AeadAlgorithm::Aes128GcmSiv) => AeadAlgorithm::AesSivCmac256.number(),
            (Self::Chrony | Self::Compliant, algorithm) => algorithm.number(),
        }
    }
}

/// What TLS computes with, on either side. The suite with AES-128 and SHA-256 comes first: it is as
/// strong as the exchange of keys, by X25519 or P-256, and processors have instructions for all of it,
/// while the arithmetic of SHA-384 is a seventh of a handshake's.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
    // The sort is stable: the others stay in their order.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != first);
    Arc::new(provider)
}

/// The keys of a session, out of a TLS connection that has shaken hands.
///
/// # Errors
/// While it has not.
pub fn session_secrets<C, Data>(
    connection: &C,
    algorithm: AeadAlgorithm,
    context: ExporterContext,
) -> Result<SessionSecrets, rustls::Error>
where
    C: Deref<Target = ConnectionCommon<Data>>,
{
    let [number_high, number_low] = context.algorithm_number(algorithm).to_be_bytes();
    let [protocol_high, protocol_low] = timeball_wire::nts_ke::NTPV4.to_be_bytes();
    let key = |direction| {
        let context = [protocol_high, protocol_low, number_high, number_low, direction];
        let key = Zeroizing::new(vec![0; algorithm.key_len()]);
        export(connection, key, &context)
    };
    let (to_server, to_client) = (key(0)?, key(1)?);
    SessionSecrets::new(algorithm, &to_server, &to_client)
        .ok_or_else(|| rustls::Error::General("a key has another length than asked for".to_owned()))
}

fn export<Data>(
    connection: &ConnectionCommon<Data>,
    mut key: Zeroizing<Vec<u8>>,
    context: &[u8],
) -> Result<Zeroizing<Vec<u8>>, rustls::Error> {
    connection.export_keying_material(key.as_mut_slice(), EXPORTER_LABEL, Some(context))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8915 §5.1 gives 00 00 00 0f 00 for the key to the server.
    #[test]
    fn only_old_chrony_exports_keys_of_gcm_siv_by_another_number() {
        use AeadAlgorithm::{Aes128GcmSiv, AesSivCmac256, AesSivCmac512};
        for (context, algorithm, number) in [
            (ExporterContext::Compliant, AesSivCmac256, 15),
            (ExporterContext::Compliant, AesSivCmac512, 17),
            (ExporterContext::Compliant, Aes128GcmSiv, 30),
            (ExporterContext::Chrony, AesSivCmac256, 15),
            (ExporterContext::Chrony, AesSivCmac512, 17),
            (ExporterContext::Chrony, Aes128GcmSiv, 15),
        ] {
            assert_eq!(context.algorithm_number(algorithm), number, "{context:?} {algorithm:?}");
        }
    }
}
