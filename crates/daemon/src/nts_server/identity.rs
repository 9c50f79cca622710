//! The files by which the server proves who it is, read again when they change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use timeball_auth::nts::ke::server::{Certificates, CertificatesError, tls};
use timeball_config::Certificate;
use timeball_wire::{Instant, Span};
use zeroize::Zeroizing;

/// How often the files are looked at, at most.
const LOOK_AGAIN: Span = Span::from_secs(1);

/// Who the server can prove to be.
#[derive(Debug)]
pub(super) struct Identity {
    files: Vec<Certificate>,
    tls: Arc<ServerConfig>,
    /// The files as they were when they were last read.
    seen: Vec<Option<(SystemTime, u64)>>,
    looked: Instant,
}

/// Why there is nothing to be proven with.
#[derive(Debug, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} and {}: {error}", files.file.display(), files.private_key.display())]
    Certificates { files: Certificate, error: CertificatesError },
    #[error("no certificate is configured")]
    None,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Identity {
    /// That of these files.
    ///
    /// # Errors
    /// Which of them is of no use, and why.
    pub(super) fn open(files: &[Certificate], now: Instant) -> Result<Self, IdentityError> {
        let seen = look_at(files);
        Ok(Self { files: files.to_vec(), tls: read(files)?, seen, looked: now })
    }

    /// How to speak TLS with whoever comes now.
    pub(super) fn tls(&mut self, now: Instant) -> &Arc<ServerConfig> {
        if now - self.looked >= LOOK_AGAIN {
            self.looked = now;
            let seen = look_at(&self.files);
            if seen != self.seen {
                self.seen = seen;
                self.read_again();
            }
        }
        &self.tls
    }

    /// Certificate and key are not written at the same moment: what does not fit together stays as it
    /// was until the next change.
    fn read_again(&mut self) {
        match read(&self.files) {
            Ok(tls) => {
                self.tls = tls;
                tracing::info!("the certificates for NTS have changed and were read again");
            }
            Err(error) => {
                tracing::warn!("{error}; the certificates for NTS stay as they were");
            }
        }
    }
}

fn look_at(files: &[Certificate]) -> Vec<Option<(SystemTime, u64)>> {
    let paths = files.iter().flat_map(|pair| [&pair.file, &pair.private_key]);
    let look = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.map(look).collect()
}

fn read(files: &[Certificate]) -> Result<Arc<ServerConfig>, IdentityError> {
    let content = |path: &Path| {
        let bytes = fs::read(path).map(Zeroizing::new);
        bytes.map_err(|error| IdentityError::Unreadable { path: path.to_path_buf(), error })
    };
    let mut pairs = Vec::new();
    for pair in files {
        pairs.push((content(&pair.file)?, content(&pair.private_key)?));
    }
    let pem = pairs.iter().map(|(chain, key)| (chain.as_slice(), key.as_slice()));
    let certificates =
        Certificates::from_pem(pem).map_err(|(index, error)| match files.get(index) {
            Some(files) => IdentityError::Certificates { files: files.clone(), error },
            None => IdentityError::None,
        })?;
    Ok(tls(certificates)?)
}
