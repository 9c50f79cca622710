//! The read model: everything a person may ask, computed once and shown by every control plane.
//!
//! Times are seconds, frequencies parts per million, unless the name says otherwise.

mod last_exchange;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use last_exchange::{LastExchange, LastMeasurement};

use serde::{Deserialize, Serialize};
use timeball_auth::{Algorithm, KeyId};
use timeball_wire::{LeapIndicator, ReferenceId, Timestamp};

use crate::engine::StampQuality;
use crate::selection::{Options, SourceId, State};
use crate::server::{Counters, StampCounts};

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The clock and what it follows.
    #[serde(flatten)]
    pub tracking: Tracking,
    /// Every source, in the operator's order.
    pub sources: Vec<SourceReport>,
    /// Every pool, in the operator's order.
    #[serde(default)]
    pub pools: Vec<PoolReport>,
    /// What was rejected, by rule, over all sources past and present.
    pub rejected: BTreeMap<String, u64>,
    /// How the served time is smoothed, if it is.
    #[serde(default)]
    pub smoothing: Option<Smoothing>,
    /// What the server side did, filled in by whoever runs it.
    #[serde(default)]
    pub server: Option<Counters>,
}

/// The clock and what it follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracking {
    /// The clock follows a source and its bound is known.
    pub synchronised: bool,
    /// Why, or why not, in words.
    pub reason: String,
    /// The clock is being corrected (false with `--no-clock` and without the right to).
    pub clock_control: bool,
    /// The sources are beyond the panic bound; the clock and waits for an operator.
    pub panicked: bool,
    /// When this was read, by the system clock.
    pub system_time: Option<Timestamp>,
    /// System peer.
    pub system_peer: Option<SourceId>,
    /// Its name.
    pub system_peer_name: Option<String>,
    /// Its address.
    #[serde(default)]
    pub system_peer_address: Option<IpAddr>,
    /// Reference ID we serve.
    pub reference_id: ReferenceId,
    /// The same in words: address, clock or code.
    pub reference: String,
    /// Our stratum: 16 while not synchronised, unless the clock is its own reference.
    pub stratum: u8,
    /// Leap warning.
    pub leap: LeapIndicator,
    /// TAI − UTC (s), if a list of leap seconds tells it.
    #[serde(default)]
    pub tai_offset: Option<i32>,
    /// Last update of the clock.
    pub reference_time: Option<Timestamp>,
    /// Estimated true time minus system clock.
    pub offset: Option<f64>,
    /// The system clock is within this of true time, if the sources are right.
    pub offset_bound: Option<f64>,
    /// One standard deviation of the offset, path asymmetry not included.
    pub offset_sd: Option<f64>,
    /// What is still to be slewed.
    pub remaining_correction: f64,
    /// Frequency correction the oscillator needs (ppm).
    pub frequency_ppm: f64,
    /// One standard deviation of it (ppm).
    pub frequency_sd_ppm: f64,
    /// Frequency correction in force, slew included (ppm).
    pub kernel_frequency_ppm: f64,
    /// Round-trip delay to the reference clock.
    pub root_delay: f64,
    /// Dispersion to the reference clock.
    pub root_dispersion: f64,
    /// Time since the last update from a source.
    pub update_age: Option<f64>,
    /// Time since the sources were last compared with each other.
    #[serde(default)]
    pub selection_age: Option<f64>,
    /// Time between the last two updates; 0 before there were two.
    #[serde(default)]
    pub update_interval: f64,
    /// What the last update found: true time minus where the one before had said that it would be.
    #[serde(default)]
    pub last_offset: f64,
    /// Long-term average of that.
    #[serde(default)]
    pub rms_offset: f64,
    /// The frequency that the last update found minus the one in use until then (ppm).
    #[serde(default)]
    pub residual_frequency_ppm: f64,
    /// Bound of the frequency's error (ppm).
    #[serde(default)]
    pub skew_ppm: f64,
    /// Updates of the clock since the start.
    pub updates: u64,
    /// Steps made since the start.
    pub steps: u64,
    /// Steps by somebody else since the start.
    pub foreign_steps: u64,
    /// Times this machine was suspended.
    pub suspends: u64,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            synchronised: false,
            reason: "starting".into(),
            clock_control: false,
            panicked: false,
            system_time: None,
            system_peer: None,
            system_peer_name: None,
            system_peer_address: None,
            reference_id: ReferenceId::NONE,
            reference: String::new(),
            stratum: 16,
            leap: LeapIndicator::Unsynchronised,
            tai_offset: None,
            reference_time: None,
            offset: None,
            offset_bound: None,
            offset_sd: None,
            remaining_correction: 0.0,
            frequency_ppm: 0.0,
            frequency_sd_ppm: 0.0,
            kernel_frequency_ppm: 0.0,
            root_delay: 0.0,
            root_dispersion: 0.0,
            update_age: None,
            selection_age: None,
            update_interval: 0.0,
            last_offset: 0.0,
            rms_offset: 0.0,
            residual_frequency_ppm: 0.0,
            skew_ppm: 0.0,
            updates: 0,
            steps: 0,
            foreign_steps: 0,
            suspends: 0,
        }
    }
}

