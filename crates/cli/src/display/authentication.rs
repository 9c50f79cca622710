//! How a source proves who it is, in words.

use timeball_auth::nts::AeadAlgorithm;
use timeball_core::report::{KeyReport, NtsReport, SourceReport};

use super::units;

/// In a word or two; nothing of a source that proves nothing.
pub(crate) fn kind(source: &SourceReport) -> Option<String> {
    match (source.key, source.authenticated) {
        (Some(key), _) => Some(format!("key {}", key.id)),
        (None, true) => Some("NTS".to_owned()),
        (None, false) => None,
    }
}

/// The same, how things stand with it, and what is wrong.
pub(crate) fn account(source: &SourceReport) -> Option<String> {
    match (&source.nts, source.key) {
        (Some(nts), _) => Some(format!("NTS, {}", account_of_nts(nts))),
        (None, Some(KeyReport { id, details: Some(key) })) => {
            Some(format!("key {id}, {} of {} bits", key.algorithm, key.bits))
        }
        (None, Some(KeyReport { id, details: None })) => {
            Some(format!("key {id}, which is not among the keys"))
        }
        (None, None) => kind(source).map(|kind| format!("{kind}, no keys yet")),
    }
}

fn account_of_nts(nts: &NtsReport) -> String {
    let mut parts = Vec::new();
    match nts.algorithm {
        Some(number) => {
            let age = nts.age.map(|age| format!(" {} old", units::age(age)));
            parts.push(format!("keys{}", age.unwrap_or_default()));
            parts.push(cipher(number));
            parts.push(match nts.cookies {
                1 => "1 cookie".to_owned(),
                cookies => format!("{cookies} cookies"),
            });
        }
        None => parts.push("no keys".to_owned()),
    }
    if nts.nak {
        parts.push("which the server says it does not know".to_owned());
    }
    if nts.certificate_time_unchecked {
        parts.push("from a certificate whose time was not checked".to_owned());
    }
    let mut account = parts.join(", ");
    if let Some(failure) = &nts.failure {
        let attempts = match nts.attempts {
            0 | 1 => "an attempt".to_owned(),
            attempts => format!("{attempts} attempts"),
        };
        account.push_str(&format!("; {attempts} to get new ones failed: {failure}"));
    }
    account
}

fn cipher(number: u16) -> String {
    match AeadAlgorithm::from_number(number) {
        Some(AeadAlgorithm::AesSivCmac256) => "AES-SIV-CMAC-256".to_owned(),
        Some(AeadAlgorithm::AesSivCmac512) => "AES-SIV-CMAC-512".to_owned(),
        Some(AeadAlgorithm::Aes128GcmSiv) => "AES-128-GCM-SIV".to_owned(),
        None => format!("cipher {number}"),
    }
}

#[cfg(test)]
mod tests {
    use timeball_auth::{Algorithm, KeyId};
    use timeball_core::report::KeyDetails;

    use super::*;
    use crate::display::fixtures::nts;

    fn source(nts: Option<NtsReport>, key: Option<KeyReport>) -> SourceReport {
        let authenticated = nts.is_some() || key.is_some();
        SourceReport { nts, key, authenticated, ..SourceReport::default() }
    }

    #[test]
    fn keys_cookies_and_what_is_wrong_with_them() {
        let none = NtsReport { algorithm: None, age: None, cookies: 0, ..nts() };
        let refused = Some("TLS: invalid peer certificate: Expired".to_owned());
        for (report, expected) in [
            (nts(), "NTS, keys 3 h old, AES-128-GCM-SIV, 8 cookies"),
            (NtsReport { cookies: 1, ..nts() }, "NTS, keys 3 h old, AES-128-GCM-SIV, 1 cookie"),
            (none.clone(), "NTS, no keys"),
            (
                NtsReport { failure: refused.clone(), attempts: 3, ..none },
                "NTS, no keys; 3 attempts to get new ones failed: TLS: invalid peer certificate: \
                 Expired",
            ),
            (
                NtsReport { failure: refused, attempts: 1, nak: true, cookies: 5, ..nts() },
                "NTS, keys 3 h old, AES-128-GCM-SIV, 5 cookies, which the server says it does not \
                 know; an attempt to get new ones failed: TLS: invalid peer certificate: Expired",
            ),
            (
                NtsReport { certificate_time_unchecked: true, ..nts() },
                "NTS, keys 3 h old, AES-128-GCM-SIV, 8 cookies, from a certificate whose time was \
                 not checked",
            ),
        ] {
            let source = source(Some(report), None);
            assert_eq!(account(&source).as_deref(), Some(expected));
            assert_eq!(kind(&source).as_deref(), Some("NTS"));
        }
    }

    #[test]
    fn a_key_by_its_name_and_never_by_its_secret() {
        let id = KeyId::new(5).unwrap();
        let details = Some(KeyDetails { algorithm: Algorithm::Aes128, bits: 128 });
        let known = source(None, Some(KeyReport { id, details }));
        assert_eq!(kind(&known).as_deref(), Some("key 5"));
        assert_eq!(account(&known).unwrap(), "key 5, AES128 of 128 bits");
        let unknown = source(None, Some(KeyReport { id, details: None }));
        assert_eq!(account(&unknown).unwrap(), "key 5, which is not among the keys");
    }

    #[test]
    fn who_proves_nothing_has_nothing_to_tell() {
        assert_eq!(kind(&source(None, None)), None);
        assert_eq!(account(&source(None, None)), None);
        let unresolved = SourceReport { authenticated: true, ..SourceReport::default() };
        assert_eq!(account(&unresolved).unwrap(), "NTS, no keys yet");
    }
}
