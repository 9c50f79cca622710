//! Per source: what is true time minus oscillator time, at what rate does it change, how sure are
//! we?
//!
//! A measurement enters the [`window`], gets its variance from what its delay and its neighbours
//! tell of the [`noise`], and takes part in a weighted [`line`] whose length balances noise against
//! the [`wander`] of the oscillator. Measurements that the line cannot explain wait among the
//! [`suspects`] until it is clear whether they are spikes or a change.

mod line;
mod noise;
mod suspects;
mod wander;
mod window;

use timeball_wire::{Oscillator, Span};

use crate::measurement::Measurement;
use line::Line;
use noise::{Known, Noise};
use suspects::{Change, Suspect, Suspects};
use wander::Wander;
use window::{Point, Window};

/// How many measurements an estimator may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Never fewer than this, however badly they fit a line.
    pub min_samples: usize,
    /// Never more than this.
    pub max_samples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { min_samples: 6, max_samples: 64 }
    }
}

/// A belief about the oscillator's frequency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frequency {
    /// Seconds of true time gained per second of the oscillator (s/s).
    pub value: f64,
    /// One standard deviation (s/s).
    pub sd: f64,
}

/// What a source says of the oscillator, predicted to one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The moment.
    pub at: Oscillator,
    /// True time minus oscillator.
    pub offset: Span,
    /// One standard deviation of the offset (s), path asymmetry not included.
    pub offset_sd: f64,
    /// How fast the offset changes.
    pub frequency: Frequency,
    /// Standard deviation of single measurements about the estimate (s).
    pub jitter: f64,
    /// Smallest round-trip delay to the source in use (s).
    pub delay: f64,
    /// Round-trip delay to the reference clock (s).
    pub root_delay: f64,
    /// Dispersion to the reference clock (s): the server's, the measurement's, and what
    /// may have grown since.
    pub root_dispersion: f64,
    /// Measurements in use.
    pub samples: usize,
    /// Age of the newest measurement.
    pub age: Span,
}

impl Estimate {
    /// Half-width (s) of the interval that contains true time if the source is right (RFC 5905
    /// §11.2).
    pub fn root_distance(&self) -> f64 {
        self.root_delay / 2.0 + self.root_dispersion
    }
}

/// How a new measurement met the prediction of those before it; the association adapts its poll
/// interval by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surprise {
    /// Measured minus predicted offset (s).
    pub error: f64,
    /// What one would expect of it (s): measurement and prediction uncertainty together.
    pub expected: f64,
    /// Measurements in use after the update.
    pub samples: usize,
    /// The source's clock was found to have been stepped by this much (s); what was measured before
    /// is forgotten.
    pub stepped: Option<f64>,
}

/// Largest window that can be asked for.
const MAX_WINDOW: usize = 1024;
/// What is known of a frequency from before cannot be surer than this (s/s): the machine was off,
/// the room is warmer.
const PRIOR_SD: std::ops::RangeInclusive<f64> = 1e-7..=1e-2;
/// No oscillator is further off than this (s/s).
const PRIOR_LIMIT: f64 = 0.1;
/// Variance per second ((s/s)²/s) that a frequency from before the first measurement gains: 1 ppm in
/// a quarter of an hour, as for a machine that warms up.
const COLD_FADING: f64 = 1e-15;
/// The same for a frequency that was measured here, before the source stepped.
const WARM_FADING: f64 = 1e-17;
/// Wander ((s/s)²/s) that is assumed at least where a prediction reaches further than any that was
/// ever put to the test: the night is colder than the afternoon.
const UNTESTED_WANDER: f64 = 3e-18;
/// Standard deviations from an estimate to the edge of the interval that is reported.
const COVERAGE: f64 = 3.0;
/// A measurement is a suspect if it misses by more standard deviations than this…
const GATE: f64 = 6.0;
/// …and by this much more, divided by the number of measurements in use, while there are few.
const GATE_FEW: f64 = 20.0;

/// A frequency known without the measurements in the window.
#[derive(Clone, Copy, Debug)]
struct Prior {
    frequency: Frequency,
    /// Since when it ages; unknown until the first measurement.
    since: Option<Oscillator>,
    /// Variance it gains per second.
    fading: f64,
}

impl Prior {
    fn new(frequency: Frequency) -> Self {
        let Frequency { value, sd } = frequency;
        let value = if value.is_nan() { 0.0 } else { value.clamp(-PRIOR_LIMIT, PRIOR_LIMIT) };
        let sd = if sd.is_nan() {
            *PRIOR_SD.end()
        } else {
            sd.clamp(*PRIOR_SD.start(), *PRIOR_SD.end())
        };
        Self { frequency: Frequency { value, sd }, since: None, fading: COLD_FADING }
    }

