//! Small state files that are either old or new, never half: a reader, or the next start after a
//! power cut, finds one or the other.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::random;

/// The permissions of a file that everybody may read.
pub const READABLE_BY_ALL: u32 = 0o644;

/// Replaces the file at `path`, readable by all.
///
/// # Errors
///
/// As [`replace_with_mode`].
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with_mode(path, content, READABLE_BY_ALL)
}

/// Replaces the file at `path`, whatever it was, by one with this content and these permissions.
/// A symbolic link is replaced itself; what it points to stays untouched.
///
/// # Errors
///
/// When the directory does not let a file be made in it, or the disk is full; the old file is then
/// still there.
pub fn replace_with_mode(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let temporary = temporary_name(path)?;
    let written = write_new(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // Without it there is a stray file, which harms nobody; the first error is the news.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    // Only now does the new name survive a power cut. Who may write to a directory need not be
    // allowed to open it; then the kernel decides when.
    match File::open(directory_of(path)) {
        Ok(directory) => directory.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // "New" also means that no link at this name is followed.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Exactly this mode, whatever the process's mask.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

/// A name beside `path` that nobody can guess: the directory might be open to others.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path does not name a file"));
    };
    let mut random = [0; 8];
    random::fill(&mut random)?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{:016x}", u64::from_ne_bytes(random)));
    Ok(path.with_file_name(temporary))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_content_takes_the_place_of_the_old() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        replace(&path, b"old and longer").unwrap();
        replace_with_mode(&path, b"new", 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(names(directory.path()), ["drift"]);
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (target, path) = (directory.path().join("target"), directory.path().join("drift"));
        fs::write(&target, "precious").unwrap();
        symlink(&target, &path).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_no_rubbish() {
        let directory = tempfile::tempdir().unwrap();
        // A directory in the way cannot be replaced by a file.
        let path = directory.path().join("drift");
        fs::create_dir(&path).unwrap();
        replace(&path, b"new").unwrap_err();
        assert_eq!(names(directory.path()), ["drift"]);
        assert!(path.is_dir());

        let error = replace(&directory.path().join("no/drift"), b"new").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = replace(Path::new("/"), b"new").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn readers_never_see_half() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        let contents = [vec![b'a'; 10_000], vec![b'b'; 20_000]];
        replace(&path, &contents[0]).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 0..50 {
                    replace(&path, &contents[round % 2]).unwrap();
                }
            });
            while !writer.is_finished() {
                let seen = fs::read(&path).unwrap();
                assert!(contents.contains(&seen), "{} bytes", seen.len());
            }
        });
    }
}
