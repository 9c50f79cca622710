//! What the server side adds to the clock.

use timeball_wire::Instant;

use super::smoothing::{Progress, Remaining, ServedOffset, Smoother};
use super::{Discipline, LeapMode, Smoothing};
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

    /// What the server side has to add to the clock.
    pub fn served_offset(&self, now: Now, timeline: &Timeline) -> Option<ServedOffset> {
        let smoother = self.smoother.as_ref()?;
        let offset = self.offset(timeline).unwrap_or(0.0);
        let duration = self.slew_end.map_or(0.0, |end| (end - now.monotonic).seconds().max(0.0));
        // The monotonic clock runs as the system clock does.
        let rate = self.slew_rate / (1.0 + self.base_frequency() + self.slew_rate);
        smoother.served(Remaining { offset, rate, duration }, now.monotonic)
    }
}
