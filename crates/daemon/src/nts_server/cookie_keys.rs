//! The keys of cookies: changed from time to time, and kept in a file that a restarted server and
//! other servers read.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use timeball_auth::nts::{KeyMaterial, ServerKeys, ServerKeysError};
use timeball_config::Config;
use timeball_host::{atomic_file, random};
use timeball_wire::{Instant, Span};
use zeroize::Zeroizing;

/// The file's name in the directory for NTS; chronyd's has the same.
const FILE: &str = "ntskeys";
/// For nobody else to read.
const MODE: u32 = 0o600;
/// Everybody but owner and group.
const OTHERS: u32 = 0o007;
/// A longer file is none of such keys (bytes).
const LONGEST: u64 = 1 << 16;

/// The keys, when they change, and where they are kept.
#[derive(Debug)]
pub(super) struct CookieKeyRing {
    keys: Arc<ServerKeys>,
    /// How often they change; `None`: somebody else changes them in the file.
    rotation: Option<Span>,
    /// When the current key became so.
    since: Instant,
    file: Option<PathBuf>,
    /// The file as it was when it was last read or written.
    seen: Option<Seen>,
}

/// By what it is noticed that a file is not the same any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

/// Why the keys in a file are not used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("is open to everybody on this machine: its keys keep nothing secret")]
    Exposed,
    #[error("{0}")]
    Content(#[from] ServerKeysError),
}

impl CookieKeyRing {
    /// The keys in the file, or new ones if there is no file with any.
    ///
    /// # Errors
    /// When this machine has no random numbers.
    pub(super) fn open(config: &Config, now: Instant) -> io::Result<Self> {
        let mut ring = Self {
            keys: Arc::new(new_keys()?),
            rotation: None,
            since: now,
            file: None,
            seen: None,
        };
        ring.configure(config, now);
        if ring.seen.is_none() {
            ring.keep(now);
        }
        Ok(ring)
    }

    /// Works by another configuration. The keys are those in the file that it names, if there are any.
    pub(super) fn configure(&mut self, config: &Config, now: Instant) {
        self.rotation = config.serve.key_establishment.rotation.map(Span::from_seconds);
        let file = config.nts.directory.as_ref().map(|directory| directory.join(FILE));
        if file != self.file {
            self.file = file;
            self.seen = None;
            self.read_again(now);
        }
    }

    /// The keys.
    pub(super) fn keys(&self) -> Arc<ServerKeys> {
        Arc::clone(&self.keys)
    }

    /// When the keys are to change.
    pub(super) fn due(&self) -> Option<Instant> {
        self.rotation.map(|rotation| self.since + rotation)
    }

    /// Changes the keys if it is time to. True if it was.
    ///
    /// # Errors
    /// When this machine has no random numbers.
    pub(super) fn rotate(&mut self, now: Instant) -> io::Result<bool> {
        if self.due().is_none_or(|due| now < due) {
            return Ok(false);
        }
        Arc::make_mut(&mut self.keys).rotate(&material()?);
        self.since = now;
        self.keep(now);
        tracing::info!("the keys of NTS cookies have changed");
        Ok(true)
    }

    /// Takes the keys from the file if somebody else has written it. True if there are others now.
    pub(super) fn read_again(&mut self, now: Instant) -> bool {
        let Some(path) = &self.file else { return false };
        let seen = look_at(path);
        if seen.is_none() || seen == self.seen {
            return false;
        }
        self.seen = seen;
        match read(path) {
            Ok((keys, age)) => {
                self.keys = Arc::new(keys);
                self.since = now - Span::from_seconds(age);
                tracing::info!("the keys of NTS cookies are those of {}", path.display());
                true
            }
            Err(error) => {
                tracing::error!(
                    "{} {error}; the keys of NTS cookies stay as they were",
                    path.display()
                );
                false
            }
        }
    }

    /// Writes the keys to the file, unless somebody else does. A server that cannot keep its keys works
    /// nevertheless: failure is a warning.
    pub(super) fn keep(&mut self, now: Instant) {
        let Some(path) = self.file.as_ref().filter(|_| self.rotation.is_some()) else { return };
        let text = self.keys.to_file((now - self.since).seconds().max(0.0));
        match atomic_file::replace_with_mode(path, text.as_bytes(), MODE) {
            Ok(()) => self.seen = look_at(path),
            Err(error) => tracing::warn!(
                "cannot write {}: {error}; after a restart, clients will have to ask for keys again",
                path.display()
            ),
        }
    }
}

fn look_at(path: &Path) -> Option<Seen> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Seen {
        device: metadata.dev(),
        inode: metadata.ino(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        size: metadata.len(),
    })
}

