//! Which clock it is, how it is read, and what is to be made of its samples.

use std::fmt;
use std::path::PathBuf;

use timeball_wire::ReferenceId;

use crate::association::PollInterval;
use crate::estimator::Method;
use crate::{estimator, selection};

/// One `[[reference-clock]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where its samples come from.
    pub driver: Driver,
    /// What clients are told of it, and what the log calls it.
    pub reference_id: ReferenceId,
    /// How often its samples become a measurement.
    pub poll: PollInterval,
    /// How often the driver is asked for samples; longer than `poll` is as often as that.
    pub driver_poll: PollInterval,
    /// Most samples that one measurement is made of, the newest of them.
    pub filter: usize,
    /// Known error of the clock (s), added to every sample's offset.
    pub offset: f64,
    /// Round-trip delay to the clock (s): half of it is the bound of what `offset` leaves over.
    pub delay: f64,
    /// Its stratum, as if it were a server: 0 for a clock that has its time from no other.
    pub stratum: u8,
    /// How finely it tells the time (s); `None`: as finely as the system clock.
    pub precision: Option<f64>,
    /// A measurement is dropped if its samples are so scattered that its dispersion (s) is larger.
    pub max_dispersion: Option<f64>,
    /// What it counts.
    pub time_scale: TimeScale,
    /// After so many polls without a sample it is not selected any more.
    pub max_unreach: u32,
    /// Window of the estimator.
    pub estimator: estimator::Settings,
    /// What selection may do with it.
    pub options: selection::Options,
}

/// Where samples come from. The engine only passes it on, to whoever can read it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Driver {
    /// A segment of shared memory that another program writes to, as ntpd's driver 28 has it.
    SharedMemory {
        /// Its number, from 0.
        unit: u8,
        /// Who may access it if it has to be made, as for a file: `0o600`.
        permissions: u16,
    },
    /// A Unix socket that another program sends samples to, as chrony has it.
    Socket {
        /// Where it is made.
        path: PathBuf,
    },
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SharedMemory { unit, .. } => write!(f, "shared memory unit {unit}"),
            Self::Socket { path } => write!(f, "socket {}", path.display()),
        }
    }
}

/// What a clock counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeScale {
    /// UTC.
    #[default]
    Utc,
    /// TAI, which has no leap seconds: the table of them makes UTC of it.
    Tai,
}

impl Settings {
    /// A clock with every default.
    pub fn new(driver: Driver, reference_id: ReferenceId) -> Self {
        Self {
            driver,
            reference_id,
            poll: PollInterval::new(4),
            driver_poll: PollInterval::SECOND,
            filter: 64,
            offset: 0.0,
            delay: 1e-9,
            stratum: 0,
            precision: None,
            max_dispersion: None,
            time_scale: TimeScale::Utc,
            max_unreach: 100_000,
            estimator: estimator::Settings {
                // Samples are taken at even intervals and what is far off is out already: a line
                // through them is all there is to find.
                method: Method::Classic,
                // No network, no queues of which one way could be the busier.
                asymmetry: Some(0.0),
                ..estimator::Settings::default()
            },
            options: selection::Options::default(),
        }
    }

    /// Reads the same clock in the same way, so that what was measured stays good.
    pub fn reads_like(&self, other: &Self) -> bool {
        (&self.driver, self.time_scale, self.estimator, self.reference_id)
            == (&other.driver, other.time_scale, other.estimator, other.reference_id)
    }

    /// How often the driver is asked.
    pub(super) fn reading_interval(&self) -> PollInterval {
        self.driver_poll.min(self.poll)
    }

    /// Readings that make a poll.
    pub(super) fn readings_per_poll(&self) -> usize {
        let doublings = self.poll.exponent() - self.reading_interval().exponent();
        1 << doublings.clamp(0, 24)
    }

    /// Most samples that one measurement is made of.
    pub(super) fn filter_length(&self) -> usize {
        self.filter.clamp(1, self.readings_per_poll())
    }
}
