//! What a test needs of this machine, and how it skips without.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::peer::installation::{self, Peer};

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The right to make network namespaces and mounts.
    Root,
    /// A program of an installed Debian package.
    Program(&'static str),
    /// Another implementation, unpacked by `cargo xtask setup`.
    Unpacked(Peer),
    /// One that `cargo xtask setup` builds from crates.io, which not every machine can reach.
    Built(Peer),
}

/// The needs of every test with hosts in network namespaces.
pub const LABORATORY: [Need; 3] = [Need::Root, Need::Program("ip"), Need::Program("setpriv")];

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Program(name) => write!(f, "the program {name}"),
            Self::Unpacked(peer) => {
                write!(
                    f,
                    "{} (`cargo xtask setup` unpacks it)",
                    installation::place(*peer).display()
                )
            }
            Self::Built(peer) => {
                write!(
                    f,
                    "{} (`cargo xtask setup` builds it)",
                    installation::place(*peer).display()
                )
            }
        }
    }
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::Root => nix::unistd::geteuid().is_root(),
            Self::Program(name) => find_program(name).is_some(),
            Self::Unpacked(peer) | Self::Built(peer) => installation::place(peer).exists(),
        }
    }

    /// Must a machine that runs all tests have it?
    const fn is_required(self) -> bool {
        match self {
            Self::Root | Self::Program(_) | Self::Unpacked(_) => true,
            Self::Built(_) => false,
        }
    }
}

/// True if all needs are met. Otherwise says loudly which is not, and the test should return;
/// with `TIMEBALL_REQUIRE_ALL=1` in the environment, as in CI, the test fails instead, unless all that
/// is missing is what could not be [built](Need::Built).
pub fn met(needs: &[Need]) -> bool {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return true;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let named: Vec<String> = missing.iter().map(Need::to_string).collect();
    let reason = format!("{test} needs {}", named.join(", "));
    let all = std::env::var_os("TIMEBALL_REQUIRE_ALL").is_some_and(|value| value == "1");
    if all && missing.into_iter().any(Need::is_required) {
        panic!("{reason}, and TIMEBALL_REQUIRE_ALL is set");
    }
    // Written to the descriptor itself: what a passing test prints by macro is swallowed.
    writeln!(std::io::stderr().lock(), "SKIPPED: {reason}").expect("stderr takes a line");
    false
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The path of a program that [`Need::Program`] has asked for.
pub fn program(name: &str) -> PathBuf {
    find_program(name).unwrap_or_else(|| panic!("{name} is not on this machine"))
}

/// A command of such a program.
pub fn command(name: &str) -> Command {
    Command::new(program(name))
}
