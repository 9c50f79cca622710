//! What operators ask for.

use super::source::Source;
use super::{Command, CommandError, Engine};
use crate::event::Event;
use crate::now::Now;
use crate::settings::Settings;

impl Engine {
    /// Does what an operator asks for.
    ///
    /// # Errors
    /// Why it cannot be done; nothing has changed then.
    pub fn command(&mut self, now: Now, command: Command) -> Result<(), CommandError> {
        self.observe(now);
        match command {
            Command::Step => self.discipline.step_now(now, &self.timeline, &mut self.outbox),
            Command::Refresh => {
                self.sources.iter_mut().for_each(|source| source.refresh(now.monotonic));
                self.resolve_names(now);
            }
            Command::Stop => self.discipline.stop(now, &self.timeline, &mut self.outbox),
            Command::Configure(settings) => self.configure(now, *settings),
            Command::Burst { sources, good, total } => {
                return self.burst(now, sources, good, total);
            }
            Command::Connect { sources, connectivity } => {
                return self.connect(now, sources, connectivity);
            }
            Command::Modify { address, change } => return self.modify(now, address, change),
            Command::Add(settings) => return self.add(now, *settings),
            Command::Exchange { gone, new } => self.exchange(now, gone, new),
            Command::Delete(address) => return self.delete(now, address),
            Command::DeleteNamed(name) => return self.delete_named(now, &name),
            Command::ResetSources => self.reset_sources(now),
            Command::StepPolicy { threshold, limit } => {
                self.discipline.set_step_policy(threshold, limit);
            }
            Command::MaxUpdateSkew(skew) => self.discipline.set_max_update_skew(skew),
            Command::AdjustFrequency(by) => {
                self.discipline.adjust_frequency(by, &self.timeline, &mut self.outbox);
            }
            Command::AdjustOffset(by) => {
                self.discipline.adjust_offset(now, by, &self.timeline, &mut self.outbox);
                self.publish(now);
            }
            Command::Local(local) => self.configure_local(now, local),
            Command::ActivateSmoothing => {
                if !self.discipline.activate_smoothing() {
                    return Err(CommandError::NotEnabled);
                }
                self.publish(now);
            }
            Command::ResetSmoothing => {
                if !self.discipline.reset_smoothing(now.monotonic) {
                    return Err(CommandError::NotEnabled);
                }
                self.publish(now);
            }
            Command::Reselect => {
                self.selection.reselect();
                self.select(now);
            }
            Command::ReselectDistance(distance) => {
                self.settings.selection.reselect_distance = distance;
                self.selection.configure(self.settings.selection);
            }
        }
        Ok(())
    }

    /// Works with other settings; sources that ask the same servers as before keep their history.
    pub(super) fn configure(&mut self, now: Now, settings: Settings) {
        let mut old = std::mem::take(&mut self.sources);
        let before = old.len();
        let mut surplus = Vec::new();
        for wanted in &settings.sources {
            let kept = old.iter().position(|source| source.settings.asks_like(wanted));
            let source = match kept.map(|index| old.remove(index)) {
                Some(mut source) => {
                    surplus.extend(source.configure(wanted.clone(), now));
                    source
                }
                None => Source::new(wanted.clone(), now.monotonic),
            };
            self.sources.push(source);
        }
        let (kept, removed) = (before - old.len(), old.len());
        surplus.extend(old.into_iter().flat_map(|source| source.members));
        surplus.iter().for_each(|member| self.retire(member));
        let added = self.sources.len() - kept;

        self.configure_reference_clocks(now, &settings.reference_clocks);
        self.selection.configure(settings.selection);
        let discipline = settings.discipline.clone();
        self.discipline.configure(discipline, &self.timeline, &mut self.outbox);
        self.discipline.configure_smoothing(settings.server.smoothing, now.monotonic);
        self.configure_local(now, settings.local);
        self.settings = settings;
        self.outbox.event(Event::Reconfigured { kept, added, removed });
        (0..self.sources.len()).for_each(|index| self.fill(now, index));
        self.resolve_names(now);
        self.select(now);
    }
}
