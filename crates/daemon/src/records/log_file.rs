//! A log that grows by lines, with headings in between.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    heading: &'static str,
    /// Lines between two headings; 0 for no headings.
    interval: u32,
    state: State,
    /// Lines since it was opened.
    lines: u32,
}

#[derive(Debug)]
enum State {
    /// It will be opened for the next line.
    Closed,
    Open(File),
    /// It could not be written, and that was logged.
    Broken,
}

impl LogFile {
    /// The file `name`.log in `directory`, which is made when there is something to write.
    pub(super) fn new(directory: &Path, name: &str, heading: &'static str, interval: u32) -> Self {
        let path = directory.join(format!("{name}.log"));
        Self { path, heading, interval, state: State::Closed, lines: 0 }
    }

    /// Adds a line.
    pub(super) fn append(&mut self, line: &str) {
        if let Err(error) = self.try_append(line) {
            tracing::error!("Could not write {} : {error}", self.path.display());
            self.state = State::Broken;
        }
    }

    /// Forgets the file, and that it was broken.
    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.lines = 0;
    }

    fn try_append(&mut self, line: &str) -> io::Result<()> {
        let heading = self.interval > 0 && self.lines.is_multiple_of(self.interval);
        let mut text = String::new();
        if heading {
            let rule = "=".repeat(self.heading.len());
            text = format!("{rule}\n{}\n{rule}\n", self.heading);
        }
        text += line;
        text.push('\n');
        if let State::Closed = self.state {
            let mut options = OpenOptions::new();
            self.state =
                State::Open(options.append(true).create(true).mode(0o644).open(&self.path)?);
        }
        if let State::Open(file) = &mut self.state {
            // In one piece, so that no reader sees half a line.
            file.write_all(text.as_bytes())?;
            self.lines = self.lines.wrapping_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn headings_come_every_so_many_lines_and_after_each_opening() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = LogFile::new(directory.path(), "x", "  A B", 2);
        ["1", "2", "3"].iter().for_each(|line| file.append(line));
        let path = directory.path().join("x.log");
        let text = "=====\n  A B\n=====\n1\n2\n=====\n  A B\n=====\n3\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        fs::rename(&path, directory.path().join("x.log.1")).unwrap();
        file.append("4");
        assert!(!path.exists(), "it is still open where it was moved to");
        file.close();
        file.append("5");
        assert_eq!(fs::read_to_string(&path).unwrap(), "=====\n  A B\n=====\n5\n");
    }

    #[test]
    fn there_need_be_no_headings_and_no_directory() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = LogFile::new(directory.path(), "x", "A", 0);
        file.append("1");
        assert_eq!(fs::read_to_string(directory.path().join("x.log")).unwrap(), "1\n");
        let mut nowhere = LogFile::new(&directory.path().join("none"), "x", "A", 0);
        nowhere.append("1");
        nowhere.append("2");
        assert!(matches!(nowhere.state, State::Broken));
    }
}
