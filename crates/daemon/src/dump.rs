//! Measurements kept over a restart, one file for each source, as chronyd keeps them:
//!
//! ```text
//! SRC0
//! NAME
//! AUTHENTICATED REACH(octal) REACH-SIZE STRATUM LEAP
//! SAMPLES ASYMMETRY-RUN
//! TIME OFFSET ORIGINAL-OFFSET PEER-DELAY PEER-DISPERSION ROOT-DELAY ROOT-DISPERSION
//! ```
//!
//! with a last line for each measurement, oldest first. An offset is positive where the system clock
//! is ahead, and what adds up on the way to the reference clock includes the way to the server.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use timeball_core::engine::{Sample, SourceDump};
use timeball_core::settings::SourceSettings;
use timeball_host::atomic_file;
use timeball_wire::{LeapIndicator, Timestamp};

use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::exponent::Exponent;

/// The first line.
const IDENTIFIER: &str = "SRC0";
/// Longer files are not dumps.
const MAX_LENGTH: u64 = 1 << 20;
/// More measurements chronyd does not keep, nor do we.
const MAX_SAMPLES: usize = 1024;
/// Length of the reach register.
const REACH_BITS: u32 = 8;

/// A dump and the name of its source.
#[derive(Clone, Debug, PartialEq)]
struct NamedDump {
    name: String,
    dump: SourceDump,
}

impl EventLoop {
    /// Writes down what every source has measured, for [`restore_measurements`](
    /// Self::restore_measurements). False if the configuration has no place for that.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn dump_measurements(&mut self) -> Result<bool, Error> {
        let Some(directory) = self.config.files.dump_directory.clone() else { return Ok(false) };
        let now = self.now()?;
        let sources = self.engine.report(now).sources;
        let name_of = |dump: &SourceDump| {
            sources
                .iter()
                .find(|source| source.address == Some(dump.address))
                .map_or_else(|| dump.address.to_string(), |source| source.name.clone())
        };
        let dumps = self.engine.dump(now).into_iter();
        let named: Vec<NamedDump> =
            dumps.map(|dump| NamedDump { name: name_of(&dump), dump }).collect();
        save(&directory, &named);
        Ok(true)
    }

    /// Takes in what the last run has measured, if `wanted`; in any case it is of no use to a later
    /// one.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn restore_measurements(&mut self, wanted: bool) -> Result<(), Error> {
        let Some(directory) = self.config.files.dump_directory.clone() else { return Ok(()) };
        if wanted {
            let dumps = load(&directory, &self.config.engine.sources);
            let now = self.now()?;
            self.engine.restore(now, dumps);
        }
        remove(&directory);
        self.carry_out_outputs()
    }
}

/// Writes one file for each source. What cannot be written is an error in the log.
fn save(directory: &Path, dumps: &[NamedDump]) {
    for named in dumps {
        let path = path_of(directory, named.dump.address);
        if let Err(error) = atomic_file::replace(&path, format(named).as_bytes()) {
            tracing::error!("Could not write {} : {error}", path.display());
        }
    }
}

/// Reads the dumps of these sources. One that cannot be made use of is a warning; so is what was
/// measured without a key, if the source has one now.
fn load(directory: &Path, sources: &[SourceSettings]) -> Vec<SourceDump> {
    let mut dumps = Vec::new();
    for (address, path) in files(directory) {
        let source_of = |named: &NamedDump| sources.iter().find(|source| source.name == named.name);
        let usable = |named: &NamedDump| {
            source_of(named).is_none_or(|source| {
                named.dump.authenticated || !source.association.authentication.is_required()
            })
        };
        match read(&path, address).map(|named| named.filter(usable)) {
            Ok(Some(named)) if source_of(&named).is_some() => {
                tracing::info!("Loaded dump file for {address}");
                dumps.push(named.dump);
            }
            Ok(Some(_)) => {}
            Ok(None) => tracing::warn!("Could not load dump file for {address}"),
            Err(error) => tracing::warn!("Could not load dump file for {address} : {error}"),
        }
    }
    dumps
}

/// Removes the dumps: they are of no use once the clock has been adjusted.
fn remove(directory: &Path) {
    for (_, path) in files(directory) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::error!("Could not remove {} : {error}", path.display());
        }
    }
}

