//! How often to ask.
//!
//! A long interval is kind to the server and shows the oscillator's frequency best; a short one
//! notices sooner that the oscillator has changed its mind. The interval grows while measurements
//! arrive where they were predicted and the estimator's window is filled, and shrinks when they do
//! not. Silence makes it grow while it lasts, and a server's `RATE` for longer.

use super::{PollInterval, Settings};
use crate::estimator::{Surprise, Wish};

/// Only a server this close (s, round trip) is asked more often than once a second.
pub const NEAR: f64 = 0.01;

/// A server's wish for patience counts up to here: it might be forged by whoever can see our
/// requests, and 2¹³ s must not become a day (RFC 8633 §5.4).
const PATIENCE_LIMIT: PollInterval = PollInterval::new(13);

/// Good answers after which a server's `RATE` is forgotten by one step.
const FORGIVING: u32 = 16;

/// What one missed answer adds to the score.
const MISSED: f64 = 0.25;

/// The target is meant for a regression over all measurements that lie on a line. Ours leaves out the
/// oldest of them as soon as they tell more of the oscillator's past than of its present, and is as
/// good with this share of them.
const TARGET_SHARE: f64 = 0.75;

/// No single measurement lengthens the interval by more doublings.
const LARGEST_GROWTH: f64 = 4.0;

/// A prediction this many times worse than expected shortens the interval.
const SURPRISING: f64 = 3.0;

/// Fewer measurements than these predict nothing.
const ENOUGH_TO_TELL: usize = 3;

/// Every request is later than it must be by a random share of up to this, so that clients do not march
/// in step. None is earlier: a server may count requests by the interval that they announce.
const JITTER: f64 = 0.02;

/// What an estimator wishes is rounded by this share, for the same reason…
const BLUR: f64 = 0.02;

/// …and at the longest interval by this, to the shorter side.
const BLUR_AT_LONGEST: f64 = 0.05;

/// What is lost is asked for again a little sooner: after this share of the wished interval.
const AFTER_LOSS: f64 = 0.8;

/// Once settled, an estimator is fed no more often than this many times the shortest interval, which is
/// for beginnings and surprises.
const LEAST: f64 = 1.5;

/// However sure an estimator soon is, the interval grows by no more than this share of the time that has
/// passed since the start.
const RAMP: f64 = 1.0 / 12.0;

/// The `poll_target` that asks for no more and no less than an estimator wishes.
const USUAL_TARGET: f64 = 8.0;

/// The poll interval of one association.
#[derive(Clone, Copy, Debug)]
pub struct PollControl {
    interval: PollInterval,
    /// What the estimator wishes (s, from and to), if it has a wish of its own; `interval` is what is
    /// announced of that.
    wished: Option<(f64, f64)>,
    /// Collected reasons to lengthen (positive) or shorten; a whole unit is a doubling.
    score: f64,
    /// Interval and score when the server was last heard, while it is silent.
    heard: Option<(PollInterval, f64)>,
    /// The least interval since the server said `RATE`.
    floor: PollInterval,
    answers_since_rate: u32,
}

impl PollControl {
    /// Starts at the shortest interval allowed.
    pub fn new(settings: &Settings) -> Self {
        Self {
            interval: settings.minpoll,
            wished: None,
            score: 0.0,
            heard: None,
            floor: PollInterval::SHORTEST,
            answers_since_rate: 0,
        }
    }

    /// Other limits from now on.
    pub fn configure(&mut self, settings: &Settings) {
        self.settle(settings);
    }

    /// The interval to use with a server at this round-trip delay, if it is known.
    pub fn interval(&self, delay: Option<f64>) -> PollInterval {
        let near = delay.is_some_and(|delay| delay <= NEAR);
        let limit = if near { PollInterval::SHORTEST } else { PollInterval::SECOND };
        self.interval.max(limit).max(self.floor)
    }

