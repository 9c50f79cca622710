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
    /// Opened for the next line, if it is not open.
    file: Option<File>,
    /// Lines since it was opened by intent.
    lines: u32,
    trouble: Option<Trouble>,
}

/// It could not be written, which was said, and has not been well for long since.
#[derive(Debug, Default)]
struct Trouble {
    lost: u64,
    /// Lines written since one was lost.
    written: u32,
}

/// So many lines in a row make a file well again. A disk that is full to the brim takes some and
/// refuses others; that is said once.
const WELL: u32 = 16;

impl LogFile {
    /// The file `name`.log in `directory`, which is made when there is something to write.
    pub(super) fn new(directory: &Path, name: &str, heading: &'static str, interval: u32) -> Self {
        let path = directory.join(format!("{name}.log"));
        Self { path, heading, interval, file: None, lines: 0, trouble: None }
    }

    /// Adds a line. One that cannot be written is lost, and the next is tried anew.
    pub(super) fn append(&mut self, line: &str) {
        match self.try_append(line) {
            Ok(()) => self.written(),
            Err(error) => self.lost(&error),
        }
    }

    /// Forgets the file, and that it could not be written.
    pub(super) fn close(&mut self) {
        self.file = None;
        self.lines = 0;
        self.trouble = None;
    }

    fn written(&mut self) {
        let Some(trouble) = &mut self.trouble else { return };
        trouble.written += 1;
        if trouble.written >= WELL {
            let (path, lost) = (self.path.display(), trouble.lost);
            tracing::info!("{path} is being written again; lines lost: {lost}");
            self.trouble = None;
        }
    }

    fn lost(&mut self, error: &io::Error) {
        self.file = None;
        if self.trouble.is_none() {
            tracing::error!("Could not write {} : {error}", self.path.display());
        }
        let trouble = self.trouble.get_or_insert_default();
        trouble.lost = trouble.lost.saturating_add(1);
        trouble.written = 0;
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
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                self.file.insert(options.append(true).create(true).mode(0o644).open(&self.path)?)
            }
        };
        append_whole(file, &text)?;
        self.lines = self.lines.wrapping_add(1);
        Ok(())
    }
}

/// In one piece, so that no reader sees half a line; what a full disk has taken of it is cut off
/// again.
fn append_whole(file: &mut File, text: &str) -> io::Result<()> {
    let before = file.metadata()?;
    file.write_all(text.as_bytes()).inspect_err(|_| {
        // Only files can be cut, and if this one cannot be, there is nothing else to do.
        if before.is_file() {
            let _ = file.set_len(before.len());
        }
    })
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
    }

    #[test]
    fn a_file_that_could_not_be_written_is_tried_again_with_each_line() {
        let directory = tempfile::tempdir().unwrap();
        let later = directory.path().join("later");
        let mut file = LogFile::new(&later, "x", "A", 0);
        ["1", "2", "3"].iter().for_each(|line| file.append(line));
        assert_eq!(file.trouble.as_ref().map(|trouble| trouble.lost), Some(3));
        fs::create_dir(&later).unwrap();
        for _ in 1..WELL {
            file.append("well");
        }
        // Lost once more, by a file that takes nothing: it is not said again.
        file.file = Some(File::open(later.join("x.log")).unwrap());
        file.append("lost");
        let trouble = file.trouble.as_ref().unwrap();
        assert_eq!((trouble.lost, trouble.written), (4, 0));
        for _ in 0..WELL {
            file.append("well");
        }
        assert!(file.trouble.is_none());
        let text = fs::read_to_string(later.join("x.log")).unwrap();
        assert_eq!(text, "well\n".repeat(2 * WELL as usize - 1));
    }

    #[test]
    fn what_a_full_disk_refuses_is_lost_and_the_rest_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut file = LogFile::new(directory.path(), "x", "A", 2);
        let error = file.try_append("0").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        file.append("1");
        fs::remove_file(&path).unwrap();
        file.append("2");
        assert_eq!(fs::read_to_string(&path).unwrap(), "=\nA\n=\n2\n");
    }
}