/// Files with the name of a dump.
fn files(directory: &Path) -> Vec<(IpAddr, PathBuf)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "dat"))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path)))
        .collect();
    files.sort();
    files
}

fn path_of(directory: &Path, address: IpAddr) -> PathBuf {
    directory.join(format!("{address}.dat"))
}

fn read(path: &Path, address: IpAddr) -> io::Result<Option<NamedDump>> {
    if fs::metadata(path)?.len() > MAX_LENGTH {
        return Err(io::Error::other("too long for a dump"));
    }
    Ok(parse(&fs::read_to_string(path)?, address))
}

fn format(named: &NamedDump) -> String {
    let SourceDump { reach, stratum, leap, samples, .. } = &named.dump;
    let authenticated = u8::from(named.dump.authenticated);
    let mut text = format!(
        "{IDENTIFIER}\n{}\n{authenticated} {reach:o} {REACH_BITS} {stratum} {}\n{} 0\n",
        named.name,
        leap_number(*leap),
        samples.len()
    );
    for sample in samples {
        let nanos = sample.time.nanos();
        let ahead = 0.0 - sample.offset;
        text += &format!(
            "{}.{:09} {} {} {} {} {} {}\n",
            nanos.div_euclid(1_000_000_000),
            nanos.rem_euclid(1_000_000_000),
            number(ahead),
            number(ahead),
            number(sample.delay),
            number(sample.dispersion),
            number(sample.root_delay + sample.delay),
            number(sample.root_dispersion + sample.dispersion),
        );
    }
    text
}

const fn number(value: f64) -> Exponent {
    Exponent { value, width: 0, precision: 6 }
}

/// `None` if it is no dump, or one that nobody could have written.
fn parse(text: &str, address: IpAddr) -> Option<NamedDump> {
    let mut lines = text.lines();
    if lines.next()? != IDENTIFIER {
        return None;
    }
    let name = lines.next()?.trim().to_owned();
    let [authenticated, reach, _reach_size, stratum, leap] = words(lines.next()?)?;
    let authenticated = authenticated.parse::<u32>().ok()? != 0;
    let reach = u8::try_from(u32::from_str_radix(reach, 8).ok()? & 0xff).ok()?;
    let stratum = stratum.parse().ok().filter(|stratum| *stratum < 16)?;
    let leap = leap_of(leap.parse().ok()?)?;
    let [count, _asymmetry_run] = words(lines.next()?)?;
    let count: usize = count.parse().ok().filter(|count| (1..=MAX_SAMPLES).contains(count))?;
    let samples: Option<Vec<Sample>> = (0..count).map(|_| sample(lines.next()?)).collect();
    Some(NamedDump {
        name,
        dump: SourceDump { address, authenticated, reach, stratum, leap, samples: samples? },
    })
}

fn sample(line: &str) -> Option<Sample> {
    let [time, numbers @ ..] = words::<7>(line)?;
    let mut values = [0.0; 6];
    for (value, number) in values.iter_mut().zip(numbers) {
        *value = number.parse().ok().filter(|value: &f64| value.is_finite())?;
    }
    let [ahead, _original, delay, dispersion, root_delay, root_dispersion] = values;
    if [delay, dispersion, root_delay, root_dispersion].iter().any(|value| *value < 0.0) {
        return None;
    }
    Some(Sample {
        time: time_of(time)?,
        offset: 0.0 - ahead,
        delay,
        dispersion,
        root_delay: (root_delay - delay).max(0.0),
        root_dispersion: (root_dispersion - dispersion).max(0.0),
    })
}

/// Seconds and nanoseconds.
fn time_of(text: &str) -> Option<Timestamp> {
    let (seconds, nanos) = text.split_once('.')?;
    if nanos.len() != 9 || !nanos.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let nanos = seconds.checked_mul(1_000_000_000)?.checked_add(nanos.parse().ok()?)?;
    Some(Timestamp::from_nanos(nanos))
}

fn words<const COUNT: usize>(line: &str) -> Option<[&str; COUNT]> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.try_into().ok()
}

const fn leap_number(leap: LeapIndicator) -> u8 {
    match leap {
        LeapIndicator::NoWarning => 0,
        LeapIndicator::Insert => 1,
        LeapIndicator::Delete => 2,
        LeapIndicator::Unsynchronised => 3,
    }
}

