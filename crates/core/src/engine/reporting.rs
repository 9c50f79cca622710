//! The read model, computed.

use std::collections::BTreeMap;
use std::fmt;

use timeball_auth::Keys;
use timeball_auth::nts::AeadAlgorithm;
use timeball_wire::{LeapIndicator, ReferenceId};

use super::Engine;
use super::source::{Member, Source};
use super::update::view;
use crate::association::answer::Form;
use crate::association::{self, Association, LastAnswer, Measured, NtsState, Reject, Test};
use crate::discipline::smoothing::Progress;
use crate::engine::StampQuality;
use crate::estimator::Estimator;
use crate::now::Now;
use crate::report::{
    Activity, KeyDetails, KeyReport, LastExchange, LastMeasurement, NtsReport, PoolReport, Report,
    Smoothing, SourceMode, SourceReport, Tracking,
};
use crate::selection::{State, Verdict};
use crate::server::StampCounts;
use crate::settings::SourceKind;
use crate::timeline::Timeline;

/// Standard deviations of a frequency that are shown as the bound of its error.
const BOUND: f64 = 3.0;

impl Engine {
    /// Everything a person may ask, as of `now`.
    pub fn report(&self, now: Now) -> Report {
        // The engine last looked at the clock when something happened; people ask in between.
        let mut timeline = self.timeline.clone();
        timeline.observe(now);
        Reading { engine: self, now, timeline }.report()
    }
}

/// The engine at the moment it is asked.
pub(super) struct Reading<'a> {
    pub(super) engine: &'a Engine,
    pub(super) now: Now,
    pub(super) timeline: Timeline,
}

