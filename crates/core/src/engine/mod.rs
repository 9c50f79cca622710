//! The engine: inputs in, deadline and outputs out.

pub mod input;
pub mod outbox;
pub mod output;
mod reporting;
mod source;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use timeball_wire::{Instant, LeapIndicator, ReferenceId, Span};

pub use input::{Answer, ClockError, Command, Input, ResolveError, StampQuality};
pub use outbox::Outbox;
pub use output::{ExchangeId, Output, ResolveId, Transmit};
use source::{Member, Source};

use crate::association::{Accepted, Association, Reject, Surroundings};
use crate::discipline::{ClockCommand, Discipline, Drift};
use crate::estimator::{Estimate, Estimator, Frequency};
use crate::event::Event;
use crate::now::Now;
use crate::selection::{Candidate, Decision, Outcome, Selection, SourceId, View};
use crate::server::ServerView;
use crate::settings::{Settings, SourceSettings};
use crate::timeline::Timeline;

/// Frequency error (s/s) to expect of an oscillator that nobody has measured yet.
const UNKNOWN_FREQUENCY: f64 = 200e-6;

/// First requests are spread over this (s), so that many sources do not disturb each other.
const SPREAD: f64 = 0.2;

/// What the drift file says is believed within this (s/s) at best: it may be months old.
const DRIFT_AGEING: f64 = 1e-6;

/// An NTP client and server, without I/O.
///
/// Call [`handle`](Self::handle) with everything that happens; after each call take
/// [`poll_output`](Self::poll_output) until it is `None`, and call `handle` with
/// [`Input::Timeout`] no earlier than [`next_timeout`](Self::next_timeout). Spurious calls do no
/// harm.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    /// Precision of the system clock (s).
    precision: f64,
    rng: ChaCha20Rng,
    timeline: Timeline,
    sources: Vec<Source>,
    selection: Selection,
    discipline: Discipline,
    /// Why there is or is no time to follow, in words.
    reason: String,
    system_peer: Option<SourceId>,
    own_addresses: Vec<IpAddr>,
    served: ServerView,
    outbox: Outbox,
    next_exchange: u64,
    next_resolve: u64,
    next_source: u32,
    foreign_steps: u64,
    suspends: u64,
    /// Rejects of associations that are gone.
    rejected: BTreeMap<Reject, u64>,
}

impl Engine {
    /// An engine at the moment `now`.
    ///
    /// `drift` is what the drift file remembers; `precision` (s) is how finely the system clock can
    /// be read; `seed` feeds the generator of the random numbers that requests and poll intervals
    /// need and must be unpredictable outside of simulations.
    pub fn new(
        now: Now,
        settings: Settings,
        drift: Option<Drift>,
        precision: f64,
        seed: [u8; 32],
    ) -> Self {
        let precision = precision.clamp(1e-9, 1.0);
        let limit = settings.discipline.max_frequency;
        let frequency = match drift {
            Some(drift) => {
                Frequency { value: drift.frequency, sd: drift.uncertainty.max(0.0) + DRIFT_AGEING }
            }
            // Somebody may have left the kernel a good value; one out of range is a slew cut short.
            None if now.frequency.abs() <= limit => {
                Frequency { value: now.frequency, sd: UNKNOWN_FREQUENCY }
            }
            None => Frequency { value: 0.0, sd: UNKNOWN_FREQUENCY },
        };
        let mut engine = Self {
            precision,
            rng: ChaCha20Rng::from_seed(seed),
            timeline: Timeline::new(now),
            sources: Vec::new(),
            selection: Selection::new(settings.selection),
            discipline: Discipline::new(now, settings.discipline, frequency),
            reason: "no measurements yet".to_owned(),
            system_peer: None,
            own_addresses: Vec::new(),
            served: ServerView::unsynchronised(log2_seconds(precision), now.monotonic),
            outbox: Outbox::default(),
            next_exchange: 0,
            next_resolve: 0,
            next_source: 0,
            foreign_steps: 0,
            suspends: 0,
            rejected: BTreeMap::new(),
            settings,
        };
        let sources = engine.settings.sources.iter().cloned();
        engine.sources = sources.map(|settings| Source::new(settings, now.monotonic)).collect();
        engine.discipline.start(&mut engine.outbox);
        engine.outbox.push(Output::Publish(engine.served));
        engine.resolve_names(now);
        engine
    }

