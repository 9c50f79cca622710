//! What became of the datagrams, for the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use timeball_auth::nts::response::Rejection;

use super::answer::Proof;
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
    /// Requests that a key or NTS authenticated, whatever became of them.
    #[serde(default)]
    pub authenticated: u64,
    /// Of those, the ones that NTS authenticated.
    #[serde(default)]
    pub nts_authenticated: u64,
    /// Requests with a cookie that is none of ours, or too old: answered with an NTS NAK.
    #[serde(default)]
    pub nts_bad_cookies: u64,
    /// Requests with a good cookie and a wrong authenticator: answered with an NTS NAK.
    #[serde(default)]
    pub nts_bad_authenticators: u64,
    /// Who took the receive timestamps of what was answered.
    #[serde(default)]
    pub received_by: StampCounts,
    /// Who took the transmit timestamps in answers.
    #[serde(default)]
    pub transmitted_by: StampCounts,
    /// Broadcasts sent.
    #[serde(default)]
    pub broadcasts: u64,
    /// Clients that asked for keys (NTS-KE).
    #[serde(default)]
    pub key_exchanges: u64,
    /// Of those, turned away to limit the rate or the number of connections.
    #[serde(default)]
    pub key_exchanges_dropped: u64,
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
        let refused = [
            Refusal::RateLimited,
            Refusal::MalformedNts,
            Refusal::UnknownKey,
            Refusal::KeyNotForHost,
            Refusal::BadMac,
            Refusal::MissingMac,
        ];
        let refused = refused.into_iter().map(|refusal| self.refused.by(refusal));
        refused.fold(self.answered.saturating_add(self.kissed), u64::saturating_add)
    }

    /// Adds another worker's counters.
    pub fn add(&mut self, other: &Self) {
        for (count, added) in [
            (&mut self.answered, other.answered),
            (&mut self.leaked, other.leaked),
            (&mut self.kissed, other.kissed),
            (&mut self.interleaved, other.interleaved),
            (&mut self.authenticated, other.authenticated),
            (&mut self.nts_authenticated, other.nts_authenticated),
            (&mut self.nts_bad_cookies, other.nts_bad_cookies),
            (&mut self.nts_bad_authenticators, other.nts_bad_authenticators),
            (&mut self.broadcasts, other.broadcasts),
            (&mut self.key_exchanges, other.key_exchanges),
            (&mut self.key_exchanges_dropped, other.key_exchanges_dropped),
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

    pub(super) fn count_proof(&mut self, proof: &Proof) {
        let (any, nts) = match proof {
            Proof::None => (0, 0),
            Proof::Key(_) => (1, 0),
            Proof::Nts(_) => (1, 1),
        };
        self.authenticated = self.authenticated.saturating_add(any);
        self.nts_authenticated = self.nts_authenticated.saturating_add(nts);
    }

    pub(super) fn count_rejection(&mut self, rejection: Rejection) {
        let count = match rejection {
            Rejection::Cookie => &mut self.nts_bad_cookies,
            Rejection::Authenticator => &mut self.nts_bad_authenticators,
            // Refused, and counted as such.
            Rejection::Malformed => return,
        };
        *count = count.saturating_add(1);
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
