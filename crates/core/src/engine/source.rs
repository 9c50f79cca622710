//! A configured name, and the associations that it stands for.
//!
//! A `server` is one association with the first address of its name that works; a `pool` is as many
//! as wanted. Addresses that turn out bad are replaced by others of the same name, and when those
//! run out, the name is resolved anew.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use timeball_wire::{Instant, NTP_PORT, Span};

use super::output::{ExchangeId, ResolveId};
use crate::association::Association;
use crate::now::Now;
use crate::reference_clock;
use crate::selection::{Decision, SourceId, Standing, State, Verdict};
use crate::settings::{Family, SourceKind, SourceSettings};

/// Least and longest time between two questions for the same name.
const RESOLVE_AGAIN: Span = Span::from_secs(64);
const RESOLVE_AGAIN_LONGEST: Span = Span::from_secs(4096);
/// A name that could not be resolved yet is asked for sooner, at first.
const RESOLVE_RETRY: Span = Span::from_secs(2);

/// Addresses taken from one answer: a forged one with dozens must not fill a pool for ever.
const MAX_ADDRESSES: usize = 16;

/// Rounds of selection that a source may disagree before it is exchanged for another.
const DISAGREEMENTS: u32 = 4;

/// Answers without a single measurement after which a source is exchanged for another.
const USELESS_ANSWERS: u64 = 16;

/// Why an address should be exchanged for another.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) fault: Fault,
    /// The same in words.
    pub(super) reason: String,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It gives no time.
    Useless,
    /// The time it gives is not that of the other sources.
    Disagrees,
}

/// One association of a source.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: SourceId,
    pub(super) association: Association,
    pub(super) verdict: Verdict,
    /// The numbers behind the verdict.
    pub(super) standing: Option<Standing>,
    /// Has a measurement that selection has not seen.
    pub(super) updated: bool,
    /// What the log calls it.
    pub(super) label: String,
    /// Answers or not, as far as the log has been told.
    pub(super) reachable: Option<bool>,
    /// The last exchange for which something came that proved nothing.
    pub(super) doubted: Option<ExchangeId>,
    /// Measurements in a row with which selection could do nothing.
    disagreed: u32,
}

impl Member {
    pub(super) fn new(id: SourceId, settings: &SourceSettings, association: Association) -> Self {
        let label = label(settings, association.address());
        let verdict = Verdict { state: State::Measuring, reason: "no measurement yet".to_owned() };
        Self {
            id,
            association,
            verdict,
            standing: None,
            updated: false,
            label,
            reachable: None,
            doubted: None,
            disagreed: 0,
        }
    }

    /// Takes note of what selection made of a new measurement, and decided.
    pub(super) fn judged(&mut self, verdict: Verdict, decision: &Decision) {
        self.verdict = verdict;
        if !std::mem::take(&mut self.updated) {
            return;
        }
        self.disagreed = match self.verdict.state {
            State::Falseticker
            | State::Untrusted
            | State::Distant
            | State::Jittery
            | State::StratumTooLow
            | State::StratumTooHigh
            | State::Unsynchronised => self.disagreed.saturating_add(1),
            // Nobody knows who is wrong, but somebody is.
            State::Waiting if matches!(decision, Decision::NoMajority { .. }) => {
                self.disagreed.saturating_add(1)
            }
            State::Unselectable
            | State::Measuring
            | State::Unreachable
            | State::Waiting
            | State::Orphan
            | State::Unpreferred
            | State::Outlier
            | State::Combined
            | State::Selected => 0,
        };
    }

    /// Why this address should be exchanged for another, if it should.
    pub(super) fn unfit(&self) -> Option<Unfit> {
        let useless = |reason: &str| Some(Unfit { fault: Fault::Useless, reason: reason.into() });
        if self.association.dismissed().is_some() {
            return useless("it refuses to serve us");
        }
        if self.association.reachability().is_lost() {
            return useless("it does not answer");
        }
        if self.association.gets_no_keys() {
            return useless("it gives no keys");
        }
        let statistics = self.association.statistics();
        if statistics.accepted == 0 && statistics.valid >= USELESS_ANSWERS {
            return useless("none of its answers is of any use");
        }
        let reason = || self.verdict.reason.clone();
        (self.disagreed >= DISAGREEMENTS)
            .then(|| Unfit { fault: Fault::Disagrees, reason: reason() })
    }
}

