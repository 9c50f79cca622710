//! Which frequency to run by when there are no updates any more.
//!
//! The last one that was found is best for a while. The longer there is none, the better is an
//! average over a longer time: whatever makes the frequency go up and down has its periods.

use std::collections::VecDeque;
use std::f64::consts::PI;

/// An average is kept in so many parts.
const PARTS: f64 = 64.0;
/// It goes over so many times its period at least, before which it is not used,
const FEWEST: f64 = 2.0;
/// and at most.
const MOST: f64 = 3.0;

/// Updates this much rarer than the one before, or in such haste (s), say nothing of the time
/// between them.
const PAUSE: f64 = 4.0;
const HASTE: f64 = 1.0;

/// The mean frequency of a few periods, each moment counting by Hann's window: most in the middle, and
/// nothing at either end, so that hardly anything is left of what goes up and down in a period or less.
#[derive(Clone, Debug)]
struct Average {
    /// It is used after so long (s).
    period: f64,
    /// Oldest first; together at least the most that is used, once that has been seen.
    parts: VecDeque<Part>,
}

/// Some time.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Its length (s).
    time: f64,
    /// What the oscillator gained in it (s).
    gained: f64,
}

impl Average {
    fn over(period: f64) -> Self {
        Self { period, parts: VecDeque::new() }
    }

    fn learn(&mut self, frequency: f64, interval: f64) {
        let length = MOST * self.period / PARTS;
        let newest = match self.parts.back_mut() {
            Some(part) if part.time < length => part,
            _ => {
                self.parts.push_back(Part::default());
                // It was just put there.
                let Some(part) = self.parts.back_mut() else { return };
                part
            }
        };
        newest.time += interval;
        newest.gained += frequency * interval;
        while let Some(oldest) = self.parts.front()
            && self.seen() - oldest.time >= MOST * self.period
        {
            self.parts.pop_front();
        }
    }

    /// Time (s) that it knows.
    fn seen(&self) -> f64 {
        self.parts.iter().map(|part| part.time).sum()
    }

    fn is_usable(&self) -> bool {
        self.seen() >= FEWEST * self.period
    }

    fn frequency(&self) -> f64 {
        let whole = self.seen().min(MOST * self.period);
        let (mut age, mut weights, mut sum) = (0.0, 0.0, 0.0);
        for part in self.parts.iter().rev() {
            let time = part.time.min(whole - age);
            let weight = time * (1.0 - (2.0 * PI * (age + time / 2.0) / whole).cos()) / 2.0;
            age += time;
            weights += weight;
            sum += weight * part.gained / part.time;
        }
        sum / weights
    }
}

/// Averages of the frequency over several times.
#[derive(Clone, Debug, Default)]
pub(super) struct FallbackDrift {
    /// Shortest first.
    averages: Vec<Average>,
    last_interval: f64,
}

impl FallbackDrift {
    /// Averages over the powers of two (s) from the one exponent to the other.
    pub(super) fn new(exponents: Option<(i8, i8)>) -> Self {
        let (shortest, longest) = exponents.unwrap_or((1, 0));
        let average = |exponent: i8| Average::over(f64::from(exponent).exp2());
        Self { averages: (shortest..=longest).map(average).collect(), last_interval: 0.0 }
    }

    /// Learns that the frequency was this during the last `interval` (s).
    pub(super) fn learn(&mut self, frequency: f64, interval: f64) {
        let usual = self.last_interval;
        self.last_interval = interval;
        if interval < HASTE || (usual > 0.0 && interval > PAUSE * usual) {
            return;
        }
        self.averages.iter_mut().for_each(|average| average.learn(frequency, interval));
    }

    fn usable(&self) -> impl Iterator<Item = &Average> {
        self.averages.iter().filter(|average| average.is_usable())
    }

    /// The frequency to run by, so long (s) after the last update; `None` for the one that was found
    /// then.
    pub(super) fn after(&self, silence: f64) -> Option<f64> {
        let longest = self.usable().take_while(|average| average.period <= silence).last();
        longest.map(Average::frequency)
    }

    /// The next time (s after the last update) at which another frequency is better.
    pub(super) fn next_change(&self, silence: f64) -> Option<f64> {
        self.usable().map(|average| average.period).find(|period| *period > silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_the_silence_the_longer_the_average() {
        let mut fallback = FallbackDrift::new(Some((6, 10)));
        for second in (0..4000).step_by(16) {
            // Ten minutes at 5 ppm, and 1 ppm for the rest of the time.
            let frequency = if second < 3400 { 1e-6 } else { 5e-6 };
            fallback.learn(frequency, 16.0);
        }
        assert_eq!(fallback.after(63.0), None);
        let short = fallback.after(64.0).expect("a frequency");
        assert!((short - 5e-6).abs() < 1e-8, "{short}");
        let long = fallback.after(1e6).expect("a frequency");
        // Of Hann's window over 3072 s, the newest 600 s.
        let share = 600.0 / 3072.0 - (2.0 * PI * 600.0 / 3072.0).sin() / (2.0 * PI);
        assert!((long - (1e-6 + 4e-6 * share)).abs() < 5e-8, "{long}");
        assert_eq!(fallback.next_change(0.0), Some(64.0));
        assert_eq!(fallback.next_change(600.0), Some(1024.0));
        assert_eq!(fallback.next_change(1024.0), None);
    }

    #[test]
    fn what_goes_up_and_down_in_less_time_is_averaged_out() {
        let mut fallback = FallbackDrift::new(Some((10, 10)));
        for phase in [0.0, 0.3, 0.6, 0.9] {
            for second in (0..4096).step_by(16) {
                let turns = f64::from(second) / 1000.0 + phase;
                fallback.learn(1e-6 + 100e-6 * (2.0 * PI * turns).sin(), 16.0);
            }
            let left = fallback.after(1024.0).expect("a frequency") - 1e-6;
            assert!(left.abs() < 0.4e-6, "{left}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_time_that_was_not_seen() {
        let mut fallback = FallbackDrift::new(Some((6, 10)));
        for _ in 0..20 {
            fallback.learn(2e-6, 16.0);
        }
        // 320 s are two periods of 64 and of 128 s. An hour's pause is no measurement.
        fallback.learn(9e-6, 3600.0);
        let frequency = fallback.after(1e6).expect("a frequency");
        assert!((frequency - 2e-6).abs() < 1e-12, "{frequency}");
        assert_eq!(fallback.next_change(128.0), None);
        assert_eq!(FallbackDrift::new(None).after(1e9), None);
        // One update may go over more than a whole average.
        let mut rare = FallbackDrift::new(Some((6, 6)));
        (0..3).for_each(|_| rare.learn(7e-6, 1024.0));
        assert_eq!(rare.after(64.0), Some(7e-6));
    }
}