impl Reading<'_> {
    fn report(&self) -> Report {
        let engine = self.engine;
        let mut rejected = engine.rejected.clone();
        for member in engine.members() {
            for (reject, count) in &member.association.statistics().rejected {
                *rejected.entry(*reject).or_default() += count;
            }
        }
        let mut rejected = by_name(&rejected);
        for clock in &engine.reference_clocks {
            for (reject, count) in clock.clock.statistics().rejected_by_name() {
                *rejected.entry(reject).or_default() += count;
            }
        }
        let clocks = engine.reference_clocks.iter().map(|clock| self.clock_report(clock));
        let others = engine.sources.iter().flat_map(|source| self.source_reports(source));
        Report {
            tracking: self.tracking(),
            sources: clocks.chain(others).collect(),
            pools: engine.sources.iter().filter_map(pool).collect(),
            rejected,
            smoothing: engine.discipline.smoothing(self.now.monotonic).map(smoothing),
            server: None,
        }
    }

    fn tracking(&self) -> Tracking {
        let (engine, now) = (self.engine, self.now);
        let synchronised = engine.discipline.is_synchronised(now, &self.timeline);
        let reference = engine.discipline.reference();
        let offset = engine.discipline.offset(&self.timeline);
        let frequency = engine.discipline.frequency();
        let peer = reference.filter(|_| synchronised).map(|reference| reference.system_peer);
        let peer_address = engine.members().find(|member| Some(member.id) == peer);
        let updates = engine.discipline.updates();
        let peer_name = engine.sources.iter().find_map(|source| {
            let found = source.members.iter().any(|member| Some(member.id) == peer);
            found.then(|| source.settings.name.clone())
        });
        let clock = engine.reference_clocks.iter().find(|clock| Some(clock.id) == peer);
        let peer_name = peer_name.or_else(|| clock.map(|clock| clock.label.clone()));
        let stratum = reference.map_or(16, |reference| reference.stratum.saturating_add(1));
        let reference_id =
            if synchronised { engine.served.reference_id } else { ReferenceId::NONE };
        let followed = Tracking {
            synchronised,
            reason: self.explain(synchronised, peer_name.as_deref()),
            clock_control: engine.discipline.controls_clock(),
            panicked: engine.discipline.panicked(),
            system_time: Some(now.system),
            system_peer: peer,
            system_peer_name: peer_name,
            system_peer_address: peer_address.map(|member| member.association.address().ip()),
            reference_id,
            reference: if synchronised { self.reference() } else { String::new() },
            stratum: if synchronised { stratum } else { 16 },
            leap: if synchronised {
                engine.discipline.leap_indicator()
            } else {
                LeapIndicator::Unsynchronised
            },
            tai_offset: engine.discipline.tai_offset(now, &self.timeline),
            reference_time: reference.map(|reference| reference.time),
            offset,
            offset_bound: engine.discipline.bound(now, &self.timeline),
            offset_sd: reference.map(|reference| reference.offset_sd),
            remaining_correction: offset.unwrap_or(0.0),
            frequency_ppm: engine.discipline.base_frequency() * 1e6,
            frequency_sd_ppm: frequency.sd * 1e6,
            kernel_frequency_ppm: self.timeline.frequency() * 1e6,
            root_delay: reference.map_or(0.0, |reference| reference.root_delay),
            root_dispersion: reference.map_or(0.0, |reference| reference.dispersion(now.monotonic)),
            update_age: reference.map(|reference| (now.monotonic - reference.at).seconds()),
            selection_age: self.engine.selected_at.map(|at| (now.monotonic - at).seconds()),
            update_interval: updates.interval,
            last_offset: updates.last_offset,
            rms_offset: updates.rms_offset(),
            residual_frequency_ppm: updates.residual_frequency * 1e6,
            skew_ppm: frequency.sd * BOUND * 1e6,
            updates: updates.count,
            steps: engine.discipline.stepped,
            foreign_steps: engine.foreign_steps,
            suspends: engine.suspends,
        };
        if engine.is_own_reference() { self.own_reference(followed) } else { followed }
    }

    /// The clock is its own reference: what is served is what it says of itself.
    fn own_reference(&self, tracking: Tracking) -> Tracking {
        let served = &self.engine.served;
        Tracking {
            reference_id: served.reference_id,
            reference: served.reference_id.display(served.stratum).to_string(),
            stratum: served.stratum,
            leap: served.leap,
            reference_time: Some(served.reference_time),
            root_delay: served.root_delay,
            root_dispersion: served.root_dispersion,
            ..tracking
        }
    }

    /// Whom we follow, in words: its address, of which the reference ID may show but a hash.
    fn reference(&self) -> String {
        let (engine, served) = (self.engine, &self.engine.served);
        let peer = engine.discipline.reference().map(|reference| reference.system_peer);
        let member = engine.members().find(|member| Some(member.id) == peer);
        let clock = engine.reference_clocks.iter().find(|clock| Some(clock.id) == peer);
        match (member, clock) {
            (Some(member), _) => member.association.address().ip().to_string(),
            (None, Some(clock)) => clock.label.clone(),
            (None, None) => served.reference_id.display(served.stratum).to_string(),
        }
    }

    fn explain(&self, synchronised: bool, peer_name: Option<&str>) -> String {
        let (engine, now) = (self.engine, self.now);
        if engine.discipline.panicked() {
            return "all sources are beyond the panic bound: nothing is adjusted before \
                    `timeball step`"
                .to_owned();
        }
        match (synchronised, engine.system_peer, peer_name) {
            (true, Some(_), Some(name)) => format!("following {name}"),
            (true, ..) => {
                let age = engine
                    .discipline
                    .reference()
                    .map_or(0.0, |reference| (now.monotonic - reference.at).seconds());
                format!("holding over for {}: {}", Rough(age), engine.reason)
            }
            (false, ..) if engine.sources.is_empty() && engine.reference_clocks.is_empty() => {
                "no sources are configured".to_owned()
            }
            (false, ..) => match engine.discipline.offset(&self.timeline) {
                Some(offset) if engine.system_peer.is_some() => {
                    let remedy = match engine.discipline.controls_clock() {
                        true => "being corrected",
                        false => "not ours to correct",
                    };
                    format!("this clock is {offset:+.3} s off and {remedy}")
                }
                _ => engine.reason.clone(),
            },
        }
    }

    fn source_reports(&self, source: &Source) -> Vec<SourceReport> {
        if source.members.is_empty() {
            return vec![unresolved(source, &self.engine.keys)];
        }
        source.members.iter().map(|member| self.source_report(source, member)).collect()
    }

    fn source_report(&self, source: &Source, member: &Member) -> SourceReport {
        let now = self.now;
        let association = &member.association;
        let statistics = association.statistics();
        let server = association.server();
        SourceReport {
            id: Some(member.id),
            address: Some(association.address().ip()),
            activity: activity(association),
            effective_options: member.standing.map_or(source.settings.options, |s| s.options),
            score: member.standing.map_or(1.0, |standing| standing.score),
            state: member.verdict.state,
            reason: explain_silence(member),
            reach: association.reachability().register(),
            poll: association.poll_interval().exponent(),
            server_poll: server.map(|server| server.poll),
            next_poll: association
                .next_request()
                .map(|due| (due - now.monotonic).seconds().max(0.0)),
            last_answer: statistics.last_accepted.map(|at| (now.monotonic - at).seconds()),
            stratum: server.map(|server| server.stratum),
            reference_id: server.map(|server| server.reference_id),
            reference: server.map_or_else(String::new, |server| {
                server.reference_id.display(server.stratum).to_string()
            }),
            leap: association.leap(),
            version: server.map_or(source.settings.association.version, |server| server.version),
            last_exchange: association.last_answer().map(|last| last_exchange(last, association)),
            transmit_stamp: statistics.transmit_stamp,
            receive_stamp: statistics.receive_stamp,
            sent: statistics.sent,
            received: statistics.received,
            valid: statistics.valid,
            accepted: statistics.accepted,
            transmitted_by: stamps(&statistics.transmit_stamps),
            received_by: stamps(&statistics.receive_stamps),
            rejected: by_name(&statistics.rejected),
            nts: association.nts_state().map(|state| nts(state, now)),
            ..self.configured(source, member)
        }
    }

    /// What is known of a source by its settings and by its measurements.
    fn configured(&self, source: &Source, member: &Member) -> SourceReport {
        let Member { association, .. } = member;
        let settings = unresolved(source, &self.engine.keys);
        SourceReport {
            name: settings.name,
            port: settings.port,
            pool: settings.pool,
            mode: settings.mode,
            authenticated: settings.authenticated,
            key: settings.key,
            options: settings.options,
            ..self.measured(association.estimator(), association.last_measurement())
        }
    }

    /// What is known of a source by its measurements.
    pub(super) fn measured(
        &self,
        estimator: &Estimator,
        last: Option<&association::LastMeasurement>,
    ) -> SourceReport {
        let correction = self.timeline.correction();
        let estimate = estimator.estimate(self.timeline.now());
        let view = estimate.as_ref().map(|estimate| view(estimate, correction));
        let learnt = estimator.statistics();
        let clock = self.engine.discipline.base_frequency();
        SourceReport {
            offset: view.map(|view| view.offset),
            offset_bound: view.map(|view| view.root_distance()),
            offset_sd: view.map(|view| view.offset_sd),
            frequency_ppm: view.map(|view| view.frequency.value * 1e6),
            frequency_sd_ppm: view.map(|view| view.frequency.sd * 1e6),
            residual_frequency_ppm: view.map(|view| (view.frequency.value - clock) * 1e6),
            skew_ppm: view.map(|view| view.frequency.sd * BOUND * 1e6),
            delay: estimate.map(|estimate| estimate.delay),
            jitter: view.map(|view| view.jitter),
            root_delay: view.map(|view| view.root_delay),
            root_dispersion: view.map(|view| view.root_dispersion),
            samples: learnt.map_or(0, |learnt| learnt.used),
            runs: learnt.map_or(0, |learnt| learnt.runs),
            span: learnt.map_or(0.0, |learnt| learnt.span),
            last_measurement: last.map(|last| {
                let age = (self.timeline.now() - last.measurement.at).seconds();
                LastMeasurement {
                    age,
                    measured_offset: last.offset,
                    // The oscillator has gained since what the clock's frequency takes away.
                    offset: (last.measurement.offset() - correction).seconds() + clock * age,
                    bound: last.measurement.root_distance(),
                }
            }),
            ..SourceReport::default()
        }
    }
}

