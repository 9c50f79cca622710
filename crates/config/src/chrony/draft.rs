//! What the lines read so far have said, until all of them are read.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::path::PathBuf;

use timeball_core::association::NtsServer;
use timeball_core::settings::SourceSettings;
use timeball_core::{estimator, reference_clock};

use super::access::AccessTable;
use super::remarks::remarks;
use super::source_directories::SourceDirectories;
use crate::Reading;
use crate::check::{authentication, reference_clocks};
use crate::config::{Certificate, Chronyc, Clock, Config, DriftFile, Files, Record, Timestamping};
use crate::diagnostic::{Diagnostic, Severity};
use crate::places::{Places, Scope};

/// The configuration as it grows.
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) sources: Vec<DraftSource>,
    pub(super) reference_clocks: Vec<DraftClock>,
    /// For sources that do not say it themselves, whichever line comes first.
    pub(super) defaults: SourceDefaults,
    pub(super) source_directories: SourceDirectories,
    pub(super) served: AccessTable,
    pub(super) asking: AccessTable,
    pub(super) bind: PerFamily,
    pub(super) bind_commands: PerFamily,
    /// Each with its line.
    pub(super) certificates: Vec<(PathBuf, Range<usize>)>,
    /// In the order of the certificates.
    pub(super) certificate_keys: Vec<(PathBuf, Range<usize>)>,
    /// `port 0`: no server, whatever else is said of it.
    pub(super) no_server: bool,
    pub(super) records: BTreeSet<Record>,
    pub(super) places: Places,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A source, without what it has from [`SourceDefaults`].
pub(super) struct DraftSource {
    pub(super) settings: SourceSettings,
    pub(super) min_samples: Option<i64>,
    pub(super) max_samples: Option<i64>,
    /// Keys are to be established,
    pub(super) nts: bool,
    /// and if they are, here.
    pub(super) nts_server: NtsServer,
    pub(super) line: Range<usize>,
    pub(super) name: Range<usize>,
    /// What is to be said of its options.
    pub(super) remarks: Vec<Diagnostic>,
}

/// A reference clock, without what it has from [`SourceDefaults`].
pub(super) struct DraftClock {
    pub(super) settings: reference_clock::Settings,
    pub(super) min_samples: Option<i64>,
    pub(super) max_samples: Option<i64>,
    pub(super) line: Range<usize>,
}

/// What holds for every source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SourceDefaults {
    pub(super) min_samples: i64,
    /// 0 sets no limit of its own.
    pub(super) max_samples: i64,
    pub(super) bind: PerFamily,
    pub(super) bind_device: Option<String>,
}

/// chronyd keeps so many measurements of a source and no more.
const MOST_SAMPLES: i64 = 64;

impl Default for SourceDefaults {
    fn default() -> Self {
        Self { min_samples: 6, max_samples: 0, bind: PerFamily::default(), bind_device: None }
    }
}

/// At most one address of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PerFamily {
    pub(super) ipv4: Option<Ipv4Addr>,
    pub(super) ipv6: Option<Ipv6Addr>,
}

impl PerFamily {
    pub(super) fn set(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.ipv4 = Some(address),
            IpAddr::V6(address) => self.ipv6 = Some(address),
        }
    }

    fn or(self, ipv4: Ipv4Addr, ipv6: Ipv6Addr) -> Vec<IpAddr> {
        vec![self.ipv4.unwrap_or(ipv4).into(), self.ipv6.unwrap_or(ipv6).into()]
    }
}

