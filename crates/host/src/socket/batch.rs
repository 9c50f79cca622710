//! Many datagrams in one call.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use timeball_wire::time::Timestamp;

use super::Received;
use super::message::{self, Envelope, Written, nothing_there};
use super::stamping::daemon_time;

/// Memory for a number of datagrams; allocated once, used for every call.
pub struct ReceiveBatch {
    datagram_size: usize,
    payload: Vec<u8>,
    envelopes: Vec<Envelope>,
    written: Vec<Written>,
    /// When the last call returned: the stamp of what the kernel did not stamp.
    at: Timestamp,
    batching: Batching,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

/// Whether the kernel knows `recvmmsg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Batching {
    Offered,
    Refused,
}

// SAFETY: the pointers in `iovecs` and `headers` point into memory that this value owns and that
// does not move with it, and are written anew before each use.
unsafe impl Send for ReceiveBatch {}

impl std::fmt::Debug for ReceiveBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiveBatch")
            .field("capacity", &self.envelopes.len())
            .field("datagram_size", &self.datagram_size)
            .field("received", &self.written.len())
            .finish_non_exhaustive()
    }
}

impl ReceiveBatch {
    /// Room for `capacity` datagrams (at least one) of up to `datagram_size` bytes. Longer ones are
    /// cut and say so.
    pub fn new(capacity: usize, datagram_size: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            datagram_size,
            payload: vec![0; capacity.saturating_mul(datagram_size)],
            envelopes: (0..capacity).map(|_| Envelope::new()).collect(),
            written: Vec::with_capacity(capacity),
            at: Timestamp::from_nanos(0),
            batching: Batching::Offered,
            iovecs: Vec::with_capacity(capacity),
            headers: Vec::with_capacity(capacity),
        }
    }

    /// The datagrams of the last call, in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = (Received, &[u8])> {
        let slots = self.envelopes.iter().zip(self.payload.chunks(self.datagram_size.max(1)));
        self.written.iter().zip(slots).filter_map(|(&written, (envelope, bytes))| {
            let received = envelope.received(written, self.at)?;
            Some((received, bytes.get(..received.length)?))
        })
    }

    pub(super) fn fill(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.written.clear();
        let filled = match self.batching {
            Batching::Offered => match self.fill_all(socket) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                    self.batching = Batching::Refused;
                    self.fill_one(socket)
                }
                other => other,
            },
            Batching::Refused => self.fill_one(socket),
        };
        filled?;
        if !self.written.is_empty() {
            self.at = daemon_time()?;
        }
        Ok(self.written.len())
    }

    fn fill_one(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let (Some(envelope), Some(buffer)) =
            (self.envelopes.first_mut(), self.payload.get_mut(..self.datagram_size))
        else {
            return Ok(());
        };
        self.written.extend(message::receive(socket, buffer, envelope, 0)?);
        Ok(())
    }

    fn fill_all(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.iovecs.clear();
        self.headers.clear();
        for buffer in self.payload.chunks_mut(self.datagram_size.max(1)) {
            let iov_base = buffer.as_mut_ptr().cast();
            self.iovecs.push(libc::iovec { iov_base, iov_len: buffer.len() });
        }
        for (iovec, envelope) in self.iovecs.iter_mut().zip(&mut self.envelopes) {
            let msg_hdr = envelope.header(ptr::from_mut(iovec));
            self.headers.push(libc::mmsghdr { msg_hdr, msg_len: 0 });
        }
        let count = libc::c_uint::try_from(self.headers.len()).unwrap_or(libc::c_uint::MAX);
        // SAFETY: each header points to its own buffer, envelope and iovec with their true lengths.
        // All of them are owned by `self`, which is borrowed until the call returns, and none of
        // the vectors grows in between.
        let answer = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let Ok(received) = usize::try_from(answer) else {
            let error = io::Error::last_os_error();
            return if nothing_there(&error) { Ok(()) } else { Err(error) };
        };
        let headers = self.headers.iter().take(received);
        self.written.extend(
            headers.map(|header| Written::from_header(&header.msg_hdr, header.msg_len as usize)),
        );
        Ok(())
    }
}
