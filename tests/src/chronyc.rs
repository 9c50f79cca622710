//! Clients of chronyd: chrony's own, and timeball in its place.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::namespace::Host;
use crate::peer::chrony;
use crate::process::run_within;
use crate::timeball;

const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// What a client said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The lines of its standard output.
    pub lines: Vec<String>,
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
}

impl Said {
    /// Comma-separated values, row by row.
    pub fn rows(&self) -> Vec<Vec<&str>> {
        self.lines.iter().map(|line| line.split(',').collect()).collect()
    }
}

/// chrony's own client on this host.
pub fn theirs(host: &Host) -> Command {
    host.command(&chrony::chronyc())
}

/// Ours on this host.
pub fn ours(host: &Host) -> Command {
    let mut command = host.command(&timeball::program());
    command.arg("chronyc");
    command
}

/// Asks the daemon at this address, or with this socket.
pub fn ask(mut client: Command, daemon: &str, options: &[&str], command: &str) -> Said {
    client.args(["-h", daemon]).args(options).args(command.split(' '));
    let output = run_within(ANSWERS_WITHIN, &mut client);
    let text = String::from_utf8_lossy(&output.stdout);
    Said { lines: text.lines().map(str::to_owned).collect(), status: output.status.code() }
}

/// The path of a socket of a test, as an argument.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("a path of a test is text")
}
