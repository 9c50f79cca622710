//! Directories that the daemon makes for itself where nobody has.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;

use timeball_config::{Config, DriftFile};
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
    let drift = match &files.drift_file {
        DriftFile::InStateDirectory => Some(files.state_directory.as_path()),
        DriftFile::At { path, .. } => path.parent(),
        DriftFile::None => None,
    };
    let dumps = files.dump_directory.as_deref();
    let records = files.log_directory.as_deref().filter(|_| !config.log.records.is_empty());
    // The pid file is often beside it, and must not find the directory missing.
    let commands = config.chronyc.socket.as_deref().and_then(Path::parent);
    let wanted = [(drift, 0o750), (dumps, 0o750), (records, 0o750), (commands, 0o770)];
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

fn make(directory: &Path, mode: u32, owner: Option<User>) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(mode).create(directory)?;
    match owner {
        Some(user) => chown(directory, Some(user.id), Some(user.group)),
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
