//! Entropy from the operating system.

use std::io;

use crate::os::check_length;

/// Fills `bytes` from the operating system's generator. Blocks only early at boot, before that
/// generator has been seeded.
///
/// # Errors
///
/// When the kernel has no generator to offer.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the pointer and length describe `rest`, which the kernel fills.
        match check_length(unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) }) {
            Ok(length) => rest = rest.get_mut(length..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A seed for a generator of our own.
///
/// # Errors
///
/// When the kernel has no generator to offer.
pub fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    fill(&mut seed)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }

    #[test]
    fn every_byte_is_filled() {
        // A byte that stays zero through 16 fills is 2⁻¹²⁸ likely if it is filled at all.
        let mut seen = [0u8; 1000];
        for _ in 0..16 {
            let mut bytes = [0; 1000];
            fill(&mut bytes).unwrap();
            seen.iter_mut().zip(bytes).for_each(|(seen, byte)| *seen |= byte);
        }
        assert!(seen.iter().all(|&byte| byte != 0));
    }
}