/// A source without time has no measurements that are worth keeping.
const fn leap_of(number: u8) -> Option<LeapIndicator> {
    match number {
        0 => Some(LeapIndicator::NoWarning),
        1 => Some(LeapIndicator::Insert),
        2 => Some(LeapIndicator::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use timeball_auth::KeyId;

    use timeball_core::association::Authentication;

    use super::*;

    fn named() -> NamedDump {
        let sample = |seconds: i64, offset: f64| Sample {
            time: Timestamp::from_nanos(seconds * 1_000_000_000 + 5),
            offset,
            delay: 0.5,
            dispersion: 0.0625,
            root_delay: 0.25,
            root_dispersion: 0.125,
        };
        NamedDump {
            name: "ntp.example".to_owned(),
            dump: SourceDump {
                address: "192.0.2.1".parse().unwrap(),
                authenticated: false,
                reach: 0o377,
                stratum: 2,
                leap: LeapIndicator::Insert,
                samples: vec![sample(1_500_000_000, -0.5), sample(-2, 0.25)],
            },
        }
    }

    fn source(name: &str) -> SourceSettings {
        SourceSettings::server(name)
    }

    const TEXT: &str = "SRC0\nntp.example\n0 377 8 2 1\n2 0\n\
        1500000000.000000005 5.000000e-01 5.000000e-01 5.000000e-01 6.250000e-02 7.500000e-01 \
        1.875000e-01\n\
        -2.000000005 -2.500000e-01 -2.500000e-01 5.000000e-01 6.250000e-02 7.500000e-01 \
        1.875000e-01\n";

    #[test]
    fn the_form_is_chronyds() {
        assert_eq!(format(&named()), TEXT);
        assert_eq!(parse(TEXT, named().dump.address), Some(named()));
    }

    #[test]
    fn what_no_key_has_proved_is_nothing_to_a_source_with_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut with_key = source("ntp.example");
        with_key.association.authentication = Authentication::Key(KeyId::new(1).unwrap());
        save(directory.path(), &[named()]);
        assert_eq!(load(directory.path(), &[with_key.clone()]), []);
        let mut proved = named();
        proved.dump.authenticated = true;
        save(directory.path(), &[proved.clone()]);
        assert_eq!(load(directory.path(), &[with_key]), [proved.dump.clone()]);
        assert_eq!(load(directory.path(), &[source("ntp.example")]), [proved.dump]);
    }

    #[test]
    fn a_dump_comes_back_under_its_name_alone() {
        let directory = tempfile::tempdir().unwrap();
        let dump = || named().dump;
        save(directory.path(), &[named()]);
        assert!(directory.path().join("192.0.2.1.dat").exists());
        fs::write(directory.path().join("192.0.2.2.dat"), "SRC0\nntp.example\n").unwrap();
        fs::write(directory.path().join("notes.dat"), "SRC0\n").unwrap();
        assert_eq!(load(directory.path(), &[source("ntp.example")]), [dump()]);
        assert_eq!(load(directory.path(), &[source("other.example")]), []);
        remove(directory.path());
        assert_eq!(load(directory.path(), &[source("ntp.example")]), []);
        assert!(directory.path().join("notes.dat").exists(), "not ours");
    }

    #[test]
    fn garbage_is_no_dump() {
        let address = named().dump.address;
        for (from, to) in [
            ("SRC0", "SRC1"),
            (" 377 ", " 9 "),
            (" 8 2 1", " 8 16 1"),
            (" 8 2 1", " 8 2 3"),
            (" 8 2 1", ""),
            ("2 0\n", "3 0\n"),
            ("2 0\n", "0 0\n"),
            ("2 0\n", "99999999999 0\n"),
            ("1500000000.0", "1500000000,0"),
            ("1500000000.0", "9999999999999999999.0"),
            ("6.250000e-02", "nan"),
            ("6.250000e-02", "-1.0"),
            ("1.875000e-01\n", "1.875000e-01 1\n"),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT, "{from:?}");
            assert_eq!(parse(&text, address), None, "{from:?} → {to:?}");
        }
        let mut cut = TEXT;
        while let Some((index, _)) = cut.char_indices().last() {
            cut = &cut[..index];
            // A last number may be cut and still be one.
            let read = parse(cut, address);
            assert!(read.is_none() || cut.len() > TEXT.len() - 13, "{cut:?}");
        }
    }
}
