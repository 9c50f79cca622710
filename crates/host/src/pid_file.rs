//! One daemon per pid file.
//!
//! The file is locked for as long as the daemon lives, so that one left behind by a crash is told
//! from a living daemon's without guessing by process numbers, which are used again.
//!
//! The lock is one for writing (`fcntl`, of the open file): only who may write to the file can have
//! it. Everybody may read the file, and so lock it for reading; such a lock says nothing about a
//! daemon, and a file that somebody holds with one is replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::os::check;

/// Why there is no pid file.
#[derive(Debug, Error)]
pub enum PidFileError {
    /// Another daemon holds it.
    #[error("{path}: another daemon is running{}", with_number(*.pid))]
    Running {
        /// The pid file.
        path: PathBuf,
        /// The number in it, if it is one.
        pid: Option<u32>,
    },
    /// Something else is at that path: a symbolic link, a directory, a file with several names.
    #[error("{path}: is not a plain file of its own; remove it or choose another path")]
    NotAPlainFile {
        /// The pid file.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("{path}: cannot {doing}: {source}")]
    Io {
        /// The pid file.
        path: PathBuf,
        /// What failed.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

fn with_number(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// A pid file that belongs to this process; it is removed when this is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    // Holds the lock.
    file: File,
}

/// How often to start over when the file at the path turns out to be another one.
const TRIES: usize = 10;

impl PidFile {
    /// Makes the file, or takes over one left behind, and writes this process's number into it.
    /// Links are not followed, so that nobody who may write to the directory can have another file
    /// overwritten.
    ///
    /// # Errors
    ///
    /// See [`PidFileError`].
    pub fn create(path: &Path) -> Result<Self, PidFileError> {
        let failed = |doing| move |source| PidFileError::Io { path: path.into(), doing, source };
        for _ in 0..TRIES {
            let mut file = open(path)?;
            match lock(&file).map_err(failed("lock it"))? {
                Lock::Ours => {}
                Lock::ADaemons => {
                    return Err(PidFileError::Running { path: path.into(), pid: number_in(&file) });
                }
                Lock::AReaders => {
                    // Unless another daemon was faster.
                    if is_at(&file, path) {
                        fs::remove_file(path).map_err(failed("replace it"))?;
                    }
                    continue;
                }
            }
            // The daemon that held it may have removed it between opening and locking.
            if !is_at(&file, path) {
                continue;
            }
            file.set_len(0).map_err(failed("empty it"))?;
            let pid = std::process::id();
            file.write_all(format!("{pid}\n").as_bytes()).map_err(failed("write to it"))?;
            return Ok(Self { path: path.into(), file });
        }
        Err(failed("open it")(io::Error::other("somebody keeps on replacing it")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Still locked: whoever waits for it finds that it is gone. One that stays behind is taken
        // over at the next start.
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> Result<File, PidFileError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        // A link is an error, and a named pipe does not make us wait.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let not_plain = || PidFileError::NotAPlainFile { path: path.into() };
    let failed = |source| PidFileError::Io { path: path.into(), doing: "open it", source };
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            return Err(match error.raw_os_error() {
                Some(libc::ELOOP | libc::EISDIR | libc::ENXIO) => not_plain(),
                _ => failed(error),
            });
        }
    };
    let metadata = file.metadata().map_err(failed)?;
    // No name at all means that it was removed just now.
    if metadata.is_file() && metadata.nlink() <= 1 { Ok(file) } else { Err(not_plain()) }
}

/// Who has the lock on a pid file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Ours,
    ADaemons,
    /// Somebody who may do no more than read the file.
    AReaders,
}

/// Takes the lock for as long as `file` is open, unless another has it.
fn lock(file: &File) -> io::Result<Lock> {
    let mut wanted = whole_file(libc::F_WRLCK);
    // SAFETY: the pointer is valid for one `flock`, which this request only reads.
    match check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut wanted) }) {
        Ok(_) => return Ok(Lock::Ours),
        Err(error) if [Some(libc::EAGAIN), Some(libc::EACCES)].contains(&error.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    // A lock for reading is in the way of no other than a daemon's.
    let mut in_the_way = whole_file(libc::F_RDLCK);
    // SAFETY: the pointer is valid for one `flock`, which the kernel reads and fills.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut in_the_way) })?;
    let free = i32::from(in_the_way.l_type) == libc::F_UNLCK;
    Ok(if free { Lock::AReaders } else { Lock::ADaemons })
}

fn whole_file(kind: i32) -> libc::flock {
    // SAFETY: `flock` is made of integers; all-zero bytes are a value, and mean the whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn number_in(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn it_says_who_we_are_and_goes_with_us() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let file = PidFile::create(&path).unwrap();
        let pid = std::process::id();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{pid}\n"));
        let error = PidFile::create(&path).unwrap_err();
        assert!(matches!(error, PidFileError::Running { pid: Some(n), .. } if n == pid), "{error}");
        assert!(error.to_string().contains(&format!("process {pid}")), "{error}");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn one_left_behind_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        // Longer than what we write; its process may well live.
        fs::write(&path, "1\nand some more text\n").unwrap();
        let _file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn nothing_but_a_plain_file_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let precious = directory.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let (link, hard) = (directory.path().join("link"), directory.path().join("hard"));
        symlink(&precious, &link).unwrap();
        fs::hard_link(&precious, &hard).unwrap();
        for path in [link.as_path(), hard.as_path(), directory.path()] {
            let error = PidFile::create(path).unwrap_err();
            assert!(matches!(error, PidFileError::NotAPlainFile { .. }), "{path:?}: {error}");
        }
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        let dangling = directory.path().join("dangling");
        symlink(directory.path().join("nowhere"), &dangling).unwrap();
        PidFile::create(&dangling).unwrap_err();
        assert!(!directory.path().join("nowhere").exists());
    }

    #[test]
    fn a_reader_keeps_no_daemon_from_starting() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        fs::write(&path, "1\n").unwrap();
        let reader = File::open(&path).unwrap();
        // Both kinds of lock that a descriptor for reading can have.
        reader.try_lock().unwrap();
        let mut shared = whole_file(libc::F_RDLCK);
        // SAFETY: the pointer is valid for one `flock`, which this request only reads.
        check(unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_OFD_SETLK, &raw mut shared) })
            .unwrap();
        let file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        // Nor does a reader make a running daemon look dead.
        let reader = File::open(&path).unwrap();
        reader.try_lock().unwrap();
        // SAFETY: as above.
        check(unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_OFD_SETLK, &raw mut shared) })
            .unwrap_err();
        let error = PidFile::create(&path).unwrap_err();
        assert!(matches!(error, PidFileError::Running { .. }), "{error}");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn somebody_elses_file_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let file = PidFile::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let other = PidFile::create(&path).unwrap();
        drop(file);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        for _ in 0..50 {
            let barrier = std::sync::Barrier::new(8);
            let results: Vec<_> = std::thread::scope(|scope| {
                let contend = || {
                    barrier.wait();
                    let result = PidFile::create(&path);
                    // Nobody lets go before all have tried.
                    barrier.wait();
                    result
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(contend)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let winners = results.iter().filter(|result| result.is_ok()).count();
            assert_eq!(winners, 1, "{results:?}");
            let running =
                |result: &Result<_, _>| matches!(result, Err(PidFileError::Running { .. }));
            assert_eq!(results.iter().filter(|result| running(result)).count(), 7);
        }
    }
}
