//! What became of the datagrams, for the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::responder::Verdict;
use crate::engine::StampQuality;

/// What became of every datagram that reached a responder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Answered with the time; includes those that leaked.
    pub answered: u64,
    /// Answered with the time although the client was over its rate limit.
    pub leaked: u64,
    /// Answered with a kiss-o'-death.
    pub kissed: u64,
    /// Not answered, by rule.
    pub refused: Refused,
    /// Answered in interleaved mode (RFC 9769).
    #[serde(default)]
    pub interleaved: u64,
    /// Who took the receive timestamps of what was answered.
    #[serde(default)]
    pub received_by: StampCounts,
    /// Who took the transmit timestamps in answers.
    #[serde(default)]
    pub transmitted_by: StampCounts,
    /// Broadcasts sent.
    #[serde(default)]
    pub broadcasts: u64,
    /// Reports and commands (chronyc).
    #[serde(default)]
    pub commands: u64,
    /// Of those, dropped to limit the rate.
    #[serde(default)]
    pub commands_dropped: u64,
}

/// Timestamps, by who took them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampCounts {
    /// The daemon.
    pub daemon: u64,
    /// The kernel.
    pub kernel: u64,
    /// Network cards.
    pub hardware: u64,
}

impl StampCounts {
    pub(super) fn count(&mut self, quality: StampQuality) {
        let count = match quality {
            StampQuality::Daemon => &mut self.daemon,
            StampQuality::Kernel => &mut self.kernel,
            StampQuality::Hardware => &mut self.hardware,
        };
        *count = count.saturating_add(1);
    }

    fn add(&mut self, other: &Self) {
        self.daemon = self.daemon.saturating_add(other.daemon);
        self.kernel = self.kernel.saturating_add(other.kernel);
        self.hardware = self.hardware.saturating_add(other.hardware);
    }
}

impl Counters {
    /// Every datagram there was.
    pub fn received(&self) -> u64 {
        let refused = Refusal::ALL.iter().map(|refusal| self.refused.by(*refusal));
        refused.fold(self.answered.saturating_add(self.kissed), u64::saturating_add)
    }

    /// Requests for the time from clients that may be served, whatever became of them.
    pub fn requests(&self) -> u64 {
        let answered = self.answered.saturating_add(self.kissed);
        answered.saturating_add(self.refused.by(Refusal::RateLimited))
    }

    /// Adds another worker's counters.
    pub fn add(&mut self, other: &Self) {
        for (count, added) in [
            (&mut self.answered, other.answered),
            (&mut self.leaked, other.leaked),
            (&mut self.kissed, other.kissed),
            (&mut self.interleaved, other.interleaved),
            (&mut self.broadcasts, other.broadcasts),
            (&mut self.commands, other.commands),
            (&mut self.commands_dropped, other.commands_dropped),
        ] {
            *count = count.saturating_add(added);
        }
        self.received_by.add(&other.received_by);
        self.transmitted_by.add(&other.transmitted_by);
        for (count, added) in self.refused.0.iter_mut().zip(other.refused.0) {
            *count = count.saturating_add(added);
        }
    }

    pub(super) fn count(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Answer(_) => &mut self.answered,
            Verdict::Kiss(_) => &mut self.kissed,
            Verdict::Silence(refusal) => &mut self.refused.0[refusal as usize],
        };
        *count = count.saturating_add(1);
    }
}

/// Datagrams that got no answer, by rule. Serialised as a map that leaves out the zeros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Refusal, u64>", into = "BTreeMap<Refusal, u64>")]
pub struct Refused([u64; Refusal::ALL.len()]);

impl Refused {
    /// How many this rule refused.
    pub fn by(&self, refusal: Refusal) -> u64 {
        self.0[refusal as usize]
    }
}

impl Default for Refused {
    fn default() -> Self {
        Self([0; Refusal::ALL.len()])
    }
}

impl From<Refused> for BTreeMap<Refusal, u64> {
    fn from(refused: Refused) -> Self {
        let counts = Refusal::ALL.iter().map(|refusal| (*refusal, refused.by(*refusal)));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

impl From<BTreeMap<Refusal, u64>> for Refused {
    fn from(counts: BTreeMap<Refusal, u64>) -> Self {
        let mut refused = Self::default();
        for (refusal, count) in counts {
            refused.0[refusal as usize] = count;
        }
        refused
    }
}
