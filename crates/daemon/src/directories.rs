//! Directories that the daemon makes for itself where nobody has.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

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
