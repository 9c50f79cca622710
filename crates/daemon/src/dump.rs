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
//! is ahead, and what adds up on the way to the reference clock includes the way to the server. The
//! file has the name of the source's address, or of a reference clock's identifier; a clock's `NAME`
//! is a dot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use timeball_core::Settings;
use timeball_core::engine::{Origin, Sample, SourceDump};
use timeball_host::atomic_file;
use timeball_wire::{LeapIndicator, ReferenceId, Timestamp};

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
/// The name of what has no name.
const NAMELESS: &str = ".";
/// Before the identifier in the name of a reference clock's file.
const CLOCK_PREFIX: &str = "refid:";

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
        let name_of = |dump: &SourceDump| match dump.origin {
            Origin::Address(address) => sources
                .iter()
                .find(|source| source.address == Some(address))
                .map_or_else(|| address.to_string(), |source| source.name.clone()),
            Origin::Clock(_) => NAMELESS.to_owned(),
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
            let dumps = load(&directory, &self.config.engine);
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
        let path = path_of(directory, named.dump.origin);
        if let Err(error) = atomic_file::replace(&path, format(named).as_bytes()) {
            tracing::error!("Could not write {} : {error}", path.display());
        }
    }
}

/// Reads the dumps of these sources. One that cannot be made use of is a warning; so is what was
/// measured without a key, if the source has one now.
fn load(directory: &Path, settings: &Settings) -> Vec<SourceDump> {
    let mut dumps = Vec::new();
    for (origin, path) in files(directory) {
        let label = label(origin);
        match read(&path, origin).map(|named| named.map(|named| (use_of(&named, settings), named)))
        {
            Ok(Some((Use::Wanted, named))) => {
                tracing::info!("Loaded dump file for {label}");
                dumps.push(named.dump);
            }
            Ok(Some((Use::Nobodys, _))) => {}
            Ok(Some((Use::Unproved, _)) | None) => {
                tracing::warn!("Could not load dump file for {label}");
            }
            Err(error) => tracing::warn!("Could not load dump file for {label} : {error}"),
        }
    }
    dumps
}

/// What a dump is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Wanted,
    /// No source is its own.
    Nobodys,
    /// Its source has a key now.
    Unproved,
}

fn use_of(named: &NamedDump, settings: &Settings) -> Use {
    match named.dump.origin {
        Origin::Address(_) => {
            let source = settings.sources.iter().find(|source| source.name == named.name);
            let Some(source) = source else { return Use::Nobodys };
            let proved =
                named.dump.authenticated || !source.association.authentication.is_required();
            if proved { Use::Wanted } else { Use::Unproved }
        }
        Origin::Clock(id) => {
            let has = settings.reference_clocks.iter().any(|clock| clock.reference_id == id);
            if has { Use::Wanted } else { Use::Nobodys }
        }
    }
}

/// A source as the log calls it.
fn label(origin: Origin) -> String {
    match origin {
        Origin::Address(address) => address.to_string(),
        Origin::Clock(id) => id.display(0).to_string(),
    }
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
fn files(directory: &Path) -> Vec<(Origin, PathBuf)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "dat"))
        .filter_map(|path| Some((origin_of(path.file_stem()?.to_str()?)?, path)))
        .collect();
    files.sort_by(|(_, one), (_, other)| one.cmp(other));
    files
}

fn path_of(directory: &Path, origin: Origin) -> PathBuf {
    directory.join(match origin {
        Origin::Address(address) => format!("{address}.dat"),
        Origin::Clock(id) => {
            format!("{CLOCK_PREFIX}{:08x}.dat", u32::from_be_bytes(id.to_bytes()))
        }
    })
}

/// The source whose dump has this name.
fn origin_of(stem: &str) -> Option<Origin> {
    let Some(digits) = stem.strip_prefix(CLOCK_PREFIX) else {
        return stem.parse().ok().map(Origin::Address);
    };
    let hexadecimal = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)?;
    Some(Origin::Clock(ReferenceId::from_bytes(id.to_be_bytes())))
}

