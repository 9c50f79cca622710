//! openntpd's ntpd: a client that, once synchronised, is a server too.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::namespace::Host;
use crate::peer::installation::{Peer, clock_shim, place};
use crate::process::Daemon;

/// It wants two adjustments, and before each, eight good answers since the one that the adjustment
/// before was made by. They are half a minute apart, and it is chance how many count twice.
const SYNCHRONISES_WITHIN: Duration = Duration::from_secs(900);

/// ntpd that follows one server, serves everybody, and controls no clock.
#[derive(Debug)]
pub struct Ntpd {
    daemon: Daemon,
    _folder: TempDir,
}

impl Ntpd {
    /// Starts it; it is not synchronised yet.
    pub fn start(host: &Host, upstream: &Host) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let root = folder.path();
        // Its unprivileged half must be able to enter.
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("open a folder");
        fs::create_dir(root.join("chroot")).expect("create a folder");
        fs::write(root.join("ntpd.conf"), format!("listen on *\nserver {}\n", upstream.ipv4))
            .expect("write a configuration");
        let home = root.join("chroot");
        with_line("/etc/passwd", &root.join("passwd"), &user_line(&home));
        with_line("/etc/group", &root.join("group"), "ntpd:x:65000:");

        let mut command = host.command(Path::new("/bin/sh"));
        command.arg("-c").arg(START).arg("sh").arg(root).arg(clock_shim(root)).arg(program());
        let daemon = Daemon::start("openntpd", &mut command, &root.join("log"));
        Self { daemon, _folder: folder }
    }

    /// Waits until it says that it is synchronised.
    pub fn wait_until_synchronised(&mut self) {
        self.daemon.wait_for_log("clock is now synced", SYNCHRONISES_WITHIN);
    }

    /// What it has measured so far.
    pub fn measurements(&self) -> Vec<Measurement> {
        self.daemon.log().lines().filter_map(Measurement::read).collect()
    }
}

/// One measurement, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// True time minus this machine's clock, by the server.
    pub offset: f64,
    /// Round trip, with the time that both programs took over their time stamps.
    pub delay: f64,
}

impl Measurement {
    /// Reads "reply from 10.123.0.1: offset 0.000016 delay 0.000123, next query 8s".
    fn read(line: &str) -> Option<Self> {
        let (offset, rest) =
            line.strip_prefix("reply from ")?.split_once(": offset ")?.1.split_once(" delay ")?;
        let (delay, _) = rest.split_once(',')?;
        Some(Self { offset: offset.parse().ok()?, delay: delay.parse().ok()? })
    }
}

/// ntpd wants a user of its own and `/var/lib/openntpd`. `ip netns exec` has given it mounts
/// of its own, so it gets both without this machine seeing them.
const START: &str = r#"set -e
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/openntpd/db /var/lib/openntpd/run
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
LD_PRELOAD="$2" exec "$3" -d -v -f "$1/ntpd.conf"
"#;

fn program() -> PathBuf {
    place(Peer::Openntpd).join("usr/sbin/ntpd")
}

fn user_line(home: &Path) -> String {
    format!("ntpd:x:65000:65000::{}:/bin/false", home.display())
}

fn with_line(original: &str, copy: &Path, line: &str) {
    fs::copy(original, copy).unwrap_or_else(|error| panic!("copy {original}: {error}"));
    let mut file = OpenOptions::new().append(true).open(copy).expect("open a copy");
    writeln!(file, "{line}").expect("write a copy");
}
