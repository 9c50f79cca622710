//! Where `cargo xtask setup` has unpacked them.

use std::path::{Path, PathBuf};

/// What is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// chronyd.
    Chrony,
    /// ntpsec's ntpd, ntpdig and the Python library behind it.
    Ntpsec,
    /// openntpd's ntpd.
    Openntpd,
    /// A kernel for the virtual machine.
    Linux,
}

/// The folder of one of them: the root of a file system, but for what other packages give.
pub fn place(peer: Peer) -> PathBuf {
    let name = match peer {
        Peer::Chrony => "chrony",
        Peer::Ntpsec => "ntpsec",
        Peer::Openntpd => "openntpd",
        Peer::Linux => "linux",
    };
    workspace().join("target/peers").join(name)
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is inside the workspace").to_owned()
}