fn read(path: &Path, origin: Origin) -> io::Result<Option<NamedDump>> {
    if fs::metadata(path)?.len() > MAX_LENGTH {
        return Err(io::Error::other("too long for a dump"));
    }
    Ok(parse(&fs::read_to_string(path)?, origin))
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
fn parse(text: &str, origin: Origin) -> Option<NamedDump> {
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
        dump: SourceDump { origin, authenticated, reach, stratum, leap, samples: samples? },
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
    use timeball_core::reference_clock;
    use timeball_core::settings::SourceSettings;

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
                origin: address("192.0.2.1"),
                authenticated: false,
                reach: 0o377,
                stratum: 2,
                leap: LeapIndicator::Insert,
                samples: vec![sample(1_500_000_000, -0.5), sample(-2, 0.25)],
            },
        }
    }

    fn address(text: &str) -> Origin {
        Origin::Address(text.parse().unwrap())
    }

    fn servers(sources: &[SourceSettings]) -> Settings {
        Settings { sources: sources.to_vec(), ..Settings::default() }
    }

    fn server(name: &str) -> Settings {
        servers(&[SourceSettings::server(name)])
    }

    const TEXT: &str = "SRC0\nntp.example\n0 377 8 2 1\n2 0\n\
        1500000000.000000005 5.000000e-01 5.000000e-01 5.000000e-01 6.250000e-02 7.500000e-01 \
        1.875000e-01\n\
        -2.000000005 -2.500000e-01 -2.500000e-01 5.000000e-01 6.250000e-02 7.500000e-01 \
        1.875000e-01\n";

    #[test]
    fn the_form_is_chronyds() {
        assert_eq!(format(&named()), TEXT);
        assert_eq!(parse(TEXT, named().dump.origin), Some(named()));
    }

    #[test]
    fn what_no_key_has_proved_is_nothing_to_a_source_with_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut with_key = SourceSettings::server("ntp.example");
        with_key.association.authentication = Authentication::Key(KeyId::new(1).unwrap());
        save(directory.path(), &[named()]);
        let with_key = servers(&[with_key]);
        assert_eq!(load(directory.path(), &with_key), []);
        let mut proved = named();
        proved.dump.authenticated = true;
        save(directory.path(), &[proved.clone()]);
        assert_eq!(load(directory.path(), &with_key), [proved.dump.clone()]);
        assert_eq!(load(directory.path(), &server("ntp.example")), [proved.dump]);
    }

    #[test]
    fn a_dump_comes_back_under_its_name_alone() {
        let directory = tempfile::tempdir().unwrap();
        let dump = || named().dump;
        save(directory.path(), &[named()]);
        assert!(directory.path().join("192.0.2.1.dat").exists());
        fs::write(directory.path().join("192.0.2.2.dat"), "SRC0\nntp.example\n").unwrap();
        fs::write(directory.path().join("notes.dat"), "SRC0\n").unwrap();
        assert_eq!(load(directory.path(), &server("ntp.example")), [dump()]);
        assert_eq!(load(directory.path(), &server("other.example")), []);
        remove(directory.path());
        assert_eq!(load(directory.path(), &server("ntp.example")), []);
        assert!(directory.path().join("notes.dat").exists(), "not ours");
    }

    #[test]
    fn a_clock_is_known_again_by_its_identifier() {
        let directory = tempfile::tempdir().unwrap();
        let id = ReferenceId::from_bytes(*b"SHM0");
        let dump = SourceDump { origin: Origin::Clock(id), ..named().dump };
        save(directory.path(), &[NamedDump { name: NAMELESS.to_owned(), dump: dump.clone() }]);
        let file = directory.path().join("refid:53484d30.dat");
        assert_eq!(fs::read_to_string(&file).unwrap().lines().nth(1), Some("."));
        let with_clock = |id| {
            let driver = reference_clock::Driver::SharedMemory { unit: 0, permissions: 0o600 };
            let clock = reference_clock::Settings::new(driver, ReferenceId::from_bytes(id));
            Settings { reference_clocks: vec![clock], ..Settings::default() }
        };
        assert_eq!(load(directory.path(), &with_clock(*b"SHM0")), [dump]);
        assert_eq!(load(directory.path(), &with_clock(*b"SHM1")), []);
        remove(directory.path());
        assert!(!file.exists());
    }

    #[test]
    fn what_is_not_the_name_of_a_dump_is_none() {
        for stem in ["refid:53484d3", "refid:+3484d30", "refid:", "53484d30", "192.0.2", ""] {
            assert_eq!(origin_of(stem), None, "{stem:?}");
        }
    }

    #[test]
    fn garbage_is_no_dump() {
        let origin = named().dump.origin;
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
            assert_eq!(parse(&text, origin), None, "{from:?} → {to:?}");
        }
        let mut cut = TEXT;
        while let Some((index, _)) = cut.char_indices().last() {
            cut = &cut[..index];
            // A last number may be cut and still be one.
            let read = parse(cut, origin);
            assert!(read.is_none() || cut.len() > TEXT.len() - 13, "{cut:?}");
        }
    }
}