    fn at(&self, at: Oscillator) -> Frequency {
        let age = self.since.map_or(0.0, |since| (at - since).seconds().max(0.0));
        let variance = self.frequency.sd.powi(2) + self.fading * age;
        Frequency { value: self.frequency.value, sd: variance.sqrt() }
    }
}

/// What the measurements in use say together.
#[derive(Clone, Copy, Debug)]
struct Fit {
    line: Line,
    /// Measurements in use.
    samples: usize,
    /// Sum of squared residuals over their number less the line's freedom (s²).
    residual_variance: f64,
}

/// The estimator of one source.
#[derive(Clone, Debug)]
pub struct Estimator {
    settings: Settings,
    window: Window,
    prior: Prior,
    known: Known,
    noise: Option<Noise>,
    wander: Wander,
    fit: Option<Fit>,
    suspects: Suspects,
}

impl Estimator {
    /// An estimator without measurements. `frequency` is what is already known of the oscillator.
    pub fn new(settings: Settings, frequency: Frequency) -> Self {
        let max_samples = settings.max_samples.clamp(1, MAX_WINDOW);
        let settings =
            Settings { min_samples: settings.min_samples.clamp(1, max_samples), max_samples };
        Self {
            settings,
            window: Window::new(max_samples),
            prior: Prior::new(frequency),
            known: Known::Nothing,
            noise: None,
            wander: Wander::new(),
            fit: None,
            suspects: Suspects::default(),
        }
    }

    /// Takes in a measurement; `None` for the first, which nothing predicted, and for one that is not
    /// newer than all others, which is ignored.
    pub fn add(&mut self, measurement: &Measurement) -> Option<Surprise> {
        let point = Point::new(measurement);
        let (Some(newest), Some(fit), Some(noise)) =
            (self.window.newest().copied(), self.fit, self.noise)
        else {
            self.prior.since.get_or_insert(point.at);
            self.accept(point);
            return None;
        };
        if point.at <= self.suspects.newest().map_or(newest.at, |suspect| suspect.point.at) {
            return None;
        }
        let since = (point.at - newest.at).seconds();
        let error = (point.offset - newest.offset).seconds() - fit.line.at(since);
        let floor = self.window.all().iter().map(|p| p.floor).fold(f64::INFINITY, f64::min);
        let measured = noise.variance(&Point { floor: floor.min(point.delay), ..point });
        let predicted = self.noise_variance(&fit, since);
        let gain = fit.line.wander_gain(since);
        let expected = (measured + predicted + self.wander.mean() * gain).sqrt();

        let possible = (point.delay - floor).abs() / 2.0 + point.dispersion;
        let gate = GATE + GATE_FEW / fit.samples as f64;
        let mut stepped = None;
        if error.abs() > possible + gate * expected {
            match self.suspects.add(Suspect { point, error, expected, since }) {
                None => {}
                Some(Change::Step(by)) => {
                    self.forget_phase();
                    self.accept_suspects();
                    stepped = Some(by);
                }
                Some(Change::Frequency(by)) => {
                    self.forget_phase();
                    self.prior.frequency.value += by;
                    self.prior.frequency.sd += by.abs() / 2.0;
                    self.accept(newest);
                    self.accept_suspects();
                }
                Some(Change::Noise) => self.accept_suspects(),
            }
        } else {
            self.suspects.clear();
            self.wander.learn(error, measured + predicted, gain);
            self.accept(point);
        }
        let samples = self.fit.map_or(0, |fit| fit.samples);
        Some(Surprise { error, expected, samples, stepped })
    }

    /// The estimate for `at`, or `None` before the first measurement.
    pub fn estimate(&self, at: Oscillator) -> Option<Estimate> {
        let (newest, fit) = (self.window.newest()?, self.fit?);
        let t = (at - newest.at).seconds();
        let offset = newest.offset + Span::from_seconds(fit.line.at(t));
        let offset_variance = self.noise_variance(&fit, t)
            + self.wander.mean() * fit.line.wander_gain(t)
            + self.untested_variance(t);
        let frequency = self.frequency(&fit, t);

        // The interval of a single measurement certainly contained the truth, if its server was
        // right. Carried to `at` it grows, and the estimate does not stand in its middle.
        let carried = |point: &Point| {
            let age = (t - point.t).abs();
            let growth = frequency.sd.powi(2) * age.powi(2)
                + self.wander.mean() * age.powi(3) / 3.0
                + offset_variance;
            let aside = (point.y - fit.line.at(point.t)).abs();
            point.root_dispersion + aside + COVERAGE * growth.sqrt()
        };
        let used = self.window.latest(fit.samples);
        let best = used.iter().min_by(|a, b| {
            (carried(a) + a.root_delay / 2.0).total_cmp(&(carried(b) + b.root_delay / 2.0))
        })?;
        let doubt = self.suspects.iter().map(|suspect| suspect.error.abs()).fold(0.0, f64::max);
        Some(Estimate {
            at,
            offset,
            offset_sd: offset_variance.sqrt(),
            frequency,
            jitter: fit.residual_variance.sqrt(),
            delay: used.iter().map(|point| point.delay).fold(f64::INFINITY, f64::min),
            root_delay: best.root_delay,
            root_dispersion: carried(best) + doubt,
            samples: fit.samples,
            age: at - newest.at,
        })
    }

