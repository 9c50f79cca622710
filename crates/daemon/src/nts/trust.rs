//! Whose certificates are trusted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime, pem};
use thiserror::Error;
use timeball_config::Nts;
use timeball_wire::Timestamp;

/// The set that the system's own authorities belong to.
const SYSTEM_SET: u32 = 0;

/// Why nobody is trusted.
#[derive(Debug, Error)]
pub enum TrustError {
    /// A file or directory of certificates cannot be read.
    #[error("cannot read the certificates in {}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file has something else in it.
    #[error("{} has no certificates in PEM form: {error}", path.display())]
    NotPem {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// There are none.
    #[error("no certificates are trusted: name some for set {0} ([[nts.trusted]])")]
    Nobody(u32),
}

/// The authorities of a set. They are read anew each time: that is rare, and files change.
///
/// # Errors
/// Why there are none.
pub fn roots(config: &Nts, set: u32) -> Result<Arc<RootCertStore>, TrustError> {
    let mut store = RootCertStore::empty();
    if set == SYSTEM_SET && config.system_certificates {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!("the system's certificates: {error}");
        }
        store.add_parsable_certificates(found.certs);
    }
    for trusted in config.trusted.iter().filter(|trusted| trusted.set == set) {
        for path in files(&trusted.path)? {
            store.add_parsable_certificates(certificates(&path)?);
        }
    }
    if store.is_empty() {
        return Err(TrustError::Nobody(set));
    }
    Ok(Arc::new(store))
}

fn files(path: &Path) -> Result<Vec<PathBuf>, TrustError> {
    let unreadable = |error| TrustError::Unreadable { path: path.into(), error };
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let entries = fs::read_dir(path).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut files: Vec<PathBuf> =
        entries.map_err(unreadable)?.into_iter().filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let bytes =
        fs::read(path).map_err(|error| TrustError::Unreadable { path: path.into(), error })?;
    CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TrustError::NotPem { path: path.into(), error })
}

/// As TLS counts it.
pub fn unix_time(at: Timestamp) -> UnixTime {
    let seconds = at.nanos().div_euclid(1_000_000_000);
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use timeball_config::TrustedCertificates;

    use super::*;

    const PEM: &str = include_str!("authority.pem");

    fn config(path: &Path, set: u32) -> Nts {
        let trusted = vec![TrustedCertificates { set, path: path.into() }];
        Nts { trusted, system_certificates: false, ..Nts::default() }
    }

    #[test]
    fn a_set_is_what_its_files_and_directories_have() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        fs::write(&file, PEM).unwrap();
        assert_eq!(roots(&config(&file, 0), 0).unwrap().len(), 1);
        assert_eq!(roots(&config(directory.path(), 3), 3).unwrap().len(), 1);
        let error = roots(&config(&file, 3), 0).unwrap_err();
        assert!(matches!(error, TrustError::Nobody(0)), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.pem");
        let error = roots(&config(&missing, 0), 0).unwrap_err().to_string();
        assert!(error.contains("missing.pem: No such file"), "{error}");
        let broken = directory.path().join("broken.pem");
        fs::write(&broken, "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n")
            .unwrap();
        let error = roots(&config(&broken, 0), 0).unwrap_err().to_string();
        assert!(error.contains("broken.pem has no certificates"), "{error}");
    }
}
