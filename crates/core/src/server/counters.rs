//! What became of the datagrams, for the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::responder::Verdict;

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
}

impl Counters {
    /// Every datagram there was.
    pub fn received(&self) -> u64 {
        let refused = Refusal::ALL.iter().map(|refusal| self.refused.by(*refusal));
        refused.fold(self.answered.saturating_add(self.kissed), u64::saturating_add)
    }

    /// Adds another worker's counters.
    pub fn add(&mut self, other: &Self) {
        self.answered = self.answered.saturating_add(other.answered);
        self.leaked = self.leaked.saturating_add(other.leaked);
        self.kissed = self.kissed.saturating_add(other.kissed);
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
