//! Where `cargo xtask setup` has unpacked them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::output_of;

/// What is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// chronyd.
    Chrony,
    /// ntpsec's ntpd, ntpdig and the Python library behind it.
    Ntpsec,
    /// openntpd's ntpd.
    Openntpd,
    /// ntpd-rs's daemon, built from source.
    NtpdRs,
    /// A kernel for the virtual machine.
    Linux,
}

/// The folder of one of them: the root of a file system, but for what other packages give.
pub fn place(peer: Peer) -> PathBuf {
    let name = match peer {
        Peer::Chrony => "chrony",
        Peer::Ntpsec => "ntpsec",
        Peer::Openntpd => "openntpd",
        Peer::NtpdRs => "ntpd-rs",
        Peer::Linux => "linux",
    };
    workspace().join("target/peers").join(name)
}

/// Builds, in this folder, what to preload into a program so that it believes it controls the clock.
///
/// # Panics
/// If there is no C compiler.
pub fn clock_shim(folder: &Path) -> PathBuf {
    let shim = folder.join("no_clock.so");
    output_of(
        Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wno-nonnull-compare", "-o"])
            .arg(&shim)
            .arg(workspace().join("tests/shim/no_clock.c")),
    );
    shim
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is inside the workspace").to_owned()
}
