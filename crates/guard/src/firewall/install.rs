//! Rules in place: put there, taken away, compared with what they should be.
//!
//! firewalld's and pf's rules are printed only: nothing here has been tried with these.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use super::rule::Rule;
use super::{iptables, nftables, ufw};

/// A tool that rules can be given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `nft`.
    Nftables,
    /// `iptables` and `ip6tables`.
    Iptables,
    /// `ufw`, and its files of rules.
    Ufw,
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The program cannot be started.
    #[error("cannot start {program}: {error}")]
    Start {
        /// Its name.
        program: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The tool refuses.
    #[error("{tool}: {complaint}")]
    Refused {
        /// Its name.
        tool: &'static str,
        /// What it says, or the programs that it is made of.
        complaint: String,
    },
}

/// What was installed before; see [`Tool::restore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before(Option<String>);

/// How what is installed compares with what should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It is the same.
    Same,
    /// Nothing is installed.
    Missing,
    /// These lines are there and should not be, and these the other way round.
    Different {
        /// Lines of the tool's listing that should not be there.
        surplus: Vec<String>,
        /// Lines that should be there.
        lacking: Vec<String>,
    },
}

/// Lists what is ours, in the tool's own words and without counters. That nothing is there is known only
/// of a tool that answers at all.
const LIST_NFTABLES: &str = "set -e
tables=$(nft list tables)
if printf '%s\n' \"$tables\" | grep -qx 'table inet timeball'; then
	nft --stateless --terse list table inet timeball
fi";
/// Not every kernel has a table `raw`; nothing of ours is there then.
const LIST_IPTABLES: &str = "set -e
for program in iptables ip6tables; do
	$program -w -S > /dev/null
	for table in filter raw; do
		$program -w -t $table -S 2>/dev/null | grep TIMEBALL | sed \"s/^/$program -w -t $table /\" || true
	done
done";

impl Tool {
    /// Installs the rules in place of those that were installed before, and returns those.
    ///
    /// # Errors
    /// [`InstallError`]. nftables changes all or nothing; what iptables and ufw have done by then is undone.
    /// ufw also refuses, before anything is changed, what would take the place of somebody else's rule.
    pub fn apply(self, rules: &[Rule]) -> Result<Before, InstallError> {
        let before = self.save()?;
        let outcome = match self {
            Self::Nftables => self.feed("nft", &["-f", "-"], &nftables::render(rules)),
            Self::Iptables => self.remove().and_then(|()| self.shell(&iptables::render(rules))),
            Self::Ufw => {
                self.alone(&ufw::rehearsal(rules))?;
                self.remove().and_then(|()| self.shell(&ufw::render(rules)))
            }
        };
        match outcome {
            Ok(_) => Ok(before),
            Err(error) => {
                self.restore(&before)?;
                Err(error)
            }
        }
    }

    /// Brings back what was installed before.
    ///
    /// # Errors
    /// [`InstallError`].
    pub fn restore(self, before: &Before) -> Result<(), InstallError> {
        self.remove()?;
        match (self, &before.0) {
            (_, None) => Ok(()),
            (Self::Nftables, Some(table)) => self.feed("nft", &["-f", "-"], table).map(|_| ()),
            (Self::Iptables, Some(script)) => self.shell(script).map(|_| ()),
            (Self::Ufw, Some(listing)) => self.shell(&ufw::restoration(listing)).map(|_| ()),
        }
    }

    /// Removes all of ours, if there is any.
    ///
    /// # Errors
    /// [`InstallError`].
    pub fn remove(self) -> Result<(), InstallError> {
        match self {
            Self::Nftables => self.feed("nft", &["-f", "-"], &nftables::removal()).map(|_| ()),
            Self::Iptables => self.shell(&iptables::removal()).map(|_| ()),
            Self::Ufw => self.shell(&ufw::removal()).map(|_| ()),
        }
    }

