//! The clock: what befell it, what came of our orders, and what the server side is told of it.

use timeball_wire::{LeapIndicator, ReferenceId, Span};

use super::{ClockError, Engine, Output, log2_seconds};
use crate::discipline::local::{LocalReference, RENEWAL};
use crate::discipline::{ClockCommand, Reference};
use crate::event::Event;
use crate::now::Now;
use crate::server::{LOCAL_CLOCK, ServerView};
use crate::settings::Local;
use crate::timeline::Disturbance;

impl Engine {
    /// Notices what somebody else did to the clock.
    pub(super) fn observe(&mut self, now: Now) {
        self.look_around(now);
        if let Some(by) = self.discipline.take_leap(now) {
            // UTC jumps and the clock does not: what separates them is corrected like any offset.
            self.timeline.leap(by);
            self.discipline.served_time_jumped();
            self.discipline.follow_leap(now, by, &self.timeline, &mut self.outbox);
            self.publish(now);
        }
    }

    fn look_around(&mut self, now: Now) {
        let disturbance = self.timeline.observe(now);
        if let Some(slept) = disturbance.suspend {
            self.suspends += 1;
            self.outbox.event(Event::Resumed { after: slept });
            self.discipline.resumed(now, slept, &self.timeline, &mut self.outbox);
            self.restart_associations(now);
            self.selection.restart();
            self.publish(now);
        }
        if disturbance.doubt > 0.0 {
            self.doubt(disturbance.doubt);
        }
        if let Some(by) = disturbance.step {
            if self.discipline.is_leap_step(now, by, &mut self.outbox) {
                self.timeline.leap(by);
                self.discipline.served_time_jumped();
                self.publish(now);
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
        match disturbance {
            Disturbance { step: Some(by), .. } => {
                self.discipline.jumped(now, by, &self.timeline, &mut self.outbox);
            }
            Disturbance { frequency: Some(_), .. } => {
                self.discipline.disturbed(now, &self.timeline, &mut self.outbox);
            }
            Disturbance { step: None, frequency: None, .. } => return,
        }
        self.publish(now);
    }

    /// The clock shows something else than is thought, and the oscillator was misread, by as much as
    /// this (s).
    fn doubt(&mut self, by: f64) {
        let since = self.timeline.now();
        self.discipline.doubt(by);
        self.members_mut().for_each(|member| member.association.doubt(since, by));
        self.reference_clocks.iter_mut().for_each(|clock| clock.clock.doubt(since, by));
    }

    pub(super) fn handle_adjusted(
        &mut self,
        now: Now,
        command: ClockCommand,
        result: Result<(), ClockError>,
    ) {
        // Whatever changed between the two readings was our doing.
        let stepped = match (command, &result) {
            (ClockCommand::Step(by), Ok(())) => {
                Some(self.timeline.observe_step(now, by).step.unwrap_or(by))
            }
            _ => {
                self.timeline.observe(now);
                None
            }
        };
        if let Err(error) = result {
            self.discipline.refused(&error, &mut self.outbox);
        }
        match command {
            ClockCommand::Step(_) => {
                self.discipline.step_done(stepped, &mut self.outbox);
                if stepped.is_some() {
                    self.members_mut().for_each(|m| m.association.clock_stepped(now.monotonic));
                }
                self.discipline.tell_kernel(now, &self.timeline, &mut self.outbox);
                self.publish(now);
            }
            // What is served is reckoned from how fast the clock runs.
            ClockCommand::SetFrequency(_) => self.publish(now),
            ClockCommand::SetStatus(_) => {}
        }
    }

    /// The oscillator is known to need this correction (s/s), whatever measurements say.
    pub(super) fn compensate(&mut self, now: Now, frequency: f64) {
        self.timeline.compensate(frequency);
        self.discipline.compensated(&self.timeline, &mut self.outbox);
        self.publish(now);
    }

    /// Tells the server side what to say.
    pub(super) fn publish(&mut self, now: Now) {
        let synchronised = self.discipline.is_synchronised(now, &self.timeline);
        let reference = self.discipline.reference().filter(|_| synchronised).copied();
        let mut view = match self.own_reference(now, reference.as_ref()) {
            Some(own) => own,
            None => self.followed_reference(now, reference.as_ref()),
        };
        if self.discipline.is_leaping(now) {
            view.leap = LeapIndicator::Unsynchronised;
        }
        if view != self.served {
            self.served = view;
            self.outbox.push(Output::Publish(view));
        }
    }

    fn followed_reference(&self, now: Now, reference: Option<&Reference>) -> ServerView {
        let precision = log2_seconds(self.precision);
        let Some(reference) = reference else {
            return ServerView::unsynchronised(precision, now.monotonic);
        };
        let hides_leap = self.discipline.hides_leap();
        ServerView {
            leap: if hides_leap {
                LeapIndicator::NoWarning
            } else {
                self.discipline.leap_indicator()
            },
            stratum: reference.stratum.saturating_add(1),
            precision,
            reference_id: self.reference_id(),
            reference_time: reference.time,
            root_delay: reference.root_delay,
            root_dispersion: reference.dispersion(now.monotonic),
            as_of: now.monotonic,
            dispersion_rate: reference.dispersion_rate,
            served_offset: self.discipline.served_offset(now, &self.timeline),
            corrections: self.discipline.corrections(),
        }
    }

    /// What to serve if the clock is its own reference now, and not one that it follows.
    fn own_reference(&mut self, now: Now, reference: Option<&Reference>) -> Option<ServerView> {
        let local = self.local.as_mut()?;
        local.note(now.monotonic, reference);
        let stratum = local.settings().stratum;
        self.local_due = local.takes_over_at(reference);
        self.local_due.filter(|due| *due <= now.monotonic)?;
        let age = now.monotonic - self.served.as_of;
        let fresh = if self.is_own_reference() && self.served.stratum == stratum && age < RENEWAL {
            ServerView { leap: LeapIndicator::NoWarning, ..self.served }
        } else {
            // No answer may be older than that.
            let reference_time = now.system - Span::from_secs(1);
            ServerView::local(stratum, self.served.precision, reference_time, now.monotonic)
        };
        self.local_due = Some(fresh.as_of + RENEWAL);
        let served_offset = self.discipline.served_offset(now, &self.timeline);
        let corrections = self.discipline.corrections();
        Some(ServerView { served_offset, corrections, ..fresh })
    }

    /// Has another local reference, or none, from now on.
    pub(super) fn configure_local(&mut self, now: Now, settings: Option<Local>) {
        match (&mut self.local, settings) {
            (Some(local), Some(settings)) => local.configure(settings),
            (local, settings) => {
                *local = settings.map(|settings| LocalReference::new(settings, now.monotonic));
                self.local_due = None;
            }
        }
        self.publish(now);
    }

    /// The clock is its own reference, and follows none.
    pub(super) fn is_own_reference(&self) -> bool {
        self.served.reference_id == LOCAL_CLOCK
    }

    /// The server side should hear something new, though nothing has happened.
    pub(super) fn is_view_due(&self, now: Now) -> bool {
        self.local_due.is_some_and(|due| due <= now.monotonic) || self.discipline.is_leaping(now)
    }

    /// The reference ID to serve: the system peer's address, or its own if it is a reference clock
    /// (RFC 5905 §7.3).
    pub(super) fn reference_id(&self) -> ReferenceId {
        let peer = self.discipline.reference().map(|reference| reference.system_peer);
        let member = self.members().find(|member| Some(member.id) == peer);
        let clock = self.reference_clocks.iter().find(|clock| Some(clock.id) == peer);
        match (member, clock) {
            (Some(member), _) => member.association.reference_id(),
            (None, Some(clock)) => clock.clock.settings().reference_id,
            // The peer is gone; we still hold its time.
            (None, None) => self.served.reference_id,
        }
    }
}