    /// Takes in something that happened at `now`.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::ClockAdjusted { command, before, result } => {
                self.observe(before);
                self.handle_adjusted(now, command, result);
                return;
            }
            _ => self.observe(now),
        }
        match input {
            Input::Timeout => self.handle_timeout(now),
            Input::Datagram(answer) => self.handle_answer(now, &answer),
            Input::Sent { exchange, at, quality } => {
                if let Some((source, member)) = self.pending(exchange) {
                    let association = &mut self.sources[source].members[member].association;
                    association.handle_sent(exchange, at, quality, &self.timeline);
                }
            }
            Input::SendFailed { exchange, reason: _ } => {
                if let Some((source, member)) = self.pending(exchange) {
                    let association = &mut self.sources[source].members[member].association;
                    association.handle_send_failure(exchange);
                    self.outbox.push(Output::Close(exchange));
                    self.replace_unfit(now);
                }
            }
            Input::Resolved { id, addresses } => self.handle_resolved(now, id, addresses),
            Input::OwnAddresses(addresses) => self.own_addresses = addresses.to_vec(),
            Input::Command(command) => self.handle_command(now, command),
            Input::ClockAdjusted { .. } => {}
        }
    }

    /// The next thing to do, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// When [`Input::Timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        let requests = self.members().map(|member| member.association.next_timeout());
        let names = self.sources.iter().filter_map(Source::resolve_due);
        requests.chain(names).chain(self.discipline.next_timeout()).min()
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.sources.iter().flat_map(|source| &source.members)
    }

    fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.sources.iter_mut().flat_map(|source| &mut source.members)
    }

    /// Where the association of an exchange is: source and member.
    fn pending(&self, exchange: ExchangeId) -> Option<(usize, usize)> {
        self.sources.iter().enumerate().find_map(|(index, source)| {
            let waits = |member: &Member| member.association.is_pending(exchange);
            Some((index, source.members.iter().position(waits)?))
        })
    }
}

/// The clock: what befell it, and what came of our orders.
impl Engine {
    /// Notices what somebody else did to the clock.
    fn observe(&mut self, now: Now) {
        let disturbance = self.timeline.observe(now);
        if let Some(slept) = disturbance.suspend {
            self.suspends += 1;
            self.outbox.event(Event::Resumed { after: slept });
            self.discipline.resumed(slept);
            self.members_mut().for_each(|member| member.association.restart(now));
            self.publish(now);
        }
        if let Some(by) = disturbance.step {
            if self.discipline.is_leap_step(now, by, &mut self.outbox) {
                self.timeline.leap(by);
                return;
            }
            self.foreign_steps += 1;
            self.outbox.event(Event::ForeignStep { by });
        }
        // A clock that is not ours is somebody else's to adjust.
        let ours = self.discipline.controls_clock();
        if let Some((from, to)) = disturbance.frequency.filter(|_| ours) {
            self.outbox.event(Event::ForeignFrequency { from, to });
        }
        if disturbance.step.is_some() || disturbance.frequency.is_some() {
            self.discipline.disturbed(now, &self.timeline, &mut self.outbox);
            self.publish(now);
        }
    }

    fn handle_adjusted(&mut self, now: Now, command: ClockCommand, result: Result<(), ClockError>) {
        // Whatever changed between the two readings was our doing.
        self.timeline.observe(now);
        if let Err(error) = result {
            self.discipline.refused(&error, &mut self.outbox);
        }
        match command {
            ClockCommand::Step(_) => {
                self.discipline.tell_kernel(now, &self.timeline, &mut self.outbox);
                self.publish(now);
            }
            ClockCommand::SetFrequency(_) | ClockCommand::SetStatus(_) => {}
        }
    }

    /// Tells the server side what to say.
    fn publish(&mut self, now: Now) {
        let synchronised = self.discipline.is_synchronised(now, &self.timeline);
        let precision = log2_seconds(self.precision);
        let view = match self.discipline.reference() {
            Some(reference) if synchronised => ServerView {
                leap: self.discipline.leap_indicator(),
                stratum: reference.stratum.saturating_add(1),
                precision,
                reference_id: self.reference_id(),
                reference_time: reference.time,
                root_delay: reference.root_delay,
                // What is still to be slewed is an error that we know of.
                root_dispersion: reference.dispersion(now.monotonic)
                    + self.discipline.offset(&self.timeline).unwrap_or(0.0).abs(),
                as_of: now.monotonic,
                dispersion_rate: reference.dispersion_rate,
            },
            _ => ServerView::unsynchronised(precision, now.monotonic),
        };
        if view != self.served {
            self.served = view;
            self.outbox.push(Output::Publish(view));
        }
    }

