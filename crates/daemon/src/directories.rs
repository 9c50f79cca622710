//! Directories that the daemon makes for itself where nobody has.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, lchown};
use std::path::Path;

use timeball_config::{Config, DriftFile, Files};
use timeball_host::process::User;

/// Makes the directory that `path` will be in, readable by all, if it alone is missing: `/run` is
/// empty after each boot.
///
/// Failure is a warning: whoever makes the file will fail too, and could only say that there is no
/// such directory.
pub(crate) fn make_parent_of(path: &Path) {
    if let Some(directory) = path.parent().filter(|directory| !directory.exists())
        && let Err(error) = DirBuilder::new().mode(0o755).create(directory)
    {
        tracing::warn!("cannot make the directory {}: {error}", directory.display());
    }
}

/// Makes the directories for what the daemon writes, for its owner and group, if they are missing.
/// They belong to `owner`, if it will not be the superuser who writes.
///
/// A daemon without one forgets what it was to hold, and works nevertheless: failure is a warning.
pub(crate) fn make_for(config: &Config, owner: Option<User>) {
    let files = &config.files;
    let drift = of_drift_file(files);
    let dumps = files.dump_directory.as_deref();
    let records = files.log_directory.as_deref().filter(|_| !config.log.records.is_empty());
    // The pid file is often beside it, and must not find the directory missing.
    let commands = config.chronyc.socket.as_deref().and_then(Path::parent);
    let nts = config.nts.directory.as_deref();
    let wanted =
        [(drift, 0o750), (dumps, 0o750), (nts, 0o750), (records, 0o750), (commands, 0o770)];
    for (directory, mode) in wanted {
        let Some(directory) = directory else { continue };
        if let Err(error) = make(directory, mode, owner) {
            tracing::warn!(
                "cannot make the directory {}: {error}; what it is for will not be remembered",
                directory.display()
            );
        }
    }
}

/// The directory of the drift file.
pub(crate) fn of_drift_file(files: &Files) -> Option<&Path> {
    match &files.drift_file {
        DriftFile::InStateDirectory => Some(&files.state_directory),
        DriftFile::At { path, .. } => path.parent(),
        DriftFile::None => None,
    }
}

/// Makes a directory and those around it, unless it is there; it alone belongs to `owner`.
pub(crate) fn make(directory: &Path, mode: u32, owner: Option<User>) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(mode).create(directory)?;
    match owner {
        // Whoever owns the directory around it may have put a link in its place.
        Some(user) => lchown(directory, Some(user.id), Some(user.group)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_to_is_made_for_owner_and_group() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        let path = |name: &str| directory.path().join(name);
        config.files.drift_file = DriftFile::At { path: path("lib/x/drift"), interval: 3600.0 };
        config.files.dump_directory = Some(path("dump"));
        config.files.log_directory = Some(path("log"));
        make_for(&config, None);
        for made in ["lib/x", "dump"] {
            let mode = fs::metadata(path(made)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777 & !0o750, 0, "{made}");
        }
        assert!(!path("log").exists(), "there is nothing to log");
        // What exists is left alone.
        make_for(&config, None);
    }
}
