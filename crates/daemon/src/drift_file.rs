//! What is remembered of the oscillator across restarts.
//!
//! In the state directory it is the file `drift`:
//!
//! ```toml
//! # The oscillator of this machine as timeball measured it.
//! frequency-ppm = -17.214503     # correction the system clock needs
//! uncertainty-ppm = 0.012        # one standard deviation of it
//! written = 2036-02-07T06:28:16Z # for people; not read back
//! ```
//!
//! A file that the configuration names is chrony's: two numbers, how fast the system clock is if
//! nobody corrects it and the bound of that, in ppm.
//!
//! It is replaced as a whole, so that a crash leaves the old one or the new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use timeball_config::{DriftFile as Place, Files};
use timeball_core::discipline::Drift;
use timeball_host::atomic_file;
use timeball_wire::Timestamp;

/// The drift file of one daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftFile {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Native,
    Chrony,
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
    /// It does not have two numbers.
    #[error("it does not say frequency and skew, two numbers")]
    NotTwoNumbers,
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
/// No oscillator is known better than this (ppm), whatever a file says.
const SMALLEST_SKEW_PPM: f64 = 1e-6;
/// Longer files are not ours.
const MAX_LENGTH: u64 = 4096;

impl DriftFile {
    /// The drift file in `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join("drift"), format: Format::Native }
    }

    /// The drift file at `path`, as chrony has it.
    pub fn chrony(path: &Path) -> Self {
        Self { path: path.into(), format: Format::Chrony }
    }

    /// Where the configuration wants it; `None` if it wants none.
    pub(crate) fn configured(files: &Files) -> Option<Self> {
        match &files.drift_file {
            Place::InStateDirectory => Some(Self::in_directory(&files.state_directory)),
            Place::At { path, .. } => Some(Self::chrony(path)),
            Place::None => None,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was written last, and so the earliest that it can be now; `None` without a file.
    pub(crate) fn written(&self) -> Option<Timestamp> {
        let modified = fs::metadata(&self.path).ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Timestamp::from_nanos(i64::try_from(since.as_nanos()).ok()?))
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
        let text = fs::read_to_string(&self.path)?;
        match self.format {
            Format::Native => parse(&text),
            Format::Chrony => parse_chrony(&text),
        }
        .map(Some)
    }

    /// Writes `drift`, as of `now`.
    ///
    /// # Errors
    /// When the directory does not take it.
    pub fn save(&self, drift: Drift, now: Timestamp) -> io::Result<()> {
        let (frequency, uncertainty) = (drift.frequency * 1e6, drift.uncertainty * 1e6);
        let content = match self.format {
            Format::Native => format!(
                "# The oscillator of this machine as timeball measured it.\n\
                 frequency-ppm = {frequency:?}\n\
                 uncertainty-ppm = {uncertainty:?}\n\
                 written = {now:.0}\n",
            ),
            // A correction of zero has no sign.
            Format::Chrony => format!("{:20.6} {uncertainty:20.6}\n", 0.0 - frequency),
        };
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

fn parse_chrony(text: &str) -> Result<Drift, DriftError> {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    let (Some(Ok(fast_ppm)), Some(Ok(skew_ppm))) = (numbers.next(), numbers.next()) else {
        return Err(DriftError::NotTwoNumbers);
    };
    if !(-LARGEST_PPM..=LARGEST_PPM).contains(&fast_ppm) {
        return Err(DriftError::Impossible {
            name: "the frequency",
            value: fast_ppm,
            expected: "a number from -100000 to 100000 is expected",
        });
    }
    if !(0.0..=LARGEST_PPM).contains(&skew_ppm) {
        return Err(DriftError::Impossible {
            name: "the skew",
            value: skew_ppm,
            expected: "a number from 0 to 100000 is expected",
        });
    }
    let uncertainty = skew_ppm.max(SMALLEST_SKEW_PPM) * 1e-6;
    Ok(Drift { frequency: 0.0 - fast_ppm * 1e-6, uncertainty })
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
    fn chrony_says_how_fast_the_clock_is_and_we_what_it_needs() {
        let directory = tempfile::tempdir().unwrap();
        let file = DriftFile::chrony(&directory.path().join("drift"));
        assert_eq!(file.load().unwrap(), None);
        file.save(Drift { frequency: -17.25e-6, uncertainty: 0.012e-6 }, NOW).unwrap();
        assert_eq!(
            fs::read_to_string(file.path()).unwrap(),
            "           17.250000             0.012000\n"
        );
        let loaded = file.load().unwrap().unwrap();
        assert!((loaded.frequency + 17.25e-6).abs() < 1e-15, "{loaded:?}");
        assert!((loaded.uncertainty - 0.012e-6).abs() < 1e-15, "{loaded:?}");
        file.save(Drift { frequency: 0.0, uncertainty: 1e-9 }, NOW).unwrap();
        assert!(!fs::read_to_string(file.path()).unwrap().contains('-'));

        fs::write(file.path(), "4.7619047619e+04 1").unwrap();
        let loaded = file.load().unwrap().unwrap();
        assert!((loaded.frequency + 0.047_619_047_619).abs() < 1e-12, "{loaded:?}");
        for garbage in ["", "1.0", "x 1.0", "1.0 -1.0", "nan 1.0", "1e6 1.0", "1.0 inf"] {
            fs::write(file.path(), garbage).unwrap();
            assert!(file.load().is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn a_missing_directory_is_an_error_and_no_panic() {
        let (directory, file) = file();
        drop(directory);
        assert!(file.save(Drift { frequency: 0.0, uncertainty: 1e-6 }, NOW).is_err());
        assert_eq!(file.load().unwrap(), None);
    }
}