/// How the served time is smoothed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    /// Offsets are being smoothed; else they are passed on as they come.
    pub active: bool,
    /// Only leap seconds are smoothed.
    pub leap_only: bool,
    /// Served time minus the time that we believe in.
    pub offset: f64,
    /// How fast that changes (ppm).
    pub frequency_ppm: f64,
    /// How fast the frequency changes (ppm/s).
    pub wander_ppm: f64,
    /// Time since something new was to be smoothed.
    pub age: f64,
    /// Time until nothing is left.
    pub remaining: f64,
}

/// What kind of source it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceMode {
    /// A server that is asked.
    #[default]
    Server,
    /// A symmetric peer.
    Peer,
    /// A clock of this machine itself. It has a reference ID and no address.
    ReferenceClock,
}

/// A name that stands for several sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolReport {
    /// Its name.
    pub name: String,
    /// How many sources are wanted.
    pub wanted: usize,
    /// How many there are.
    pub found: usize,
}

/// Whether a source is asked at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// Its name has no address yet.
    #[default]
    Unresolved,
    /// It is asked.
    Online,
    /// It is not asked.
    Offline,
    /// A volley of requests is under way, and it will be asked after it.
    BurstOnline,
    /// A volley of requests is under way, and it will not be asked after it.
    BurstOffline,
}

/// A source's key: everything but the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReport {
    /// Its name.
    pub id: KeyId,
    /// What it is; `None`: there is no such key.
    pub details: Option<KeyDetails>,
}

/// Network Time Security of a source: everything but the secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NtsReport {
    /// IANA's number of the cipher in use; none without keys.
    pub algorithm: Option<u16>,
    /// Length of a key (bits).
    pub key_bits: usize,
    /// How often keys were established.
    pub sessions: u32,
    /// Time since the last time.
    pub age: Option<f64>,
    /// Attempts to establish keys since the last ones proved good.
    pub attempts: u32,
    /// The server said that it cannot read our cookies.
    pub nak: bool,
    /// Cookies left.
    pub cookies: usize,
    /// Bytes of each.
    pub cookie_len: usize,
    /// The certificate was accepted without a look at the time, which nobody knew.
    pub certificate_time_unchecked: bool,
    /// Why there are no new keys.
    pub failure: Option<String>,
}

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDetails {
    /// How it makes digests.
    pub algorithm: Algorithm,
    /// Length of the secret.
    pub bits: usize,
}

