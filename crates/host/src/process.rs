//! What a daemon does to its own process: leave the terminal, keep its memory, take precedence, and
//! give up every right it does not need.

use std::ffi::{CString, c_int};
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use thiserror::Error;

use crate::os::{check, make_private};

/// Whether this process has the rights of the superuser.
pub fn is_superuser() -> bool {
    // SAFETY: the call takes and touches nothing.
    unsafe { libc::geteuid() == 0 }
}

/// What came of [`detach`].
#[derive(Debug)]
pub enum Detached {
    /// This is the process that was started; the daemon is on its way or has given up.
    Caller(Result<(), String>),
    /// This is the daemon.
    Daemon(Starting),
}

/// The daemon's line to the process that was started, which waits for its word.
#[derive(Debug)]
pub struct Starting {
    caller: File,
}

impl Starting {
    /// The daemon has started: the caller ends well.
    ///
    /// # Errors
    /// When the caller is gone.
    pub fn done(mut self) -> io::Result<()> {
        self.caller.write_all(&[0])
    }

    /// The daemon has failed: the caller shows why.
    ///
    /// # Errors
    /// When the caller is gone.
    pub fn failed(mut self, reason: &str) -> io::Result<()> {
        self.caller.write_all(reason.as_bytes())
    }
}

/// Goes on as a child of the system's first process, without a terminal, in the root directory, and
/// with nothing behind standard input, output and error. The caller stays until the child says that
/// it has started, or why it has not.
///
/// To be called before there is a second thread: a child has only the thread that made it.
///
/// # Errors
/// When the kernel refuses another process.
pub fn detach() -> io::Result<Detached> {
    let mut ends = [0; 2];
    // SAFETY: the pointer is valid for the two descriptors that the call writes.
    check(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    // SAFETY: the call has just made these descriptors, and nothing else owns them.
    let [reading, writing] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    match fork()? {
        0 => drop(reading),
        child => {
            drop(writing);
            return wait_for_word(child, File::from(reading)).map(Detached::Caller);
        }
    }
    // SAFETY: the call takes and touches nothing.
    check(unsafe { libc::setsid() })?;
    // The leader of a session could be given a terminal again; its child cannot.
    if fork()? != 0 {
        // SAFETY: the call ends this process, which shares nothing that needs to be tidied up.
        unsafe { libc::_exit(0) };
    }
    std::env::set_current_dir("/")?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both are descriptors; the second is closed by the call and open again after it.
        check(unsafe { libc::dup2(null.as_raw_fd(), standard) })?;
    }
    make_private(&writing)?;
    Ok(Detached::Daemon(Starting { caller: File::from(writing) }))
}

/// Zero in the child, the child's number in the parent.
fn fork() -> io::Result<libc::pid_t> {
    // SAFETY: there is no other thread (the contract of `detach`), so that the child finds every
    // lock and every structure in the state in which its only thread left it.
    check(unsafe { libc::fork() })
}

fn wait_for_word(child: libc::pid_t, mut daemon: File) -> io::Result<Result<(), String>> {
    // SAFETY: a null pointer says that the status is not wanted.
    check(unsafe { libc::waitpid(child, ptr::null_mut(), 0) })?;
    let mut word = Vec::new();
    Read::by_ref(&mut daemon).take(4096).read_to_end(&mut word)?;
    Ok(match word.as_slice() {
        [0] => Ok(()),
        [] => Err("the daemon ended without a word".to_owned()),
        reason => Err(String::from_utf8_lossy(reason).into_owned()),
    })
}

/// Keeps all memory of this process, what it has and what it will have, out of swap space.
///
/// # Errors
/// The kernel's.
pub fn lock_memory() -> io::Result<()> {
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is valid for one structure, which is only read.
    check(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) })?;
    // SAFETY: the call takes flags and touches no memory of ours.
    check(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) })?;
    Ok(())
}

/// Takes precedence over ordinary processes (`SCHED_FIFO`), at this priority or the nearest there
/// is.
///
/// # Errors
/// The kernel's.
pub fn set_realtime_priority(priority: u8) -> io::Result<()> {
    // SAFETY: both calls take a number and touch no memory of ours.
    let (least, most) = unsafe {
        (
            libc::sched_get_priority_min(libc::SCHED_FIFO),
            libc::sched_get_priority_max(libc::SCHED_FIFO),
        )
    };
    let sched_priority = c_int::from(priority).clamp(check(least)?, check(most)?);
    let parameters = libc::sched_param { sched_priority };
    // SAFETY: the pointer is valid for one structure, which is only read.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) })?;
    Ok(())
}

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub id: u32,
    /// The number of its group.
    pub group: u32,
}

