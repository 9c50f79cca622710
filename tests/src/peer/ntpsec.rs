//! ntpsec's ntpd as a server, and ntpdig as a client.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::namespace::Host;
use crate::peer::installation::{Peer, place};
use crate::probe;
use crate::process::{Daemon, output_of};

/// ntpd that serves this machine's time: an orphan, its own root.
#[derive(Debug)]
pub struct Ntpd {
    _daemon: Daemon,
    _folder: TempDir,
}

impl Ntpd {
    /// Starts it and waits until it serves. It complains that it may not set the clock, and
    /// goes on.
    pub fn start(host: &Host) -> Self {
        Self::start_with(host, "")
    }

    /// The same with more lines in its configuration.
    pub fn start_with(host: &Host, lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let configuration = folder.path().join("ntp.conf");
        let drift = folder.path().join("drift");
        fs::write(
            &configuration,
            format!("tos orphan 1 orphanwait 1\ndriftfile {}\n{lines}\n", drift.display()),
        )
        .expect("write a configuration");
        let mut command = host.command(&place(Peer::Ntpsec).join("usr/sbin/ntpd"));
        command.arg("-n").arg("-c").arg(&configuration);
        let mut daemon = Daemon::start("ntpsec's ntpd", &mut command, &folder.path().join("log"));
        probe::until_serving("ntpsec's ntpd", host, 123, 0.0, Duration::from_secs(60), || {
            daemon.assert_running();
        });
        Self { _daemon: daemon, _folder: folder }
    }
}

/// What ntpdig makes of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Dug {
    /// True time minus this machine's clock, by that server, in seconds.
    pub offset: f64,
    /// How wrong that may be, by ntpdig itself: Python takes its time over its time stamps.
    pub distance: f64,
    /// That server's stratum.
    pub stratum: u64,
    /// Its leap warning, in ntpdig's words.
    pub leap: String,
}

impl Dug {
    /// The measurement is worth something, and the true offset is where it says.
    ///
    /// # Panics
    /// If not.
    pub fn assert_agrees_with(&self, truth: f64) {
        assert!(self.distance < 0.1, "{self:?}");
        assert!((self.offset - truth).abs() <= self.distance, "the truth is {truth}: {self:?}");
    }
}

/// Asks a server with `ntpdig --json`.
pub fn dig(host: &Host, server: IpAddr) -> Dug {
    let root = place(Peer::Ntpsec);
    let mut command = host.command(Path::new("/usr/bin/python3"));
    command
        .env("PYTHONPATH", python_packages(&root))
        .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu/ntp"))
        .arg(root.join("usr/bin/ntpdig"))
        .args(["--json", "--timeout=10", &server.to_string()]);
    let output = output_of(&mut command);
    let answer: Value = serde_json::from_str(output.trim())
        .unwrap_or_else(|error| panic!("ntpdig printed no JSON: {error}\n{output}"));
    let field = |name: &str| answer.get(name).cloned().unwrap_or_default();
    Dug {
        offset: field("offset").as_f64().unwrap_or_else(|| panic!("no offset in {output}")),
        distance: field("precision").as_f64().unwrap_or_else(|| panic!("no precision in {output}")),
        stratum: field("stratum").as_u64().unwrap_or_else(|| panic!("no stratum in {output}")),
        leap: field("leap").as_str().unwrap_or_else(|| panic!("no leap in {output}")).to_owned(),
    }
}

fn python_packages(root: &Path) -> PathBuf {
    root.join("usr/lib/python3/dist-packages")
}
