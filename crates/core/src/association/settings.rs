//! How a source is asked, and which of its answers are good enough.

use serde::{Deserialize, Serialize};
use timeball_auth::KeyId;

use super::PollInterval;

/// Polling and packet rules of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Shortest poll interval.
    pub minpoll: PollInterval,
    /// Longest poll interval.
    pub maxpoll: PollInterval,
    /// A volley of requests two seconds apart at the start and after silence.
    pub iburst: bool,
    /// More requests in one poll while none brought a good measurement.
    pub burst: bool,
    /// Protocol version to ask with, 1 to 4.
    pub version: u8,
    /// What authenticates requests, and without which no answer is believed.
    pub authentication: Authentication,
    /// Longest round-trip delay to accept (s).
    pub max_delay: f64,
    /// How many measurements the adaptive poll interval aims to keep in the estimator's window.
    pub poll_target: usize,
    /// Interleaved mode (RFC 9769): the server's transmit timestamp comes with its next answer.
    pub interleaved: bool,
    /// Monotonic time (chrony's extension field 0xF323): corrections that the server makes to its own
    /// time are followed as such, with the next answer. Version 4 only.
    pub monotonic: bool,
    /// Known error of the server or the path (s), added to every measured offset.
    pub offset: f64,
    /// Longest delay to accept, as a multiple of the smallest one seen.
    pub max_delay_ratio: Option<f64>,
    /// Longest excess of the delay to accept, as a multiple of the offset's standard deviation.
    pub max_delay_dev_ratio: Option<f64>,
    /// The part of all delays (0 to 1) that is short enough to accept; takes the place of
    /// `max_delay_dev_ratio`.
    pub max_delay_quantile: Option<f64>,
    /// The median of so many polls makes one measurement; 1 takes each as it is.
    pub filter: usize,
    /// From this poll interval on, send a request two seconds before the one that is measured, to
    /// fill the caches on the way.
    pub presend: Option<PollInterval>,
    /// Whether it may be asked at the start.
    pub connectivity: Connectivity,
    /// Raises the stratum that the server claims to at least this.
    pub min_stratum: u8,
    /// Pass on the server's own stratum and reference ID in place of the server itself: for a clock
    /// of this very machine.
    pub copy: bool,
    /// After so many polls without an answer the source is not selected any more, however good its
    /// old measurements are.
    pub max_unreach: u32,
}

/// What proves who answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nothing.
    #[default]
    None,
    /// A key that both sides were given (RFC 5905 §7.3).
    Key(KeyId),
    /// Keys that both sides establish anew from time to time (RFC 8915).
    Nts(NtsServer),
}

/// Where keys are established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtsServer {
    /// TCP port.
    pub port: u16,
    /// Whose certificates are trusted: the number of a set of them.
    pub certificate_set: u32,
}

impl Default for NtsServer {
    fn default() -> Self {
        Self { port: timeball_wire::nts_ke::NTS_KE_PORT, certificate_set: 0 }
    }
}

impl Authentication {
    /// The key that both sides were given, if that is it.
    pub const fn key(self) -> Option<KeyId> {
        match self {
            Self::Key(id) => Some(id),
            Self::None | Self::Nts(_) => None,
        }
    }

    /// Who answers has to prove it.
    pub const fn is_required(self) -> bool {
        match self {
            Self::None => false,
            Self::Key(_) | Self::Nts(_) => true,
        }
    }

    /// What was learnt with `other` proves as much.
    pub const fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) | (Self::Key(_), Self::Key(_)) => true,
            (Self::Nts(one), Self::Nts(other)) => {
                one.port == other.port && one.certificate_set == other.certificate_set
            }
            (Self::None | Self::Key(_) | Self::Nts(_), _) => false,
        }
    }
}

/// May a source be asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connectivity {
    /// Yes.
    Online,
    /// Not until an operator says so.
    Offline,
    /// Until the network says that it cannot be reached; then not until an operator says so.
    AutoOffline,
}

impl Connectivity {
    /// Requests are sent.
    pub const fn asks(self) -> bool {
        match self {
            Self::Online | Self::AutoOffline => true,
            Self::Offline => false,
        }
    }
}

impl Settings {
    /// Packets carry the field for monotonic time; before version 4 there are no fields.
    pub(super) const fn asks_for_mono_root(&self) -> bool {
        self.monotonic && self.version == 4
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minpoll: PollInterval::new(6),
            maxpoll: PollInterval::new(10),
            iburst: true,
            burst: false,
            version: 4,
            authentication: Authentication::None,
            max_delay: 3.0,
            poll_target: 8,
            interleaved: false,
            monotonic: false,
            offset: 0.0,
            max_delay_ratio: None,
            max_delay_dev_ratio: None,
            max_delay_quantile: None,
            filter: 1,
            presend: None,
            connectivity: Connectivity::Online,
            min_stratum: 0,
            copy: false,
            max_unreach: 100_000,
        }
    }
}
