//! What outlives the process: how everything stands, and what nobody has taken yet.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use timeball_host::atomic_file;

use super::alert::{Alert, ListenerSeen};
use super::standing::{Standing, Time};

/// What is known of a subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedSubject {
    /// How it stands.
    #[serde(default)]
    pub standing: Standing,
    /// When it was last said that it is wrong; `None` if it is not.
    #[serde(default)]
    pub told: Option<Time>,
    /// Who listens, for a port of this host.
    #[serde(default)]
    pub listeners: Vec<ListenerSeen>,
}

/// What is in the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// What is known of each subject, by its name.
    pub subjects: BTreeMap<String, SavedSubject>,
    /// What the webhook has not taken yet, the oldest first.
    #[serde(default)]
    pub undelivered: Vec<Alert>,
}

impl Saved {
    /// Reads the file; without one there is nothing to know.
    ///
    /// # Errors
    ///
    /// The system's, and [`io::ErrorKind::InvalidData`] for a file that is none of ours.
    pub fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let message = format!("{error}; remove the file to begin anew");
                io::Error::new(io::ErrorKind::InvalidData, message)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file: whoever reads it finds the old one or the new one.
    ///
    /// # Errors
    ///
    /// The system's; the old file is then still there.
    pub fn store(&self, path: &Path) -> io::Result<()> {
        atomic_file::replace(path, &serde_json::to_vec_pretty(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::finding::{Condition, Finding, Verdict};

    #[test]
    fn what_is_stored_is_loaded_and_no_file_is_a_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        assert_eq!(Saved::load(&path).unwrap(), Saved::default());
        let mut subject = SavedSubject { told: Some(Time::UNIX_EPOCH), ..SavedSubject::default() };
        for (processes, confirmations) in [(&["a", "b"][..], 1), (&[], 2)] {
            let finding = Finding {
                condition: Condition::Listeners(
                    processes.iter().copied().map(Into::into).collect(),
                ),
                verdict: Verdict::Wrong,
                detail: "so it is".into(),
                offset: None,
            };
            subject.standing.take(&finding, Time::UNIX_EPOCH, confirmations);
        }
        let saved = Saved { subjects: [("a".to_owned(), subject)].into(), ..Saved::default() };
        saved.store(&path).unwrap();
        assert_eq!(Saved::load(&path).unwrap(), saved);
    }

    #[test]
    fn a_file_of_somebody_else_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        for text in ["", "precious", "{}", "[1]", "{\"subjects\": {\"a\": 1}}"] {
            fs::write(&path, text).unwrap();
            let error = Saved::load(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}");
            assert!(error.to_string().ends_with("remove the file to begin anew"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
