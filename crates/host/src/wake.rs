//! A pipe by which another thread, or a signal, ends a wait in [`crate::poll::PollSet`].

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::os::{check, make_private};

/// The waiting end.
#[derive(Debug)]
pub struct Wake {
    reader: OwnedFd,
    /// Found out when it matters: asking takes time on a simulated kernel, and a clock that is known
    /// to run wrong should not have to wait for it.
    pollable: OnceCell<bool>,
}

/// The waking end; clones wake the same waiter.
#[derive(Debug, Clone)]
pub struct Waker {
    writer: Arc<OwnedFd>,
}

impl Wake {
    /// A new pipe.
    ///
    /// # Errors
    ///
    /// When this process may not open another pair of descriptors.
    pub fn new() -> io::Result<(Self, Waker)> {
        let (reader, writer) = pipe()?;
        Ok((Self { reader, pollable: OnceCell::new() }, Waker { writer: Arc::new(writer) }))
    }

    /// What to wait for.
    ///
    /// `None` where the kernel reports every pipe as readable all the time, as some simulated ones
    /// do: waiting for it would be no wait at all. Such a kernel interrupts a wait by signals only.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pollable.get_or_init(pipes_are_pollable).then(|| self.reader.as_fd())
    }

    /// Forgets all wake-ups so far. To be called before looking at what the wake-ups were about.
    pub fn clear(&self) {
        let mut bytes = [0u8; 64];
        loop {
            // SAFETY: the pointer and length describe `bytes`, which the kernel fills.
            let length = unsafe {
                libc::read(self.reader.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len())
            };
            // A short answer means that the pipe is empty now, as does "would block".
            if length < bytes.len().cast_signed() {
                break;
            }
        }
    }
}

impl Waker {
    /// Ends the wait, now or at its next start.
    pub fn wake(&self) {
        write_byte(self.writer.as_raw_fd());
    }

    /// The descriptor, for a signal handler.
    pub(crate) fn raw(&self) -> RawFd {
        self.writer.as_raw_fd()
    }
}

/// Writes one byte. Safe in a signal handler, where `errno` must be kept by the caller.
///
/// A full pipe is as good as a written one, and a closed one has nobody to wake: the answer does
/// not matter.
pub(crate) fn write_byte(descriptor: RawFd) {
    let byte = 1u8;
    // SAFETY: the pointer is valid for the one byte that is read. A stale descriptor is an error
    // answer, not a memory access.
    unsafe { libc::write(descriptor, (&raw const byte).cast(), 1) };
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: the pointer is valid for the two descriptors the call writes.
    check(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    // SAFETY: the call has just made both descriptors, and nothing else owns them.
    let (reader, writer) =
        unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    make_private(&reader)?;
    make_private(&writer)?;
    Ok((reader, writer))
}

/// False if `poll` calls an empty pipe readable. Where that cannot be tried, it is not.
fn pipes_are_pollable() -> bool {
    let Ok((reader, _writer)) = pipe() else { return true };
    let mut entry = libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is valid for the one entry.
    let asked = check(unsafe { libc::poll(&raw mut entry, 1, 0) });
    asked.is_err() || entry.revents & libc::POLLIN == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{Interest, PollSet, Woken};

    fn waiting(wake: &Wake) -> bool {
        let mut set = PollSet::new();
        let slot = set.add(wake.descriptor().unwrap(), Interest::Read);
        let now = crate::clock::monotonic_now().unwrap();
        set.wait(Some(now)).unwrap() == Woken::Ready(1) && set.readiness(slot).readable
    }

    #[test]
    fn a_wake_up_stays_until_it_is_cleared() {
        let (wake, waker) = Wake::new().unwrap();
        assert!(!waiting(&wake));
        waker.wake();
        assert!(waiting(&wake));
        assert!(waiting(&wake));
        wake.clear();
        assert!(!waiting(&wake));
    }

    #[test]
    fn many_wake_ups_are_one() {
        let (wake, waker) = Wake::new().unwrap();
        // More than a pipe can hold.
        for _ in 0..100_000 {
            waker.wake();
        }
        wake.clear();
        assert!(!waiting(&wake));
    }

    #[test]
    fn another_thread_wakes() {
        let (wake, waker) = Wake::new().unwrap();
        let other = std::thread::spawn(move || waker.clone().wake());
        let mut set = PollSet::new();
        set.add(wake.descriptor().unwrap(), Interest::Read);
        assert_eq!(set.wait(None).unwrap(), Woken::Ready(1));
        other.join().unwrap();
    }
}
