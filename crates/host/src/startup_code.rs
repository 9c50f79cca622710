//! Code that only the start needed.
//!
//! Reading a configuration takes a large part of the program, and running by it takes a small one.
//! The kernel keeps every page that was ever executed mapped until memory is short; a process can
//! say earlier that it needs them no more. What it does need comes back at the next call, from the
//! page cache.

use std::fs;
use std::io;
use std::ops::Range;
use std::ptr;

use crate::os::check;

/// Lets go of all code that is mapped from files.
///
/// # Errors
/// When the kernel does not tell what is mapped, or keeps what is locked into memory. Nothing is
/// lost then.
pub fn release() -> io::Result<()> {
    for range in fs::read_to_string("/proc/self/maps")?.lines().filter_map(code) {
        let length = range.end - range.start;
        let start = ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: the range is a mapping of a file that may be executed and not written, so its pages
        // are as they are in the file, and are read from there again when they are needed.
        check(unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) })?;
    }
    Ok(())
}

/// The addresses of a line of `/proc/self/maps` (proc_pid_maps(5)), if it is code from a file.
fn code(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_ascii_whitespace();
    let (addresses, rights) = (words.next()?, words.next()?);
    let path = words.nth(3)?;
    if rights != "r-xp" || !path.starts_with('/') {
        return None;
    }
    let (start, end) = addresses.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    Some(address(start)?..address(end)?).filter(|range| !range.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_from_files_is_let_go_of() {
        let code_of = |rights, path| {
            code(&format!("55d0c0a00000-55d0c0b00000 {rights} 00030000 fe:01 1234    {path}"))
        };
        assert_eq!(code_of("r-xp", "/usr/bin/timeball"), Some(0x55d0_c0a0_0000..0x55d0_c0b0_0000));
        assert_eq!(code_of("r--p", "/usr/bin/timeball"), None);
        assert_eq!(code_of("rwxp", "/usr/bin/timeball"), None);
        assert_eq!(code_of("r-xp", "[vdso]"), None);
        assert_eq!(code("7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0"), None);
        assert_eq!(code(""), None);
    }

    #[test]
    fn the_program_goes_on_without_it() {
        release().unwrap();
        assert_eq!("still here".to_uppercase(), "STILL HERE");
    }
}
