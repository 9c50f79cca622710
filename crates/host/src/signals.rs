//! Signals as something to wait for: the handler only takes a note and writes a byte to a pipe.

use std::ffi::c_int;
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use crate::os::check;
use crate::wake::{Wake, Waker, write_byte};

/// The signals a daemon acts upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `SIGTERM`: leave cleanly.
    Terminate,
    /// `SIGINT`: the same, from a keyboard.
    Interrupt,
    /// `SIGQUIT`: leave cleanly too.
    Quit,
    /// `SIGHUP`: read the configuration again.
    Reload,
    /// `SIGUSR1`: for the daemon to define.
    User1,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Terminate, Self::Interrupt, Self::Quit, Self::Reload, Self::User1];

    const fn number(self) -> c_int {
        match self {
            Self::Terminate => libc::SIGTERM,
            Self::Interrupt => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Reload => libc::SIGHUP,
            Self::User1 => libc::SIGUSR1,
        }
    }

    const fn bit(self) -> u32 {
        1 << self.number()
    }
}

/// Signals that came and were not taken yet, by the bit of their number.
static PENDING: AtomicU32 = AtomicU32::new(0);
/// Where the handler writes its byte; -1 for nowhere.
static WAKER: AtomicI32 = AtomicI32::new(-1);
/// Handlers belong to the process: there can be one set of them.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Catches the signals in [`Signal`] for as long as it lives. There can be one in a process.
pub struct Signals {
    wake: Wake,
    /// Keeps the descriptor open that the handler writes to.
    _waker: Waker,
    before: Vec<(Signal, libc::sigaction)>,
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signals").field("wake", &self.wake).finish_non_exhaustive()
    }
}

impl Signals {
    /// Starts to catch signals.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` while another `Signals` lives; otherwise the kernel's reason.
    pub fn install() -> io::Result<Self> {
        if INSTALLED.swap(true, Ordering::SeqCst) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "this process catches its signals already",
            ));
        }
        let (wake, waker) = match Wake::new() {
            Ok(pair) => pair,
            Err(error) => {
                INSTALLED.store(false, Ordering::SeqCst);
                return Err(error);
            }
        };
        PENDING.store(0, Ordering::SeqCst);
        WAKER.store(waker.raw(), Ordering::SeqCst);
        // From here on, dropping undoes what was done.
        let mut signals =
            Self { wake, _waker: waker, before: Vec::with_capacity(Signal::ALL.len()) };
        for signal in Signal::ALL {
            let before = set_action(signal, &catching_action())?;
            signals.before.push((signal, before));
        }
        Ok(signals)
    }

    /// What to wait for. `None` where pipes cannot be waited for (see [`Wake::descriptor`]); a
    /// signal then ends the wait as [`crate::poll::Woken::Interrupted`].
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.wake.descriptor()
    }

    /// The signals that came since the last call, each once however often it came. To be called
    /// when the descriptor is ready or the wait was interrupted.
    pub fn take(&self) -> impl Iterator<Item = Signal> + use<> {
        // First the bytes, then the notes: a signal in between leaves a byte without a note, which
        // costs an idle turn. The other way round would lose a wake-up.
        self.wake.clear();
        let pending = PENDING.swap(0, Ordering::SeqCst);
        Signal::ALL.into_iter().filter(move |signal| pending & signal.bit() != 0)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // What was installed before is a valid action; restoring it cannot fail.
            let _ = set_action(*signal, before);
        }
        WAKER.store(-1, Ordering::SeqCst);
        INSTALLED.store(false, Ordering::SeqCst);
    }
}

extern "C" fn note(number: c_int) {
    // SAFETY: `errno` belongs to this thread and is always there.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above. The interrupted code must find the value it left.
    let kept = unsafe { *errno };
    if let Ok(bit) = u32::try_from(number) {
        PENDING.fetch_or(1u32.checked_shl(bit).unwrap_or(0), Ordering::SeqCst);
    }
    let waker = WAKER.load(Ordering::SeqCst);
    if waker >= 0 {
        write_byte(waker);
    }
    // SAFETY: as above.
    unsafe { *errno = kept };
}

fn catching_action() -> libc::sigaction {
    // SAFETY: `sigaction` consists of integers and an optional function; all-zero bytes are a
    // value of each, and mean the default action with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int) = note;
    action.sa_sigaction = handler as libc::sighandler_t;
    // Calls that can go on do; `poll` is interrupted nevertheless.
    action.sa_flags = libc::SA_RESTART;
    action
}

fn set_action(signal: Signal, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut before = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: both pointers are valid for one `sigaction`; the handler it names is
    // async-signal-safe (atomics, `write`, `errno` kept).
    check(unsafe { libc::sigaction(signal.number(), ptr::from_ref(action), before.as_mut_ptr()) })?;
    // SAFETY: the structure was zeroed, which is a value, and the call has filled it.
    Ok(unsafe { before.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{Interest, PollSet, Woken};

    fn raise(signal: Signal) {
        // SAFETY: `raise` takes a number; the signal is caught by the handler above.
        assert_eq!(unsafe { libc::raise(signal.number()) }, 0);
    }

    // One test: signals belong to the whole process.
    #[test]
    fn signals_wake_the_loop_and_are_taken_once() {
        let signals = Signals::install().unwrap();
        let second = Signals::install().map(|_| ()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(signals.take().count(), 0);

        raise(Signal::Reload);
        raise(Signal::User1);
        raise(Signal::Reload);
        let mut set = PollSet::new();
        set.add(signals.descriptor().unwrap(), Interest::Read);
        assert_eq!(set.wait(None).unwrap(), Woken::Ready(1));
        let taken: Vec<_> = signals.take().collect();
        assert_eq!(taken, [Signal::Reload, Signal::User1]);
        assert_eq!(signals.take().count(), 0);
        let now = crate::clock::monotonic_now().unwrap();
        assert_eq!(set.wait(Some(now)).unwrap(), Woken::Deadline);

        raise(Signal::Terminate);
        assert_eq!(signals.take().collect::<Vec<_>>(), [Signal::Terminate]);

        drop(signals);
        let again = Signals::install().unwrap();
        raise(Signal::Interrupt);
        assert_eq!(again.take().collect::<Vec<_>>(), [Signal::Interrupt]);
    }
}