    /// The reference ID to serve: the system peer's address (RFC 5905 §7.3).
    fn reference_id(&self) -> ReferenceId {
        let peer = self.discipline.reference().map(|reference| reference.system_peer);
        let member = self.members().find(|member| Some(member.id) == peer);
        match member {
            Some(member) => ReferenceId::of_address(member.association.address().ip()),
            // The peer is gone; we still hold its time.
            None => self.served.reference_id,
        }
    }
}

/// Requests and answers.
impl Engine {
    fn handle_timeout(&mut self, now: Now) {
        let mut silent = false;
        for member in self.sources.iter_mut().flat_map(|source| &mut source.members) {
            if let Some(exchange) = member.association.handle_timeout(now) {
                self.outbox.push(Output::Close(exchange));
                silent = true;
            }
        }
        if silent {
            self.note_reachability();
            self.select(now);
            self.replace_unfit(now);
        }
        self.discipline.handle_timeout(now, &self.timeline, &mut self.outbox);
        self.publish_if_lost(now);
        self.resolve_names(now);
        self.send_requests(now);
    }

    /// Holdover has an end: when the bound has outgrown all use.
    fn publish_if_lost(&mut self, now: Now) {
        let served = self.served.leap != LeapIndicator::Unsynchronised;
        if served && !self.discipline.is_synchronised(now, &self.timeline) {
            self.publish(now);
            self.reason = "the last update is too long ago".to_owned();
            self.outbox.event(Event::Unsynchronised { reason: self.reason.clone() });
        }
    }

    fn send_requests(&mut self, now: Now) {
        for source in &mut self.sources {
            for member in &mut source.members {
                let exchange = ExchangeId(self.next_exchange);
                let request =
                    member.association.poll_request(now, &self.timeline, exchange, &mut self.rng);
                if let Some(datagram) = request {
                    self.next_exchange += 1;
                    self.outbox.push(Output::Transmit(Transmit {
                        exchange,
                        destination: member.association.address(),
                        bind_address: source.settings.bind_address,
                        bind_device: source.settings.bind_device.clone(),
                        datagram,
                    }));
                }
            }
        }
    }

    fn handle_answer(&mut self, now: Now, answer: &Answer<'_>) {
        let Some((source, member)) = self.pending(answer.exchange) else {
            // Its association is gone, or has had its answer.
            *self.rejected.entry(Reject::Unsolicited).or_default() += 1;
            self.outbox.push(Output::Close(answer.exchange));
            return;
        };
        let serves = !self.settings.server.allow.is_empty();
        let surroundings = Surroundings {
            timeline: &self.timeline,
            precision: self.precision,
            served: serves.then_some(&self.served),
            own_addresses: &self.own_addresses,
            leap_second: self.discipline.leap().map(|leap| leap.midnight),
        };
        let Source { settings, members, .. } = &mut self.sources[source];
        let (name, member) = (&settings.name, &mut members[member]);
        let result = member.association.handle_answer(now, answer, &surroundings, &mut self.rng);
        if !member.association.is_pending(answer.exchange) {
            self.outbox.push(Output::Close(answer.exchange));
        }
        match result {
            Ok(Accepted::Measured(surprise)) => {
                member.updated = true;
                if let Some(by) = surprise.and_then(|surprise| surprise.stepped) {
                    let name = name.clone();
                    self.outbox.event(Event::SourceStepped { name, by });
                }
                self.note_reachability();
                self.select(now);
            }
            Ok(Accepted::Kissed(code)) => {
                self.outbox.event(Event::Kiss { name: name.clone(), code });
            }
            Err(reject) => self.outbox.event(Event::Rejected { name: name.clone(), reject }),
        }
        self.replace_unfit(now);
    }

