//! Names, addresses, and the associations made of them.

use std::net::{IpAddr, SocketAddr};

use rand_core::Rng;
use timeball_wire::Span;

use super::source::{Fault, Member, Unfit};
use super::{Engine, Output, ResolveError, ResolveId};
use crate::association::Association;
use crate::estimator::Estimator;
use crate::event::Event;
use crate::now::Now;
use crate::selection::SourceId;
use crate::settings::SourceKind;

/// First requests are spread over this (s), so that many sources do not disturb each other.
const SPREAD: f64 = 0.2;

/// No request leaves sooner than this (s) after its association was made: the program has other
/// things to do when it starts, and what is measured meanwhile measures those.
pub(super) const SETTLING: f64 = 0.2;

/// Between half this time (s) and all of it passes before another source is exchanged because it
/// disagrees: what a majority says must not drive out everybody else at once.
const PATIENCE: f64 = 7200.0;

/// Nobody is exchanged for that this soon after the start.
pub(super) const FIRST_IMPRESSION: Span = Span::from_secs(900);

impl Engine {
    pub(super) fn resolve_names(&mut self, now: Now) {
        for source in &mut self.sources {
            if source.resolve_due().is_some_and(|due| due <= now.monotonic) {
                let id = ResolveId(self.next_resolve);
                self.next_resolve += 1;
                let (name, family) = source.resolve(id, now.monotonic);
                self.outbox.push(Output::Resolve { id, name, family });
            }
        }
    }

    pub(super) fn handle_resolved(
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
                let source = &mut self.sources[index];
                source.unresolved = Some(error.to_string());
                let name = source.settings.name.clone();
                self.outbox.event(Event::ResolveFailed { name, reason: error.to_string() });
            }
        }
        self.fill(now, index);
        // What was dumped of a server may be enough to follow it.
        if self.sources[index].members.iter().any(|member| member.updated) {
            self.select(now);
        }
        self.replace_unfit(now);
    }

    /// Makes associations of spare addresses until there are as many as wanted.
    pub(super) fn fill(&mut self, now: Now, index: usize) {
        while self.sources[index].members.len() < self.sources[index].wanted() {
            let Some(address) = self.next_address(index) else { return };
            let member = self.associate(now, index, address);
            self.sources[index].members.push(member);
            let newest = self.sources[index].members.len() - 1;
            self.look_at_key(index, newest);
            self.recall(now, index, newest);
            self.recall_session(now, index, newest);
        }
    }

    pub(super) fn next_address(&mut self, index: usize) -> Option<SocketAddr> {
        let hosts =
            |member: &Member| [member.association.address(), member.association.ke_address()];
        let in_use: Vec<_> = self.members().flat_map(hosts).collect();
        self.sources[index].next_address(|address| in_use.contains(&address))
    }

    pub(super) fn associate(&mut self, now: Now, index: usize, address: SocketAddr) -> Member {
        let id = SourceId(self.next_source);
        self.next_source += 1;
        let settings = &self.sources[index].settings;
        let estimator = Estimator::new(settings.estimator, self.discipline.frequency());
        let spread = f64::from(self.rng.next_u32()) / f64::from(u32::MAX) * SPREAD;
        let first_request = now.monotonic + Span::from_seconds(SETTLING + spread);
        let make = match settings.kind {
            SourceKind::Peer => Association::with_peer,
            SourceKind::Server | SourceKind::Pool { .. } => Association::new,
        };
        let association = make(settings.association, address, estimator, first_request);
        Member::new(id, settings, association)
    }

    /// Exchanges associations that are no good for others of the same name.
    pub(super) fn replace_unfit(&mut self, now: Now) {
        for index in 0..self.sources.len() {
            while let Some((position, Unfit { fault, reason })) = self.sources[index].replaceable()
            {
                if fault == Fault::Disagrees && now.monotonic < self.replace_at {
                    break;
                }
                let Some(address) = self.next_address(index) else { break };
                if fault == Fault::Disagrees {
                    let share = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
                    let pause = Span::from_seconds(PATIENCE * (0.5 + 0.5 * share));
                    self.replace_at = now.monotonic + pause;
                }
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
                self.look_at_key(index, position);
            }
        }
    }

    /// Keeps the counters of an association that goes.
    pub(super) fn retire(&mut self, member: &Member) {
        if let Some(exchange) = member.association.pending_exchange() {
            self.outbox.push(Output::Close(exchange));
        }
        for (reject, count) in &member.association.statistics().rejected {
            let total = self.rejected.entry(*reject).or_default();
            *total = total.saturating_add(*count);
        }
    }
}