/// A source as the log calls it: its name, its port if that is unusual, and its address if that is
/// not the name.
fn label(settings: &SourceSettings, address: SocketAddr) -> String {
    let name = &settings.name;
    let literal = name.parse::<IpAddr>().is_ok();
    match (literal, settings.port == NTP_PORT) {
        (true, true) => name.clone(),
        (true, false) => address.to_string(),
        (false, true) => format!("{name} ({})", address.ip()),
        (false, false) => format!("{name} ({address})"),
    }
}

/// A reference clock as the log calls it.
pub(super) fn label_of_clock(settings: &reference_clock::Settings) -> String {
    settings.reference_id.display(0).to_string()
}

/// A configured name.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) settings: SourceSettings,
    pub(super) members: Vec<Member>,
    /// Addresses of the name that no member uses.
    spare: VecDeque<IpAddr>,
    /// The question that waits for its answer.
    resolving: Option<ResolveId>,
    /// When the name may be, and if there are too few members will be, resolved again.
    resolve_at: Instant,
    resolve_again: Span,
    /// Somebody wants the name resolved though nothing is amiss.
    refreshing: bool,
    /// The last answer had addresses in it.
    resolved: bool,
    /// Why the last attempt to resolve it failed.
    pub(super) unresolved: Option<String>,
}

impl Source {
    pub(super) fn new(settings: SourceSettings, now: Instant) -> Self {
        Self {
            settings,
            members: Vec::new(),
            spare: VecDeque::new(),
            resolving: None,
            resolve_at: now,
            resolve_again: RESOLVE_RETRY,
            refreshing: false,
            resolved: false,
            unresolved: None,
        }
    }

    /// Works by other settings of the same source from now on. Returns the members that are too
    /// many.
    pub(super) fn configure(&mut self, settings: SourceSettings, now: Now) -> Vec<Member> {
        self.settings = settings;
        for member in &mut self.members {
            member.association.configure(self.settings.association, now);
        }
        self.members.split_off(self.members.len().min(self.wanted()))
    }

    /// Why there is no member.
    pub(super) fn why_empty(&self) -> String {
        match (&self.unresolved, self.resolved) {
            (Some(failure), _) => format!("its name cannot be resolved: {failure}"),
            (None, false) => "its name is being resolved".to_owned(),
            (None, true) => "other sources use all of its addresses".to_owned(),
        }
    }

    /// What the log calls it: the name of a pool, the server that it stands for otherwise.
    pub(super) fn label(&self) -> String {
        match (self.settings.kind, self.members.first()) {
            (SourceKind::Server | SourceKind::Peer, Some(member)) => member.label.clone(),
            (SourceKind::Pool { .. }, _) | (_, None) => self.settings.name.clone(),
        }
    }

    /// How many sources it is in a list of all: one at least.
    pub(super) fn places(&self) -> usize {
        self.members.len().max(1)
    }

    /// How many associations the name stands for.
    pub(super) const fn wanted(&self) -> usize {
        match self.settings.kind {
            SourceKind::Server | SourceKind::Peer => 1,
            SourceKind::Pool { count } => count,
        }
    }

    /// A symmetric association.
    pub(super) fn is_peer(&self) -> bool {
        self.settings.kind == SourceKind::Peer
    }

    /// The name may have other addresses than those known.
    fn is_name(&self) -> bool {
        self.settings.name.parse::<IpAddr>().is_err()
    }

    fn lacks_addresses(&self) -> bool {
        self.spare.is_empty()
            && (self.members.len() < self.wanted()
                || self.is_name() && self.members.iter().any(|member| member.unfit().is_some()))
    }

    /// When the name wants to be resolved.
    pub(super) fn resolve_due(&self) -> Option<Instant> {
        let wanted = self.refreshing || self.lacks_addresses();
        (self.resolving.is_none() && wanted).then_some(self.resolve_at)
    }

