//! Requests ahead of the one that is measured, which fill the caches on the way (`presend`).

use super::Settings;
use super::poll_interval::PollInterval;

/// Between a request that warms up and the next (s).
pub(super) const INTERVAL: f64 = 2.0;

/// Where in the sequence of warming up and measuring an association is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WarmUp {
    /// Requests until one is measured; the last one sent was not if there are any.
    left: u8,
}

impl WarmUp {
    /// A request leaves, at this poll interval and in this mode. True if its answer is not to be
    /// measured.
    pub(super) fn sent(
        &mut self,
        settings: &Settings,
        poll: PollInterval,
        interleaved: bool,
    ) -> bool {
        let wanted = settings.presend.is_some_and(|from| poll >= from);
        if self.left > 0 {
            self.left -= 1;
        } else if wanted {
            // A server in interleaved mode needs one more to have a fresh timestamp for us.
            self.left = if interleaved { 2 } else { 1 };
        }
        self.left > 0
    }

    /// Time to the next request (s), if the last one warmed up.
    pub(super) const fn interval(self) -> Option<f64> {
        if self.left > 0 { Some(INTERVAL) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(settings: &Settings, poll: i8, interleaved: bool) -> [bool; 6] {
        let mut warm_up = WarmUp::default();
        [(); 6].map(|()| warm_up.sent(settings, PollInterval::new(poll), interleaved))
    }

    #[test]
    fn every_request_that_is_measured_has_one_before_it() {
        let settings = Settings { presend: Some(PollInterval::new(6)), ..Settings::default() };
        assert_eq!(sequence(&settings, 6, false), [true, false, true, false, true, false]);
        assert_eq!(sequence(&settings, 6, true), [true, true, false, true, true, false]);
        assert_eq!(sequence(&settings, 5, false), [false; 6]);
        assert_eq!(sequence(&Settings::default(), 17, false), [false; 6]);
    }
}