    /// Forgets where the source was but not how fast the oscillator runs: the source stepped or was
    /// replaced, or this machine slept.
    pub fn restart(&mut self) {
        self.forget_phase();
        self.known = Known::Nothing;
        self.suspects.clear();
    }

    /// Measurements held.
    pub fn len(&self) -> usize {
        self.window.len()
    }

    /// True before the first measurement.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all measurements, but keeps what they told of frequency, noise and wander.
    fn forget_phase(&mut self) {
        if let (Some(newest), Some(fit)) = (self.window.newest(), self.fit) {
            let Frequency { value, sd } = self.frequency(&fit, 0.0);
            let cold = Prior::new(Frequency { value, sd });
            self.prior = Prior {
                frequency: Frequency { value: cold.frequency.value, sd: sd.min(cold.frequency.sd) },
                since: Some(newest.at),
                fading: WARM_FADING.max(10.0 * self.wander.mean()),
            };
        }
        if let Some(noise) = self.noise {
            self.known = Known::Base(noise.base());
        }
        self.window.clear();
        self.fit = None;
        self.noise = None;
    }

    fn accept_suspects(&mut self) {
        for suspect in std::mem::take(&mut self.suspects).iter() {
            self.accept(suspect.point);
        }
    }

    fn accept(&mut self, point: Point) {
        self.window.push(point);
        let floor = self.window.all().iter().map(|p| p.delay).fold(f64::INFINITY, f64::min);
        let mut v: Vec<f64> = self.window.all().iter().map(|p| p.delay - floor).collect();
        v.sort_by(f64::total_cmp);
        let typical = v[v.len() / 2];
        for point in self.window.all_mut() {
            point.floor = floor;
            point.typical = typical;
        }
        let noise = Noise::learn(self.window.all(), self.known);
        for point in self.window.all_mut() {
            point.variance = noise.variance(point);
        }
        self.noise = Some(noise);
        self.fit = self.best_fit();
    }

    /// The line over that many of the newest measurements which predicts the next one best.
    fn best_fit(&self) -> Option<Fit> {
        let newest = self.window.newest()?;
        let prior = self.prior.at(newest.at);
        let held = self.window.len();
        let horizon = match self.window.latest(2) {
            [earlier, _] => -earlier.t,
            _ => 0.0,
        };
        let mut best: Option<(f64, usize, Line)> = None;
        let mut count = held.min(self.settings.min_samples);
        loop {
            let line = Line::fit(self.window.latest(count), prior);
            let variance =
                line.noise_variance(horizon) + self.wander.mean() * line.wander_gain(horizon);
            if best.is_none_or(|(least, ..)| variance < least) {
                best = Some((variance, count, line));
            }
            if count == held {
                break;
            }
            count = (count + count / 8 + 1).min(held);
        }
        let (_, samples, line) = best?;
        let used = self.window.latest(samples);
        let squares: f64 = used.iter().map(|p| (p.y - line.at(p.t)).powi(2)).sum();
        let residual_variance = match samples {
            ..3 => newest.variance,
            _ => squares / (samples - 2) as f64,
        };
        Some(Fit { line, samples, residual_variance })
    }

    /// Variance of the line at `t` (s²) from noise, more while few measurements support what is
    /// believed of the noise itself.
    fn noise_variance(&self, fit: &Fit, t: f64) -> f64 {
        fit.line.noise_variance(t) * few_samples(fit.samples)
    }

    fn frequency(&self, fit: &Fit, t: f64) -> Frequency {
        let variance = fit.line.slope_noise_variance() * few_samples(fit.samples)
            + self.wander.mean() * fit.line.slope_wander_gain(t);
        Frequency { value: fit.line.slope(), sd: variance.sqrt() }
    }

    /// Variance (s²) to add where a prediction reaches further than between any two measurements.
    fn untested_variance(&self, t: f64) -> f64 {
        let tested = self.window.all().windows(2).map(|pair| match pair {
            [earlier, later] => later.t - earlier.t,
            _ => 0.0,
        });
        let beyond = (t - tested.fold(0.0, f64::max)).max(0.0);
        (UNTESTED_WANDER - self.wander.mean()).max(0.0) * beyond.powi(3) / 3.0
    }
}

/// By how much a variance estimated from `samples` measurements may be too small.
fn few_samples(samples: usize) -> f64 {
    1.0 + 4.0 / samples.max(1) as f64
}

#[cfg(test)]
mod tests;
