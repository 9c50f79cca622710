//! One typed [`Config`], whichever dialect it was written in.
//!
//! ```
//! use timeball_config::{Dialect, parse};
//!
//! let loaded = parse("timeball.toml", "[[server]]\naddress = 'ntp.example'\n", Dialect::Native)?;
//! assert_eq!(loaded.config.engine.sources[0].name, "ntp.example");
//! # Ok::<(), timeball_config::Mistakes>(())
//! ```
//!
//! The way of a file: [`Document`] (text and where its lines are) → [`native`] (keys and values, by
//! the tables in `native/schema`) or [`chrony`] (directives, by those in `chrony/directives`) →
//! [`Config`] and [`Places`] (which line said what) → `check` (do the values make sense together?) →
//! [`Loaded`], or [`Mistakes`]: every [`Diagnostic`], not only the first.
#![forbid(unsafe_code)]

mod check;
pub mod chrony;
mod config;
mod diagnostic;
mod document;
mod leap_seconds_list;
mod leap_seconds_zone;
pub mod native;
mod places;
pub mod reference;

use std::path::Path;

use chrony::{OtherFiles, SourceDirectories};
pub use config::{
    Card, Certificate, Chronyc, ClientPort, Clock, Compensation, Config, Control, DriftFile, Files,
    InitialCorrection, KeyEstablishment, Level, Log, Network, Nts, Process, ReceiveFilter, Record,
    Serve, Temperature, Timestamping, TrustedCertificates,
};
pub use diagnostic::{Diagnostic, Mistakes, Severity, Style};
pub use document::Document;
pub use leap_seconds_list::{LeapSeconds, LeapSecondsError, LeapSecondsList};
pub use leap_seconds_zone::LeapZoneError;
pub use native::{check_host, duration, written_duration};
pub use places::{Places, Scope};

/// The languages a configuration may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `timeball.toml`.
    Native,
    /// chronyd's `chrony.conf`.
    Chrony,
}

impl Dialect {
    /// Every dialect with the word that `--dialect` takes.
    pub const WORDS: &[(&str, Self)] = &[("native", Self::Native), ("chrony", Self::Chrony)];

    /// The dialect that a file is written in, by its name or else by its text.
    pub fn detect(path: &Path, text: &str) -> Self {
        if path.extension().is_some_and(|extension| extension == "toml") || looks_like_toml(text) {
            Self::Native
        } else {
            Self::Chrony
        }
    }
}

/// The first line that is no comment is a table's header or sets a key.
fn looks_like_toml(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with(['#', '!', ';', '%']));
    first.is_some_and(|line| {
        let key = line.split('=').next().unwrap_or_default().trim_end();
        line.starts_with('[') || (line.contains('=') && !key.contains(char::is_whitespace))
    })
}

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What was asked for.
    pub config: Config,
    /// Accepted, but the operator should know.
    pub warnings: Vec<Diagnostic>,
    /// The text, to show a line of it.
    pub document: Document,
    /// Where each value stands in the text, for checks that only the daemon can make.
    pub places: Places,
    /// Where to look for more sources; they are not in `config`, for they come and go.
    pub source_directories: SourceDirectories,
}

/// Reads the file at `path`.
///
/// # Errors
///
/// Everything that is wrong with it, or why it cannot be read.
pub fn load(path: &Path, dialect: Dialect) -> Result<Loaded, Mistakes> {
    match dialect {
        Dialect::Native => read_native(Document::open(path)?),
        Dialect::Chrony => read_chrony(Document::open_lossy(path)?, OtherFiles::Read),
    }
}

/// Reads `text`; `name` stands for the file's name in diagnostics. Takes any text at all without a
/// panic, and reads no file that the text names.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(name: &str, text: &str, dialect: Dialect) -> Result<Loaded, Mistakes> {
    let document = Document::new(name, text);
    match dialect {
        Dialect::Native => read_native(document),
        Dialect::Chrony => read_chrony(document, OtherFiles::LeaveAlone),
    }
}

fn read_native(document: Document) -> Result<Loaded, Mistakes> {
    let mut reading = native::read(&document);
    // What a value means together with others can only be judged when each is known.
    if reading.diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) {
        reading.diagnostics.extend(check::check(&reading.config, &reading.places));
    }
    let directories = SourceDirectories::of(&reading.config.files.source_directories);
    judge(document, reading, directories)
}

fn read_chrony(mut document: Document, others: OtherFiles) -> Result<Loaded, Mistakes> {
    let (reading, directories) = chrony::read(&mut document, others);
    judge(document, reading, directories)
}

/// Without an error it is a configuration.
fn judge(
    document: Document,
    reading: Reading,
    source_directories: SourceDirectories,
) -> Result<Loaded, Mistakes> {
    let Reading { config, places, mut diagnostics } = reading;
    diagnostic::in_reading_order(&mut diagnostics);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(Mistakes { document, diagnostics });
    }
    Ok(Loaded { config, warnings: diagnostics, document, places, source_directories })
}

/// What a dialect makes of a text: as much of the configuration as could be understood, and what
/// could not.
struct Reading {
    config: Config,
    places: Places,
    diagnostics: Vec<Diagnostic>,
}