/// The verdict's reason; of a source that does not answer, also what the network says of it.
fn explain_silence(member: &Member) -> String {
    let Verdict { state, reason } = &member.verdict;
    match (state, member.association.failure()) {
        (State::Measuring | State::Unreachable, Some(failure)) => format!("{reason}: {failure}"),
        _ => reason.clone(),
    }
}

/// A time (s) in the unit that people would use.
struct Rough(f64);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds < 120.0 => write!(f, "{seconds:.0} s"),
            seconds if seconds < 7200.0 => write!(f, "{:.0} min", seconds / 60.0),
            seconds if seconds < 172_800.0 => write!(f, "{:.0} h", seconds / 3600.0),
            seconds => write!(f, "{:.0} days", seconds / 86_400.0),
        }
    }
}

fn activity(association: &Association) -> Activity {
    match (association.connectivity().asks(), association.is_volleying()) {
        (true, false) => Activity::Online,
        (false, false) => Activity::Offline,
        (true, true) => Activity::BurstOnline,
        (false, true) => Activity::BurstOffline,
    }
}

pub(super) fn last_exchange(last: &LastAnswer, association: &Association) -> LastExchange {
    let header = &last.header;
    let measured = last.measured;
    let number = |field: fn(&Measured) -> f64| measured.as_ref().map_or(0.0, field);
    let stamp = |field: fn(&Measured) -> StampQuality| {
        measured.as_ref().map_or(StampQuality::Daemon, field)
    };
    let statistics = association.estimator().statistics();
    LastExchange {
        local_address: last.local,
        leap: header.leap,
        version: header.version,
        mode: header.mode,
        stratum: header.stratum,
        poll: last.poll.exponent(),
        precision: header.precision,
        root_delay: header.root_delay.seconds(),
        root_dispersion: header.root_dispersion.seconds(),
        reference_id: header.reference_id,
        reference_time: (!header.reference_timestamp.is_zero())
            .then(|| header.reference_timestamp.unfold(last.received)),
        offset: number(|measured| measured.offset),
        delay: number(|measured| measured.delay),
        dispersion: number(|measured| measured.dispersion),
        response_time: number(|measured| measured.response_time),
        jitter_asymmetry: statistics.map_or(0.0, |learnt| learnt.asymmetry),
        tests_passed: Test::ALL.into_iter().filter(|test| test.passed(last.reject)).collect(),
        interleaved: last.form == Form::Interleaved,
        transmit_stamp: stamp(|measured| measured.transmit_stamp),
        receive_stamp: stamp(|measured| measured.receive_stamp),
    }
}