/// One source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Its identifier; none while its name has no address.
    pub id: Option<SourceId>,
    /// Name as configured.
    pub name: String,
    /// Address in use; none while the name is being resolved.
    pub address: Option<IpAddr>,
    /// UDP port.
    pub port: u16,
    /// It came out of a pool.
    pub pool: bool,
    /// Server, peer or reference clock.
    #[serde(default)]
    pub mode: SourceMode,
    /// Whether it is asked at present.
    #[serde(default)]
    pub activity: Activity,
    /// Its packets are authenticated.
    #[serde(default)]
    pub authenticated: bool,
    /// The key that does so.
    #[serde(default)]
    pub key: Option<KeyReport>,
    /// The keys that are established to do so.
    #[serde(default)]
    pub nts: Option<NtsReport>,
    /// What selection may do with it, as configured.
    pub options: Options,
    /// The same, after rules for authenticated and other sources.
    #[serde(default)]
    pub effective_options: Options,
    /// How close it is to becoming the system peer: 1 not at all, 20 and it is.
    #[serde(default)]
    pub score: f64,
    /// What selection made of it.
    pub state: State,
    /// Why, in words.
    pub reason: String,
    /// Last eight polls, newest in the lowest bit.
    pub reach: u8,
    /// Poll interval (log₂ s).
    pub poll: i8,
    /// Poll interval that the last answer named (log₂ s).
    pub server_poll: Option<i8>,
    /// Time to the next request.
    pub next_poll: Option<f64>,
    /// Time since the last good answer.
    pub last_answer: Option<f64>,
    /// Its server's stratum.
    pub stratum: Option<u8>,
    /// Its server's reference ID.
    pub reference_id: Option<ReferenceId>,
    /// The same in words.
    pub reference: String,
    /// Its server's leap warning.
    pub leap: Option<LeapIndicator>,
    /// Protocol version in use.
    pub version: u8,
    /// Estimated true time minus system clock, by this source.
    pub offset: Option<f64>,
    /// The source's root distance: `offset` ± this contains true time if the source is right.
    pub offset_bound: Option<f64>,
    /// One standard deviation of the offset, path asymmetry not included.
    pub offset_sd: Option<f64>,
    /// Frequency of the oscillator by this source (ppm).
    pub frequency_ppm: Option<f64>,
    /// One standard deviation of it (ppm).
    pub frequency_sd_ppm: Option<f64>,
    /// Frequency that the system clock still lacks by this source (ppm), slews left out.
    #[serde(default)]
    pub residual_frequency_ppm: Option<f64>,
    /// Bound of its error (ppm).
    #[serde(default)]
    pub skew_ppm: Option<f64>,
    /// Round-trip delay to the server.
    pub delay: Option<f64>,
    /// Standard deviation of single measurements.
    pub jitter: Option<f64>,
    /// Root delay through this source.
    pub root_delay: Option<f64>,
    /// Root dispersion through this source.
    pub root_dispersion: Option<f64>,
    /// Measurements in use.
    pub samples: usize,
    /// Runs of measurements on the same side of the line through them.
    #[serde(default)]
    pub runs: usize,
    /// Time between the first and the last of them.
    #[serde(default)]
    pub span: f64,
    /// The last good measurement, as it was made.
    #[serde(default)]
    pub last_measurement: Option<LastMeasurement>,
    /// The last packet that proved to be an answer to us, good or not.
    #[serde(default)]
    pub last_exchange: Option<LastExchange>,
    /// How the transmission of the last request is known.
    pub transmit_stamp: Option<StampQuality>,
    /// How the arrival of the last answer is known.
    pub receive_stamp: Option<StampQuality>,
    /// Requests sent.
    pub sent: u64,
    /// Datagrams received.
    #[serde(default)]
    pub received: u64,
    /// Of those, answers to us, good or not.
    #[serde(default)]
    pub valid: u64,
    /// Answers accepted.
    pub accepted: u64,
    /// Requests by who noted the time when they left.
    #[serde(default)]
    pub transmitted_by: StampCounts,
    /// Datagrams received by who noted the time when they came.
    #[serde(default)]
    pub received_by: StampCounts,
    /// Datagrams rejected, by rule.
    pub rejected: BTreeMap<String, u64>,
}
