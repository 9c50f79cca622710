//! Machines that run the engine. What would stand in `timeball.toml` has the same keys here.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use timeball_core::association::{self, PollInterval};
use timeball_core::discipline::{self, Drift};
use timeball_core::engine::StampQuality;
use timeball_core::settings::{Local, Settings, SourceKind, SourceSettings};
use timeball_core::{estimator, selection, server};
use timeball_wire::Span;
use toml::Spanned;

use super::quantity::{frequency, optional_seconds, seconds};
use crate::{clock, oscillator};

/// A machine that runs the engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Node {
    /// The resolver knows it by this name.
    pub name: Spanned<String>,
    /// Its address; one of 198.18.0.0/24 if absent.
    pub address: Option<IpAddr>,
    /// Its system clock minus true time at the start (s).
    #[serde(default, deserialize_with = "seconds")]
    pub offset: f64,
    /// What its clocks run on.
    #[serde(default)]
    pub oscillator: oscillator::Settings,
    /// Noise (s) of reading the clock.
    #[serde(default = "reading_noise", deserialize_with = "seconds")]
    pub reading_noise: f64,
    /// Step (s) in which the clock counts.
    #[serde(default = "resolution", deserialize_with = "seconds")]
    pub resolution: f64,
    /// Who takes the timestamps of its datagrams.
    #[serde(default = "kernel")]
    pub timestamping: StampQuality,
    /// Others use its processor: it is a virtual one.
    pub steal: Option<StealTime>,
    /// The daemon may set the clock.
    #[serde(default = "yes")]
    pub may_set_clock: bool,
    /// When the daemon starts (s).
    #[serde(default, deserialize_with = "seconds")]
    pub starts: f64,
    /// What its drift file holds.
    pub drift: Option<DriftFile>,
    /// `[[server]]` of its configuration.
    #[serde(default)]
    pub server: Vec<Source>,
    /// `[[pool]]` of its configuration.
    #[serde(default)]
    pub pool: Vec<Source>,
    /// `[selection]` of its configuration.
    #[serde(default)]
    pub selection: Selection,
    /// `[clock]` of its configuration.
    #[serde(default)]
    pub clock: ClockControl,
    /// `[serve]` of its configuration.
    #[serde(default)]
    pub serve: Serve,
    /// `[local]` of its configuration.
    pub local: Option<LocalReference>,
}

impl Node {
    /// How its clock is read.
    pub fn reading(&self) -> clock::Reading {
        let resolution = Span::from_seconds(self.resolution);
        clock::Reading { noise: self.reading_noise, resolution }
    }

    /// Its configuration.
    pub fn settings(&self) -> Settings {
        let servers = self.server.iter().map(|source| source.settings(SourceKind::Server));
        let pools = self
            .pool
            .iter()
            .map(|source| source.settings(SourceKind::Pool { count: source.count.unwrap_or(4) }));
        Settings {
            sources: servers.chain(pools).collect(),
            selection: self.selection.settings(),
            discipline: self.clock.settings(),
            server: self.serve.settings(),
            local: self.local.map(LocalReference::settings),
            ..Settings::default()
        }
    }
}

/// A virtual processor that others use now and then. Meanwhile nothing happens in the machine: what
/// arrives is stamped and read when the processor is back. The clock runs on.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StealTime {
    /// Mean time (s) between two spells, which are exponentially far apart.
    #[serde(deserialize_with = "seconds")]
    pub every: f64,
    /// Mean length (s) of a spell; they are exponentially long.
    #[serde(deserialize_with = "seconds")]
    pub lasts: f64,
}

/// A drift file.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DriftFile {
    /// Frequency correction that the clock needs (s/s).
    #[serde(deserialize_with = "frequency")]
    pub frequency: f64,
    /// One standard deviation of it (s/s).
    #[serde(deserialize_with = "frequency")]
    pub uncertainty: f64,
}

impl From<DriftFile> for Drift {
    fn from(file: DriftFile) -> Self {
        Self { frequency: file.frequency, uncertainty: file.uncertainty }
    }
}

/// `[[server]]` or `[[pool]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// Name of a host, a name of the resolver, or a literal address.
    pub address: Spanned<String>,
    count: Option<usize>,
    iburst: Option<bool>,
    burst: Option<bool>,
    minpoll: Option<i8>,
    maxpoll: Option<i8>,
    version: Option<u8>,
    #[serde(default, deserialize_with = "optional_seconds")]
    max_delay: Option<f64>,
    #[serde(default)]
    prefer: bool,
    #[serde(default)]
    trust: bool,
    #[serde(default)]
    require: bool,
    #[serde(default)]
    noselect: bool,
    /// How measurements become an estimate.
    pub estimator: Option<estimator::Method>,
    min_samples: Option<usize>,
    max_samples: Option<usize>,
    poll_target: Option<usize>,
}