    fn note_reachability(&mut self) {
        for source in &mut self.sources {
            for member in &mut source.members {
                let reachability = member.association.reachability();
                let reachable = reachability.is_reachable();
                let news = if member.reachable { reachability.is_lost() } else { reachable };
                if news {
                    member.reachable = reachable;
                    let name = source.settings.name.clone();
                    self.outbox.event(Event::Reachability { name, reachable });
                }
            }
        }
    }
}

/// From measurements to the clock.
impl Engine {
    fn select(&mut self, now: Now) {
        let candidates: Vec<Candidate> = self.candidates();
        let outcome = self.selection.select(&candidates);
        let fresh: Vec<SourceId> =
            candidates.iter().filter(|c| c.updated).map(|c| c.source).collect();
        self.note_verdicts(&outcome);
        match outcome.decision {
            Decision::Synchronise(combination) => {
                self.reason = "synchronised".to_owned();
                self.note_system_peer(combination.system_peer);
                // Without a new measurement behind it there is nothing new to follow.
                if fresh.iter().any(|source| combination.sources.contains(source)) {
                    self.discipline.update(now, &self.timeline, &combination, &mut self.outbox);
                    self.publish(now);
                }
            }
            decision => {
                let reason = decision.to_string();
                if matches!(decision, Decision::NoMajority { .. }) {
                    self.discipline.desynchronise(now, &self.timeline, &mut self.outbox);
                }
                if self.system_peer.take().is_some()
                    || (self.reason != reason && matches!(decision, Decision::NoMajority { .. }))
                {
                    self.outbox.event(Event::Unsynchronised { reason: reason.clone() });
                }
                self.reason = reason;
                self.publish(now);
            }
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let at = self.timeline.now();
        let correction = self.timeline.correction();
        self.sources
            .iter()
            .flat_map(|source| source.members.iter().map(move |member| (source, member)))
            .map(|(source, member)| {
                let association = &member.association;
                Candidate {
                    source: member.id,
                    options: source.settings.options,
                    reachable: association.reachability().is_reachable(),
                    updated: member.updated,
                    leap: association.leap().unwrap_or_default(),
                    stratum: association.server().map_or(0, |server| server.stratum),
                    view: association.estimator().estimate(at).map(|e| view(&e, correction)),
                }
            })
            .collect()
    }

    fn note_verdicts(&mut self, outcome: &Outcome) {
        let mut verdicts: BTreeMap<SourceId, _> = outcome.verdicts.iter().cloned().collect();
        for source in &mut self.sources {
            for member in &mut source.members {
                let Some(verdict) = verdicts.remove(&member.id) else { continue };
                if verdict.state != member.verdict.state {
                    self.outbox.event(Event::SourceState {
                        name: source.settings.name.clone(),
                        state: verdict.state,
                        reason: verdict.reason.clone(),
                    });
                }
                member.judged(verdict);
            }
        }
    }

    fn note_system_peer(&mut self, peer: SourceId) {
        if self.system_peer.replace(peer) == Some(peer) {
            return;
        }
        let found = self.sources.iter().find_map(|source| {
            let member = source.members.iter().find(|member| member.id == peer)?;
            Some((source.settings.name.clone(), member.association.address()))
        });
        if let Some((name, address)) = found {
            self.outbox.event(Event::SystemPeer { name, address });
        }
    }
}

/// A source's estimate as a statement about the system clock.
fn view(estimate: &Estimate, correction: Span) -> View {
    View {
        offset: (estimate.offset - correction).seconds(),
        offset_sd: estimate.offset_sd,
        frequency: estimate.frequency,
        jitter: estimate.jitter,
        root_delay: estimate.root_delay,
        root_dispersion: estimate.root_dispersion,
        samples: estimate.samples,
    }
}

/// Names, addresses and the associations made of them.
impl Engine {
    fn resolve_names(&mut self, now: Now) {
        for source in &mut self.sources {
            if source.resolve_due().is_some_and(|due| due <= now.monotonic) {
                let id = ResolveId(self.next_resolve);
                self.next_resolve += 1;
                let (name, family) = source.resolve(id, now.monotonic);
                self.outbox.push(Output::Resolve { id, name, family });
            }
        }
    }

