//! Debian packages that the tests call.

use crate::shell::{Outcome, command, is_root, output_of, run};

/// Each package and what it is for.
const PACKAGES: [(&str, &str); 21] = [
    ("iproute2", "network namespaces"),
    ("util-linux", "dropping capabilities"),
    ("tcpdump", "capturing packets"),
    ("tshark", "judging packets"),
    ("nmap", "judging the audit"),
    ("nftables", "the firewall"),
    ("iptables", "the firewall"),
    ("ufw", "the firewall"),
    ("qemu-system-x86", "the virtual machine"),
    ("busybox-static", "the virtual machine's user space"),
    ("cpio", "the virtual machine's initramfs"),
    ("e2fsprogs", "the virtual machine's disk"),
    ("python3", "ntpdig"),
    ("g++", "the fuzzer's runtime"),
    ("libc6-dev", "the shim that keeps openntpd from the clock"),
    ("libbsd0", "ntpsec"),
    ("libcap2", "chrony and ntpsec"),
    ("libedit2", "chrony"),
    ("libgnutls30", "chrony"),
    ("libnettle8", "chrony"),
    ("libseccomp2", "chrony"),
];

/// Installs the packages that are not there, if this process may.
pub(crate) fn install_missing() -> Outcome {
    let missing: Vec<(&str, &str)> =
        PACKAGES.into_iter().filter(|(name, _)| !is_installed(name)).collect();
    if missing.is_empty() {
        println!("all {} there", PACKAGES.len());
        return Ok(());
    }
    for (name, purpose) in &missing {
        println!("missing: {name} ({purpose})");
    }
    if !is_root() {
        println!("not root, so nothing is installed: tests that need these will say so and skip");
        return Ok(());
    }
    update_lists()?;
    let names = missing.iter().map(|(name, _)| name);
    run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(names))
}

/// Fetches the lists of packages.
pub(crate) fn update_lists() -> Outcome {
    run(apt_get().args(["--quiet", "update"]))
}

/// apt-get that never asks, for this process's own folders.
pub(crate) fn apt_get() -> std::process::Command {
    let mut apt_get = command("apt-get");
    apt_get.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-o",
        "APT::Sandbox::User=root",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "Acquire::Retries=3",
    ]);
    apt_get
}

fn is_installed(package: &str) -> bool {
    output_of(command("dpkg-query").args(["--show", "--showformat=${db:Status-Abbrev}", package]))
        .is_ok_and(|status| status.starts_with("ii"))
}
