//! What the answers of one host come to.

use std::net::IpAddr;

use serde::Serialize;
use timeball_core::engine::StampQuality;
use timeball_wire::{LeapIndicator, ReferenceId};

use super::probe::Sample;
use super::signer::Authentication;
use super::target::Target;

/// One host and what it answered. Times are seconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HostReport {
    /// As it was named.
    pub(super) host: String,
    /// UDP port.
    pub(super) port: u16,
    /// The address asked.
    pub(super) address: Option<IpAddr>,
    /// What every answer had to prove itself by.
    pub(super) authentication: Authentication,
    /// Requests sent.
    pub(super) sent: usize,
    /// What was measured; none if nothing was.
    #[serde(flatten)]
    pub(super) summary: Option<Summary>,
    /// Why the last request brought nothing, if it did not.
    pub(super) error: Option<String>,
}

impl HostReport {
    /// Nothing asked yet.
    pub(super) fn of(target: &Target) -> Self {
        Self {
            host: target.host.clone(),
            port: target.port,
            address: None,
            authentication: Authentication::None,
            sent: 0,
            summary: None,
            error: None,
        }
    }

    pub(super) fn answered(&self) -> bool {
        self.summary.is_some()
    }
}

/// What several answers come to: the numbers of the one with the smallest root distance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    /// True time minus this machine's clock.
    pub(super) offset: f64,
    /// The offset is within this of the truth, if the server is right: its root distance.
    pub(super) offset_bound: f64,
    /// Round trip to the server.
    pub(super) delay: f64,
    /// Root mean square difference of the other answers' offsets; none of one answer.
    pub(super) jitter: Option<f64>,
    /// The server's stratum.
    pub(super) stratum: u8,
    /// Its reference ID.
    pub(super) reference_id: ReferenceId,
    /// The same in words.
    pub(super) reference: String,
    /// Its leap warning.
    pub(super) leap: LeapIndicator,
    /// Its round trip to the reference clock.
    pub(super) root_delay: f64,
    /// Its dispersion to the reference clock.
    pub(super) root_dispersion: f64,
    /// Half of both round trips and all dispersions.
    pub(super) root_distance: f64,
    /// Precision of its clock.
    pub(super) precision: f64,
    /// Version it answered with.
    pub(super) version: u8,
    /// Answers believed.
    pub(super) samples: usize,
    /// How the transmission is known.
    pub(super) transmit_stamp: StampQuality,
    /// How the arrival is known.
    pub(super) receive_stamp: StampQuality,
}

impl Summary {
    /// `None` of no samples.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let distance = |sample: &Sample| sample.measurement.root_distance();
        let best = samples.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        let header = &best.header;
        let measurement = &best.measurement;
        Some(Self {
            offset: measurement.offset().seconds(),
            offset_bound: measurement.root_distance(),
            delay: measurement.delay(),
            jitter: jitter(best, samples),
            stratum: header.stratum,
            reference_id: header.reference_id,
            reference: header.reference_id.display(header.stratum).to_string(),
            leap: header.leap,
            root_delay: measurement.root_delay,
            root_dispersion: measurement.root_dispersion,
            root_distance: measurement.root_distance(),
            precision: f64::from(header.precision).exp2(),
            version: header.version,
            samples: samples.len(),
            transmit_stamp: best.stamping.transmit,
            receive_stamp: best.stamping.receive,
        })
    }
}

/// RFC 5905 §10: how far the other offsets are from the best one, never below the clock's precision.
fn jitter(best: &Sample, samples: &[Sample]) -> Option<f64> {
    let others = samples.len().checked_sub(1).filter(|others| *others > 0)?;
    let squares = samples.iter().map(|sample| {
        let difference = sample.measurement.offset() - best.measurement.offset();
        difference.seconds().powi(2)
    });
    let variance = squares.sum::<f64>() / others as f64;
    Some(variance.sqrt().max(best.stamping.precision))
}