    /// Compares what is installed with these rules: they are loaded into a network namespace of their
    /// own and listed there, so that both listings are in the tool's own words.
    ///
    /// # Errors
    /// [`InstallError`].
    pub fn compare(self, rules: &[Rule]) -> Result<Comparison, InstallError> {
        let installed = self.listing()?;
        if installed.trim().is_empty() {
            return Ok(Comparison::Missing);
        }
        let wanted = self.listing_of(rules)?;
        let (installed, wanted) = (self.lines(&installed), self.lines(&wanted));
        let not_loaded = self.not_loaded()?;
        if installed == wanted && not_loaded.is_empty() {
            return Ok(Comparison::Same);
        }
        let without = |some: &[String], others: &[String]| -> Vec<String> {
            some.iter().filter(|line| !others.contains(line)).cloned().collect()
        };
        let mut lacking = without(&wanted, &installed);
        lacking.extend(not_loaded);
        Ok(Comparison::Different { surplus: without(&installed, &wanted), lacking })
    }

    /// What is installed of ours; empty for nothing.
    fn listing(self) -> Result<String, InstallError> {
        match self {
            Self::Nftables => self.shell(LIST_NFTABLES),
            Self::Iptables => self.shell(LIST_IPTABLES),
            Self::Ufw => self.shell(ufw::LIST),
        }
    }

    /// What would be installed if these rules were.
    fn listing_of(self, rules: &[Rule]) -> Result<String, InstallError> {
        match self {
            Self::Nftables => {
                let rules = nftables::render(rules);
                self.alone(&format!("nft -f - <<'RULES'\n{rules}RULES\n{LIST_NFTABLES}\n"))
            }
            Self::Iptables => {
                self.alone(&format!("{}\n{LIST_IPTABLES}\n", iptables::render(rules)))
            }
            Self::Ufw => self.alone(&ufw::on_a_copy(rules)),
        }
    }

    /// Rules that a manager has in its files and the kernel has not.
    fn not_loaded(self) -> Result<Vec<String>, InstallError> {
        match self {
            Self::Nftables | Self::Iptables => Ok(Vec::new()),
            Self::Ufw => Ok(self.shell(ufw::NOT_LOADED)?.lines().map(str::to_owned).collect()),
        }
    }

    /// The lines of a listing that matter.
    fn lines(self, listing: &str) -> Vec<String> {
        let lines = listing.lines().map(str::trim);
        let matters = |line: &&str| match self {
            Self::Nftables | Self::Iptables => !line.is_empty(),
            Self::Ufw => ufw::is_rule(line),
        };
        lines.filter(matters).map(str::to_owned).collect()
    }

    fn save(self) -> Result<Before, InstallError> {
        let listing = self.listing()?;
        if listing.trim().is_empty() {
            return Ok(Before(None));
        }
        Ok(Before(Some(match self {
            Self::Nftables | Self::Ufw => listing,
            // The listing is made of commands already; jumps belong before everything else.
            Self::Iptables => listing
                .lines()
                .map(|line| {
                    let is_jump = !line.contains(" -A TIMEBALL");
                    let line = if is_jump { line.replacen(" -A ", " -I ", 1) } else { line.into() };
                    format!("{line}\n")
                })
                .collect(),
        })))
    }

    /// Runs a script out of reach of what is installed: with a network of its own, and where the tool has
    /// files, with mounts of its own.
    fn alone(self, script: &str) -> Result<String, InstallError> {
        match self {
            Self::Nftables | Self::Iptables => self.feed("unshare", &["--net", "sh", "-e"], script),
            Self::Ufw => self.feed("unshare", &["--net", "--mount", "sh", "-e"], script),
        }
    }

    fn shell(self, script: &str) -> Result<String, InstallError> {
        self.feed("sh", &["-s"], script)
    }

    /// Runs a program with this text on its standard input; what it prints.
    fn feed(
        self,
        program: &'static str,
        arguments: &[&str],
        text: &str,
    ) -> Result<String, InstallError> {
        let start = |error| InstallError::Start { program, error };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        if let Some(mut input) = child.stdin.take() {
            match input.write_all(text.as_bytes()) {
                // It has ended early, and says why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written.map_err(start)?,
            }
        }
        let Output { status, stdout, stderr } = child.wait_with_output().map_err(start)?;
        if !status.success() {
            let complaint = String::from_utf8_lossy(&stderr).trim().to_owned();
            let complaint = if complaint.is_empty() { status.to_string() } else { complaint };
            return Err(InstallError::Refused { tool: self.name(), complaint });
        }
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Nftables => "nft",
            Self::Iptables => "iptables",
            Self::Ufw => "ufw",
        }
    }
}
