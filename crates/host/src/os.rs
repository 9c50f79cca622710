//! The habits of the C library, in one place: errors by return value, options by pointer.

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// The result of a call that answers a negative number on failure and leaves the reason in `errno`.
pub(crate) fn check(answer: c_int) -> io::Result<c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Like [`check`], for calls that answer a length.
pub(crate) fn check_length(answer: isize) -> io::Result<usize> {
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

/// Opens a socket of a plain `kind`, then makes it non-blocking and private to this program.
///
/// The flags are set in a second step because simulated kernels refuse `SOCK_NONBLOCK` and
/// `SOCK_CLOEXEC` as part of the type.
pub(crate) fn open_socket(domain: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the answer is checked before use.
    let descriptor = check(unsafe { libc::socket(domain, kind, 0) })?;
    // SAFETY: the call has just made this descriptor, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    make_private(&socket)?;
    Ok(socket)
}

/// Makes a new descriptor non-blocking and closes it across `exec`.
pub(crate) fn make_private(descriptor: &OwnedFd) -> io::Result<()> {
    let raw = descriptor.as_raw_fd();
    // SAFETY: F_SETFD takes an integer and touches no memory of ours.
    check(unsafe { libc::fcntl(raw, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: F_GETFL takes no argument and touches no memory of ours.
    let flags = check(unsafe { libc::fcntl(raw, libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes an integer and touches no memory of ours.
    check(unsafe { libc::fcntl(raw, libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// Sets a socket option whose value is a C `int`.
pub(crate) fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    set_option_bytes(socket, level, name, &value.to_ne_bytes())
}

/// Sets a socket option whose value is a string of bytes.
pub(crate) fn set_option_bytes(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the pointer and length describe `value`, which outlives the call and is only read.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length)
    })?;
    Ok(())
}

/// The value of a socket option that is a C `int`.
pub(crate) fn option(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the pointers are to `value` and its length, which the kernel fills and keeps to.
    check(unsafe {
        let pointer = (&raw mut value).cast();
        libc::getsockopt(socket.as_raw_fd(), level, name, pointer, &raw mut length)
    })?;
    Ok(value)
}

/// The internet address in a list the C library has made; `None` for null and other families.
///
/// # Safety
///
/// `address` is null, or points to as many bytes as its family has in a socket address.
pub(crate) unsafe fn internet_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, so by the contract it points to a family at least. It may be less aligned
    // than its type wants.
    let family = unsafe { ptr::read_unaligned(&raw const (*address).sa_family) };
    match c_int::from(family) {
        libc::AF_INET => {
            // SAFETY: by the contract there are as many bytes as this type has.
            let raw: libc::sockaddr_in = unsafe { ptr::read_unaligned(address.cast()) };
            Some(Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes()).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let raw: libc::sockaddr_in6 = unsafe { ptr::read_unaligned(address.cast()) };
            Some(Ipv6Addr::from(raw.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}
