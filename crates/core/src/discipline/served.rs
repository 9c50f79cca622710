//! What the server side adds to the clock.

use timeball_wire::Instant;

use super::smoothing::{Progress, ServedOffset, Smoother, Unslewed};
use super::{Corrections, Discipline, LeapMode, Smoothing};
use crate::now::Now;
use crate::timeline::Timeline;

impl Discipline {
    /// Smooths the served time like this from now on, or not at all.
    pub fn configure_smoothing(&mut self, settings: Option<Smoothing>, now: Instant) {
        match (&mut self.smoother, settings) {
            (Some(smoother), Some(settings)) => smoother.configure(settings, now),
            (smoother, settings) => {
                *smoother = settings.map(|settings| Smoother::new(settings, now));
            }
        }
    }

    /// Starts to smooth before it starts by itself; false if smoothing is not configured.
    pub const fn activate_smoothing(&mut self) -> bool {
        if let Some(smoother) = &mut self.smoother {
            smoother.activate();
        }
        self.smoother.is_some()
    }

    /// Forgets what is left to smooth; false if smoothing is not configured.
    pub const fn reset_smoothing(&mut self, now: Instant) -> bool {
        if let Some(smoother) = &mut self.smoother {
            smoother.reset(now);
        }
        self.smoother.is_some()
    }

    /// How far the smoothing is; `None` if it is not configured.
    pub fn smoothing(&self, now: Instant) -> Option<Progress> {
        self.smoother.as_ref().map(|smoother| smoother.progress(now))
    }

    /// Clients shall not hear of the leap second, which is smoothed for them.
    pub fn hides_leap(&self) -> bool {
        self.smoother.is_some() && self.settings.leap_mode == LeapMode::Slew
    }

    /// What was done to the time that the server side serves.
    pub const fn corrections(&self) -> Corrections {
        self.corrections
    }

    /// Counts the epochs of the [`Corrections`] from here: a number that the engine before this one
    /// is not likely to have used.
    pub const fn begin_epochs(&mut self, first: u32) {
        self.corrections = Corrections::begin(first);
    }

    /// The time served jumped, and not because it was corrected.
    pub const fn served_time_jumped(&mut self) {
        self.corrections.restart();
    }

    /// What the server side has to add to the clock; `None` if it is not known to be off.
    pub fn served_offset(&self, now: Now, timeline: &Timeline) -> Option<ServedOffset> {
        let target = self.target.as_ref()?;
        // Of the clock's own seconds, as the monotonic clock counts them.
        let rate = (target.frequency() - timeline.rate()) / (1.0 + timeline.rate());
        let unslewed = Unslewed { as_of: now.monotonic, offset: target.offset(timeline), rate };
        Some(match &self.smoother {
            Some(smoother) => smoother.served(unslewed),
            None => ServedOffset::unsmoothed(unslewed),
        })
    }
}