    /// Notes that the name is being resolved.
    pub(super) fn resolve(&mut self, id: ResolveId, now: Instant) -> (String, Option<Family>) {
        self.resolving = Some(id);
        self.refreshing = false;
        self.resolve_at = now + self.resolve_again;
        self.resolve_again = (self.resolve_again + self.resolve_again).min(RESOLVE_AGAIN_LONGEST);
        (self.settings.name.clone(), self.settings.family)
    }

    /// Resolve the name as soon as possible.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.refreshing = true;
        self.resolve_at = now;
        self.resolve_again = RESOLVE_RETRY;
    }

    /// True if this answers the question under way, which it is no more.
    pub(super) fn answers(&mut self, id: ResolveId) -> bool {
        let answered = self.resolving == Some(id);
        if answered {
            self.resolving = None;
        }
        answered
    }

    /// Takes the addresses of an answer that no member uses yet.
    pub(super) fn learn(&mut self, addresses: &[IpAddr]) {
        self.unresolved = None;
        self.resolved = !addresses.is_empty();
        self.resolve_again = self.resolve_again.max(RESOLVE_AGAIN);
        self.spare.clear();
        for address in addresses.iter().take(MAX_ADDRESSES).map(IpAddr::to_canonical) {
            let family_fits = match self.settings.family {
                None => true,
                Some(Family::Ipv4) => address.is_ipv4(),
                Some(Family::Ipv6) => address.is_ipv6(),
            };
            let known = self.members.iter().any(|m| m.association.address().ip() == address)
                || self.spare.contains(&address);
            if family_fits && !known {
                self.spare.push_back(address);
            }
        }
    }

    /// The next unused address, unless another source uses it.
    pub(super) fn next_address(
        &mut self,
        in_use: impl Fn(SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        while let Some(address) = self.spare.pop_front() {
            let address = SocketAddr::new(address, self.settings.port);
            if !in_use(address) {
                return Some(address);
            }
        }
        None
    }

    /// The first member that should be replaced, if there is something to replace it by.
    pub(super) fn replaceable(&self) -> Option<(usize, Unfit)> {
        if self.spare.is_empty() {
            return None;
        }
        self.members.iter().enumerate().find_map(|(index, member)| Some((index, member.unfit()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimator::{self, Estimator, Frequency};

    fn member() -> Member {
        let settings = SourceSettings::server("ntp.example");
        let estimator =
            Estimator::new(estimator::Settings::default(), Frequency { value: 0.0, sd: 1e-6 });
        let address = SocketAddr::from(([192, 0, 2, 1], NTP_PORT));
        let association =
            Association::new(settings.association, address, estimator, Instant::from_nanos(0));
        Member::new(SourceId(0), &settings, association)
    }

    fn judge(member: &mut Member, state: State, decision: &Decision) {
        member.updated = true;
        member.judged(Verdict { state, reason: "1 s off".to_owned() }, decision);
    }

    #[test]
    fn who_disagrees_often_enough_is_unfit() {
        let mut member = member();
        let waiting = Decision::Waiting;
        (1..DISAGREEMENTS).for_each(|_| judge(&mut member, State::Falseticker, &waiting));
        assert!(member.unfit().is_none());
        judge(&mut member, State::Falseticker, &waiting);
        assert_eq!(member.unfit().map(|unfit| unfit.fault), Some(Fault::Disagrees));
        judge(&mut member, State::Combined, &waiting);
        assert!(member.unfit().is_none());
    }

    #[test]
    fn of_those_that_contradict_each_other_all_are_unfit() {
        let mut member = member();
        let contradiction = Decision::NoMajority { agreeing: 1, candidates: 2 };
        (0..DISAGREEMENTS).for_each(|_| judge(&mut member, State::Waiting, &Decision::Waiting));
        assert!(member.unfit().is_none());
        (0..DISAGREEMENTS).for_each(|_| judge(&mut member, State::Waiting, &contradiction));
        assert_eq!(member.unfit().map(|unfit| unfit.reason), Some("1 s off".to_owned()));
    }
}
