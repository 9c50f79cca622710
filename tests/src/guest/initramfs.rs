//! The guest's root file system: busybox, the modules for disk and network, timeball and the
//! libraries that it is linked to.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::need;
use crate::peer::installation::{Peer, place};
use crate::process::output_of;
use crate::timeball;

const INIT: &str = include_str!("init.sh");

/// Modules of Debian's kernel, below its `kernel` folder.
const MODULES: [&str; 9] = [
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/block/virtio_blk",
];

/// Packs the file system into `folder`, and returns the archive's path.
pub(super) fn build(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    for name in ["bin", "proc", "sys", "dev", "etc", "run", "tmp", "var/lib", "lib/modules"] {
        fs::create_dir_all(root.join(name)).expect("create a folder");
    }
    fs::write(root.join("init"), INIT).expect("write the init script");
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))
        .expect("make the init script executable");
    fs::copy(need::program("busybox"), root.join("bin/busybox")).expect("copy busybox");
    symlink("busybox", root.join("bin/sh")).expect("link the shell");
    let modules = only_entry(&place(Peer::Linux).join("lib/modules")).join("kernel");
    for module in MODULES {
        let file = modules.join(format!("{module}.ko"));
        let name = file.file_name().expect("a module has a name");
        fs::copy(&file, root.join("lib/modules").join(name))
            .unwrap_or_else(|error| panic!("copy {}: {error}", file.display()));
    }
    install_timeball(&root);
    pack(&root, &folder.join("initramfs"))
}

/// Debian's kernel.
pub(super) fn kernel() -> PathBuf {
    let boot = place(Peer::Linux).join("boot");
    let entries = fs::read_dir(&boot).expect("read the kernel's folder");
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
        })
        .unwrap_or_else(|| panic!("no kernel in {}", boot.display()))
}

fn install_timeball(root: &Path) {
    let program = root.join("bin/timeball");
    // Debug information would only fill the guest's memory.
    output_of(Command::new("strip").arg("-o").arg(&program).arg(timeball::program()));
    for library in libraries(&program) {
        let place = root.join(library.strip_prefix("/").expect("libraries have absolute paths"));
        fs::create_dir_all(place.parent().expect("a library is in a folder"))
            .expect("create a folder");
        fs::copy(&library, &place)
            .unwrap_or_else(|error| panic!("copy {}: {error}", library.display()));
    }
}

/// What the dynamic linker would load, and the linker itself.
fn libraries(program: &Path) -> Vec<PathBuf> {
    // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)"
    let listing = output_of(Command::new("ldd").arg(program));
    let words = listing.split_whitespace();
    words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// The archive stays uncompressed: an emulated processor would take long to unpack it.
fn pack(root: &Path, archive: &Path) -> PathBuf {
    output_of(
        Command::new("sh")
            .args(["-c", r#"cd "$1" && find . | cpio --quiet -o -H newc > "$2""#, "sh"])
            .arg(root)
            .arg(archive),
    );
    archive.to_owned()
}

fn only_entry(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("read {}: {error}", folder.display()))
        .flatten();
    entries.next().unwrap_or_else(|| panic!("{} is empty", folder.display())).path()
}
