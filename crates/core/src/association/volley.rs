//! Several requests in quick succession: at the start, after silence, when an operator asks, or in
//! a poll that has brought nothing yet.

use super::{PollInterval, Settings};

/// Between the requests of a volley (s; RFC 5905 §13.2, BTIME)…
const INTERVAL: f64 = 2.0;
/// …but no more than this share of the poll interval.
const POLL_SHARE: f64 = 0.25;

/// Measurements a volley at the start is after, and the requests it may spend on them.
const START: (u32, u32) = (4, 8);

/// Requests that the one measurement of a poll may cost at most.
const PER_POLL: u32 = 4;

/// A volley in progress, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Volley {
    /// Measurements still wanted.
    wanted: u32,
    /// Requests still to be spent.
    left: u32,
    /// A new one begins with every poll (`burst`).
    per_poll: bool,
}

impl Volley {
    /// No volley, but for those of every poll if the settings want them.
    pub(super) const fn none(settings: &Settings) -> Self {
        Self { wanted: 0, left: 0, per_poll: settings.burst }
    }

    /// The volley an association begins with.
    pub(super) const fn at_start(settings: &Settings) -> Self {
        if settings.iburst { Self::of(START, settings) } else { Self::none(settings) }
    }

    /// As many requests as it takes to get `good` measurements, but no more than `total`; either as
    /// at the start if it is `None`.
    pub(super) fn on_request(good: Option<u32>, total: Option<u32>, settings: &Settings) -> Self {
        Self::of((good.unwrap_or(START.0), total.unwrap_or(START.1)), settings)
    }

    const fn of((wanted, left): (u32, u32), settings: &Settings) -> Self {
        Self { wanted, left, per_poll: settings.burst }
    }

    /// Other settings from now on; a volley under way is brought to its end.
    pub(super) fn configure(&mut self, settings: &Settings) {
        self.per_poll = settings.burst;
    }

    /// True while it goes on.
    pub(super) const fn is_under_way(&self) -> bool {
        self.wanted > 0 && self.left > 0
    }

    /// True while it goes on even after the measurement that it has just brought.
    pub(super) const fn wants_more(&self) -> bool {
        self.wanted > 1 && self.left > 0
    }

    /// Time to the next request (s) at this poll interval (s), if the volley goes on.
    pub(super) fn interval(&self, poll: f64) -> Option<f64> {
        self.is_under_way().then(|| INTERVAL.min(POLL_SHARE * poll))
    }

    /// A request leaves, at this poll interval. The volley that it may begin is no longer than the
    /// shortest interval allows on average.
    pub(super) fn sent(&mut self, poll: PollInterval, settings: &Settings) {
        if !self.is_under_way() && self.per_poll {
            let earned = poll.seconds() / settings.minpoll.seconds();
            (self.wanted, self.left) = (1, (earned as u32).clamp(1, PER_POLL));
        }
        self.left = self.left.saturating_sub(1);
    }

    /// It brought a measurement.
    pub(super) fn measured(&mut self) {
        self.wanted = self.wanted.saturating_sub(1);
    }

    /// No more requests in this poll: the server complained.
    pub(super) fn end(&mut self) {
        (self.wanted, self.left) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: PollInterval = PollInterval::new(8);

    fn sent(volley: &mut Volley, poll: PollInterval) {
        volley.sent(poll, &Settings::default());
    }

    #[test]
    fn a_complaint_ends_the_volley_but_not_those_of_later_polls() {
        let settings = Settings { iburst: false, burst: true, ..Settings::default() };
        let mut volley = Volley::at_start(&settings);
        sent(&mut volley, BURST);
        assert!(volley.is_under_way());
        volley.end();
        assert!(!volley.is_under_way());
        sent(&mut volley, BURST);
        assert!(volley.is_under_way());
    }

    #[test]
    fn on_average_no_more_is_sent_than_at_the_shortest_interval() {
        let settings = Settings { iburst: false, burst: true, ..Settings::default() };
        for (poll, most) in [(6, 1), (7, 2), (8, 4), (10, 4)] {
            let mut volley = Volley::at_start(&settings);
            let mut requests = 0;
            loop {
                sent(&mut volley, PollInterval::new(poll));
                requests += 1;
                if !volley.is_under_way() {
                    break;
                }
            }
            assert_eq!(requests, most, "2^{poll} s");
        }
    }

    #[test]
    fn an_operator_says_how_many_are_enough() {
        let mut volley = Volley::on_request(Some(2), Some(3), &Settings::default());
        sent(&mut volley, BURST);
        volley.measured();
        assert!(volley.is_under_way());
        sent(&mut volley, BURST);
        volley.measured();
        assert!(!volley.is_under_way());

        let mut volley = Volley::on_request(Some(2), Some(3), &Settings::default());
        (0..3).for_each(|_| sent(&mut volley, BURST));
        assert!(!volley.is_under_way());
    }

    #[test]
    fn requests_are_not_closer_than_the_poll_interval_allows() {
        let volley = Volley::at_start(&Settings::default());
        assert_eq!(volley.interval(64.0), Some(2.0));
        assert_eq!(volley.interval(1.0), Some(0.25));
    }
}
