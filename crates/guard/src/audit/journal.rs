//! What is finished, on disk, one JSON line for each host, so that an audit can go on where it was
//! interrupted.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::HostReport;

/// What became of one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// It answered.
    Answered(Box<HostReport>),
    /// The network says that nobody is there, or nobody listens.
    Unreachable(IpAddr),
    /// Nothing was heard.
    Silent(IpAddr),
}

impl Entry {
    /// The address.
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Answered(host) => host.address,
            Self::Unreachable(address) | Self::Silent(address) => *address,
        }
    }
}

/// A file to which entries are added.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the file, which need not exist, and reads what is in it. A last line that was cut off is
    /// dropped.
    ///
    /// # Errors
    /// The system's, and [`io::ErrorKind::InvalidData`] for a line that is no entry.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Entry>)> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut reader = BufReader::new(&file);
        let mut entries = Vec::new();
        let mut good = 0_u64;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            if !line.ends_with('\n') {
                file.set_len(good)?;
                break;
            }
            good = good.saturating_add(line.len() as u64);
            entries.push(serde_json::from_str(&line).map_err(|error| {
                let number = entries.len().saturating_add(1);
                io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {error}"))
            })?);
            line.clear();
        }
        Ok((Self { file }, entries))
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// The system's.
    pub fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())
    }
}

/// The addresses of these entries.
pub fn addresses(entries: &[Entry]) -> HashSet<IpAddr> {
    entries.iter().map(Entry::address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_goes_on_where_it_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let silent = |last| Entry::Silent(IpAddr::from([192, 0, 2, last]));
        let (mut journal, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries, []);
        journal.add(&silent(1)).unwrap();
        journal.add(&Entry::Unreachable(IpAddr::from([192, 0, 2, 2]))).unwrap();
        journal.file.write_all(b"{\"silent\":\"192.0.").unwrap();
        let (mut journal, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries.len(), 2);
        journal.add(&silent(3)).unwrap();
        let (_, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries[2], silent(3));
        assert_eq!(addresses(&entries).len(), 3);
    }

    #[test]
    fn a_file_that_is_no_journal_is_told_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other");
        std::fs::write(&path, "precious\n").unwrap();
        let error = Journal::open(&path).unwrap_err();
        assert!(error.to_string().starts_with("line 1: "), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious\n");
    }
}
