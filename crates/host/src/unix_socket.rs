//! The listening socket of the control plane: who can reach it is a matter of file permissions.

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::os::{check, make_private, open_socket};

/// How a listening socket is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixListenerOptions {
    /// Where.
    pub path: PathBuf,
    /// The permissions of the socket, such as `0o660`.
    pub mode: u32,
    /// The group of the socket; `None` leaves the one of this process.
    pub group: Option<u32>,
}

/// Why there is no listening socket.
#[derive(Debug, Error)]
pub enum UnixSocketError {
    /// The path is not one a socket can have.
    #[error("{path}: not a path for a socket: {reason}")]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Others could replace the socket, and be taken for this daemon.
    #[error(
        "{directory}: {problem}, so that others could put their socket in place of ours; {remedy}"
    )]
    UnsafeDirectory {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Another process answers there.
    #[error("{path}: another process is listening there")]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// Something that is not a socket is in the way.
    #[error("{path}: is in the way and not a socket; remove it or choose another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("{path}: cannot {doing}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What failed.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// A listening stream socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct UnixListener {
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode of the socket's file, so that only our own is removed.
    identity: (u64, u64),
}

/// Connections that wait to be accepted.
const BACKLOG: c_int = 16;

impl UnixListener {
    /// Starts to listen. The directory of the path must exist, and belong to this process's user or
    /// to root; if others may write to it, it must have the sticky bit. A socket left behind is
    /// replaced if nobody answers there.
    ///
    /// # Errors
    ///
    /// See [`UnixSocketError`]. A kernel without such sockets is [`UnixSocketError::Io`].
    pub fn bind(options: &UnixListenerOptions) -> Result<Self, UnixSocketError> {
        let path = options.path.as_path();
        let failed = |doing| move |source| UnixSocketError::Io { path: path.into(), doing, source };
        let (address, length) = raw_address(path)?;
        check_directory(path)?;
        // The directory is safe, so nothing happens between these steps but by our own doing.
        // With the flag a simulated kernel refuses at once; without, it would abort later, as it knows
        // no such streams.
        let socket = open_socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC)
            .map_err(failed("make a socket"))?;
        remove_stale(path, libc::SOCK_STREAM)?;
        // SAFETY: the pointer and length describe `address`, which is only read.
        check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })
            .map_err(failed("bind"))?;
        // Nobody can connect before `listen`, so the permissions are in time here.
        if let Some(group) = options.group {
            std::os::unix::fs::lchown(path, None, Some(group)).map_err(failed("set the group"))?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(options.mode))
            .map_err(failed("set the permissions"))?;
        let metadata = fs::symlink_metadata(path).map_err(failed("look at what was made"))?;
        let listener =
            Self { socket, path: path.into(), identity: (metadata.dev(), metadata.ino()) };
        // SAFETY: no pointers.
        check(unsafe { libc::listen(listener.socket.as_raw_fd(), BACKLOG) })
            .map_err(failed("listen"))?;
        Ok(listener)
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts one connection, without waiting; it does not block either. `None` if nobody waits.
    ///
    /// # Errors
    ///
    /// The kernel's, such as too many open descriptors.
    pub fn accept(&self) -> io::Result<Option<UnixStream>> {
        // SAFETY: null pointers mean that the peer's address is not wanted.
        let answer = unsafe {
            libc::accept(self.socket.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut())
        };
        match check(answer) {
            Ok(descriptor) => {
                // SAFETY: the call has just made this descriptor, and nothing else owns it.
                let connection = unsafe { OwnedFd::from_raw_fd(descriptor) };
                make_private(&connection)?;
                Ok(Some(connection.into()))
            }
            Err(error) if nobody_waits(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours {
            // A file that stays behind is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(crate) fn nobody_waits(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

pub(crate) fn raw_address(
    path: &Path,
) -> Result<(libc::sockaddr_un, libc::socklen_t), UnixSocketError> {
    let bytes = path.as_os_str().as_bytes();
    let refuse = |reason| UnixSocketError::Path { path: path.into(), reason };
    // SAFETY: `sockaddr_un` is made of integers; all-zero bytes are a value.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(refuse("it is empty or contains a zero byte"));
    }
    // One byte is for the zero at the end.
    if bytes.len() >= address.sun_path.len() {
        return Err(refuse("it is longer than 107 bytes"));
    }
    for (to, &from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from.cast_signed();
    }
    let length = std::mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1;
    Ok((address, length as libc::socklen_t))
}

const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The directory that the file at `path` is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn check_directory(path: &Path) -> Result<(), UnixSocketError> {
    let directory = directory_of(path);
    let metadata = fs::metadata(directory).map_err(|source| UnixSocketError::Io {
        path: directory.into(),
        doing: "look at the socket's directory",
        source,
    })?;
    let unsafe_because = |problem, remedy| {
        Err(UnixSocketError::UnsafeDirectory { directory: directory.into(), problem, remedy })
    };
    // SAFETY: no arguments, and it cannot fail.
    let us = unsafe { libc::geteuid() };
    if metadata.uid() != us && metadata.uid() != 0 {
        let problem = format!("belongs to user {}", metadata.uid());
        return unsafe_because(problem, "give it to the user of this daemon");
    }
    let mode = metadata.mode();
    if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 {
        let problem = format!("has mode {:04o}", mode & 0o7777);
        return unsafe_because(problem, "let only its owner write to it (chmod go-w)");
    }
    Ok(())
}

/// Removes a socket of this kind that nobody answers at.
pub(crate) fn remove_stale(path: &Path, kind: c_int) -> Result<(), UnixSocketError> {
    let failed = |doing| move |source| UnixSocketError::Io { path: path.into(), doing, source };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at what is there")(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(UnixSocketError::NotASocket { path: path.into() });
    }
    if somebody_answers(path, kind)? {
        return Err(UnixSocketError::InUse { path: path.into() });
    }
    fs::remove_file(path).map_err(failed("remove the socket left behind"))
}

fn somebody_answers(path: &Path, kind: c_int) -> Result<bool, UnixSocketError> {
    let failed = |doing| move |source| UnixSocketError::Io { path: path.into(), doing, source };
    let (address, length) = raw_address(path)?;
    let probe = open_socket(libc::AF_UNIX, kind).map_err(failed("make a socket"))?;
    // SAFETY: the pointer and length describe `address`, which is only read.
    let answer =
        check(unsafe { libc::connect(probe.as_raw_fd(), (&raw const address).cast(), length) });
    match answer {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        // Connected, or its queue is full, or it is of another kind, or not for us: somebody is
        // there.
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn options(path: &Path) -> UnixListenerOptions {
        UnixListenerOptions { path: path.into(), mode: 0o600, group: None }
    }

    #[test]
    fn a_client_is_accepted_and_does_not_block() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let listener =
            UnixListener::bind(&UnixListenerOptions { mode: 0o640, ..options(&path) }).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert!(listener.accept().unwrap().is_none());

        let mut client = UnixStream::connect(&path).unwrap();
        let mut connection = listener.accept().unwrap().unwrap();
        let mut buffer = [0; 8];
        let error = connection.read(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"hello").unwrap();
        assert_eq!(connection.read(&mut buffer).unwrap(), 5);
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        // The standard library leaves its file behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = UnixListener::bind(&options(&path)).unwrap();
        let error = UnixListener::bind(&options(&path)).unwrap_err();
        assert!(matches!(error, UnixSocketError::InUse { .. }), "{error}");
        UnixStream::connect(&path).unwrap();
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_in_the_way_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        fs::write(&path, "precious").unwrap();
        let error = UnixListener::bind(&options(&path)).unwrap_err();
        assert!(matches!(error, UnixSocketError::NotASocket { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let error = UnixListener::bind(&options(&link)).unwrap_err();
        assert!(matches!(error, UnixSocketError::NotASocket { .. }), "{error}");
    }

    #[test]
    fn a_directory_for_everybody_is_refused_unless_sticky() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = UnixListener::bind(&options(&path)).unwrap_err();
        assert!(matches!(error, UnixSocketError::UnsafeDirectory { .. }), "{error}");
        assert!(error.to_string().contains("0777"), "{error}");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        UnixListener::bind(&options(&path)).unwrap();
    }

    #[test]
    fn impossible_paths_are_named() {
        for path in
            [PathBuf::new(), PathBuf::from("/tmp/\0"), PathBuf::from("/").join("x".repeat(108))]
        {
            let error = UnixListener::bind(&options(&path)).unwrap_err();
            assert!(matches!(error, UnixSocketError::Path { .. }), "{error}");
        }
        let error = UnixListener::bind(&options(Path::new("/nonexistent/control"))).unwrap_err();
        assert!(matches!(error, UnixSocketError::Io { .. }), "{error}");
    }

    #[test]
    fn somebody_elses_socket_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let listener = UnixListener::bind(&options(&path)).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(listener);
        assert!(path.exists());
    }
}
