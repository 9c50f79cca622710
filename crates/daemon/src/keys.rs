//! The file of symmetric keys: who may read it, and what it says.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use timeball_auth::Keys;
use timeball_auth::key_file::{Format, KeyFile, Mistake};
use timeball_config::Files;
use timeball_core::Input;
use timeball_wire::cmdmon::Status;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::logging::Manner;

/// A longer file is none of keys (bytes).
const LONGEST: u64 = 1 << 20;

/// Everybody but owner and group.
const OTHERS: u32 = 0o007;

/// Why the keys in a file are not used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the file of keys {}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Everybody on this machine can read it, or write to it.
    #[error(
        "the file of keys {} is open to everybody on this machine: its keys prove nothing; \
         `chmod o= {}`, and replace the keys if somebody may have read them",
        path.display(), path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
    },
    /// Lines that make no key.
    #[error("{}", lines(path, mistakes))]
    Mistakes {
        /// Which file.
        path: PathBuf,
        /// Which lines.
        mistakes: Vec<Mistake>,
    },
}

fn lines(path: &Path, mistakes: &[Mistake]) -> String {
    let mut text = format!("the file of keys {} has mistakes", path.display());
    for mistake in mistakes {
        // Writing to a string does not fail.
        let _ = write!(text, "\n{}: {mistake}", path.display());
    }
    text
}

/// The keys in use.
#[derive(Debug)]
pub(crate) struct KeyRing {
    keys: Arc<Keys>,
    /// chronyd goes on with the lines that it understands, and so does whoever stands in for it.
    manner: Manner,
}

impl KeyRing {
    /// Reads the keys that the configuration names; none if it names none.
    ///
    /// # Errors
    /// Why they cannot be used. In chronyd's manner there are only warnings, and the keys that can.
    pub(crate) fn read(files: &Files, manner: Manner) -> Result<Self, KeyFileError> {
        let mut ring = Self { keys: Arc::default(), manner };
        match ring.read_again(files) {
            Err(error) if manner == Manner::Chronyd => {
                tracing::warn!("{error}");
                Ok(ring)
            }
            result => result.map(|()| ring),
        }
    }

    /// The same again; after an error the keys stay as they were.
    pub(crate) fn read_again(&mut self, files: &Files) -> Result<(), KeyFileError> {
        self.keys = match &files.key_file {
            Some(path) => Arc::new(self.keys_in(path, files.key_format)?),
            None => Arc::default(),
        };
        Ok(())
    }

    fn keys_in(&self, path: &Path, format: Format) -> Result<Keys, KeyFileError> {
        let keys = match self.manner {
            Manner::Timeball => read(path, format)?,
            Manner::Chronyd => {
                let (keys, wrong) = look_into(path, format)?;
                wrong.iter().for_each(|error| tracing::warn!("{error}"));
                keys
            }
        };
        tracing::info!("{} keys read from {}", keys.len(), path.display());
        Ok(keys)
    }
}

/// The keys in a file that is as it should be.
///
/// # Errors
/// What is wrong with it.
pub fn read(path: &Path, format: Format) -> Result<Keys, KeyFileError> {
    let (keys, wrong) = look_into(path, format)?;
    wrong.into_iter().next().map_or(Ok(keys), Err)
}

/// The keys in a file, and what is wrong with it.
fn look_into(path: &Path, format: Format) -> Result<(Keys, Vec<KeyFileError>), KeyFileError> {
    let unreadable = |error| KeyFileError::Unreadable { path: path.into(), error };
    let Content { bytes, exposed } = content(path).map_err(unreadable)?;
    let KeyFile { keys, mistakes } = KeyFile::parse(format, &bytes);
    let exposed = exposed.then(|| KeyFileError::Exposed { path: path.into() });
    let mistaken =
        (!mistakes.is_empty()).then(|| KeyFileError::Mistakes { path: path.into(), mistakes });
    Ok((keys, [exposed, mistaken].into_iter().flatten().collect()))
}

struct Content {
    bytes: Zeroizing<Vec<u8>>,
    exposed: bool,
}

fn content(path: &Path) -> io::Result<Content> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() > LONGEST {
        return Err(io::Error::other("too long for a file of keys"));
    }
    // Long enough from the start: a buffer that grows leaves copies behind.
    let len = usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(len));
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(Content { bytes, exposed: metadata.mode() & OTHERS != 0 })
}

