//! One datagram with its address and ancillary data, in and out.

use std::ffi::c_int;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use timeball_wire::time::Timestamp;

use super::Received;
use super::address::RawAddress;
use super::control::{Ancillary, ControlBuffer};
use super::stamping::{HardwareStamp, Stamp, StampSource};
use crate::os::check_length;

/// Room for what comes with a datagram: its address and ancillary data.
pub(super) struct Envelope {
    address: RawAddress,
    // Room for everything that was asked for, twice over; words, because of the alignment.
    control: [u64; 64],
}

/// What the kernel wrote into an [`Envelope`] and a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) length: usize,
    pub(super) flags: c_int,
    pub(super) control_length: usize,
}

impl Envelope {
    pub(super) fn new() -> Self {
        Self { address: RawAddress::empty(), control: [0; 64] }
    }

    /// A header that points here and to `iovec`. Both must stay where they are until the kernel has
    /// used it.
    pub(super) fn header(&mut self, iovec: *mut libc::iovec) -> libc::msghdr {
        self.address = RawAddress::empty();
        // SAFETY: `msghdr` is made of integers and pointers; all-zero bytes are a value.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_name = self.address.as_mut_ptr().cast();
        header.msg_namelen = self.address.length();
        header.msg_iov = iovec;
        header.msg_iovlen = 1;
        header.msg_control = self.control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&self.control);
        header
    }

    /// Everything the kernel told beside the address.
    pub(super) fn ancillary(&self, written: Written) -> Ancillary {
        let length = written.control_length.min(size_of_val(&self.control));
        // SAFETY: `length` is within the array, all of which is initialised.
        let bytes = unsafe { std::slice::from_raw_parts(self.control.as_ptr().cast(), length) };
        Ancillary::decode(bytes)
    }

    /// The datagram, if it came from an internet address. `now` is its stamp if the kernel made
    /// none.
    pub(super) fn received(&self, written: Written, now: Timestamp) -> Option<Received> {
        let ancillary = self.ancillary(written);
        Some(Received {
            length: written.length,
            truncated: written.flags & libc::MSG_TRUNC != 0,
            from: self.address.to_socket_addr()?,
            to: ancillary.destination,
            to_everybody: ancillary.to_everybody,
            interface: ancillary.interface,
            stamp: match ancillary.software {
                Some(at) => Stamp { at, source: StampSource::Kernel },
                None => Stamp { at: now, source: StampSource::Daemon },
            },
            hardware: HardwareStamp::from_ancillary(&ancillary),
        })
    }
}

impl Written {
    pub(super) fn from_header(header: &libc::msghdr, length: usize) -> Self {
        Self { length, flags: header.msg_flags, control_length: header.msg_controllen }
    }
}

/// Receives one datagram, without waiting. `None` if there is none.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    envelope: &mut Envelope,
    flags: c_int,
) -> io::Result<Option<Written>> {
    let mut iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut header = envelope.header(&raw mut iovec);
    // SAFETY: the header points to `buffer`, `envelope` and `iovec` with their true lengths; all of
    // them are borrowed until the call returns, and the kernel writes within those lengths.
    let answer =
        unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags | libc::MSG_DONTWAIT) };
    match check_length(answer) {
        Ok(length) => Ok(Some(Written::from_header(&header, length))),
        Err(error) if nothing_there(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True for errors that mean "not now".
pub(super) fn nothing_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Sends one datagram; to the connected peer if `to` is `None`.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    datagram: &[u8],
    to: Option<SocketAddr>,
    control: &ControlBuffer,
) -> io::Result<()> {
    let address = to.map(RawAddress::from);
    let mut iovec =
        libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
    // SAFETY: `msghdr` is made of integers and pointers; all-zero bytes are a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    if let Some(address) = &address {
        header.msg_name = address.as_ptr().cast_mut().cast();
        header.msg_namelen = address.length();
    }
    header.msg_iov = &raw mut iovec;
    header.msg_iovlen = 1;
    if control.length() > 0 {
        header.msg_control = control.as_ptr().cast_mut();
        header.msg_controllen = control.length();
    } else {
        header.msg_control = ptr::null_mut();
    }
    // SAFETY: the header points to `datagram`, `address`, `iovec` and `control` with their true
    // lengths; sending only reads them, and all of them live until the call returns.
    let answer =
        unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT) };
    check_length(answer).map(|_| ())
}
