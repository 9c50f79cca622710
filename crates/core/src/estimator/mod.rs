//! Per source: what is true time minus oscillator time, at what rate does it change, how sure are
//! we?
//!
//! A measurement enters the [`window`], where its [`route`] tells how long it waited in queues. That
//! and its neighbours tell its [`noise`], by which it is weighted in a [`line`] whose length is a
//! balance ([`fit`]) between noise and the [`wander`] of the oscillator. What was known of the
//! frequency [`prior`] to that counts until measurements know better. Measurements that the line
//! cannot explain wait among the [`suspects`] until it is clear whether they are spikes or a change.

mod estimate;
mod fit;
mod line;
mod noise;
mod prior;
mod route;
mod suspects;
#[cfg(test)]
mod tests;
mod wander;
mod window;

pub use estimate::{Estimate, Frequency, Settings, Statistics, Surprise};

use timeball_wire::{Oscillator, Span};

use crate::measurement::Measurement;
use fit::Fit;
use noise::Noise;
use prior::Prior;
use suspects::{Change, Suspect, Suspects};
use wander::Wander;
use window::{Point, Window};

/// Largest window that can be asked for.
const MAX_WINDOW: usize = 1024;
/// Where a prediction reaches further than any that was ever put to the test, wander is taken for so
/// many times what was learnt…
const UNTESTED_FACTOR: f64 = 3.0;
/// …and for this ((s/s)²/s) at least, which covers 1 ppm between day and night.
const UNTESTED_WANDER: f64 = 1e-17;
/// What was learnt of noise and wander is itself uncertain, and a window that was chosen for its
/// small variance is likely to understate it. Variances are reported this many times larger…
const LEARNING: f64 = 1.8;
/// …and by this much more, divided by the number of measurements in use, while there are few.
const LEARNING_FEW: f64 = 4.0;
/// Wander is learnt from predictions that rest on so many measurements: before that a wrong prior
/// would pass for it.
const LESSON: usize = 8;
/// Standard deviations from an estimate to the edge of the interval that is reported.
const COVERAGE: f64 = 3.0;
/// A measurement is a suspect if it misses by more standard deviations than this…
const GATE: f64 = 6.0;
/// …and by this much more, divided by the number of measurements in use, while there are few.
const GATE_FEW: f64 = 20.0;

/// The estimator of one source.
#[derive(Clone, Debug)]
pub struct Estimator {
    settings: Settings,
    window: Window,
    prior: Prior,
    wander: Wander,
    /// Noise base (s²) found before the phase was forgotten.
    known_base: Option<f64>,
    /// What the window says; `None` while it is empty.
    findings: Option<Findings>,
    suspects: Suspects,
}

/// What the measurements in the window say.
#[derive(Clone, Copy, Debug)]
struct Findings {
    fit: Fit,
    noise: Noise,
    /// Time of the newest measurement.
    at: Oscillator,
    /// Its offset, to which the line is relative.
    offset: Span,
    /// Longest time between two successive measurements (s).
    tested: f64,
}

impl Estimator {
    /// An estimator without measurements. `frequency` is what is already known of the oscillator.
    pub fn new(settings: Settings, frequency: Frequency) -> Self {
        let max_samples = settings.max_samples.clamp(1, MAX_WINDOW);
        let min_samples = settings.min_samples.clamp(1, max_samples);
        Self {
            settings: Settings { min_samples, max_samples },
            window: Window::new(max_samples),
            prior: Prior::cold(frequency),
            wander: Wander::new(),
            known_base: None,
            findings: None,
            suspects: Suspects::default(),
        }
    }

    /// Takes in a measurement; `None` for the first, which nothing predicted, and for one that is not
    /// newer than all others, which is ignored: oscillator time never goes back, so whoever rewinds
    /// it has to [`restart`](Self::restart).
    pub fn add(&mut self, measurement: &Measurement) -> Option<Surprise> {
        let mut point = Point::new(measurement);
        let Some(findings) = self.findings else {
            self.prior.start(point.at);
            self.accept(point);
            return None;
        };
        if point.at <= self.suspects.newest().map_or(findings.at, |suspect| suspect.point.at) {
            return None;
        }
        let since = (point.at - findings.at).seconds();
        point.error = (point.offset - findings.offset).seconds() - findings.fit.line.at(since);
        let floor = route::newest_floor(self.window.all());
        point.excess = (point.delay - floor).max(0.0);
        let predicted = self.offset_variance(&findings, since);
        let without_queues = findings.noise.variance_without_queues(&point) + predicted;
        point.expected = without_queues.sqrt();

        // Queues explain half of the excess; uncertainty the rest, up to the gate.
        let gate = GATE + GATE_FEW / findings.fit.samples as f64;
        let explained = point.excess / 2.0 + point.dispersion + gate * point.expected;
        let mut stepped = None;
        if point.error.abs() <= explained {
            self.suspects.clear();
            self.learn_wander(&findings, &point);
            self.accept(point);
        } else {
            let shorter = (floor - point.delay).max(0.0);
            let change = self.suspects.add(Suspect { point, since, shorter });
            stepped = change.and_then(|change| self.follow(change));
        }
        Some(Surprise {
            error: point.error,
            expected: (without_queues + point.excess.powi(2) / 12.0).sqrt(),
            samples: self.findings.map_or(0, |findings| findings.fit.samples),
            stepped,
        })
    }