    /// Shortest and longest time (s) from one request to the next, between which chance decides, when
    /// `interval` is what is announced.
    pub fn range(&self, interval: PollInterval) -> (f64, f64) {
        let announced = interval.seconds();
        match self.wished {
            Some((from, to)) if announced <= from && self.heard.is_none() => (from, to),
            Some((from, to)) if announced <= from => {
                ((from * AFTER_LOSS).max(announced), (to * AFTER_LOSS).max(announced))
            }
            _ => (announced, announced * (1.0 + JITTER)),
        }
    }

    /// The estimator says itself when it wants to be fed.
    fn wish(&mut self, interval: f64, settled: f64, samples: usize, settings: &Settings) {
        let (shortest, longest) = (settings.minpoll.seconds(), settings.maxpoll.seconds());
        if longest <= shortest {
            return;
        }
        let target = settings.poll_target.max(1) as f64;
        let patience = USUAL_TARGET / target;
        // Who wants many measurements wants them before the interval grows, too.
        let since = settled - shortest * (target - USUAL_TARGET).max(0.0);
        let ramp = shortest + RAMP * patience * patience * since.max(0.0);
        // And who wants few has them soon, whatever more would tell: `few` is 1 for a target of one, and 0
        // from the usual target on.
        let few = (patience - 1.0).max(0.0) / (USUAL_TARGET - 1.0);
        let enough = shortest * (few * samples as f64 / 2.0).powi(2);
        let ramp = ramp.max(enough);
        let least = (shortest * LEAST.min(LEAST * patience).max(1.0)).max(enough);
        let interval = (patience * interval).max(least).min(ramp).min(longest);
        let (from, to) = if interval > longest * (1.0 - BLUR_AT_LONGEST / 2.0) {
            (longest * (1.0 - BLUR_AT_LONGEST), longest)
        } else {
            ((interval * (1.0 - BLUR)).max(shortest), interval * (1.0 + BLUR))
        };
        self.interval = PollInterval::within(from).max(settings.minpoll);
        self.wished = Some((from, to));
    }

    /// A measurement met its prediction, or did not.
    pub fn measured(&mut self, surprise: &Surprise, settings: &Settings) {
        let ratio = surprise.error.abs() / surprise.expected.max(1e-12);
        let target = (TARGET_SHARE * settings.poll_target as f64).max(1.0);
        self.wished = None;
        if let Wish::After { interval, settled } = surprise.wish {
            self.score = 0.0;
            self.wish(interval, settled, surprise.samples, settings);
        }
        self.score += if surprise.samples < ENOUGH_TO_TELL || surprise.wish != Wish::None {
            0.0
        } else if ratio > SURPRISING {
            -(ratio / SURPRISING).log2().clamp(0.25, 3.0)
        } else {
            let filled = surprise.samples as f64 / target - 1.0;
            (filled / target * if filled < 0.0 { 2.0 } else { 1.0 }).min(LARGEST_GROWTH)
        };
        self.settle(settings);
        self.answers_since_rate = self.answers_since_rate.saturating_add(1);
        if self.answers_since_rate >= FORGIVING && self.floor > PollInterval::SHORTEST {
            self.floor = self.floor.doubled(-1);
            self.answers_since_rate = 0;
        }
    }

    /// The server answers: how rarely it was asked while it did not is forgotten.
    pub fn answered(&mut self) {
        if let Some((interval, score)) = self.heard.take() {
            self.interval = interval;
            self.score = score;
        }
    }

    /// No answer came.
    pub fn missed(&mut self, settings: &Settings) {
        self.heard.get_or_insert((self.interval, self.score));
        self.score += MISSED;
        self.settle(settings);
    }

    /// The server said `RATE` and named this interval (log₂ s): slow down now, and again each time,
    /// as far as the operator allows.
    pub fn rate_limited(&mut self, named: i8, settings: &Settings) {
        let slower = self.interval(None).doubled(1).max(PollInterval::new(named));
        let limit = PATIENCE_LIMIT.min(settings.maxpoll);
        self.floor = slower.min(limit).max(self.floor);
        self.answers_since_rate = 0;
    }

    /// Everything learnt about the path is void: ask often again, as far as the server allows.
    pub fn restart(&mut self, settings: &Settings) {
        self.interval = settings.minpoll;
        self.wished = None;
        self.score = 0.0;
        self.heard = None;
    }

