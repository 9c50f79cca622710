//! Waiting: which of these descriptors is ready, or has the deadline come?

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use timeball_wire::time::Instant;

use crate::clock::monotonic_now;

/// What to wait for on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or an entry in the error queue.
    Read,
    /// An entry in the error queue (a transmit timestamp).
    ErrorQueue,
    /// Room to write.
    Write,
    /// Either.
    ReadWrite,
}

/// What a descriptor is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// There is something to read, or the other side has hung up.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// A socket has something in its error queue (a transmit timestamp), or a pending error.
    pub error_queue: bool,
    /// The other side is gone, or the descriptor is broken.
    pub closed: bool,
}

impl Readiness {
    /// True if it is ready for anything.
    pub fn any(self) -> bool {
        self.readable || self.writable || self.error_queue || self.closed
    }
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// This many descriptors are ready.
    Ready(usize),
    /// The deadline has come.
    Deadline,
    /// A signal was handled: look at [`crate::signals::Signals::take`].
    Interrupted,
}

/// The place of a descriptor in a [`PollSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(usize);

/// A set of descriptors to wait for. It is filled anew before each wait, so that no descriptor
/// outlives its owner in it; its memory is kept.
#[derive(Debug, Default)]
pub struct PollSet {
    entries: Vec<libc::pollfd>,
}

impl PollSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all descriptors.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Adds a descriptor. The same one may be added more than once.
    pub fn add(&mut self, descriptor: impl AsFd, interest: Interest) -> Slot {
        let events = match interest {
            // Some simulated kernels announce the error queue as priority data instead of an error.
            Interest::Read => libc::POLLIN | libc::POLLPRI,
            Interest::ErrorQueue => libc::POLLPRI,
            Interest::Write => libc::POLLOUT,
            Interest::ReadWrite => libc::POLLIN | libc::POLLPRI | libc::POLLOUT,
        };
        let slot = Slot(self.entries.len());
        let fd: RawFd = descriptor.as_fd().as_raw_fd();
        self.entries.push(libc::pollfd { fd, events, revents: 0 });
        slot
    }

    /// Waits until a descriptor is ready or the deadline has come; without a deadline, for ever.
    ///
    /// The deadline is met up to a millisecond late and never early, so that a loop which waits for
    /// a deadline does not spin just before it.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait or to tell the time.
    pub fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Woken> {
        let timeout = match deadline {
            Some(deadline) => milliseconds_until(deadline, monotonic_now()?),
            None => -1,
        };
        for entry in &mut self.entries {
            entry.revents = 0;
        }
        let count = self.entries.len() as libc::nfds_t;
        // SAFETY: the pointer and count describe `entries`, which the kernel reads and fills. The
        // descriptors are plain numbers to it: a stale one is reported, not followed.
        let ready = unsafe { libc::poll(self.entries.as_mut_ptr(), count, timeout) };
        match usize::try_from(ready) {
            Ok(0) => Ok(Woken::Deadline),
            Ok(ready) => Ok(Woken::Ready(ready)),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(Woken::Interrupted),
                error => Err(error),
            },
        }
    }

    /// What the descriptor added at `slot` was ready for when the last wait ended.
    pub fn readiness(&self, slot: Slot) -> Readiness {
        let revents = self.entries.get(slot.0).map_or(0, |entry| entry.revents);
        let has = |bits| revents & bits != 0;
        Readiness {
            readable: has(libc::POLLIN | libc::POLLHUP),
            writable: has(libc::POLLOUT),
            error_queue: has(libc::POLLERR | libc::POLLPRI),
            closed: has(libc::POLLHUP | libc::POLLNVAL),
        }
    }
}

/// Rounded up; zero for a deadline in the past, at most what the kernel takes.
fn milliseconds_until(deadline: Instant, now: Instant) -> i32 {
    let nanos = (deadline - now).nanos().max(0);
    let millis = nanos.saturating_add(999_999) / 1_000_000;
    i32::try_from(millis).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use timeball_wire::time::Span;

    use super::*;

    #[test]
    fn timeouts_are_rounded_up() {
        let now = Instant::from_nanos(5_000_000);
        let after = |nanos| milliseconds_until(now + Span::from_nanos(nanos), now);
        assert_eq!(after(-1), 0);
        assert_eq!(after(0), 0);
        assert_eq!(after(1), 1);
        assert_eq!(after(1_000_000), 1);
        assert_eq!(after(1_000_001), 2);
        assert_eq!(after(i64::MAX), i32::MAX);
    }

    #[test]
    fn a_deadline_ends_the_wait_and_never_early() {
        let deadline = monotonic_now().unwrap() + Span::from_nanos(2_500_000);
        assert_eq!(PollSet::new().wait(Some(deadline)).unwrap(), Woken::Deadline);
        assert!(monotonic_now().unwrap() >= deadline);
    }

    #[test]
    fn only_the_ready_one_is_reported() {
        let (quiet, _quiet_peer) = UnixStream::pair().unwrap();
        let (mut ready, mut ready_peer) = UnixStream::pair().unwrap();
        ready_peer.write_all(b"x").unwrap();
        let mut set = PollSet::new();
        let quiet_slot = set.add(&quiet, Interest::Read);
        let ready_slot = set.add(&ready, Interest::ReadWrite);
        assert_eq!(set.wait(None).unwrap(), Woken::Ready(1));
        assert!(!set.readiness(quiet_slot).any());
        let readiness = set.readiness(ready_slot);
        assert!(readiness.readable && readiness.writable && !readiness.closed);

        drop(ready_peer);
        let mut byte = [0];
        ready.read_exact(&mut byte).unwrap();
        set.clear();
        let slot = set.add(&ready, Interest::Read);
        assert_eq!(set.wait(None).unwrap(), Woken::Ready(1));
        assert!(set.readiness(slot).readable && set.readiness(slot).closed);
    }
}
