//! Oscillators: how far a free-running clock gets from true time.
//!
//! The frequency error is a sum: a constant, ageing, steps and a temperature cycle, which are
//! integrated exactly; and two kinds of noise, drawn once a second of true time: a random walk, which
//! is straight in between, and white noise, which holds for that second. What an oscillator does
//! therefore never depends on how often it is read.

use std::f64::consts::TAU;

use serde::Deserialize;

use crate::noise::Stream;
use crate::scenario::quantity::{frequency, seconds};
use crate::truth::Moment;

const DAY: f64 = 86_400.0;
const NANOS_PER_CELL: i64 = 1_000_000_000;

/// What an oscillator is like. Frequencies are s/s, positive for one that runs fast.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Constant frequency error.
    #[serde(deserialize_with = "frequency")]
    pub frequency: f64,
    /// Growth of the random walk of the frequency: s/s per √s.
    #[serde(deserialize_with = "frequency")]
    pub wander: f64,
    /// White noise of the frequency: standard deviation of its mean over a second.
    #[serde(deserialize_with = "frequency")]
    pub white: f64,
    /// Linear change of the frequency (s/s per day).
    #[serde(deserialize_with = "frequency")]
    pub ageing: f64,
    /// Sine of the frequency.
    pub temperature: Option<TemperatureCycle>,
    /// Sudden changes of the frequency.
    pub frequency_steps: Vec<FrequencyStep>,
}

/// A frequency that follows day and night, or a fan.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TemperatureCycle {
    /// Largest frequency error (s/s).
    #[serde(deserialize_with = "frequency")]
    pub amplitude: f64,
    /// Length of a cycle (s), above zero.
    #[serde(deserialize_with = "seconds")]
    pub period: f64,
    /// Where in the cycle the simulation starts, as a share of it.
    #[serde(default)]
    pub phase: f64,
}

/// A frequency that jumps.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FrequencyStep {
    /// When (s of true time).
    #[serde(deserialize_with = "seconds")]
    pub at: f64,
    /// By how much (s/s).
    #[serde(deserialize_with = "frequency")]
    pub by: f64,
}

/// One second of the noise.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    index: i64,
    /// Phase (s) the noise has brought until the cell's start.
    phase: f64,
    /// Of the walk.
    frequency_at_start: f64,
    frequency_at_end: f64,
    /// Frequency that this second has and no other.
    white: f64,
}

/// An oscillator. Readings may go back within the current second, never further.
#[derive(Clone, Debug)]
pub struct Oscillator {
    settings: Settings,
    stream: Stream,
    noise: Cell,
}

impl Oscillator {
    /// An oscillator that starts with the simulation.
    pub fn new(settings: Settings, stream: Stream) -> Self {
        let mut oscillator = Self { settings, stream, noise: Cell::default() };
        oscillator.noise.frequency_at_end = oscillator.draw(oscillator.settings.wander);
        oscillator.noise.white = oscillator.draw(oscillator.settings.white);
        oscillator
    }

    /// Oscillator minus true time (s), zero at the start.
    pub fn phase(&mut self, at: Moment) -> f64 {
        self.advance(at);
        let seconds = at.seconds();
        let Settings { frequency, ageing, temperature, frequency_steps, .. } = &self.settings;
        let cycle = temperature.map_or(0.0, |cycle| {
            let angle = TAU * cycle.phase;
            let per_second = TAU / cycle.period;
            cycle.amplitude / per_second * (angle.cos() - (angle + per_second * seconds).cos())
        });
        let steps: f64 =
            frequency_steps.iter().map(|step| step.by * (seconds - step.at).max(0.0)).sum();
        let within = self.within_cell(at);
        let Cell { phase, frequency_at_start, frequency_at_end, white, .. } = self.noise;
        let noise = phase
            + within * (frequency_at_start + white)
            + within * within / 2.0 * (frequency_at_end - frequency_at_start);
        frequency * seconds + ageing / DAY * seconds * seconds / 2.0 + cycle + steps + noise
    }

    /// Frequency error (s/s).
    pub fn frequency(&mut self, at: Moment) -> f64 {
        self.advance(at);
        let seconds = at.seconds();
        let Settings { frequency, ageing, temperature, frequency_steps, .. } = &self.settings;
        let cycle = temperature.map_or(0.0, |cycle| {
            cycle.amplitude * (TAU * (cycle.phase + seconds / cycle.period)).sin()
        });
        let steps: f64 =
            frequency_steps.iter().filter(|step| seconds >= step.at).map(|step| step.by).sum();
        let Cell { frequency_at_start, frequency_at_end, white, .. } = self.noise;
        let walk =
            frequency_at_start + self.within_cell(at) * (frequency_at_end - frequency_at_start);
        frequency + ageing / DAY * seconds + cycle + steps + walk + white
    }

    fn within_cell(&self, at: Moment) -> f64 {
        (at.nanos() - self.noise.index * NANOS_PER_CELL) as f64 / NANOS_PER_CELL as f64
    }

