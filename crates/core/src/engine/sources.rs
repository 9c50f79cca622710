//! What operators ask for about sources.

use std::net::IpAddr;

use timeball_wire::Span;

use super::names::SETTLING;
use super::source::Source;
use super::{CommandError, Engine, Output, SourceChange, Sources};
use crate::association::{Connectivity, Settings};
use crate::event::Event;
use crate::now::Now;
use crate::settings::SourceSettings;

impl Engine {
    pub(super) fn burst(
        &mut self,
        now: Now,
        sources: Sources,
        good: Option<u32>,
        total: Option<u32>,
    ) -> Result<(), CommandError> {
        let mut any = matches!(sources, Sources::All);
        for member in self.members_mut() {
            if sources.contains(member.association.address().ip()) {
                any = true;
                member.association.burst(good, total, now);
            }
        }
        self.answer_first(now);
        if any { Ok(()) } else { Err(CommandError::NoSuchSource) }
    }

    /// Lets the answer to an operator leave before any request: on the same wire it would be part of
    /// what is measured.
    fn answer_first(&mut self, now: Now) {
        self.quiet_until = self.quiet_until.max(now.monotonic + Span::from_seconds(SETTLING));
    }

    pub(super) fn connect(
        &mut self,
        now: Now,
        sources: Sources,
        connectivity: Connectivity,
    ) -> Result<(), CommandError> {
        let mut any = matches!(sources, Sources::All);
        let mut changed = Vec::new();
        for source in &mut self.sources {
            let mut all = true;
            for member in &mut source.members {
                if sources.contains(member.association.address().ip()) {
                    any = true;
                    if member.association.connectivity().asks() != connectivity.asks() {
                        changed.push(member.label.clone());
                    }
                    member.association.connect(connectivity, now);
                } else {
                    all = false;
                }
            }
            // What takes the place of these is to be treated alike; so is what has no address yet, if
            // all sources are meant.
            if all && (!source.members.is_empty() || matches!(sources, Sources::All)) {
                source.settings.association.connectivity = connectivity;
            }
        }
        for name in changed {
            self.outbox.event(Event::Connectivity { name, connectivity });
        }
        if any { Ok(()) } else { Err(CommandError::NoSuchSource) }
    }

    pub(super) fn modify(
        &mut self,
        now: Now,
        address: IpAddr,
        change: SourceChange,
    ) -> Result<(), CommandError> {
        let source = self.source_at(address).ok_or(CommandError::NoSuchSource)?;
        apply(&mut self.sources[source].settings, change);
        let settings = self.sources[source].settings.association;
        for member in &mut self.sources[source].members {
            member.association.configure(settings, now);
        }
        let name = self.sources[source].label();
        self.outbox.event(Event::Modified { name, change });
        self.select(now);
        Ok(())
    }

    pub(super) fn add(&mut self, now: Now, settings: SourceSettings) -> Result<(), CommandError> {
        let known = |source: &Source| {
            source.settings.name == settings.name && source.settings.port == settings.port
        };
        let address: Option<IpAddr> = settings.name.parse().ok();
        if self.sources.iter().any(known)
            || address.is_some_and(|address| self.source_at(address).is_some())
        {
            return Err(CommandError::SourceExists);
        }
        let (name, kind) = (settings.name.clone(), settings.kind);
        let place = self.sources.iter().map(Source::places).sum::<usize>() + 1;
        self.outbox.event(Event::Added { name, kind, place });
        self.settings.sources.push(settings.clone());
        self.sources.push(Source::new(settings, now.monotonic));
        self.resolve_names(now);
        Ok(())
    }

    pub(super) fn delete(&mut self, now: Now, address: IpAddr) -> Result<(), CommandError> {
        let index = self.source_at(address).ok_or(CommandError::NoSuchSource)?;
        self.remove(index);
        self.select(now);
        Ok(())
    }

    pub(super) fn delete_named(&mut self, now: Now, name: &str) -> Result<(), CommandError> {
        let found = self.sources.iter().position(|source| source.settings.name == name);
        self.remove(found.ok_or(CommandError::NoSuchSource)?);
        self.select(now);
        Ok(())
    }

    /// Other sources in place of `gone`, those that there are. What is in both keeps its history.
    pub(super) fn exchange(
        &mut self,
        now: Now,
        mut gone: Vec<SourceSettings>,
        mut new: Vec<SourceSettings>,
    ) {
        new.retain(|wanted| {
            let kept = gone.iter().position(|had| had == wanted);
            kept.map(|index| gone.swap_remove(index)).is_none()
        });
        for had in gone {
            let is_it = |source: &Source| source.settings.asks_like(&had);
            if let Some(index) = self.sources.iter().position(is_it) {
                self.remove(index);
            }
        }
        for wanted in new {
            // One that is configured elsewhere stays as it is.
            let _ = self.add(now, wanted);
        }
        self.select(now);
    }

    fn remove(&mut self, index: usize) {
        let source = self.sources.remove(index);
        source.members.iter().for_each(|member| self.retire(member));
        if let Some(index) =
            self.settings.sources.iter().position(|known| known.asks_like(&source.settings))
        {
            self.settings.sources.remove(index);
        }
        let (name, kind) = (source.label(), source.settings.kind);
        self.outbox.event(Event::Removed { name, kind });
    }

    /// Forgets every measurement, but not what they told of the oscillator.
    pub(super) fn reset_sources(&mut self, now: Now) {
        self.restart_associations(now);
        self.selection.restart();
        self.select(now);
    }

    /// Every association and every reference clock begins anew.
    pub(super) fn restart_associations(&mut self, now: Now) {
        for member in self.sources.iter_mut().flat_map(|source| &mut source.members) {
            if let Some(exchange) = member.association.restart(now) {
                self.outbox.push(Output::Close(exchange));
            }
        }
        self.reference_clocks.iter_mut().for_each(|clock| clock.clock.restart());
    }

    /// The source that uses this address, or is named by it.
    fn source_at(&self, address: IpAddr) -> Option<usize> {
        let address = address.to_canonical();
        self.sources.iter().position(|source| {
            source.settings.name.parse() == Ok(address)
                || source
                    .members
                    .iter()
                    .any(|member| member.association.address().ip().to_canonical() == address)
        })
    }
}

fn apply(settings: &mut SourceSettings, change: SourceChange) {
    let Settings { minpoll, maxpoll, .. } = settings.association;
    let association = &mut settings.association;
    match change {
        SourceChange::MinPoll(least) => {
            (association.minpoll, association.maxpoll) = (least, maxpoll.max(least));
        }
        SourceChange::MaxPoll(most) => {
            (association.minpoll, association.maxpoll) = (minpoll.min(most), most);
        }
        SourceChange::MaxDelay(delay) => association.max_delay = delay,
        SourceChange::MaxDelayRatio(ratio) => association.max_delay_ratio = Some(ratio),
        SourceChange::MaxDelayDevRatio(ratio) => association.max_delay_dev_ratio = Some(ratio),
        SourceChange::MinStratum(stratum) => association.min_stratum = stratum,
        SourceChange::PollTarget(target) => association.poll_target = target,
        SourceChange::Offset(offset) => association.offset = offset,
        SourceChange::Options(options) => settings.options = options,
    }
}