/// Why the process goes on as who it was.
#[derive(Debug, Error)]
pub enum UserError {
    /// There is no such user.
    #[error("there is no user {0}")]
    Unknown(String),
    /// The user cannot be looked up.
    #[error("cannot look up the user {name}: {source}")]
    Lookup {
        /// The user.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("{doing} failed: {source}")]
    Refused {
        /// What failed.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl User {
    /// The user of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, UserError> {
        let unknown = || UserError::Unknown(name.to_owned());
        let text = CString::new(name).map_err(|_| unknown())?;
        let mut buffer = vec![0; 16384];
        let mut entry = MaybeUninit::<libc::passwd>::zeroed();
        let mut found: *mut libc::passwd = ptr::null_mut();
        // SAFETY: the name ends with a zero, the buffer is as long as said, and both pointers are
        // valid for what the call writes.
        let code = unsafe {
            libc::getpwnam_r(
                text.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        if code != 0 {
            let source = io::Error::from_raw_os_error(code);
            return Err(UserError::Lookup { name: name.to_owned(), source });
        }
        if found.is_null() {
            return Err(unknown());
        }
        // SAFETY: the call has found and filled the entry.
        let entry = unsafe { entry.assume_init() };
        Ok(Self { id: entry.pw_uid, group: entry.pw_gid })
    }

    /// True for the superuser.
    pub const fn is_superuser(self) -> bool {
        self.id == 0
    }
}

/// A right that a process can keep though it is not the superuser's any more (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// `CAP_SYS_TIME`.
    SetClock,
    /// `CAP_NET_BIND_SERVICE`.
    BindReservedPorts,
    /// `CAP_NET_RAW`, for sockets of one network interface.
    BindToDevice,
}

impl Right {
    const fn number(self) -> u32 {
        match self {
            Self::BindReservedPorts => 10,
            Self::BindToDevice => 13,
            Self::SetClock => 25,
        }
    }
}

/// Goes on as `user`, with nothing of the superuser's but `rights`. There is no way back.
///
/// # Errors
/// When the kernel refuses. The process may then have lost some of its rights, and should end.
pub fn become_user(user: User, rights: &[Right]) -> Result<(), UserError> {
    let step = |doing, answer: c_int| {
        check(answer).map(drop).map_err(|source| UserError::Refused { doing, source })
    };
    // SAFETY: the call takes numbers.
    step("keeping rights", unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) })?;
    // SAFETY: no groups are read from the null pointer.
    step("leaving the groups", unsafe { libc::setgroups(0, ptr::null()) })?;
    // SAFETY: the call takes numbers.
    step("changing the group", unsafe { libc::setgid(user.group) })?;
    // SAFETY: the call takes numbers.
    step("changing the user", unsafe { libc::setuid(user.id) })?;
    let set = rights.iter().fold(0, |set, right| set | 1 << right.number());
    step("giving up rights", set_capabilities(set))
}

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Only the first 32 capabilities are ours to keep.
fn set_capabilities(set: u32) -> c_int {
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let none = CapabilityData { effective: 0, permitted: 0, inheritable: 0 };
    let data = [CapabilityData { effective: set, permitted: set, ..none }, none];
    // SAFETY: the C library has no function for this call. The header is one structure that the
    // kernel may write to, and version 3 reads two structures of data.
    let answer = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) };
    if answer < 0 { -1 } else { 0 }
}

/// Whether this process may set the clock, as far as its rights say.
pub fn has_right(right: Right) -> io::Result<bool> {
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let none = CapabilityData { effective: 0, permitted: 0, inheritable: 0 };
    let mut data = [none; 2];
    // SAFETY: as above; version 3 writes two structures of data.
    let answer = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(data.first().is_some_and(|data| data.effective & 1 << right.number() != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_name() {
        let root = User::named("root").unwrap();
        assert_eq!(root, User { id: 0, group: 0 });
        assert!(root.is_superuser());
        assert!(matches!(User::named("no-such-user"), Err(UserError::Unknown(_))));
        assert!(matches!(User::named("a\0b"), Err(UserError::Unknown(_))));
    }
}
