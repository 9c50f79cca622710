//! A socket for single messages between processes of this machine: who can reach it is a matter of
//! its directory's permissions, and whoever wants an answer has a path of its own.

use std::ffi::{OsStr, c_int};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::ptr;

use crate::inherited;
use crate::os::{check, check_length, open_socket};
use crate::unix_socket::{UnixSocketError, directory_of, nobody_waits, raw_address, remove_stale};

/// How a socket is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixDatagramOptions {
    /// Where.
    pub path: PathBuf,
    /// Who may own the directory beside root and this process's user.
    pub owner: Option<u32>,
}

/// A bound datagram socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct UnixDatagramSocket {
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode of the socket's file, so that only our own is removed; `None` where there is
    /// no file, as in a simulation.
    identity: Option<(u64, u64)>,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixReceived {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// True if it was longer than the buffer; the rest is lost.
    pub truncated: bool,
    /// The sender's path; `None` for one that has none and cannot be answered.
    pub from: Option<PathBuf>,
}

impl UnixDatagramSocket {
    /// Opens the socket. Its directory must belong to root, this process's user or the owner named,
    /// and be closed to everybody who is neither that nor in its group: not every system heeds the
    /// permissions of the socket itself. A socket left behind is replaced if nobody answers there.
    ///
    /// A directory that is not there is left to the kernel to refuse: a simulated one may not.
    ///
    /// # Errors
    ///
    /// See [`UnixSocketError`].
    pub fn bind(options: &UnixDatagramOptions) -> Result<Self, UnixSocketError> {
        let path = options.path.as_path();
        if let Some(socket) = inherited::take_unix_datagram(path) {
            // Its file is the service manager's.
            return Ok(Self { socket, path: path.into(), identity: None });
        }
        raw_address(path)?;
        check_directory(path, options.owner)?;
        // The directory is safe, so nothing happens between the next steps but by our own doing.
        let failed =
            |source| UnixSocketError::Io { path: path.into(), doing: "make a socket", source };
        let socket = open_socket(libc::AF_UNIX, libc::SOCK_DGRAM).map_err(failed)?;
        Self::bind_to(path, socket)
    }

    /// Opens a socket that only this process's user and root can send to, in whatever directory:
    /// the kernel must heed the permissions of the socket itself, as Linux does. Who may write to the
    /// directory can put another in its place. A socket left behind is replaced if nobody answers
    /// there.
    ///
    /// # Errors
    ///
    /// See [`UnixSocketError`].
    pub fn bind_private(path: &Path) -> Result<Self, UnixSocketError> {
        let failed =
            |source| UnixSocketError::Io { path: path.into(), doing: "make a socket", source };
        let socket = open_socket(libc::AF_UNIX, libc::SOCK_DGRAM).map_err(failed)?;
        // Before it has a name, so that nobody is in time.
        // SAFETY: no pointers.
        check(unsafe { libc::fchmod(socket.as_raw_fd(), 0o600) }).map_err(failed)?;
        Self::bind_to(path, socket)
    }

