//! The program under test, started and asked as a person would.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::Deserialize;
use tempfile::TempDir;

use crate::namespace::Host;
use crate::peer::installation::workspace;
use crate::process::{Daemon, output_of, run_within};
use crate::wait;

const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
const BUILDS_WITHIN: Duration = Duration::from_secs(1800);

/// The program, built once per test process; `TIMEBALL_BIN` names another.
pub fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM
        .get_or_init(|| std::env::var_os("TIMEBALL_BIN").map_or_else(build, PathBuf::from))
        .clone()
}

/// Asks cargo where it has put the program, and to put it there if it hasn't.
fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package=timeball", "--message-format=json"])
        .current_dir(workspace());
    // What cargo tells a test of its package makes it build other packages anew that look at the same.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let output = run_within(BUILDS_WITHIN, &mut command);
    assert!(
        output.status.success(),
        "timeball does not build\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .unwrap_or_else(|| panic!("cargo built no program\n{messages}"))
}

/// A running daemon.
#[derive(Debug)]
pub struct Timeball {
    daemon: Daemon,
    socket: PathBuf,
    ask: PathBuf,
    folder: TempDir,
}

impl Timeball {
    /// Starts `timeball run --no-clock` with this configuration; files and control socket are
    /// added to it.
    pub fn start(host: &Host, configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let root = folder.path();
        let socket = root.join("control.sock");
        let file = root.join("timeball.toml");
        fs::write(&file, complete(configuration, root, &socket)).expect("write a configuration");
        let ask = program();
        let mut command = host.command(&ask);
        command.arg("run").arg("-c").arg(&file).arg("--no-clock");
        let daemon = Daemon::start("timeball", &mut command, &root.join("log"));
        Self { daemon, socket, ask, folder }
    }

    /// What `timeball status --json` says.
    pub fn status(&self) -> Result<Status, String> {
        let output = run_within(
            ANSWERS_WITHIN,
            Command::new(&self.ask).args(["status", "--json", "--socket"]).arg(&self.socket),
        );
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text)
            .map_err(|error| format!("{error}\n{text}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// What `timeball sources --json` says.
    pub fn sources(&self) -> Vec<Source> {
        let text = output_of(
            Command::new(&self.ask).args(["sources", "--json", "--socket"]).arg(&self.socket),
        );
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// What one of its commands prints for people, such as `status`.
    pub fn tells(&self, words: &[&str]) -> String {
        let mut command = Command::new(&self.ask);
        command.args(words).arg("--socket").arg(&self.socket);
        let output = run_within(ANSWERS_WITHIN, &mut command);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Ends it without giving it a chance to put anything in order.
    pub fn crash(&self) {
        self.daemon.signal(Signal::SIGKILL);
    }

    /// Waits until the status is as it should be, and returns it.
    pub fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut good: impl FnMut(&Status) -> bool,
    ) -> Status {
        wait::until(&format!("timeball {what}"), limit, || {
            self.daemon.assert_running();
            let status = self.status()?;
            if good(&status) { Ok(status) } else { Err(format!("{status:#?}")) }
        })
    }

    /// Writes another configuration and asks for it to be read.
    pub fn reload(&self, configuration: &str) {
        let root = self.folder.path();
        fs::write(root.join("timeball.toml"), complete(configuration, root, &self.socket))
            .expect("write a configuration");
        self.daemon.signal(Signal::SIGHUP);
    }

    /// Asks it to end, and returns how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.daemon.stop()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}

fn complete(configuration: &str, folder: &Path, socket: &Path) -> String {
    format!(
        "{configuration}\n[files]\nstate-directory = {:?}\npid-file = {:?}\n[control]\nsocket = {socket:?}\n",
        folder.join("state"),
        folder.join("pid"),
    )
}

/// The part of `timeball status --json` that scripts rely on.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Status {
    /// The clock follows a source.
    pub synchronised: bool,
    /// Why, or why not.
    pub reason: String,
    /// True time minus the system clock, in seconds.
    pub offset: Option<f64>,
    /// That offset is good to this.
    pub offset_bound: Option<f64>,
    /// What the oscillator needs.
    pub frequency_ppm: f64,
    /// One standard deviation of that.
    pub frequency_sd_ppm: f64,
    /// What is in force, slew included.
    pub kernel_frequency_ppm: f64,
    /// 16 while not synchronised.
    pub stratum: u8,
    /// Steps that timeball made.
    pub steps: u64,
    /// Steps that somebody else made.
    pub foreign_steps: u64,
    /// Every source.
    pub sources: Vec<Source>,
    /// What became of clients' requests.
    pub server: Server,
}

/// The server in it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Server {
    /// Requests that were answered.
    pub answered: u64,
    /// Datagrams that got no answer, by the rule that refused them.
    pub refused: BTreeMap<String, u64>,
}

impl Status {
    /// The source with this address.
    ///
    /// # Panics
    /// If there is none.
    pub fn source(&self, address: IpAddr) -> &Source {
        self.sources
            .iter()
            .find(|source| source.address == Some(address))
            .unwrap_or_else(|| panic!("no source {address} in {self:#?}"))
    }
}

/// A source in it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Source {
    /// As configured.
    pub name: String,
    /// In use.
    pub address: Option<IpAddr>,
    /// One word.
    pub state: String,
    /// Why that word.
    pub reason: String,
    /// Last eight polls, newest in the lowest bit.
    pub reach: u8,
    /// Poll interval (log₂ s).
    pub poll: i8,
    /// Round trip, in seconds.
    pub delay: Option<f64>,
    /// True time minus the system clock by this source, in seconds.
    pub offset: Option<f64>,
    /// That offset is good to this.
    pub offset_bound: Option<f64>,
    /// Of single measurements, in seconds.
    pub jitter: Option<f64>,
    /// Its server's.
    pub stratum: Option<u8>,
    /// Requests sent.
    pub sent: u64,
    /// Answers accepted.
    pub accepted: u64,
    /// Keys and cookies, if it has to have them.
    pub nts: Option<Nts>,
}

/// Network Time Security of a source.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Nts {
    /// How often keys were taken into use.
    pub sessions: u32,
    /// Seconds since they were established.
    pub age: Option<f64>,
    /// Cookies left.
    pub cookies: usize,
    /// Why there are no new ones.
    pub failure: Option<String>,
}

impl Source {
    /// The clock follows it, alone or with others.
    pub fn is_followed(&self) -> bool {
        ["selected", "combined"].contains(&self.state.as_str())
    }

    /// Its time is believed, even if others are so much nearer that it adds nothing: on a busy
    /// machine an honest server may look far away for a while.
    pub fn is_believed(&self) -> bool {
        self.is_followed() || self.state == "outlier"
    }

    /// # Panics
    /// If nothing has been measured yet.
    pub fn measured_offset(&self) -> f64 {
        self.offset.unwrap_or_else(|| panic!("{self:#?} has no offset"))
    }
}
