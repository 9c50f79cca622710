//! Which frequency to run by when there are no updates any more.
//!
//! The last one that was found is best for a while. The longer there is none, the better is an
//! average over a longer time: whatever makes the frequency go up and down has its periods.

/// An average is used once it goes over so many of its periods.
const PERIODS: f64 = 2.0;

/// Updates this much rarer than the one before, or in such haste (s), say nothing of the time
/// between them.
const PAUSE: f64 = 4.0;
const HASTE: f64 = 1.0;

#[derive(Clone, Copy, Debug)]
struct Average {
    /// Time (s) over which it goes, and after which it is used.
    period: f64,
    frequency: f64,
    /// Time (s) that it has seen.
    seen: f64,
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
        let average = |exponent: i8| Average {
            period: f64::from(exponent).exp2(),
            frequency: 0.0,
            seen: 0.0,
        };
        Self { averages: (shortest..=longest).map(average).collect(), last_interval: 0.0 }
    }

    /// Learns that the frequency was this during the last `interval` (s).
    pub(super) fn learn(&mut self, frequency: f64, interval: f64) {
        let usual = self.last_interval;
        self.last_interval = interval;
        if interval < HASTE || (usual > 0.0 && interval > PAUSE * usual) {
            return;
        }
        for average in &mut self.averages {
            average.seen += interval;
            let share = if average.seen < PERIODS * average.period {
                interval / average.seen
            } else {
                -(-interval / average.period).exp_m1()
            };
            average.frequency += share * (frequency - average.frequency);
        }
    }

    fn usable(&self) -> impl Iterator<Item = &Average> {
        self.averages.iter().filter(|average| average.seen >= PERIODS * average.period)
    }

    /// The frequency to run by, so long (s) after the last update; `None` for the one that was found
    /// then.
    pub(super) fn after(&self, silence: f64) -> Option<f64> {
        let longest = self.usable().take_while(|average| average.period <= silence).last();
        longest.map(|average| average.frequency)
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
        let share = 1.0 - (-600.0f64 / 1024.0).exp();
        assert!((long - (1e-6 + 4e-6 * share)).abs() < 5e-8, "{long}");
        assert_eq!(fallback.next_change(0.0), Some(64.0));
        assert_eq!(fallback.next_change(600.0), Some(1024.0));
        assert_eq!(fallback.next_change(1024.0), None);
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
    }
}