    fn bind_to(path: &Path, socket: OwnedFd) -> Result<Self, UnixSocketError> {
        let failed = |doing| move |source| UnixSocketError::Io { path: path.into(), doing, source };
        let (address, length) = raw_address(path)?;
        remove_stale(path, libc::SOCK_DGRAM)?;
        // SAFETY: the pointer and length describe `address`, which is only read.
        check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })
            .map_err(failed("bind"))?;
        let metadata = fs::symlink_metadata(path).ok();
        let identity = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
        Ok(Self { socket, path: path.into(), identity })
    }

    /// Sets the permissions of the socket's file, and of nothing that has taken its place. One that
    /// this process has not made stays as it is.
    ///
    /// # Errors
    ///
    /// The kernel's. Those of the directory protect the socket all the same.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        let Some(identity) = self.identity else { return Ok(()) };
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        let found = file.metadata()?;
        if identity != (found.dev(), found.ino()) {
            return Err(io::Error::other("somebody has replaced it"));
        }
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        fs::set_permissions(opened, fs::Permissions::from_mode(mode))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes one message, without waiting. `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the socket is broken.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<UnixReceived>> {
        // SAFETY: `sockaddr_un` is made of integers; all-zero bytes are a value.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        let mut iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut header = header(&mut iovec);
        header.msg_name = (&raw mut address).cast();
        header.msg_namelen = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the header points to `buffer`, `address` and `iovec` with their true lengths; all
        // of them are borrowed until the call returns, and the kernel writes within those lengths.
        let answer =
            unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
        match check_length(answer) {
            Ok(length) => Ok(Some(UnixReceived {
                length: length.min(buffer.len()),
                truncated: header.msg_flags & libc::MSG_TRUNC != 0,
                from: path_of(&address, header.msg_namelen),
            })),
            Err(error) if nobody_waits(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends one message to the socket at a path, without waiting.
    ///
    /// # Errors
    ///
    /// The kernel's: nobody is there any more, or does not take messages as fast as they come.
    pub fn send(&self, message: &[u8], to: &Path) -> io::Result<()> {
        let (mut address, length) = raw_address(to).map_err(io::Error::other)?;
        let mut iovec =
            libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
        let mut header = header(&mut iovec);
        header.msg_name = (&raw mut address).cast();
        header.msg_namelen = length;
        // SAFETY: the header points to `message`, `address` and `iovec` with their true lengths;
        // sending only reads them, and all of them live until the call returns.
        let answer = unsafe {
            libc::sendmsg(self.socket.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT)
        };
        check_length(answer).map(|_| ())
    }
}

impl AsFd for UnixDatagramSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for UnixDatagramSocket {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path).ok();
        let found = found.map(|metadata| (metadata.dev(), metadata.ino()));
        if found.is_some() && found == self.identity {
            // A file that stays behind is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A header for one buffer, without an address.
fn header(iovec: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: `msghdr` is made of integers and pointers; all-zero bytes are a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = ptr::from_mut(iovec);
    header.msg_iovlen = 1;
    header
}

/// The path in an address of this length; `None` if it has none.
fn path_of(address: &libc::sockaddr_un, length: libc::socklen_t) -> Option<PathBuf> {
    if c_int::from(address.sun_family) != libc::AF_UNIX {
        return None;
    }
    let start = std::mem::offset_of!(libc::sockaddr_un, sun_path);
    let length = usize::try_from(length).ok()?.checked_sub(start)?;
    let path = address.sun_path.get(..length.min(address.sun_path.len()))?;
    let bytes: Vec<u8> =
        path.iter().map(|byte| byte.cast_unsigned()).take_while(|byte| *byte != 0).collect();
    (!bytes.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(&bytes)))
}

const OPEN_TO_OTHERS: u32 = 0o007;

fn check_directory(path: &Path, owner: Option<u32>) -> Result<(), UnixSocketError> {
    let directory = directory_of(path);
    let Ok(metadata) = fs::metadata(directory) else { return Ok(()) };
    let unsafe_because = |problem, remedy| {
        Err(UnixSocketError::UnsafeDirectory { directory: directory.into(), problem, remedy })
    };
    // SAFETY: no arguments, and it cannot fail.
    let us = unsafe { libc::geteuid() };
    if ![0, us].contains(&metadata.uid()) && Some(metadata.uid()) != owner {
        let problem = format!("belongs to user {}", metadata.uid());
        return unsafe_because(problem, "give it to the user of this daemon");
    }
    if metadata.mode() & OPEN_TO_OTHERS != 0 {
        let problem = format!("has mode {:04o}", metadata.mode() & 0o7777);
        return unsafe_because(problem, "close it to everybody else (chmod o=)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn options(path: &Path) -> UnixDatagramOptions {
        UnixDatagramOptions { path: path.into(), owner: None }
    }

    fn private_directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        directory
    }

    fn receive(socket: &UnixDatagramSocket, buffer: &mut [u8]) -> UnixReceived {
        socket.receive(buffer).unwrap().unwrap()
    }

    #[test]
    fn a_message_is_answered_at_the_senders_path() {
        let directory = private_directory();
        let path = directory.path().join("daemon");
        let socket = UnixDatagramSocket::bind(&options(&path)).unwrap();
        socket.set_mode(0o640).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        let mut buffer = [0; 8];
        assert_eq!(socket.receive(&mut buffer).unwrap(), None);

        let reply_to = directory.path().join("client");
        let client = UnixDatagram::bind(&reply_to).unwrap();
        client.send_to(b"hello", &path).unwrap();
        let received = receive(&socket, &mut buffer);
        assert_eq!(
            received,
            UnixReceived { length: 5, truncated: false, from: Some(reply_to.clone()) }
        );
        assert_eq!(&buffer[..5], b"hello");
        socket.send(b"hi", &reply_to).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 2);

        client.send_to(&[7; 9], &path).unwrap();
        let received = receive(&socket, &mut buffer);
        assert!(received.truncated && received.length == 8);
        drop(client);
        fs::remove_file(&reply_to).unwrap();
        assert_eq!(socket.send(b"hi", &reply_to).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn who_has_no_path_cannot_be_answered() {
        let directory = private_directory();
        let path = directory.path().join("daemon");
        let socket = UnixDatagramSocket::bind(&options(&path)).unwrap();
        UnixDatagram::unbound().unwrap().send_to(b"", &path).unwrap();
        let received = receive(&socket, &mut [0; 8]);
        assert_eq!((received.length, received.from), (0, None));
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_living_one_is_not() {
        let directory = private_directory();
        let path = directory.path().join("daemon");
        drop(UnixDatagram::bind(&path).unwrap());
        let socket = UnixDatagramSocket::bind(&options(&path)).unwrap();
        let error = UnixDatagramSocket::bind(&options(&path)).unwrap_err();
        assert!(matches!(error, UnixSocketError::InUse { .. }), "{error}");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn somebody_elses_socket_is_not_removed() {
        let directory = private_directory();
        let path = directory.path().join("daemon");
        let socket = UnixDatagramSocket::bind(&options(&path)).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixDatagram::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[test]
    fn the_directory_is_closed_to_others() {
        let directory = private_directory();
        let path = directory.path().join("daemon");
        for (mode, safe) in [(0o770, true), (0o700, true), (0o1777, false), (0o711, false)] {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
            match UnixDatagramSocket::bind(&options(&path)) {
                Ok(_) => assert!(safe, "{mode:o}"),
                Err(error) => {
                    assert!(!safe, "{mode:o}: {error}");
                    assert!(matches!(error, UnixSocketError::UnsafeDirectory { .. }), "{error}");
                }
            }
        }
    }

    #[test]
    fn impossible_paths_are_named() {
        let error = UnixDatagramSocket::bind(&options(Path::new(""))).unwrap_err();
        assert!(matches!(error, UnixSocketError::Path { .. }), "{error}");
        let error = UnixDatagramSocket::bind(&options(Path::new("/nonexistent/s"))).unwrap_err();
        assert!(matches!(error, UnixSocketError::Io { .. }), "{error}");
    }
}