fn nts(state: NtsState, now: Now) -> NtsReport {
    NtsReport {
        algorithm: state.algorithm.map(AeadAlgorithm::number),
        key_bits: state.algorithm.map_or(0, |algorithm| algorithm.key_len() * 8),
        sessions: state.sessions,
        age: state.established.map(|at| (now.monotonic - at).seconds()),
        attempts: state.attempts,
        nak: state.nak,
        cookies: state.cookies,
        cookie_len: state.cookie_len,
        certificate_time_unchecked: state.certificate_time_unchecked,
        failure: state.failure,
    }
}

fn stamps(counts: &BTreeMap<StampQuality, u64>) -> StampCounts {
    let by = |quality| counts.get(&quality).copied().unwrap_or(0);
    StampCounts {
        daemon: by(StampQuality::Daemon),
        kernel: by(StampQuality::Kernel),
        hardware: by(StampQuality::Hardware),
    }
}

fn smoothing(progress: Progress) -> Smoothing {
    Smoothing {
        active: progress.active,
        leap_only: progress.leap_only,
        offset: progress.offset,
        frequency_ppm: progress.frequency * 1e6,
        wander_ppm: progress.wander * 1e6,
        age: progress.age,
        remaining: progress.remaining,
    }
}

fn pool(source: &Source) -> Option<PoolReport> {
    matches!(source.settings.kind, SourceKind::Pool { .. }).then(|| PoolReport {
        name: source.settings.name.clone(),
        wanted: source.wanted(),
        found: source.members.len(),
    })
}

/// A source of which nothing is known but its settings.
fn unresolved(source: &Source, keys: &Keys) -> SourceReport {
    let authentication = source.settings.association.authentication;
    SourceReport {
        name: source.settings.name.clone(),
        port: source.settings.port,
        pool: matches!(source.settings.kind, SourceKind::Pool { .. }),
        mode: match source.settings.kind {
            SourceKind::Server | SourceKind::Pool { .. } => SourceMode::Server,
            SourceKind::Peer => SourceMode::Peer,
        },
        authenticated: authentication.is_required(),
        key: authentication.key().map(|id| KeyReport {
            id,
            details: keys
                .get(id)
                .map(|key| KeyDetails { algorithm: key.algorithm(), bits: key.bits() }),
        }),
        options: source.settings.options,
        effective_options: source.settings.options,
        state: if source.unresolved.is_some() { State::Unreachable } else { State::Measuring },
        reason: source.why_empty(),
        poll: source.settings.association.minpoll.exponent(),
        version: source.settings.association.version,
        ..SourceReport::default()
    }
}

fn by_name(rejected: &BTreeMap<Reject, u64>) -> BTreeMap<String, u64> {
    rejected.iter().map(|(reject, count)| (reject.name().to_owned(), *count)).collect()
}
