//! The leap second of the day: knowing of it, and having it made.

use timeball_wire::{Instant, LeapIndicator, Span, Timestamp};

use super::leap::LeapSecond;
use super::leap_table::Foreseen;
use super::{LeapMode, Settings};
use crate::engine::Outbox;
use crate::event::Event;
use crate::now::Now;

/// A kernel makes the leap second with the first tick after its moment. So much later it is looked
/// at whether it has,
const TICK: Span = Span::from_millis(20);

/// and again this often if it has not.
const LOOK_AGAIN: Span = Span::from_millis(250);

/// What is known of the next leap second, and of the last one.
#[derive(Clone, Debug)]
pub(super) struct LeapDuty {
    /// What the sources said last.
    pub(super) announced: LeapIndicator,
    due: Option<LeapSecond>,
    /// The midnight whose leap second has been made: the clock shows the second before it again.
    made: Option<Timestamp>,
    /// That the table has expired has been reported.
    expiry_noted: bool,
    look_at: Option<Instant>,
}

impl LeapDuty {
    pub(super) const fn new() -> Self {
        Self {
            announced: LeapIndicator::NoWarning,
            due: None,
            made: None,
            expiry_noted: false,
            look_at: None,
        }
    }

    /// The list of leap seconds is another one.
    pub(super) const fn table_changed(&mut self) {
        self.expiry_noted = false;
    }

    /// The leap second at the end of this day.
    pub(super) const fn due(&self) -> Option<&LeapSecond> {
        self.due.as_ref()
    }

    /// The midnight of the leap second that is due today, or of the one made last.
    pub(super) fn midnight(&self) -> Option<Timestamp> {
        self.due.map(|leap| leap.midnight).or(self.made)
    }

    /// It is not going to be made.
    pub(super) const fn disarm(&mut self) {
        self.due = None;
        self.look_at = None;
    }

    /// When the clock has to be looked at.
    pub(super) const fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Its moment has come, and it has perhaps not been made yet: the clock is ambiguous.
    pub(super) fn is_being_made(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|leap| leap.is_being_made(now))
    }

    /// Is there a leap second at the end of the day? A clock that is not synchronised cannot know
    /// the day. True if that is news.
    pub(super) fn expect(
        &mut self,
        now: Now,
        settings: &Settings,
        synchronised: bool,
        out: &mut Outbox,
    ) -> bool {
        if self.is_being_made(now.system) {
            self.look_at = Some(now.monotonic + LOOK_AGAIN);
            return false;
        }
        let expected = if synchronised {
            self.note_expiry(now, settings, out);
            self.foresee(now, settings).filter(|leap| Some(leap.midnight) != self.made)
        } else {
            None
        };
        let news = expected.map(|leap| leap.indicator) != self.due.map(|leap| leap.indicator);
        if news {
            out.event(Event::LeapArmed { direction: expected.map_or(0, |leap| leap.direction()) });
        }
        self.due = expected;
        self.look_at = expected.map(|leap| {
            let moment = match settings.leap_mode {
                LeapMode::System | LeapMode::Ignore => leap.moment() + TICK,
                LeapMode::Step | LeapMode::Slew => leap.moment(),
            };
            now.monotonic + (moment - now.system)
        });
        news
    }

    fn foresee(&self, now: Now, settings: &Settings) -> Option<LeapSecond> {
        let table = settings.leap_table.as_ref();
        match table.map_or(Foreseen::Unknown, |table| table.leap_at_end_of_day(now.system)) {
            Foreseen::Leap(leap) => Some(leap),
            Foreseen::None => None,
            Foreseen::Unknown => LeapSecond::announced(self.announced, now.system),
        }
    }

    fn note_expiry(&mut self, now: Now, settings: &Settings, out: &mut Outbox) {
        let Some(table) = &settings.leap_table else { return };
        if !self.expiry_noted && table.expiry() <= now.system {
            self.expiry_noted = true;
            out.event(Event::LeapTableExpired { expiry: table.expiry() });
        }
    }

    /// Was a step by `by` the leap second? Then it is over.
    pub(super) fn recognise(&mut self, now: Timestamp, by: Span) -> bool {
        let made = self.due.take_if(|leap| leap.explains(now, by));
        self.over(made)
    }

    /// The leap second whose moment has come, if we have to make it: by how much UTC jumps. From
    /// here on it is over.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Span> {
        let due = self.due.take_if(|leap| leap.is_being_made(now));
        let by = due.map(|leap| Span::from_secs(-i64::from(leap.direction())));
        self.over(due);
        by
    }

    fn over(&mut self, made: Option<LeapSecond>) -> bool {
        if let Some(leap) = made {
            self.made = Some(leap.midnight);
            self.look_at = None;
        }
        made.is_some()
    }
}
