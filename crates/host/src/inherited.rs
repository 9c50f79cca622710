//! Sockets that the service manager has opened for this process (systemd's sd_listen_fds(3)).
//!
//! They lie ready from the start and are handed out to whoever wants to listen where they do: so a
//! socket's owner need not know where it comes from.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::os::{check, make_private};
use crate::socket::local_address;

/// The first descriptor that the service manager passes.
const FIRST: RawFd = 3;
/// More than this nobody passes.
const MOST: RawFd = 64;

/// Sockets that nobody has asked for yet.
static SOCKETS: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Takes over what the environment says has been passed, once. Answers how many sockets that are.
///
/// To be called before there is a second thread, and before this process opens anything that it did
/// not inherit.
///
/// # Errors
///
/// When a descriptor that the environment announces is not there.
pub fn adopt() -> io::Result<usize> {
    let variable = |name| env::var(name).ok();
    let pid = std::process::id();
    let count =
        announced(variable("LISTEN_FDS").as_deref(), variable("LISTEN_PID").as_deref(), pid);
    let mut sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    if !sockets.is_empty() {
        return Ok(sockets.len());
    }
    for raw in FIRST..FIRST + count {
        // SAFETY: F_GETFD takes no argument, touches no memory of ours, and is an error for a
        // number that is no descriptor.
        check(unsafe { libc::fcntl(raw, libc::F_GETFD) })?;
        // SAFETY: it is open, and by the service manager's protocol this process's own. Nothing else
        // here refers to it: it was there before the program began.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        make_private(&socket)?;
        sockets.push(socket);
    }
    Ok(sockets.len())
}

/// How many descriptors are announced, and meant for the process `pid`.
fn announced(count: Option<&str>, meant_for: Option<&str>, pid: u32) -> RawFd {
    let ours = meant_for.is_none_or(|number| number.parse() == Ok(pid));
    let count = count.and_then(|count| count.parse().ok()).filter(|_| ours);
    count.map_or(0, |count: RawFd| count.clamp(0, MOST))
}

/// The UDP socket that listens at `address`, if one was passed.
pub(crate) fn take_udp(address: SocketAddr) -> Option<OwnedFd> {
    take(|socket| is_datagram(socket) && local_address(socket).is_ok_and(|it| it == address))
}

/// The Unix datagram socket that listens at `path`, if one was passed.
pub(crate) fn take_unix_datagram(path: &Path) -> Option<OwnedFd> {
    take(|socket| is_datagram(socket) && unix_path(socket).is_some_and(|it| it == path))
}

fn take(fits: impl Fn(BorrowedFd<'_>) -> bool) -> Option<OwnedFd> {
    let mut sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    let found = sockets.iter().position(|socket| fits(socket.as_fd()))?;
    Some(sockets.swap_remove(found))
}

fn is_datagram(socket: BorrowedFd<'_>) -> bool {
    let mut kind: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointers are valid for the number and its length, which the call fills.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut length,
        )
    };
    answer == 0 && kind == libc::SOCK_DGRAM
}

fn unix_path(socket: BorrowedFd<'_>) -> Option<PathBuf> {
    // SAFETY: the structure is made of integers; all-zero bytes are a value.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the pointers are valid for an address of the length given, and for that length.
    check(unsafe {
        libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length)
    })
    .ok()?;
    if i32::from(address.sun_family) != libc::AF_UNIX {
        return None;
    }
    let bytes: Vec<u8> =
        address.sun_path.iter().take_while(|&&byte| byte != 0).map(|byte| *byte as u8).collect();
    (!bytes.is_empty()).then(|| OsStr::from_bytes(&bytes).into())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    #[test]
    fn only_what_is_meant_for_us_is_ours() {
        assert_eq!(announced(Some("2"), Some("17"), 17), 2);
        assert_eq!(announced(Some("2"), None, 17), 2);
        assert_eq!(announced(Some("2"), Some("18"), 17), 0);
        assert_eq!(announced(Some("2"), Some("x"), 17), 0);
        assert_eq!(announced(None, Some("17"), 17), 0);
        assert_eq!(announced(Some("-1"), None, 17), 0);
        assert_eq!(announced(Some("99999"), None, 17), MOST);
    }

    // One test: the sockets belong to the whole process.
    #[test]
    fn each_socket_goes_to_whoever_listens_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        let unix = UnixDatagram::bind(path("datagram")).unwrap();
        let stream = UnixListener::bind(path("stream")).unwrap();
        SOCKETS.lock().unwrap().extend([stream.into(), unix.into(), udp.into()] as [OwnedFd; 3]);
        let elsewhere = SocketAddr::new(address.ip(), address.port().wrapping_add(1));
        assert!(take_udp(elsewhere).is_none());
        assert!(take_udp(address).is_some());
        assert!(take_udp(address).is_none(), "it is taken");
        assert!(take_unix_datagram(&path("stream")).is_none(), "not of that kind");
        assert!(take_unix_datagram(&path("datagram")).is_some());
        assert_eq!(SOCKETS.lock().unwrap().len(), 1);
    }
}