impl Source {
    fn settings(&self, kind: SourceKind) -> SourceSettings {
        let default = association::Settings::default();
        let association = association::Settings {
            minpoll: self.minpoll.map_or(default.minpoll, PollInterval::new),
            maxpoll: self.maxpoll.map_or(default.maxpoll, PollInterval::new),
            iburst: self.iburst.unwrap_or(default.iburst),
            burst: self.burst.unwrap_or(default.burst),
            version: self.version.unwrap_or(default.version),
            max_delay: self.max_delay.unwrap_or(default.max_delay),
            poll_target: self.poll_target.unwrap_or(default.poll_target),
            ..default
        };
        let default = estimator::Settings::default();
        let estimator = estimator::Settings {
            method: self.estimator.unwrap_or(default.method),
            min_samples: self.min_samples.unwrap_or(default.min_samples),
            max_samples: self.max_samples.unwrap_or(default.max_samples),
            ..default
        };
        let options = selection::Options {
            noselect: self.noselect,
            prefer: self.prefer,
            trust: self.trust,
            require: self.require,
        };
        SourceSettings {
            kind,
            association,
            estimator,
            options,
            ..SourceSettings::server(self.address.get_ref().clone())
        }
    }
}

/// `[selection]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Selection {
    minimum_sources: Option<usize>,
    #[serde(deserialize_with = "optional_seconds")]
    maximum_distance: Option<f64>,
    #[serde(deserialize_with = "optional_seconds")]
    maximum_jitter: Option<f64>,
    #[serde(deserialize_with = "optional_seconds")]
    stratum_weight: Option<f64>,
    #[serde(deserialize_with = "optional_seconds")]
    reselect_distance: Option<f64>,
    combine_limit: Option<f64>,
    minimum_samples: Option<usize>,
}

impl Selection {
    fn settings(self) -> selection::Settings {
        let default = selection::Settings::default();
        selection::Settings {
            minimum_sources: self.minimum_sources.unwrap_or(default.minimum_sources),
            maximum_distance: self.maximum_distance.unwrap_or(default.maximum_distance),
            maximum_jitter: self.maximum_jitter.unwrap_or(default.maximum_jitter),
            stratum_weight: self.stratum_weight.unwrap_or(default.stratum_weight),
            reselect_distance: self.reselect_distance.unwrap_or(default.reselect_distance),
            combine_limit: self.combine_limit.unwrap_or(default.combine_limit),
            minimum_samples: self.minimum_samples.unwrap_or(default.minimum_samples),
            ..default
        }
    }
}

/// `[clock]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ClockControl {
    control: Option<bool>,
    #[serde(deserialize_with = "optional_seconds")]
    step_threshold: Option<f64>,
    step_limit: Option<StepLimit>,
    #[serde(deserialize_with = "optional_frequency")]
    max_slew: Option<f64>,
    #[serde(deserialize_with = "optional_frequency")]
    max_frequency: Option<f64>,
    #[serde(deserialize_with = "optional_seconds")]
    panic_threshold: Option<f64>,
    #[serde(deserialize_with = "optional_frequency")]
    wander: Option<f64>,
    leap_mode: Option<LeapMode>,
    correction_time_ratio: Option<f64>,
    #[serde(deserialize_with = "optional_frequency")]
    max_update_skew: Option<f64>,
    max_change: Option<MaxChange>,
    fallback_drift: Option<(i8, i8)>,
    #[serde(deserialize_with = "optional_seconds")]
    initial_step: Option<f64>,
}

