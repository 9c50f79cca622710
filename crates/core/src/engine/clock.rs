//! The clock: what befell it, what came of our orders, and what the server side is told of it.

use timeball_wire::{ReferenceId, Span};

use super::{ClockError, Engine, Output, log2_seconds};
use crate::discipline::ClockCommand;
use crate::event::Event;
use crate::now::Now;
use crate::server::ServerView;
use crate::timeline::Disturbance;

impl Engine {
    /// Notices what somebody else did to the clock.
    pub(super) fn observe(&mut self, now: Now) {
        let disturbance = self.timeline.observe(now);
        if let Some(slept) = disturbance.suspend {
            self.suspends += 1;
            self.outbox.event(Event::Resumed { after: slept });
            self.discipline.resumed(slept);
            self.members_mut().for_each(|member| member.association.restart(now));
            self.selection.restart();
            self.publish(now);
        }
        if let Some(by) = disturbance.step {
            if self.discipline.is_leap_step(now, by, &mut self.outbox) {
                self.timeline.leap(by);
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
            Disturbance { step: Some(_), .. } => {
                self.discipline.jumped(now, &self.timeline, &mut self.outbox);
            }
            Disturbance { frequency: Some(_), .. } => {
                self.discipline.disturbed(now, &self.timeline, &mut self.outbox);
            }
            Disturbance { step: None, frequency: None, .. } => return,
        }
        self.publish(now);
    }

    pub(super) fn handle_adjusted(
        &mut self,
        now: Now,
        command: ClockCommand,
        result: Result<(), ClockError>,
    ) {
        // Whatever changed between the two readings was our doing.
        let stepped = self.timeline.observe(now).step;
        if let Err(error) = result {
            self.discipline.refused(&error, &mut self.outbox);
        }
        match command {
            ClockCommand::Step(_) => {
                self.discipline.step_done(stepped.unwrap_or(Span::ZERO));
                self.discipline.tell_kernel(now, &self.timeline, &mut self.outbox);
                self.publish(now);
            }
            ClockCommand::SetFrequency(_) | ClockCommand::SetStatus(_) => {}
        }
    }

    /// How fast the clock drifts (s/s) because nobody corrects it.
    fn uncorrected_drift(&self) -> f64 {
        if self.discipline.controls_clock() {
            return 0.0;
        }
        (self.discipline.frequency().value - self.timeline.frequency()).abs()
    }

    /// Tells the server side what to say.
    pub(super) fn publish(&mut self, now: Now) {
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
                dispersion_rate: reference.dispersion_rate + self.uncorrected_drift(),
                smoothing: None,
            },
            _ => ServerView::unsynchronised(precision, now.monotonic),
        };
        if view != self.served {
            self.served = view;
            self.outbox.push(Output::Publish(view));
        }
    }

    /// The reference ID to serve: the system peer's address (RFC 5905 §7.3).
    pub(super) fn reference_id(&self) -> ReferenceId {
        let peer = self.discipline.reference().map(|reference| reference.system_peer);
        let member = self.members().find(|member| Some(member.id) == peer);
        match member {
            Some(member) => ReferenceId::of_address(member.association.address().ip()),
            // The peer is gone; we still hold its time.
            None => self.served.reference_id,
        }
    }
}