    fn advance(&mut self, at: Moment) {
        let index = at.nanos().div_euclid(NANOS_PER_CELL);
        let Settings { wander, white, .. } = self.settings;
        if wander == 0.0 && white == 0.0 {
            self.noise.index = index;
            return;
        }
        while self.noise.index < index {
            let Cell { index, phase, frequency_at_start, frequency_at_end, white: past } =
                self.noise;
            self.noise = Cell {
                index: index + 1,
                phase: phase + past + (frequency_at_start + frequency_at_end) / 2.0,
                frequency_at_start: frequency_at_end,
                frequency_at_end: frequency_at_end + self.draw(wander),
                white: self.draw(white),
            };
        }
    }

    /// A noise that is not there needs no luck.
    fn draw(&mut self, sd: f64) -> f64 {
        if sd == 0.0 { 0.0 } else { sd * self.stream.normal() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oscillator(seed: u64, settings: Settings) -> Oscillator {
        Oscillator::new(settings, Stream::new(seed, "oscillator"))
    }

    #[track_caller]
    fn close(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() < tolerance, "{value} is not {expected} ± {tolerance}");
    }

    #[test]
    fn constant_ageing_and_steps_integrate_exactly() {
        let mut oscillator = oscillator(
            1,
            Settings {
                frequency: 50e-6,
                ageing: 86_400.0 * 1e-12,
                frequency_steps: vec![FrequencyStep { at: 1000.0, by: -20e-6 }],
                ..Settings::default()
            },
        );
        let at = Moment::from_seconds(10_000.0);
        close(oscillator.phase(at), 0.5 + 0.5e-4 - 0.18, 1e-12);
        close(oscillator.frequency(at), 30e-6 + 1e-8, 1e-18);
    }

    #[test]
    fn temperature_cycle_returns_to_its_start() {
        let cycle = TemperatureCycle { amplitude: 1e-6, period: 7200.0, phase: 0.25 };
        let mut oscillator =
            oscillator(1, Settings { temperature: Some(cycle), ..Settings::default() });
        close(oscillator.frequency(Moment::START), 1e-6, 1e-18);
        close(oscillator.frequency(Moment::from_seconds(3600.0)), -1e-6, 1e-15);
        // A quarter cycle of the cosine integrates to A·P/2π.
        close(oscillator.phase(Moment::from_seconds(1800.0)), 1e-6 * 7200.0 / TAU, 1e-12);
        close(oscillator.phase(Moment::from_seconds(7200.0)), 0.0, 1e-12);
    }

    #[test]
    fn random_walk_has_the_promised_spread() {
        let (wander, elapsed) = (1e-9, 900.0);
        let at = Moment::from_seconds(elapsed);
        let (mut frequency, mut phase) = (0.0, 0.0);
        const RUNS: u64 = 2000;
        for seed in 0..RUNS {
            let mut oscillator = oscillator(seed, Settings { wander, ..Settings::default() });
            frequency += oscillator.frequency(at).powi(2) / RUNS as f64;
            phase += oscillator.phase(at).powi(2) / RUNS as f64;
        }
        close(frequency.sqrt() / (wander * elapsed.sqrt()), 1.0, 0.05);
        close(phase.sqrt() / (wander * (elapsed.powi(3) / 3.0).sqrt()), 1.0, 0.05);
    }

    #[test]
    fn white_noise_makes_the_phase_walk() {
        let (white, elapsed) = (1e-8, 400.0);
        let at = Moment::from_seconds(elapsed);
        const RUNS: u64 = 2000;
        let mut phase = 0.0;
        for seed in 0..RUNS {
            let mut oscillator = oscillator(seed, Settings { white, ..Settings::default() });
            phase += oscillator.phase(at).powi(2) / RUNS as f64;
        }
        close(phase.sqrt() / (white * elapsed.sqrt()), 1.0, 0.05);
    }

    #[test]
    fn reading_often_changes_nothing() {
        let settings =
            Settings { frequency: 1e-5, wander: 1e-8, white: 1e-7, ..Settings::default() };
        let (mut often, mut once) = (oscillator(3, settings.clone()), oscillator(3, settings));
        for nanos in (0..100_000_000_000).step_by(170_000_001) {
            often.phase(Moment::from_nanos(nanos));
        }
        let end = Moment::from_seconds(100.0);
        assert_eq!(often.phase(end), once.phase(end));
        assert_eq!(often.frequency(end), once.frequency(end));
    }

    #[test]
    fn frequency_is_the_slope_of_the_phase() {
        let mut oscillator = oscillator(
            4,
            Settings {
                frequency: -3e-5,
                wander: 1e-7,
                temperature: Some(TemperatureCycle { amplitude: 1e-6, period: 600.0, phase: 0.1 }),
                ..Settings::default()
            },
        );
        let (before, after) = (Moment::from_seconds(50.25), Moment::from_seconds(50.35));
        let slope = (oscillator.phase(after) - oscillator.phase(before)) / 0.1;
        close(oscillator.frequency(Moment::from_seconds(50.3)), slope, 1e-11);
    }
}
