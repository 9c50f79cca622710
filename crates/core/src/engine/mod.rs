//! The engine: inputs in, deadline and outputs out.

mod clock;

mod commands;
pub mod dump;
mod exchanges;
pub mod input;
mod keys;
mod names;
mod nts;
pub mod outbox;
pub mod output;
mod recording;
mod reference_clock_report;
mod reference_clocks;
mod reporting;
mod source;
mod sources;
mod update;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use timeball_auth::Keys;
use timeball_wire::Instant;

pub use dump::{Origin, Sample, SourceDump};
pub use input::{
    Answer, ClockError, ClockReading, Command, CommandError, Input, PeerDatagram, ResolveError,
    SourceChange, Sources, StampQuality,
};
use names::FIRST_IMPRESSION;
pub use nts::KeptSession;
pub use outbox::Outbox;
pub use output::{ExchangeId, KeyEstablishment, Output, Port, ResolveId, Transmit};
use reference_clocks::Clock;
use source::{Member, Source};

use crate::association::Reject;
use crate::discipline::local::LocalReference;
use crate::discipline::{Discipline, Drift};
use crate::estimator::Frequency;
use crate::now::Now;
use crate::selection::{Selection, SourceId};
use crate::server::ServerView;
use crate::settings::Settings;
use crate::timeline::Timeline;

/// Frequency error (s/s) to expect of an oscillator that nobody has measured yet…
const UNKNOWN_FREQUENCY: f64 = 200e-6;

/// …and as a share of the largest correction that the settings allow: who allows for more than any
/// crystal needs expects something worse than a crystal.
const UNKNOWN_SHARE: f64 = 0.1;

/// A frequency beyond this (s/s) in the kernel is no correction but a slew cut short.
const LARGEST_CORRECTION: f64 = 500e-6;

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
    reference_clocks: Vec<Clock>,
    selection: Selection,
    discipline: Discipline,
    /// Why there is or is no time to follow, in words.
    reason: String,
    system_peer: Option<SourceId>,
    /// The log has been told that there is no source to follow, or that there is one.
    selection_told: bool,
    /// The log has been told that the sources contradict each other. How many do is not news.
    contradiction_told: bool,
    /// When sources were last compared with each other.
    selected_at: Option<Instant>,
    own_addresses: Vec<IpAddr>,
    keys: Arc<Keys>,
    served: ServerView,
    /// This machine's clock as a reference, if it may be one.
    local: Option<LocalReference>,
    /// When it takes over, or says so again.
    local_due: Option<Instant>,
    outbox: Outbox,
    next_exchange: u64,
    /// No request leaves before: packets that meet in a queue measure each other.
    quiet_until: Instant,
    next_resolve: u64,
    /// No source is exchanged because it disagrees before.
    replace_at: Instant,
    next_source: u32,
    foreign_steps: u64,
    suspends: u64,
    /// What was measured before the start, of sources that have no association yet.
    dumps: Vec<SourceDump>,
    /// Keys and cookies from before the start, for sources that have no association yet.
    kept_sessions: Vec<KeptSession>,
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
        let unknown = UNKNOWN_FREQUENCY.max(UNKNOWN_SHARE * limit);
        let frequency = match drift {
            Some(drift) => {
                Frequency { value: drift.frequency, sd: drift.uncertainty.max(0.0) + DRIFT_AGEING }
            }
            // Somebody may have left the kernel a good value.
            None if now.frequency.abs() <= limit.min(LARGEST_CORRECTION) => {
                Frequency { value: now.frequency, sd: unknown }
            }
            None => Frequency { value: 0.0, sd: unknown },
        };
        let mut engine = Self {
            precision,
            rng: ChaCha20Rng::from_seed(seed),
            timeline: Timeline::new(now),
            sources: Vec::new(),
            reference_clocks: Vec::new(),
            selection: Selection::new(settings.selection),
            discipline: Discipline::new(now, settings.discipline.clone(), frequency),
            reason: "no measurements yet".to_owned(),
            system_peer: None,
            selection_told: false,
            contradiction_told: false,
            selected_at: None,
            own_addresses: Vec::new(),
            keys: Arc::default(),
            served: ServerView::unsynchronised(log2_seconds(precision), now.monotonic),
            outbox: Outbox::default(),
            next_exchange: 0,
            quiet_until: now.monotonic,
            next_resolve: 0,
            replace_at: now.monotonic + FIRST_IMPRESSION,
            next_source: 0,
            foreign_steps: 0,
            suspends: 0,
            rejected: BTreeMap::new(),
            dumps: Vec::new(),
            kept_sessions: Vec::new(),
            local: settings.local.map(|local| LocalReference::new(local, now.monotonic)),
            local_due: None,
            settings,
        };
        let sources = engine.settings.sources.iter().cloned();
        engine.sources = sources.map(|settings| Source::new(settings, now.monotonic)).collect();
        let clocks = engine.settings.reference_clocks.clone();
        engine.configure_reference_clocks(now, &clocks);
        // From a stream of its own: what it draws is public.
        let mut epochs = ChaCha20Rng::from_seed(seed);
        epochs.set_stream(1);
        engine.discipline.begin_epochs(epochs.next_u32());
        engine.discipline.start(&engine.timeline, &mut engine.outbox);
        engine.discipline.configure_smoothing(engine.settings.server.smoothing, now.monotonic);
        engine.publish(now);
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
            Input::PeerDatagram(datagram) => self.handle_peer_datagram(now, &datagram),
            Input::Sent { exchange, at, quality } => {
                if let Some((source, member)) = self.pending(exchange) {
                    let association = &mut self.sources[source].members[member].association;
                    association.handle_sent(exchange, at, quality, &self.timeline);
                }
            }
            Input::SendFailed { exchange, reason } => {
                self.handle_send_failure(now, exchange, reason);
            }
            Input::Resolved { id, addresses } => self.handle_resolved(now, id, addresses),
            Input::OwnAddresses(addresses) => self.own_addresses = addresses.to_vec(),
            Input::Keys(keys) => self.take_keys(keys),
            Input::KeysEstablished { source, result } => {
                self.take_established_keys(now, source, result);
            }
            Input::Compensation(frequency) => self.compensate(now, frequency),
            Input::ClockRead { clock, reading } => {
                self.handle_clock_reading(now, clock, &reading);
            }
            Input::ClockAdjusted { .. } => {}
        }
    }

    /// The next thing to do, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// Something has befallen the clock that this engine does not know yet: [`Input::Timeout`] tells it.
    pub fn is_disturbed(&self, now: Now) -> bool {
        self.timeline.is_disturbed(now)
    }

    /// When [`Input::Timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        let requests = self.members().filter_map(|member| member.association.next_timeout());
        let names = self.sources.iter().filter_map(Source::resolve_due);
        let readings = self.reference_clocks.iter().map(|clock| clock.clock.next_reading());
        let sources = requests.chain(names).chain(readings);
        sources.chain(self.discipline.next_timeout()).chain(self.local_due).min()
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

/// Precision as the packet has it: log₂ seconds.
fn log2_seconds(seconds: f64) -> i8 {
    seconds.log2().ceil().clamp(-32.0, 0.0) as i8
}

#[cfg(test)]
mod tests;