impl ClockControl {
    fn settings(self) -> discipline::Settings {
        let default = discipline::Settings::default();
        discipline::Settings {
            control: self.control.unwrap_or(default.control),
            step_threshold: self.step_threshold.unwrap_or(default.step_threshold),
            step_limit: match self.step_limit {
                None => default.step_limit,
                Some(StepLimit::Updates(updates)) => Some(updates),
                Some(StepLimit::Word(Always::Always)) => None,
            },
            max_slew: self.max_slew.unwrap_or(default.max_slew),
            max_frequency: self.max_frequency.unwrap_or(default.max_frequency),
            panic_threshold: self.panic_threshold.unwrap_or(default.panic_threshold),
            wander: self.wander.unwrap_or(default.wander),
            leap_table: None,
            leap_mode: self.leap_mode.map_or(default.leap_mode, discipline::LeapMode::from),
            correction_time_ratio: self.correction_time_ratio.or(default.correction_time_ratio),
            max_update_skew: self.max_update_skew.unwrap_or(default.max_update_skew),
            max_change: self.max_change.map(discipline::MaxChange::from).or(default.max_change),
            fallback_drift: self.fallback_drift.or(default.fallback_drift),
            initial_step: self.initial_step.or(default.initial_step),
        }
    }
}

/// How a leap second is made.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LeapMode {
    System,
    Step,
    Slew,
    Ignore,
}

impl From<LeapMode> for discipline::LeapMode {
    fn from(mode: LeapMode) -> Self {
        match mode {
            LeapMode::System => Self::System,
            LeapMode::Step => Self::Step,
            LeapMode::Slew => Self::Slew,
            LeapMode::Ignore => Self::Ignore,
        }
    }
}

/// `[clock.max-change]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MaxChange {
    #[serde(deserialize_with = "seconds")]
    threshold: f64,
    #[serde(default)]
    start: u32,
    ignore: Option<u32>,
}

impl From<MaxChange> for discipline::MaxChange {
    fn from(MaxChange { threshold, start, ignore }: MaxChange) -> Self {
        Self { threshold, start, ignore }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "a number of updates, or \"always\"")]
enum StepLimit {
    Updates(u32),
    Word(Always),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Always {
    Always,
}

/// `[local]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LocalReference {
    stratum: Option<u8>,
    #[serde(deserialize_with = "optional_seconds")]
    distance: Option<f64>,
    #[serde(deserialize_with = "optional_seconds")]
    activate: Option<f64>,
    orphan: bool,
    #[serde(deserialize_with = "optional_seconds")]
    wait_synchronised: Option<f64>,
    #[serde(deserialize_with = "optional_seconds")]
    wait_unsynchronised: Option<f64>,
}

impl LocalReference {
    fn settings(self) -> Local {
        let default = Local::default();
        Local {
            stratum: self.stratum.unwrap_or(default.stratum),
            distance: self.distance.unwrap_or(default.distance),
            activate: self.activate.unwrap_or(default.activate),
            orphan: self.orphan,
            wait_synchronised: self.wait_synchronised.unwrap_or(default.wait_synchronised),
            wait_unsynchronised: self.wait_unsynchronised.unwrap_or(default.wait_unsynchronised),
        }
    }
}

/// `[serve]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Serve {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    rate_limit: Option<RateLimit>,
    smoothing: Option<Smoothing>,
}

/// `[serve.smoothing]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Smoothing {
    #[serde(deserialize_with = "frequency")]
    max_frequency: f64,
    /// s/s².
    #[serde(deserialize_with = "frequency")]
    max_wander: f64,
    #[serde(default)]
    leap_only: bool,
}

impl From<Smoothing> for server::Smoothing {
    fn from(Smoothing { max_frequency, max_wander, leap_only }: Smoothing) -> Self {
        Self { max_frequency, max_wander, leap_only }
    }
}

impl Serve {
    fn settings(&self) -> server::Settings {
        server::Settings {
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            rate_limit: self.rate_limit.map(RateLimit::settings),
            smoothing: self.smoothing.map(server::Smoothing::from),
            ..server::Settings::default()
        }
    }
}

/// `[serve.rate-limit]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RateLimit {
    #[serde(deserialize_with = "optional_seconds")]
    interval: Option<f64>,
    burst: Option<u32>,
    leak: Option<u32>,
    kiss: Option<u32>,
}

impl RateLimit {
    fn settings(self) -> server::RateLimit {
        let default = server::RateLimit::default();
        server::RateLimit {
            interval: self.interval.unwrap_or(default.interval),
            burst: self.burst.unwrap_or(default.burst),
            leak: self.leak.unwrap_or(default.leak),
            kiss: self.kiss.unwrap_or(default.kiss),
        }
    }
}

fn optional_frequency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    frequency(deserializer).map(Some)
}

const fn reading_noise() -> f64 {
    20e-9
}

const fn resolution() -> f64 {
    1e-9
}

const fn kernel() -> StampQuality {
    StampQuality::Kernel
}

const fn yes() -> bool {
    true
}
