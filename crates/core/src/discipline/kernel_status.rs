//! What the kernel is told of the clock: how good it is, and the leap second to make.

use timeball_wire::{Instant, LeapIndicator, Span, Timestamp};

use super::slew::Haste;
use super::{ClockCommand, Discipline, LeapMode, MAX_BOUND, SyncStatus};
use crate::engine::Outbox;
use crate::event::Event;
use crate::now::Now;
use crate::timeline::Timeline;

/// How often the kernel is told how good the clock is, when nothing else happens. It lets its bound
/// grow by 500 ppm meanwhile, so a long silence would understate the clock.
const STATUS_INTERVAL: Span = Span::from_secs(16);

impl Discipline {
    /// Tells the kernel how good the clock is.
    pub fn tell_kernel(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        self.expect_leap(now, timeline, out);
        self.send_status(now, timeline, out);
    }

    pub(super) fn send_status(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        self.status_due = now.monotonic + STATUS_INTERVAL;
        let bound = self.bound(now, timeline).unwrap_or(MAX_BOUND).min(MAX_BOUND);
        let estimate = self.reference.as_ref().map_or(MAX_BOUND, |reference| {
            reference.offset_sd + self.offset(timeline).unwrap_or(0.0).abs()
        });
        self.command(
            ClockCommand::SetStatus(SyncStatus {
                synchronised: self.is_synchronised(now, timeline),
                leap: self.kernel_leap(),
                max_error: Span::from_seconds(bound),
                est_error: Span::from_seconds(estimate.min(bound)),
                tai_offset: self.tai_offset(now, timeline),
            }),
            out,
        );
    }

    /// The leap second that the kernel shall make.
    fn kernel_leap(&self) -> LeapIndicator {
        match self.settings.leap_mode {
            LeapMode::System => self.leap_indicator(),
            LeapMode::Step | LeapMode::Slew | LeapMode::Ignore => LeapIndicator::NoWarning,
        }
    }

    pub(super) fn expect_leap(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        let synchronised = self.is_synchronised(now, timeline);
        if self.leap.expect(now, &self.settings, synchronised, out) {
            self.status_due = now.monotonic;
        }
    }

    /// The midnight of the leap second that is due today, or of the one made last.
    pub fn leap_midnight(&self) -> Option<Timestamp> {
        self.leap.midnight()
    }

    /// When the leap second is made.
    pub fn leap_moment(&self) -> Option<Instant> {
        self.leap.look_at()
    }

    /// The leap second of today.
    pub fn leap_indicator(&self) -> LeapIndicator {
        self.leap.due().map_or(LeapIndicator::NoWarning, |leap| leap.indicator)
    }

    /// The leap second is due right now and has not been made: nobody can say what time it is.
    pub fn is_leaping(&self, now: Now) -> bool {
        self.leap.is_being_made(now.system)
    }

    /// TAI − UTC (s), if a table says it and the clock is good enough to know when it changes.
    pub fn tai_offset(&self, now: Now, timeline: &Timeline) -> Option<i32> {
        let table = self.settings.leap_table.as_ref()?;
        self.is_synchronised(now, timeline).then(|| table.settled_tai_offset_at(now.system))?
    }

    /// Was a step by `by` the leap second? Then it is over.
    pub fn is_leap_step(&mut self, now: Now, by: Span, out: &mut Outbox) -> bool {
        let made = self.leap.recognise(now.system, by);
        if made {
            self.status_due = now.monotonic;
            out.event(Event::LeapDone);
        }
        made
    }

    /// By how much UTC jumps now, if it does and we have to follow it ourselves; the caller tells the
    /// time line, and then calls [`follow_leap`](Self::follow_leap).
    pub fn take_leap(&mut self, now: Now) -> Option<Span> {
        match self.settings.leap_mode {
            LeapMode::Step | LeapMode::Slew if self.controls_clock() => self.leap.take(now.system),
            _ => None,
        }
    }

    /// UTC has jumped by `by`, and the system clock has not.
    pub fn follow_leap(&mut self, now: Now, by: Span, timeline: &Timeline, out: &mut Outbox) {
        out.event(Event::LeapDone);
        self.status_due = now.monotonic;
        let Some(offset) = self.offset(timeline).filter(|_| !self.stepping) else { return };
        if self.settings.leap_mode == LeapMode::Step {
            self.step(now, offset, timeline, out);
        } else {
            if let Some(smoother) = &mut self.smoother {
                smoother.leapt(by.seconds(), now.monotonic);
            }
            // There is nothing uncertain about it.
            self.slew(now, offset, Haste::Pace(Span::ZERO), timeline, out);
        }
    }
}
