//! What came of a run.
//!
//! Times are seconds; errors are system clock minus true time.

use std::collections::BTreeMap;

use serde::Serialize;
use timeball_core::event;
use timeball_core::selection::State;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The scenario's title.
    pub title: String,
    /// All randomness came from it.
    pub seed: u64,
    /// Simulated time.
    pub duration: f64,
    /// From when on errors counted.
    pub settled_after: f64,
    /// Every machine that ran the engine, in the scenario's order.
    pub nodes: Vec<NodeOutcome>,
}

impl Outcome {
    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<&NodeOutcome> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

/// One machine that ran the engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeOutcome {
    /// Its name.
    pub name: String,
    /// The clock's error, after settling.
    pub error: ErrorStatistics,
    /// When the error was last above the scenario's `converged`; none if it still is at the end.
    pub converged_after: Option<f64>,
    /// The bound that was reported, over the whole run.
    pub bound: BoundStatistics,
    /// The kernel's `maxerror`, over the whole run.
    pub kernel_bound: BoundStatistics,
    /// How fast the clock runs against true time in the end (ppm).
    pub final_frequency_ppm: f64,
    /// Datagrams.
    pub packets: Packets,
    /// Steps of the clock by the engine.
    pub steps: u64,
    /// Steps of the clock by anybody.
    pub all_steps: u64,
    /// Samples at which a source was selected or combined although its server's lie kept true time out
    /// of what the source claims, by the source's address.
    pub liars_followed: BTreeMap<String, u64>,
    /// Datagrams rejected, by rule.
    pub rejected: BTreeMap<String, u64>,
    /// The sources at the end.
    pub sources: Vec<SourceOutcome>,
    /// The log, without its debugging lines.
    pub log: Vec<LogLine>,
    /// The error over time, for plots.
    pub series: Vec<Point>,
}

impl NodeOutcome {
    /// Samples at which a liar was followed.
    pub fn liar_samples(&self) -> u64 {
        self.liars_followed.values().sum()
    }

    /// Lines of the log of this severity and above.
    pub fn alarms(&self, least: Severity) -> impl Iterator<Item = &LogLine> {
        self.log.iter().filter(move |line| line.severity >= least)
    }
}

/// A clock's error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ErrorStatistics {
    /// Samples.
    pub samples: u64,
    /// Root mean square.
    pub rms: f64,
    /// Mean, with its sign.
    pub mean: f64,
    /// Largest magnitude.
    pub max: f64,
    /// Magnitude that one sample in a hundred exceeds.
    pub p99: f64,
    /// The last one, with its sign.
    pub last: f64,
}

/// A bound that was claimed while the clock was said to be synchronised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct BoundStatistics {
    /// Share of all samples at which there was a claim.
    pub claimed: f64,
    /// Share of the claims that were true: |error| ≤ bound. 1 if there were none.
    pub covered: f64,
    /// Mean of the claimed bounds.
    pub mean: f64,
    /// By how much an error exceeded its bound at most.
    pub worst_excess: f64,
}

/// Datagrams of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Packets {
    /// Requests sent.
    pub sent: u64,
    /// Datagrams that arrived on the sockets of requests.
    pub received: u64,
    /// Answers given to clients.
    pub served: u64,
}

/// A source at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceOutcome {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Option<String>,
    /// What selection made of it.
    pub state: State,
    /// Why.
    pub reason: String,
}

/// A line of a node's log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogLine {
    /// When.
    pub at: f64,
    /// How loud.
    pub severity: Severity,
    /// What.
    pub text: String,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// For whoever is looking.
    Debug,
    /// Normal operation.
    Info,
    /// An operator should know.
    Warning,
    /// An operator must act.
    Error,
}

impl From<event::Severity> for Severity {
    fn from(severity: event::Severity) -> Self {
        match severity {
            event::Severity::Debug => Self::Debug,
            event::Severity::Info => Self::Info,
            event::Severity::Warning => Self::Warning,
            event::Severity::Error => Self::Error,
        }
    }
}

/// A stretch of time in a plot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Its first sample's time.
    pub at: f64,
    /// The least error (with sign) in it.
    pub least: f64,
    /// The greatest error (with sign) in it.
    pub greatest: f64,
    /// The smallest bound claimed in it, if one was claimed throughout.
    pub bound: Option<f64>,
}