impl EventLoop {
    /// Engine and server know the keys from now on. What the engine makes of them happens with the next
    /// [`turn`](Self::turn): at the start, nobody is asked anything before this process has given up
    /// the rights of root.
    pub(crate) fn hand_out_keys(&mut self) -> Result<(), Error> {
        self.server.take_keys(Arc::clone(&self.key_ring.keys));
        let now = self.now()?;
        self.engine.handle(now, Input::Keys(Arc::clone(&self.key_ring.keys)));
        Ok(())
    }

    /// Reads the keys again, for an operator. Associations stay.
    pub(crate) fn read_keys_again(&mut self) -> Result<Status, Error> {
        match self.key_ring.read_again(&self.config.files) {
            Ok(()) => {
                self.hand_out_keys()?;
                Ok(Status::Success)
            }
            Err(error) => {
                tracing::error!("{error}\nthe keys stay as they were");
                Ok(Status::Failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use timeball_auth::KeyId;

    use super::*;

    struct Place {
        _directory: tempfile::TempDir,
        files: Files,
    }

    fn file(content: &str, mode: u32) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let files = Files { key_file: Some(path), ..Files::default() };
        Place { _directory: directory, files }
    }

    fn ids(ring: &KeyRing) -> Vec<u32> {
        ring.keys.iter().map(|key| key.id().get()).collect()
    }

    #[test]
    fn a_file_that_only_its_owner_and_group_can_read_is_read() {
        for mode in [0o400, 0o600, 0o640, 0o660] {
            let place = file("7 SHA1 HEX:00112233445566778899\n", mode);
            let ring = KeyRing::read(&place.files, Manner::Timeball).unwrap();
            assert_eq!(ids(&ring), [7], "{mode:o}");
        }
        let none = KeyRing::read(&Files::default(), Manner::Timeball).unwrap();
        assert!(none.keys.is_empty());
    }

    #[test]
    fn a_file_that_others_can_reach_is_an_error() {
        for mode in [0o644, 0o604, 0o602, 0o601] {
            let place = file("7 SHA1 HEX:00112233445566778899\n", mode);
            let error = KeyRing::read(&place.files, Manner::Timeball).unwrap_err();
            assert!(matches!(error, KeyFileError::Exposed { .. }), "{error}");
            assert!(error.to_string().contains("chmod o= "), "{error}");
            // chronyd's have always been like that.
            let ring = KeyRing::read(&place.files, Manner::Chronyd).unwrap();
            assert_eq!(ids(&ring), [7]);
        }
    }

    #[test]
    fn mistakes_are_named_by_file_and_line_and_not_by_what_they_say() {
        let place = file("1 MD5 abc\n2 sesame abc\n3 AES128 HEX:00\n", 0o600);
        let error = KeyRing::read(&place.files, Manner::Timeball).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 3, "{error}");
        assert!(lines[1].contains("keys: line 2 makes no key"), "{error}");
        assert!(lines[2].contains("keys: line 3 makes no key"), "{error}");
        assert!(!error.contains("sesame"));
        let ring = KeyRing::read(&place.files, Manner::Chronyd).unwrap();
        assert_eq!(ids(&ring), [1]);
    }

    #[test]
    fn what_cannot_be_read_leaves_the_keys_as_they_were() {
        let place = file("1 MD5 abc\n", 0o600);
        let mut ring = KeyRing::read(&place.files, Manner::Timeball).unwrap();
        let path = place.files.key_file.clone().unwrap();
        fs::write(&path, "2 MD5 abc\n2 MD5 abc\n").unwrap();
        assert!(ring.read_again(&place.files).is_err());
        assert_eq!(ids(&ring), [1]);
        fs::write(&path, "2 MD5 abc\n3 MD5 abc\n").unwrap();
        ring.read_again(&place.files).unwrap();
        assert_eq!(ids(&ring), [2, 3]);
        fs::remove_file(&path).unwrap();
        assert!(matches!(ring.read_again(&place.files), Err(KeyFileError::Unreadable { .. })));
        assert!(ring.keys.get(KeyId::new(2).unwrap()).is_some());
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let place = file(&"# long\n".repeat(200_000), 0o600);
        let error = KeyRing::read(&place.files, Manner::Timeball).unwrap_err();
        assert!(error.to_string().ends_with("too long for a file of keys"), "{error}");
    }
}