/// chronyd's configuration before the first line.
fn defaults() -> Config {
    let mut config = Config {
        clock: Clock { leap_seconds_list: None, sync_battery_clock: false, ..Clock::default() },
        files: Files {
            pid_file: Some("/run/chrony/chronyd.pid".into()),
            drift_file: DriftFile::None,
            ..Files::default()
        },
        chronyc: Chronyc {
            socket: Some("/run/chrony/chronyd.sock".into()),
            port: Some(323),
            ..Chronyc::default()
        },
        ..Config::default()
    };
    config.serve.key_establishment.rotation = Some(604_800.0);
    let discipline = &mut config.engine.discipline;
    discipline.step_limit = Some(0);
    // A twelfth, as adjtime of old.
    discipline.max_slew = 1.0 / 12.0;
    discipline.max_frequency = 0.1;
    discipline.panic_threshold = f64::INFINITY;
    config
}

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            config: defaults(),
            sources: Vec::new(),
            reference_clocks: Vec::new(),
            defaults: SourceDefaults::default(),
            source_directories: SourceDirectories::default(),
            served: AccessTable::default(),
            asking: AccessTable::default(),
            bind: PerFamily::default(),
            bind_commands: PerFamily::default(),
            certificates: Vec::new(),
            certificate_keys: Vec::new(),
            no_server: false,
            records: BTreeSet::new(),
            places: Places::default(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// All lines are read.
    pub(super) fn finish(mut self) -> (Reading, SourceDirectories) {
        self.settle_sources();
        self.settle_server();
        self.settle_certificates();
        self.settle_commands();
        self.settle_logs();
        let Self { config, places, mut diagnostics, source_directories, .. } = self;
        // Of a text with mistakes nobody knows yet what it will say.
        if diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) {
            diagnostics.extend(remarks(&config));
            authentication::check(&config, &places, &mut diagnostics);
            reference_clocks::check(&config, &places, &mut diagnostics);
        }
        (Reading { config, places, diagnostics }, source_directories)
    }

    fn settle_sources(&mut self) {
        self.drop_repeated_sources();
        self.source_directories.defaults = self.defaults.clone();
        self.config.files.source_directories =
            self.source_directories.directories().cloned().collect();
        for (index, mut source) in std::mem::take(&mut self.sources).into_iter().enumerate() {
            self.defaults.apply(&mut source);
            let scope = Scope::Source(index);
            self.places.note_table(scope, source.line.clone());
            self.places.note_entry(scope, "address", source.line, source.name);
            self.config.engine.sources.push(source.settings);
        }
        for (index, clock) in std::mem::take(&mut self.reference_clocks).into_iter().enumerate() {
            let DraftClock { mut settings, min_samples, max_samples, line } = clock;
            self.defaults.limit(&mut settings.estimator, min_samples, max_samples);
            self.places.note_table(Scope::Item("reference-clock", index), line);
            self.config.engine.reference_clocks.push(settings);
        }
        // A source that may not keep three measurements is used with those that it has.
        let selection = &mut self.config.engine.selection;
        let sources = self.config.engine.sources.iter().map(|source| source.estimator);
        let clocks = self.config.engine.reference_clocks.iter().map(|clock| clock.estimator);
        for estimator in sources.chain(clocks) {
            selection.minimum_samples = selection.minimum_samples.min(estimator.max_samples);
        }
    }

    fn settle_server(&mut self) {
        let server = &mut self.config.engine.server;
        if self.no_server {
            server.broadcasts.clear();
        } else {
            (server.allow, server.deny) = std::mem::take(&mut self.served).into_lists();
        }
        if self.bind.ipv4.is_some() || self.bind.ipv6.is_some() {
            self.config.serve.bind_addresses =
                self.bind.or(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
        }
    }

    /// The first key belongs to the first certificate, and so on.
    fn settle_certificates(&mut self) {
        let (files, keys) =
            (std::mem::take(&mut self.certificates), std::mem::take(&mut self.certificate_keys));
        if files.len() != keys.len() {
            let alone = if files.len() > keys.len() { files.last() } else { keys.last() };
            let message = format!(
                "there are {} `ntsservercert` and {} `ntsserverkey`",
                files.len(),
                keys.len()
            );
            let mut diagnostic = Diagnostic::error(message)
                .help("each certificate needs its key, in the same order");
            if let Some((_, line)) = alone {
                diagnostic = diagnostic.at(line.clone());
            }
            self.diagnostics.push(diagnostic);
        }
        self.config.serve.key_establishment.certificates = files
            .into_iter()
            .zip(keys)
            .map(|((file, _), (private_key, _))| Certificate { file, private_key })
            .collect();
    }

    fn settle_commands(&mut self) {
        let chronyc = &mut self.config.chronyc;
        (chronyc.allow, chronyc.deny) = std::mem::take(&mut self.asking).into_lists();
        chronyc.bind_addresses = self.bind_commands.or(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    }

    fn settle_logs(&mut self) {
        // The raw measurements are all of them, the accepted ones marked.
        if self.records.contains(&Record::RawMeasurements) {
            self.records.remove(&Record::Measurements);
        }
        self.config.log.records = self.records.iter().copied().collect();
    }

    /// Asks for hardware timestamps.
    pub(super) fn stamp_by_hardware(&mut self) {
        self.config.network.timestamping = Timestamping::Hardware;
    }
}

impl SourceDefaults {
    /// Fills in what the source does not say itself.
    pub(super) fn apply(&self, source: &mut DraftSource) {
        let settings = &mut source.settings;
        self.limit(&mut settings.estimator, source.min_samples, source.max_samples);
        settings.bind_address = self.bind_address(settings);
        settings.bind_device = self.bind_device.clone();
    }

    /// Fills in how many measurements to keep of a source, which may say so itself.
    fn limit(&self, estimator: &mut estimator::Settings, least: Option<i64>, most: Option<i64>) {
        let most = match most.unwrap_or(self.max_samples) {
            0 => MOST_SAMPLES,
            limit => limit.clamp(1, MOST_SAMPLES),
        };
        let least = least.unwrap_or(self.min_samples).clamp(1, most);
        estimator.max_samples = usize::try_from(most).unwrap_or(usize::MAX);
        estimator.min_samples = usize::try_from(least).unwrap_or(usize::MAX);
    }

    /// The local address of the family that the source is of.
    fn bind_address(&self, source: &SourceSettings) -> Option<IpAddr> {
        use timeball_core::settings::Family;
        let family = match source.name.parse() {
            Ok(IpAddr::V4(_)) => Some(Family::Ipv4),
            Ok(IpAddr::V6(_)) => Some(Family::Ipv6),
            Err(_) => source.family,
        };
        let (ipv4, ipv6) = (self.bind.ipv4.map(IpAddr::V4), self.bind.ipv6.map(IpAddr::V6));
        match family {
            Some(Family::Ipv4) => ipv4,
            Some(Family::Ipv6) => ipv6,
            None => ipv4.or(ipv6),
        }
    }
}
