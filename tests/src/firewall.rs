//! `timeball firewall` on hosts of the laboratory.

use std::process::Output;
use std::time::Duration;

use crate::namespace::Host;
use crate::need::{self, Need};
use crate::process::run_within;
use crate::timeball;

/// What installs rules.
pub const TOOLS: [Need; 4] = [
    Need::Program("nft"),
    Need::Program("iptables"),
    Need::Program("unshare"),
    Need::Program("ufw"),
];
/// Those whose rules are all in the kernel, and go with the host.
pub const BACKENDS: [&str; 2] = ["nftables", "iptables"];
/// And the one that has files.
pub const ALL_BACKENDS: [&str; 3] = ["nftables", "iptables", "ufw"];
/// How long a program may take.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// The same for what takes many programs; machines are slow.
const SCRIPT_WITHIN: Duration = Duration::from_secs(300);

/// Runs `timeball firewall` on a host.
pub fn firewall(host: &Host, arguments: &str) -> Output {
    let mut command = host.command(&timeball::program());
    command.arg("firewall").args(arguments.split_whitespace());
    run_within(ANSWERS_WITHIN, &mut command)
}

/// What a script for [`with_ufw`] begins with: it gives ufw files of its own that go with the process, and
/// lets it begin. What is not about time may pass.
const OWN_FILES: &str = r#"set -e
mount -t tmpfs tmpfs /mnt
cp -a /etc/ufw /mnt/ufw
cp -a /etc/default/ufw /mnt/default
sed -i 's/^IPT_SYSCTL=.*/IPT_SYSCTL=/' /mnt/default
mount --bind /mnt/ufw /etc/ufw
mount --bind /mnt/default /etc/default/ufw
ufw --force enable
ufw default allow incoming
ufw default allow routed
"#;

/// Runs a script on a host, with `$1`, and with files of ufw's own that nobody else sees; `/mnt` is free
/// for what it wants to keep.
pub fn with_ufw(host: &Host, script: &str, argument: &str) -> Output {
    // `ip netns exec` has given the process mounts of its own.
    let mut shell = host.command(&need::program("sh"));
    let script = format!("{OWN_FILES}{script}");
    run_within(SCRIPT_WITHIN, shell.args(["-c", &script, "sh", argument]))
}

/// Runs the script in `$1` twice, which is to make no difference.
const TWICE: &str = r#"
sh -e "$1"
cp /etc/ufw/before.rules /mnt/once
sh -e "$1"
cmp /etc/ufw/before.rules /mnt/once
"#;

/// Makes the rules of a role those of a host: with ufw by the script that is printed, otherwise by `--apply`.
pub fn install(host: &Host, role: &str, backend: &str) {
    if backend != "ufw" {
        expect_status(&firewall(host, &format!("{role} --backend {backend} --apply")), 0);
        return;
    }
    let printed = firewall(host, &format!("{role} --backend ufw"));
    expect_status(&printed, 0);
    let folder = tempfile::tempdir().expect("create a folder");
    let script = folder.path().join("rules");
    std::fs::write(&script, printed.stdout).expect("write a script");
    expect_status(&with_ufw(host, TWICE, &script.to_string_lossy()), 0);
}

/// Fails with what the program has said.
#[track_caller]
pub fn expect_status(output: &Output, status: i32) {
    assert_eq!(
        output.status.code(),
        Some(status),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