/// The keys in a file, and how old the current one is (s).
fn read(path: &Path) -> Result<(ServerKeys, f64), FileError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.mode() & OTHERS != 0 {
        return Err(FileError::Exposed);
    }
    // Long enough from the start: a buffer that grows leaves copies behind.
    let len = metadata.len().min(LONGEST);
    let room = usize::try_from(len).unwrap_or_default().saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(len).read_to_string(&mut text)?;
    Ok(ServerKeys::from_file(&text)?)
}

fn new_keys() -> io::Result<ServerKeys> {
    let all = [material()?, material()?, material()?, material()?];
    ServerKeys::new(all).ok_or_else(|| io::Error::other("random bytes that make no keys"))
}

fn material() -> io::Result<KeyMaterial> {
    let mut bytes = Zeroizing::new([0; KeyMaterial::LEN]);
    random::fill(bytes.as_mut_slice())?;
    Ok(KeyMaterial::new(&bytes))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use timeball_auth::nts::{AeadAlgorithm, MAX_COOKIE_LEN, SessionSecrets};

    use super::*;

    const START: Instant = Instant::from_nanos(0);
    const DAY: Span = Span::from_secs(86_400);

    fn config(directory: Option<&Path>, rotation: Option<f64>) -> Config {
        let mut config = Config::default();
        config.nts.directory = directory.map(Path::to_path_buf);
        config.serve.key_establishment.rotation = rotation;
        config
    }

    fn cookie(ring: &CookieKeyRing) -> Vec<u8> {
        let secrets = SessionSecrets::new(AeadAlgorithm::Aes128GcmSiv, &[1; 16], &[2; 16]).unwrap();
        let mut cookie = [0; MAX_COOKIE_LEN];
        let len = ring.keys.seal(&secrets, &[9; 16], &mut cookie).unwrap();
        cookie[..len].to_vec()
    }

    fn opens(ring: &CookieKeyRing, cookie: &[u8]) -> bool {
        ring.keys.open(cookie).is_some()
    }

    #[test]
    fn a_restarted_server_opens_the_cookies_that_it_gave_out() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(Some(directory.path()), Some(86_400.0));
        let mut before = CookieKeyRing::open(&config, START).unwrap();
        let given = cookie(&before);
        let later = START + Span::from_secs(3600);
        before.keep(later);
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let after = CookieKeyRing::open(&config, START).unwrap();
        assert!(opens(&after, &given));
        // It is not younger for that.
        assert_eq!(after.due(), Some(START + (DAY - Span::from_secs(3600))));
        let without = self::config(None, Some(86_400.0));
        assert!(!opens(&CookieKeyRing::open(&without, START).unwrap(), &given));
    }

    #[test]
    fn keys_change_when_it_is_time_and_two_changes_are_survived() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(Some(directory.path()), Some(86_400.0));
        let mut ring = CookieKeyRing::open(&config, START).unwrap();
        let given = cookie(&ring);
        let mut now = START;
        for good in [true, true, false] {
            let next = now + DAY;
            assert!(!ring.rotate(next - Span::from_nanos(1)).unwrap());
            assert!(ring.rotate(next).unwrap());
            now = next;
            assert_eq!(opens(&ring, &given), good);
            let restarted = CookieKeyRing::open(&config, now).unwrap();
            assert!(opens(&restarted, &cookie(&ring)));
        }
    }

    #[test]
    fn keys_that_another_server_writes_are_read_and_never_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut ours = CookieKeyRing::open(&config(Some(directory.path()), None), START).unwrap();
        assert_eq!(ours.due(), None);
        assert!(!directory.path().join(FILE).exists());
        let theirs = config(Some(directory.path()), Some(10.0));
        let mut theirs = CookieKeyRing::open(&theirs, START).unwrap();
        for count in 1..4 {
            assert!(ours.read_again(START));
            assert!(!ours.read_again(START), "it is the same file");
            assert!(opens(&ours, &cookie(&theirs)));
            assert!(theirs.rotate(START + Span::from_secs(10 * count)).unwrap());
        }
    }

    #[test]
    fn a_file_that_is_no_good_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(Some(directory.path()), Some(86_400.0));
        let mut ring = CookieKeyRing::open(&config, START).unwrap();
        let given = cookie(&ring);
        let path = directory.path().join(FILE);
        let good = fs::read(&path).unwrap();
        for (content, mode) in [(&b"NKS1\n"[..], 0o600), (b"\xff\xfe", 0o600), (&good, 0o644)] {
            fs::remove_file(&path).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(!ring.read_again(START));
            assert!(opens(&ring, &given));
        }
    }
}