    /// The estimate for `at`, or `None` before the first measurement.
    pub fn estimate(&self, at: Oscillator) -> Option<Estimate> {
        let findings = self.findings.as_ref()?;
        let line = &findings.fit.line;
        let t = (at - findings.at).seconds();
        let offset_variance = self.offset_variance(findings, t);
        let frequency = self.frequency(findings, t);

        // The interval of a single measurement certainly contained the truth, if its server was
        // right. It is carried along the line, which may be wrong on the way from there to the newest
        // measurement and from that to `at`, and the estimate does not stand in its middle.
        let dispersion = |point: &Point| {
            let carrying = self.frequency(findings, 0.0).sd.powi(2) * point.t.powi(2)
                + self.wander.mean() * point.t.abs().powi(3) / 3.0;
            let aside = (point.y - line.at(point.t)).abs();
            point.root_dispersion + aside + COVERAGE * (carrying + offset_variance).sqrt()
        };
        let used = self.window.latest(findings.fit.samples);
        let (best, root_dispersion) =
            used.iter().map(|point| (point, dispersion(point))).min_by(|(a, da), (b, db)| {
                (a.root_delay / 2.0 + da).total_cmp(&(b.root_delay / 2.0 + db))
            })?;
        Some(Estimate {
            at,
            offset: findings.offset + Span::from_seconds(line.at(t)),
            offset_sd: offset_variance.sqrt(),
            frequency,
            jitter: findings.fit.residual_variance.sqrt(),
            delay: used.iter().map(|point| point.delay).fold(f64::INFINITY, f64::min),
            root_delay: best.root_delay,
            root_dispersion: root_dispersion + self.suspects.doubt(),
            samples: findings.fit.samples,
            age: at - findings.at,
        })
    }

    /// Forgets where the source was but not how fast the oscillator runs: the source stepped or was
    /// replaced, or this machine slept.
    pub fn restart(&mut self) {
        self.keep(0);
        self.known_base = None;
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

    /// What was learnt so far, or `None` before the first measurement.
    pub fn statistics(&self) -> Option<Statistics> {
        let Findings { fit, noise, .. } = self.findings.as_ref()?;
        Some(Statistics {
            held: self.window.len(),
            used: fit.samples,
            span: -self.window.latest(fit.samples).first()?.t,
            delay_floor: route::newest_floor(self.window.all()),
            typical_excess: noise.typical_excess(),
            noise: noise.base().sqrt(),
            residual_sd: fit.residual_variance.sqrt(),
            wander: self.wander.mean().sqrt(),
        })
    }

    /// Learns from how far a measurement missed its prediction.
    fn learn_wander(&mut self, findings: &Findings, point: &Point) {
        if self.len() < LESSON {
            return;
        }
        let since = (point.at - findings.at).seconds();
        let line = &findings.fit.line;
        let noise = findings.noise.variance(point) + line.noise_variance(since);
        self.wander.learn(point.error, noise, line.wander_gain(since));
    }

    /// Puts a measurement into the window and fits the line anew.
    fn accept(&mut self, point: Point) {
        self.window.push(point);
        route::assign(self.window.all_mut());
        if let Some(count) = route::one_way_longer(self.window.all()) {
            self.keep(count);
            route::assign(self.window.all_mut());
        }
        let typical_excess = self.window.typical_excess();
        let noise = Noise::learn(self.window.all_mut(), typical_excess, self.known_base);
        let (prior, wander) = (self.prior.at(point.at), self.wander.mean());
        self.findings =
            Fit::best(&self.window, self.settings.min_samples, prior, wander).map(|fit| Findings {
                fit,
                noise,
                at: point.at,
                offset: point.offset,
                tested: self.window.longest_gap(),
            });
    }

    /// Follows what several suspects in a row turned out to be. Returns the size of a step (s).
    fn follow(&mut self, change: Change) -> Option<f64> {
        let suspects = std::mem::take(&mut self.suspects);
        self.keep(0);
        let stepped = match change {
            Change::Step(by) => Some(by),
            Change::Route => None,
            Change::Frequency(by) => {
                self.prior.shift(by);
                None
            }
            Change::Noise(variance) => {
                let base = self.known_base.unwrap_or(0.0);
                self.known_base = Some(base.max(variance));
                None
            }
        };
        suspects.iter().for_each(|suspect| self.accept(suspect.point));
        stepped
    }

    /// Forgets all but the newest `count` measurements, and keeps what the others told of frequency,
    /// noise and wander.
    fn keep(&mut self, count: usize) {
        if let Some(findings) = self.findings.take() {
            let frequency = self.frequency(&findings, 0.0);
            self.prior = Prior::warm(frequency, findings.at, self.wander.mean());
            self.known_base = Some(findings.noise.base());
        }
        self.window.keep(count);
    }

    /// Variance of the offset (s²) that the line predicts for `t` seconds after the newest
    /// measurement.
    fn offset_variance(&self, findings: &Findings, t: f64) -> f64 {
        let wander = self.wander.mean();
        let beyond = (t - findings.tested).max(0.0);
        let untested = UNTESTED_WANDER.max(UNTESTED_FACTOR * wander) - wander;
        findings.fit.line.variance(t, wander) * learning(findings.fit.samples)
            + untested * beyond.powi(3) / 3.0
    }

    fn frequency(&self, findings: &Findings, t: f64) -> Frequency {
        let line = &findings.fit.line;
        let variance = line.slope_variance(t, self.wander.mean()) * learning(findings.fit.samples);
        Frequency { value: line.slope(), sd: variance.sqrt() }
    }
}

/// How much larger than computed a variance should be taken if so many measurements support it.
fn learning(samples: usize) -> f64 {
    LEARNING + LEARNING_FEW / samples.max(1) as f64
}
