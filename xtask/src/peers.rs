//! Other implementations of NTP, and a kernel for the virtual machine: unpacked under
//! `target/peers/`, never installed, because they conflict with each other and would start
//! services on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::packages;
use crate::shell::{Failure, Outcome, command, output_of, root, run};

/// A folder under `target/peers/` and the Debian packages unpacked into it.
struct Peer {
    name: &'static str,
    packages: &'static [&'static str],
    /// A file that is there when unpacking has succeeded.
    proof: &'static str,
}

const PEERS: [Peer; 4] = [
    Peer { name: "chrony", packages: &["chrony"], proof: "usr/sbin/chronyd" },
    Peer {
        name: "ntpsec",
        packages: &["ntpsec", "ntpsec-ntpdig", "python3-ntp"],
        proof: "usr/sbin/ntpd",
    },
    Peer { name: "openntpd", packages: &["openntpd"], proof: "usr/sbin/ntpd" },
    Peer { name: "linux", packages: &[KERNEL], proof: "boot" },
];

/// The metapackage that depends on Debian's current kernel for virtual machines.
const KERNEL: &str = "linux-image-cloud-amd64";

/// Unpacks the peers that are not there.
pub(crate) fn unpack_missing() -> Outcome {
    let missing: Vec<&Peer> = PEERS.iter().filter(|peer| !peer.is_unpacked()).collect();
    if missing.is_empty() {
        println!("all {} there, under {}", PEERS.len(), folder().display());
        return Ok(());
    }
    ensure_lists_know(missing[0].packages[0])?;
    for peer in missing {
        peer.unpack()?;
    }
    Ok(())
}

impl Peer {
    fn is_unpacked(&self) -> bool {
        folder().join(self.name).join(self.proof).exists()
    }

    /// Unpacks into a new folder and renames it at the end, so that half a peer never counts.
    fn unpack(&self) -> Outcome {
        let place = folder().join(self.name);
        let fresh = folder().join(format!("{}.new", self.name));
        let archives = folder().join(format!("{}.deb", self.name));
        for leftover in [&place, &fresh, &archives] {
            remove(leftover)?;
        }
        make(&archives)?;
        make(&fresh)?;
        for package in self.packages {
            download(&real_package(package)?, &archives)?;
        }
        for archive in files_in(&archives)? {
            run(command("dpkg-deb").arg("--extract").arg(archive).arg(&fresh))?;
        }
        if !fresh.join(self.proof).exists() {
            return Err(format!("{}: no {} in its packages", self.name, self.proof).into());
        }
        fs::rename(&fresh, &place).map_err(|error| io("rename", &fresh, &error))?;
        remove(&archives)
    }
}

fn download(package: &str, into: &Path) -> Outcome {
    run(packages::apt_get().args(["--quiet", "download", package]).current_dir(into))
}

/// The kernel's metapackage is empty: its first dependency is the kernel.
fn real_package(package: &str) -> Outcome<String> {
    if package != KERNEL {
        return Ok(package.to_owned());
    }
    let depends = output_of(command("apt-cache").args(["depends", package]))?;
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .map(str::to_owned)
        .ok_or_else(|| format!("{package} depends on no kernel:\n{depends}").into())
}

/// Fetches apt's lists if they don't know this package, as on a machine just installed.
fn ensure_lists_know(package: &str) -> Outcome {
    let policy = output_of(command("apt-cache").args(["policy", package])).unwrap_or_default();
    if policy.contains("Candidate: ") && !policy.contains("Candidate: (none)") {
        return Ok(());
    }
    packages::update_lists()
}

fn folder() -> PathBuf {
    root().join("target/peers")
}

fn files_in(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| io("read", folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(|error| io("read", folder, &error))?.path());
    }
    files.sort();
    Ok(files)
}

fn make(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|error| io("create", folder, &error))
}

fn remove(folder: &Path) -> Outcome {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", folder, &error))
        }
        _ => Ok(()),
    }
}

fn io(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    format!("cannot {verb} {}: {error}", path.display()).into()
}