    fn handle_resolved(
        &mut self,
        now: Now,
        id: ResolveId,
        addresses: Result<&[IpAddr], ResolveError>,
    ) {
        let Some(index) = self.sources.iter_mut().position(|source| source.answers(id)) else {
            return;
        };
        match addresses {
            Ok(addresses) => self.sources[index].learn(addresses),
            Err(error) => {
                let name = self.sources[index].settings.name.clone();
                self.outbox.event(Event::ResolveFailed { name, reason: error.to_string() });
            }
        }
        self.fill(now, index);
        self.replace_unfit(now);
    }

    /// Makes associations of spare addresses until there are as many as wanted.
    fn fill(&mut self, now: Now, index: usize) {
        while self.sources[index].members.len() < self.sources[index].wanted() {
            let Some(address) = self.next_address(index) else { return };
            let member = self.associate(now, index, address);
            self.sources[index].members.push(member);
        }
    }

    fn next_address(&mut self, index: usize) -> Option<SocketAddr> {
        let in_use: Vec<_> = self.members().map(|member| member.association.address()).collect();
        self.sources[index].next_address(|address| in_use.contains(&address))
    }

    fn associate(&mut self, now: Now, index: usize, address: SocketAddr) -> Member {
        let id = SourceId(self.next_source);
        self.next_source += 1;
        let settings = &self.sources[index].settings;
        let estimator = Estimator::new(settings.estimator, self.discipline.frequency());
        let spread = f64::from(self.rng.next_u32()) / f64::from(u32::MAX) * SPREAD;
        let first_request = now.monotonic + Span::from_seconds(spread);
        let association = Association::new(settings.association, address, estimator, first_request);
        Member::new(id, association)
    }

    /// Exchanges associations that are no good for others of the same name.
    fn replace_unfit(&mut self, now: Now) {
        for index in 0..self.sources.len() {
            while let Some((position, reason)) = self.sources[index].replaceable() {
                let Some(address) = self.next_address(index) else { break };
                let member = self.associate(now, index, address);
                let slot = &mut self.sources[index].members[position];
                let old = std::mem::replace(slot, member);
                self.retire(&old);
                self.outbox.event(Event::Replaced {
                    name: self.sources[index].settings.name.clone(),
                    old: old.association.address(),
                    new: Some(address),
                    reason,
                });
            }
        }
    }

    /// Keeps the counters of an association that goes.
    fn retire(&mut self, member: &Member) {
        if let Some(exchange) = member.association.pending_exchange() {
            self.outbox.push(Output::Close(exchange));
        }
        for (reject, count) in &member.association.statistics().rejected {
            let total = self.rejected.entry(*reject).or_default();
            *total = total.saturating_add(*count);
        }
    }
}

/// What operators ask for.
impl Engine {
    fn handle_command(&mut self, now: Now, command: Command) {
        match command {
            Command::Step => self.discipline.step_now(&self.timeline, &mut self.outbox),
            Command::Burst => self.members_mut().for_each(|m| m.association.burst(now)),
            Command::Refresh => {
                self.sources.iter_mut().for_each(|source| source.refresh(now.monotonic));
                self.resolve_names(now);
            }
            Command::Stop => self.discipline.stop(now, &self.timeline, &mut self.outbox),
            Command::Configure(settings) => self.configure(now, *settings),
        }
    }

    /// Works with other settings; sources that are in both keep their history.
    fn configure(&mut self, now: Now, settings: Settings) {
        let mut old = std::mem::take(&mut self.sources);
        let before = old.len();
        let mut adopt = |settings: &SourceSettings| {
            let index = old.iter().position(|source| source.settings == *settings)?;
            Some(old.remove(index))
        };
        self.sources = settings
            .sources
            .iter()
            .map(|wanted| {
                adopt(wanted).unwrap_or_else(|| Source::new(wanted.clone(), now.monotonic))
            })
            .collect();
        let (kept, removed) = (before - old.len(), old.len());
        old.iter().flat_map(|source| &source.members).for_each(|member| self.retire(member));
        let added = self.sources.len() - kept;

        self.selection.configure(settings.selection);
        self.discipline.configure(settings.discipline);
        self.settings = settings;
        self.outbox.event(Event::Reconfigured { kept, added, removed });
        self.resolve_names(now);
        self.select(now);
    }
}

/// Precision as the packet has it: log₂ seconds.
fn log2_seconds(seconds: f64) -> i8 {
    seconds.log2().ceil().clamp(-32.0, 0.0) as i8
}

#[cfg(test)]
mod tests;
