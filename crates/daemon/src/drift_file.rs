//! What is remembered of the oscillator across restarts: the file `drift` in the state directory.
//!
//! ```toml
//! # The oscillator of this machine as timeball measured it.
//! frequency-ppm = -17.214503     # correction the system clock needs
//! uncertainty-ppm = 0.012        # one standard deviation of it
//! written = 2036-02-07T06:28:16Z # for people; not read back
//! ```
//!
//! It is replaced as a whole, so that a crash leaves the old one or the new one.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use timeball_core::discipline::Drift;
use timeball_host::atomic_file;
use timeball_wire::Timestamp;

/// The drift file of one state directory.
#[derive(Clone, Debug)]
pub struct DriftFile {
    path: PathBuf,
}

/// Why the file says nothing.
#[derive(Debug, Error)]
pub enum DriftError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not of the form described above.
    #[error("{0}")]
    Malformed(#[from] toml::de::Error),
    /// A number is not one that an oscillator can have.
    #[error("{name} is {value}: {expected}")]
    Impossible {
        /// Which number.
        name: &'static str,
        /// What it says.
        value: f64,
        /// What it could say.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Content {
    frequency_ppm: f64,
    uncertainty_ppm: f64,
}

/// Kernels correct up to a tenth; an oscillator that needs as much is broken.
const LARGEST_PPM: f64 = 100_000.0;
/// Longer files are not ours.
const MAX_LENGTH: u64 = 4096;

impl DriftFile {
    /// The drift file in `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join("drift") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory if it is missing. A daemon without one forgets its oscillator at its end,
    /// and works nevertheless: failure is a warning.
    pub(crate) fn make_directory(&self) {
        let Some(directory) = self.path.parent().filter(|directory| !directory.exists()) else {
            return;
        };
        if let Err(error) = DirBuilder::new().recursive(true).mode(0o750).create(directory) {
            tracing::warn!(
                "cannot make the state directory {}: {error}; the oscillator's frequency will not \
                 be remembered",
                directory.display()
            );
        }
    }

    /// What it says; `None` while there is no such file.
    ///
    /// # Errors
    /// [`DriftError`] for everything that must not be believed. A daemon goes on without.
    pub fn load(&self) -> Result<Option<Drift>, DriftError> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(metadata) if metadata.len() > MAX_LENGTH => {
                return Err(io::Error::other("too long for a drift file").into());
            }
            Ok(_) => {}
        }
        parse(&fs::read_to_string(&self.path)?).map(Some)
    }

    /// Writes `drift`, as of `now`.
    ///
    /// # Errors
    /// When the directory does not take it.
    pub fn save(&self, drift: Drift, now: Timestamp) -> io::Result<()> {
        let content = format!(
            "# The oscillator of this machine as timeball measured it.\n\
             frequency-ppm = {:?}\n\
             uncertainty-ppm = {:?}\n\
             written = {now:.0}\n",
            drift.frequency * 1e6,
            drift.uncertainty * 1e6,
        );
        atomic_file::replace(&self.path, content.as_bytes())
    }
}

fn parse(text: &str) -> Result<Drift, DriftError> {
    let Content { frequency_ppm, uncertainty_ppm } = toml::from_str(text)?;
    // Not-a-number is in no range.
    if !(-LARGEST_PPM..=LARGEST_PPM).contains(&frequency_ppm) {
        return Err(DriftError::Impossible {
            name: "frequency-ppm",
            value: frequency_ppm,
            expected: "a number from -100000 to 100000 is expected",
        });
    }
    if !(f64::MIN_POSITIVE..=LARGEST_PPM).contains(&uncertainty_ppm) {
        return Err(DriftError::Impossible {
            name: "uncertainty-ppm",
            value: uncertainty_ppm,
            expected: "a number above 0, up to 100000, is expected",
        });
    }
    Ok(Drift { frequency: frequency_ppm * 1e-6, uncertainty: uncertainty_ppm * 1e-6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(2_085_978_496_500_000_000);

    fn file() -> (tempfile::TempDir, DriftFile) {
        let directory = tempfile::tempdir().unwrap();
        let file = DriftFile::in_directory(directory.path());
        (directory, file)
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_directory, file) = file();
        assert_eq!(file.load().unwrap(), None);
        for (frequency, uncertainty) in
            [(-17.214503e-6, 0.012e-6), (0.0, 1e-4), (499.999e-6, 1e-12), (1e-15, 1e-9)]
        {
            file.save(Drift { frequency, uncertainty }, NOW).unwrap();
            let loaded = file.load().unwrap().unwrap();
            assert!((loaded.frequency - frequency).abs() <= 1e-12 * frequency.abs());
            assert!((loaded.uncertainty - uncertainty).abs() <= 1e-12 * uncertainty);
        }
    }

    #[test]
    fn the_file_is_for_people_too() {
        let (_directory, file) = file();
        file.save(Drift { frequency: -2e-6, uncertainty: 5e-7 }, NOW).unwrap();
        assert_eq!(
            fs::read_to_string(file.path()).unwrap(),
            "# The oscillator of this machine as timeball measured it.\n\
             frequency-ppm = -2.0\n\
             uncertainty-ppm = 0.5\n\
             written = 2036-02-07T06:28:16Z\n"
        );
    }

    #[test]
    fn garbage_is_not_believed() {
        let (_directory, file) = file();
        for (content, reason) in [
            ("", "missing field `frequency-ppm`"),
            ("-17.2 0.01\n", "key"),
            ("frequency-ppm = 1.0\n", "missing field `uncertainty-ppm`"),
            ("frequency-ppm = nan\nuncertainty-ppm = 1.0\n", "frequency-ppm is NaN"),
            ("frequency-ppm = -inf\nuncertainty-ppm = 1.0\n", "frequency-ppm is -inf"),
            ("frequency-ppm = 100001.0\nuncertainty-ppm = 1.0\n", "frequency-ppm is 100001"),
            ("frequency-ppm = 1.0\nuncertainty-ppm = nan\n", "uncertainty-ppm is NaN"),
            ("frequency-ppm = 1.0\nuncertainty-ppm = 0.0\n", "uncertainty-ppm is 0"),
            ("frequency-ppm = 1.0\nuncertainty-ppm = -1.0\n", "uncertainty-ppm is -1"),
            ("frequency-ppm = 1.0\nuncertainty-ppm = inf\n", "uncertainty-ppm is inf"),
            ("frequency-ppm = \"1\"\nuncertainty-ppm = 1.0\n", "invalid type"),
        ] {
            fs::write(file.path(), content).unwrap();
            let error = file.load().unwrap_err().to_string();
            assert!(error.contains(reason), "{content:?}: {error}");
        }
        fs::write(file.path(), b"\xff\xfe").unwrap();
        assert!(matches!(file.load(), Err(DriftError::Io(_))));
        fs::write(file.path(), "#".repeat(5000)).unwrap();
        assert!(file.load().unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn the_directory_is_made_for_its_owner_and_group() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("lib/timeball");
        let file = DriftFile::in_directory(&state);
        file.make_directory();
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777 & !0o750, 0);
        file.save(Drift { frequency: 0.0, uncertainty: 1e-6 }, NOW).unwrap();
        file.make_directory();
        assert!(file.load().unwrap().is_some(), "one that exists is left alone");
    }

    #[test]
    fn a_missing_directory_is_an_error_and_no_panic() {
        let (directory, file) = file();
        drop(directory);
        assert!(file.save(Drift { frequency: 0.0, uncertainty: 1e-6 }, NOW).is_err());
        assert_eq!(file.load().unwrap(), None);
    }
}
