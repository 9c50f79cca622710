//! Code and constants that only the start needed.
//!
//! Reading a configuration takes a large part of the program, and running by it takes a small one.
//! The kernel keeps every page that was ever touched mapped until memory is short; a process can
//! say earlier that it needs them no more. What it does need comes back at the next touch, from the
//! page cache.

use std::fs;
use std::io;
use std::ops::Range;
use std::ptr;

use crate::os::check;

/// Lets go of all code and constants that are as they are in the files they were mapped from.
///
/// # Errors
/// When the kernel does not tell what is mapped, or keeps what is locked into memory. Nothing is
/// lost then.
pub fn release() -> io::Result<()> {
    for range in unchanged(&fs::read_to_string("/proc/self/smaps")?) {
        let length = range.end - range.start;
        let start = ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: the range is a mapping of a file that nobody may write to and that has no page of
        // our own, so its pages are as they are in the file, and are read from there again when they
        // are needed.
        check(unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) })?;
    }
    Ok(())
}

/// The mappings in `/proc/self/smaps` (proc_pid_smaps(5)) that come from a file, may not be written,
/// and have no anonymous page: nothing was ever written there, as the loader does before it takes
/// the right to write away.
fn unchanged(smaps: &str) -> Vec<Range<usize>> {
    let mut unchanged = Vec::new();
    let mut mapping = None;
    for line in smaps.lines() {
        match line.strip_prefix("Anonymous:") {
            Some(size) => {
                let own = mapping.take();
                unchanged.extend(own.filter(|_| size.trim() == "0 kB"));
            }
            None if is_head(line) => mapping = of_a_file(line),
            None => {}
        }
    }
    unchanged
}

/// Whether the line begins a mapping; the others tell of it, under a name that ends in a colon.
fn is_head(line: &str) -> bool {
    line.split_ascii_whitespace().next().is_some_and(|word| !word.ends_with(':'))
}

/// The addresses of a mapping, if it comes from a file and may be read but not written.
fn of_a_file(head: &str) -> Option<Range<usize>> {
    let mut words = head.split_ascii_whitespace();
    let (addresses, rights) = (words.next()?, words.next()?);
    let path = words.nth(3)?;
    if !matches!(rights, "r-xp" | "r--p") || !path.starts_with('/') {
        return None;
    }
    let (start, end) = addresses.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    Some(address(start)?..address(end)?).filter(|range| !range.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From where to where is let go of, of what these lines say.
    fn released_of(smaps: &str) -> Vec<(usize, usize)> {
        unchanged(smaps).into_iter().map(|range| (range.start, range.end)).collect()
    }

    /// The same when this is all that is mapped.
    fn released(head: &str, anonymous: &str) -> Vec<(usize, usize)> {
        released_of(&format!(
            "{head}\nRss:  64 kB\nAnonymous:     {anonymous} kB\nVmFlags: rd mr\n"
        ))
    }

    #[test]
    fn what_is_as_in_its_file_is_let_go_of() {
        let mapped = |rights, path| {
            format!("55d0c0a00000-55d0c0b00000 {rights} 00030000 fe:01 1234    {path}")
        };
        let whole = vec![(0x55d0_c0a0_0000, 0x55d0_c0b0_0000)];
        assert_eq!(released(&mapped("r-xp", "/usr/bin/timeball"), "0"), whole);
        assert_eq!(released(&mapped("r--p", "/usr/bin/timeball"), "0"), whole);
    }

    #[test]
    fn what_is_our_own_stays() {
        let head = "55d0c0a00000-55d0c0b00000";
        let stays = |head: &str, anonymous| assert_eq!(released(head, anonymous), []);
        stays(&format!("{head} r--p 00030000 fe:01 1234 /usr/bin/timeball"), "4");
        stays(&format!("{head} rw-p 00030000 fe:01 1234 /usr/bin/timeball"), "0");
        stays(&format!("{head} r--s 00030000 fe:01 1234 /usr/bin/timeball"), "0");
        stays(&format!("{head} r-xp 00000000 00:00 0 [vdso]"), "0");
        stays(&format!("{head} r--p 00000000 00:00 0"), "0");
        stays("", "0");
    }

    #[test]
    fn a_mapping_ends_where_the_next_begins() {
        let smaps = "1000-2000 r-xp 00000000 fe:01 1 /a\nRss: 4 kB\n\
                     3000-4000 rw-p 00000000 fe:01 1 /a\nAnonymous: 0 kB\n\
                     5000-7000 r-xp 00000000 fe:01 1 /b\nAnonymous: 0 kB\n";
        assert_eq!(released_of(smaps), [(0x5000, 0x7000)]);
    }

    #[test]
    fn the_program_goes_on_without_it() {
        release().unwrap();
        assert_eq!("still here".to_uppercase(), "STILL HERE");
    }
}
