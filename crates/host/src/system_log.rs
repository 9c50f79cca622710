//! The system's log (syslog(3)).

use std::ffi::{CStr, CString, c_int};

/// A line to the log of this process, which there is one of.
#[derive(Debug)]
pub struct SystemLog(());

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// `LOG_ERR`.
    Error,
    /// `LOG_WARNING`.
    Warning,
    /// `LOG_INFO`.
    Info,
    /// `LOG_DEBUG`.
    Debug,
}

impl SystemLog {
    /// The log of a daemon of this name; its lines carry the number of the process.
    pub fn open(name: &'static CStr) -> Self {
        // SAFETY: the C library keeps the pointer, to a string that lives as long as the program.
        unsafe { libc::openlog(name.as_ptr(), libc::LOG_PID, libc::LOG_DAEMON) };
        Self(())
    }

    /// Writes a line. Nobody can be told if that fails.
    pub fn write(&self, priority: Priority, line: &[u8]) {
        let priority: c_int = match priority {
            Priority::Error => libc::LOG_ERR,
            Priority::Warning => libc::LOG_WARNING,
            Priority::Info => libc::LOG_INFO,
            Priority::Debug => libc::LOG_DEBUG,
        };
        let text: Vec<u8> = line.iter().copied().filter(|&byte| byte != 0).collect();
        if let Ok(text) = CString::new(text) {
            // SAFETY: the format takes one string, which ends with a zero and outlives the call.
            unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) };
        }
    }
}