    fn settle(&mut self, settings: &Settings) {
        let whole = self.score.trunc();
        self.score -= whole;
        let (shortest, longest) = (settings.minpoll, settings.maxpoll.max(settings.minpoll));
        self.interval = self.interval.doubled(whole as i8).clamp(shortest, longest);
        // Reasons to go beyond a limit are not saved up.
        if self.interval == shortest {
            self.score = self.score.max(0.0);
        }
        if self.interval == longest {
            self.score = self.score.min(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surprise(error: f64, samples: usize) -> Surprise {
        Surprise { error, expected: 1e-3, samples, stepped: None, wish: Wish::None }
    }

    #[test]
    fn a_predictable_clock_is_asked_less_and_less() {
        let settings = Settings::default();
        let mut control = PollControl::new(&settings);
        for _ in 0..200 {
            control.measured(&surprise(1e-4, 16), &settings);
        }
        assert_eq!(control.interval(Some(0.001)), settings.maxpoll);
        for _ in 0..8 {
            control.measured(&surprise(50e-3, 16), &settings);
        }
        assert_eq!(control.interval(Some(0.001)), settings.minpoll);
    }

    #[test]
    fn an_estimators_wish_is_followed_within_limits_and_in_time() {
        let settings = Settings::default();
        let mut control = PollControl::new(&settings);
        let mut after = |interval, settled| {
            let wish = Wish::After { interval, settled };
            control.measured(&Surprise { wish, ..surprise(1e-4, 16) }, &settings);
            let announced = control.interval(None);
            (announced.exponent(), control.range(announced))
        };
        assert_eq!(after(300.0, 1e6), (8, (294.0, 306.0)));
        assert_eq!(after(1.0, 1e6), (6, (96.0 * 0.98, 96.0 * 1.02)));
        // A twelfth of the time since the start beyond the shortest, and no more.
        assert_eq!(after(1e9, 768.0), (6, (128.0 * 0.98, 128.0 * 1.02)));
        assert_eq!(after(1e9, 1e6), (9, (1024.0 * 0.95, 1024.0)));
    }

    #[test]
    fn a_target_says_how_many_measurements_come_before_patience() {
        let announced = |poll_target, samples, settled| {
            let settings = Settings { poll_target, ..Settings::default() };
            let mut control = PollControl::new(&settings);
            let wish = Wish::After { interval: 1e4, settled };
            control.measured(&Surprise { wish, ..surprise(1e-4, samples) }, &settings);
            (control.interval(None).exponent(), control.range(control.interval(None)).0)
        };
        assert_eq!(announced(64, 32, 56.0 * 64.0).1, 64.0, "not before the window is full");
        assert_eq!(announced(64, 32, 9000.0).0, 6);
        assert_eq!(announced(1, 4, 6.0).0, 7, "256 s, and a little less");
        assert_eq!(announced(8, 4, 6.0).0, 6);
    }

    #[test]
    fn who_wants_one_measurement_is_content_whatever_more_would_tell() {
        for (poll_target, from) in [(1, 576.0), (8, 96.0)] {
            let settings = Settings { poll_target, ..Settings::default() };
            let mut control = PollControl::new(&settings);
            let wish = Wish::After { interval: 10.0, settled: 1e6 };
            control.measured(&Surprise { wish, ..surprise(1e-4, 6) }, &settings);
            assert_eq!(control.range(control.interval(None)).0, from * (1.0 - BLUR));
        }
    }

    #[test]
    fn what_is_lost_is_asked_for_again_a_little_sooner() {
        let settings = Settings::default();
        let mut control = PollControl::new(&settings);
        let wish = Wish::After { interval: 1e9, settled: 1e6 };
        control.measured(&Surprise { wish, ..surprise(1e-4, 16) }, &settings);
        control.missed(&settings);
        let (from, to) = control.range(control.interval(None));
        assert!((from - 1024.0 * 0.95 * 0.8).abs() < 1e-9, "{from}");
        assert!((to - 1024.0 * 0.8).abs() < 1e-9, "{to}");
        control.restart(&settings);
        assert_eq!(control.range(control.interval(None)), (64.0, 64.0 * 1.02));
    }

    #[test]
    fn silence_and_a_servers_rate_override_a_wish() {
        let settings = Settings::default();
        let mut control = PollControl::new(&settings);
        let wish = Wish::After { interval: 100.0, settled: 1e6 };
        control.measured(&Surprise { wish, ..surprise(1e-4, 16) }, &settings);
        control.rate_limited(0, &settings);
        let announced = control.interval(None);
        assert_eq!((announced.exponent(), control.range(announced).0), (7, 128.0));
        (0..4).for_each(|_| control.missed(&settings));
        let announced = control.interval(None);
        assert!(control.range(announced).0 >= 128.0, "{control:?}");
    }

    #[test]
    fn an_empty_window_is_filled_at_the_shortest_interval() {
        let settings = Settings::default();
        let mut control = PollControl::new(&settings);
        for samples in 1..8 {
            control.measured(&surprise(1e-4, samples), &settings);
        }
        assert_eq!(control.interval(None), settings.minpoll);
    }

    #[test]
    fn two_measurements_tell_nothing_of_the_interval_to_use() {
        let settings = Settings { poll_target: 1, ..Settings::default() };
        let mut control = PollControl::new(&settings);
        (0..8).for_each(|_| control.measured(&surprise(1e-4, 2), &settings));
        assert_eq!(control.interval(None), settings.minpoll);
        (0..8).for_each(|_| control.measured(&surprise(1e-4, 3), &settings));
        assert!(control.interval(None) > settings.minpoll);
    }

    #[test]
    fn reasons_to_go_beyond_a_limit_are_not_saved_up() {
        let settings = Settings::default();
        let mut patient = PollControl::new(&settings);
        let mut fresh = PollControl::new(&settings);
        for _ in 0..7 {
            patient.measured(&surprise(1e-4, 1), &settings);
        }
        for control in [&mut patient, &mut fresh] {
            control.measured(&surprise(1e-4, 12), &settings);
        }
        assert_eq!(patient.score, fresh.score);
    }

    #[test]
    fn who_is_back_after_a_silence_is_asked_as_often_as_before() {
        let settings = Settings::default();
        let mut control = PollControl::new(&settings);
        for _ in 0..4 {
            control.measured(&surprise(1e-4, 16), &settings);
        }
        let before = (control.interval, control.score);
        for _ in 0..9 {
            control.missed(&settings);
        }
        assert_eq!(control.interval(None), PollInterval::new(9));
        control.answered();
        assert_eq!((control.interval, control.score), before);
    }

    #[test]
    fn only_near_servers_are_asked_more_than_once_a_second() {
        let settings = Settings { minpoll: PollInterval::new(-6), ..Settings::default() };
        let control = PollControl::new(&settings);
        assert_eq!(control.interval(None), PollInterval::SECOND);
        assert_eq!(control.interval(Some(0.02)), PollInterval::SECOND);
        assert_eq!(control.interval(Some(0.001)), PollInterval::new(-6));
    }

    #[test]
    fn every_rate_kiss_slows_down_up_to_a_limit_and_is_forgiven_in_time() {
        let settings = Settings { maxpoll: PollInterval::new(17), ..Settings::default() };
        let mut control = PollControl::new(&settings);
        control.rate_limited(0, &settings);
        assert_eq!(control.interval(None), PollInterval::new(7));
        control.rate_limited(0, &settings);
        assert_eq!(control.interval(None), PollInterval::new(8));
        control.rate_limited(127, &settings);
        assert_eq!(control.interval(None), PATIENCE_LIMIT);
        control.rate_limited(127, &settings);
        assert_eq!(control.interval(None), PATIENCE_LIMIT);
        for _ in 0..FORGIVING {
            control.measured(&surprise(1e-4, 4), &settings);
        }
        assert_eq!(control.interval(None), PollInterval::new(12));
    }

    #[test]
    fn nobody_makes_us_ask_less_often_than_the_operator_wants() {
        let settings = Settings::default();
        let mut control = PollControl::new(&settings);
        control.rate_limited(127, &settings);
        assert_eq!(control.interval(None), settings.maxpoll);
    }
}
