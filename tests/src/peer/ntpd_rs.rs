//! ntpd-rs's daemon, as a server with NTS and as a client with it.
//!
//! It ends when the clock refuses it, so it gets the shim that makes it believe it succeeded; it
//! could not touch the clock without the shim either.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::namespace::Host;
use crate::nts::Place;
use crate::peer::installation::{Peer, clock_shim, place};
use crate::process::Daemon;

/// A daemon that controls no clock.
#[derive(Debug)]
pub struct NtpdRs {
    daemon: Daemon,
    _folder: TempDir,
}

impl NtpdRs {
    /// It gives everybody who asks this machine's time, and keys for NTS by the certificate in `place`.
    pub fn serving(host: &Host, place: &Place) -> Self {
        // Of stratum 1 it serves without a source.
        let configuration = format!(
            "[synchronization]\nlocal-stratum = 1\n\
             [[server]]\nlisten = \"0.0.0.0:123\"\n\
             [[nts-ke-server]]\nlisten = \"0.0.0.0:4460\"\n\
             certificate-chain-path = {:?}\nprivate-key-path = {:?}\n",
            place.certificate(),
            place.key()
        );
        Self::start(host, &configuration)
    }

    /// It follows one server, by keys of NTS alone, and asks it every second or two.
    pub fn following(host: &Host, server: &Host, place: &Place) -> Self {
        let configuration = format!(
            "[synchronization]\nminimum-agreeing-sources = 1\n\
             [source-defaults]\npoll-interval-limits = {{ min = 4, max = 4 }}\n\
             initial-poll-interval = 4\n\
             [[source]]\nmode = \"nts\"\naddress = \"{}\"\ncertificate-authority = {:?}\n",
            server.ipv4,
            place.certificate()
        );
        Self::start(host, &configuration)
    }

    fn start(host: &Host, configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let file = folder.path().join("ntp.toml");
        fs::write(&file, configuration).expect("write a configuration");
        let mut command = host.command(Path::new("/usr/bin/env"));
        let mut preload = std::ffi::OsString::from("LD_PRELOAD=");
        preload.push(clock_shim(folder.path()));
        command.arg(preload).arg(place(Peer::NtpdRs).join("bin/ntp-daemon"));
        command.arg("--config").arg(&file);
        let daemon = Daemon::start("ntpd-rs", &mut command, &folder.path().join("log"));
        Self { daemon, _folder: folder }
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// # Panics
    /// With its log, if it has ended.
    pub fn assert_running(&mut self) {
        self.daemon.assert_running();
    }
}
