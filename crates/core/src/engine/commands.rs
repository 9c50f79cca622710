//! What operators ask for.

use super::source::Source;
use super::{Command, Engine};
use crate::event::Event;
use crate::now::Now;
use crate::settings::{Settings, SourceSettings};

impl Engine {
    pub(super) fn handle_command(&mut self, now: Now, command: Command) {
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
    pub(super) fn configure(&mut self, now: Now, settings: Settings) {
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
        self.discipline.configure(settings.discipline.clone());
        self.settings = settings;
        self.outbox.event(Event::Reconfigured { kept, added, removed });
        self.resolve_names(now);
        self.select(now);
    }
}
