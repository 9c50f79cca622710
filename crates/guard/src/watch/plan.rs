//! What is watched, how often, and who is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use timeball_auth::key_file::Format;
use timeball_wire::Span;

use super::subject::{Expectation, Proof, Subject};

/// All that a watch has to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is watched.
    pub subjects: Vec<Subject>,
    /// When to look.
    pub schedule: Schedule,
    /// How long to wait for an answer.
    pub timeout: Span,
    /// Where the keys are that servers have to prove to know.
    pub keys: Option<KeyFile>,
    /// Certificates of authorities that are trusted with keys for NTS, beside the system's: files or
    /// directories.
    pub trust: Vec<PathBuf>,
    /// Who is told, beside standard output.
    pub outlets: Outlets,
    /// Where to keep how things stand, over a restart.
    pub state_file: Option<PathBuf>,
    /// Where to write metrics for Prometheus' node exporter.
    pub metrics_file: Option<PathBuf>,
    /// Where Prometheus can fetch them (HTTP).
    pub metrics_listen: Option<SocketAddr>,
}

/// When to look, and when to tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Between two looks at the same subject.
    pub interval: Span,
    /// The same while a change is not confirmed yet.
    pub confirm_interval: Span,
    /// So many looks in a row have to agree on a change.
    pub confirmations: u32,
    /// How long to wait before saying again that something is wrong; `None` says it once.
    pub reminder: Option<Span>,
}

/// Who is told, beside standard output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlets {
    /// Write to the journal.
    pub journal: bool,
    /// Run this program with these arguments.
    pub command: Vec<String>,
    /// Post to this URL.
    pub webhook: Option<String>,
}

/// A file of symmetric keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// Where.
    pub path: PathBuf,
    /// In whose format.
    pub format: Format,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            subjects: Vec::new(),
            schedule: Schedule::default(),
            timeout: Span::from_secs(2),
            keys: None,
            trust: Vec::new(),
            outlets: Outlets::default(),
            state_file: None,
            metrics_file: None,
            metrics_listen: None,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            interval: Span::from_secs(60),
            confirm_interval: Span::from_secs(5),
            confirmations: 3,
            reminder: Some(Span::from_secs(6 * 3600)),
        }
    }
}

impl Plan {
    /// Looks for what cannot be meant.
    ///
    /// # Errors
    ///
    /// What that is, and what to do.
    pub fn check(&self) -> Result<(), String> {
        if self.subjects.is_empty() {
            return Err("there is nothing to watch: name an endpoint, by a file or by an option \
                        such as --closed HOST"
                .into());
        }
        let mut names = BTreeSet::new();
        for subject in &self.subjects {
            let name = subject.name();
            if !names.insert(name.clone()) {
                return Err(format!("{name} is named twice: expect one thing of it"));
            }
            if let Subject::Remote { expected: Expectation::Time(limits), .. } = subject
                && let (Some(Proof::Key(key)), None) = (limits.proof, &self.keys)
            {
                return Err(format!(
                    "{name} has to prove to know key {key}, and there is no file of keys: name one \
                     by `key-file` in [watch], or by --key-file"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use timeball_auth::KeyId;
    use timeball_host::listeners::Protocol;

    use super::*;
    use crate::watch::subject::{Port, TimeLimits};

    #[test]
    fn what_cannot_be_meant_is_told() {
        let mut plan = Plan::default();
        assert!(plan.check().unwrap_err().starts_with("there is nothing to watch"));
        let port = Port { protocol: Protocol::Udp, number: 123 };
        let proof = KeyId::new(7).map(Proof::Key);
        let limits = TimeLimits { proof, ..TimeLimits::default() };
        let expected = Expectation::Time(limits);
        plan.subjects = vec![Subject::Remote { host: "a".into(), port, expected }];
        assert!(plan.check().unwrap_err().contains("key 7"));
        plan.keys = Some(KeyFile { path: "keys".into(), format: Format::Chrony });
        assert_eq!(plan.check(), Ok(()));
        let expected = Expectation::Closed;
        plan.subjects.push(Subject::Remote { host: "a".into(), port, expected });
        assert!(plan.check().unwrap_err().starts_with("udp:a:123 is named twice"));
    }
}
