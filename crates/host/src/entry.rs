//! How a program begins.
//!
//! Rust's own start-up asks the kernel with `poll(2)` whether the standard streams are open. Where a
//! simulator stands behind the C library that call takes simulated time, and a clock that is to be
//! judged to the nanosecond has drifted before the program's first line. [`entry_point!`](crate::entry_point) begins
//! with C's `main` instead, and does by itself what the standard start-up does that a daemon needs.

use std::ffi::{CStr, c_int};
use std::io;
use std::panic;

use crate::os::check;

/// Makes `$main`, a `fn() -> u8`, what this program does; its value is the exit status. The crate
/// says `#![no_main]`.
#[macro_export]
macro_rules! entry_point {
    ($main:path) => {
        // SAFETY: the C library calls `main`, and this is the only function of that name in a
        // program that says `#![no_main]`; a second one would be an error of the linker.
        #[unsafe(no_mangle)]
        extern "C" fn main(
            _: ::std::ffi::c_int,
            _: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            $crate::entry::run($main)
        }
    };
}

/// What a panic ends with that nobody has caught.
const PANICKED: i32 = 101;

/// Runs the program and leaves; for [`entry_point!`](crate::entry_point).
pub fn run(main: fn() -> u8) -> c_int {
    if let Err(error) = open_standard_streams().and_then(|()| write_to_the_gone_fails()) {
        eprintln!("cannot start: {error}");
        return 1;
    }
    let status = panic::catch_unwind(main).map_or(PANICKED, i32::from);
    // Not a return: this also writes out what the standard output still holds.
    std::process::exit(status)
}

/// A standard stream that was closed would be the number of the first socket, and what is printed
/// would be sent from it.
fn open_standard_streams() -> io::Result<()> {
    const NOWHERE: &CStr = c"/dev/null";
    for stream in 0..=2 {
        // SAFETY: takes numbers; a closed descriptor is an answer.
        if unsafe { libc::fcntl(stream, libc::F_GETFD) } >= 0 {
            continue;
        }
        // The lowest free number is this one: those below have been seen to be open.
        // SAFETY: the path ends with a zero byte and is not kept.
        check(unsafe { libc::open(NOWHERE.as_ptr(), libc::O_RDWR) })?;
    }
    Ok(())
}

/// Who writes into a connection that the other side has closed is told by an error and not killed.
fn write_to_the_gone_fails() -> io::Result<()> {
    // SAFETY: ignoring a signal needs no handler; nothing else runs yet.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}
