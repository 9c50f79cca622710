//! The classic estimator: a weighted regression over as many measurements as fit a line.
//!
//! A measurement enters the `window`, where its `route` tells how long it waited in queues; what that
//! did to the offset is known if the queues are on one way only (`asymmetry`). From that
//! and from its neighbours comes its `noise`, by which it is weighted in a `line`. Over how many
//! measurements that line goes is a balance (`fit`) between their noise and the `wander` of the
//! oscillator. What was known of the frequency before (`prior`) counts until measurements know better.
//! Those that the line cannot explain wait among the `suspects` until it is clear whether they are
//! spikes or a change.
//!
//! Two uncertainties are reported. The standard deviation is what noise and wander make of the
//! estimate; an asymmetric path is invisible to it. The root distance contains the truth whatever the
//! path does, as long as the source is right: it is built on the measurement whose own interval,
//! carried to the present, is the smallest.

mod asymmetry;
mod findings;
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

use timeball_wire::{Oscillator, Span};

use super::{Estimate, Frequency, Misreading, Settings, Statistics, Surprise, Wish};
use crate::measurement::Measurement;
use asymmetry::Asymmetry;
use findings::Findings;
use fit::Fit;
use noise::Noise;
use prior::Prior;
use suspects::{Change, Suspect, Suspects};
use wander::Wander;
use window::{Point, Window};

/// Largest window that can be asked for.
const MAX_WINDOW: usize = 1024;
/// Wander is learnt from predictions that rest on so many measurements: before that a wrong prior
/// would pass for it.
const LESSON: usize = 8;
/// Two measurements are on a line whatever they are worth: so many are needed to learn a frequency that
/// outlasts them.
const EVIDENCE: usize = 3;
/// A measurement is a suspect if it misses by more standard deviations than this…
const GATE: f64 = 6.0;
/// …and by this much more, divided by the number of measurements in use, while there are few.
const GATE_FEW: f64 = 20.0;

/// The estimator of one source.
#[derive(Clone, Debug)]
pub(super) struct Classic {
    settings: Settings,
    window: Window,
    asymmetry: Asymmetry,
    prior: Prior,
    wander: Wander,
    /// Noise base (s²) found before the phase was forgotten.
    known_base: Option<f64>,
    /// What the window says; `None` while it is empty.
    findings: Option<Findings>,
    suspects: Suspects,
    misreading: Misreading,
}

impl Classic {
    /// An estimator without measurements. `frequency` is what is already known of the oscillator.
    pub(super) fn new(settings: Settings, frequency: Frequency) -> Self {
        let max_samples = settings.max_samples.clamp(1, MAX_WINDOW);
        let min_samples = settings.min_samples.clamp(1, max_samples);
        Self {
            settings: Settings { min_samples, max_samples, ..settings },
            window: Window::new(max_samples),
            asymmetry: Asymmetry::new(settings.asymmetry),
            prior: Prior::cold(frequency),
            wander: Wander::new(),
            known_base: None,
            findings: None,
            suspects: Suspects::default(),
            misreading: Misreading::default(),
        }
    }

    /// Takes in a measurement; `None` for the first, which nothing predicted, and for one that is not
    /// newer than all others, which is ignored: oscillator time never goes back, so whoever rewinds
    /// it has to [`restart`](Self::restart).
    pub(super) fn add(&mut self, measurement: &Measurement) -> Option<Surprise> {
        let mut point = Point::new(measurement);
        let Some(findings) = self.findings else {
            self.prior.start(point.at);
            self.accept(point);
            return None;
        };
        if point.at <= self.suspects.newest().map_or(findings.at, |suspect| suspect.point.at) {
            return None;
        }
        self.misreading.measured(point.at);
        let since = findings.since(point.at);
        let floor = self.delay_floor();
        point.excess = (point.delay - floor).max(0.0);
        point.queued = self.asymmetry.share() * point.excess;
        point.error = findings.error(point.at, point.offset) - point.queued;
        let without_queues =
            findings.noise.variance_without_queues(&point) + findings.offset_variance(since);
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
            expected: (without_queues + findings.noise.queue_variance(&point)).sqrt(),
            samples: self.findings.map_or(0, |findings| findings.fit.samples),
            stepped,
            wish: Wish::None,
        })
    }

    /// The estimate for `at`, or `None` before the first measurement.
    pub(super) fn estimate(&self, at: Oscillator) -> Option<Estimate> {
        let doubt = self.suspects.doubt() + self.misreading.seen_at(at);
        self.findings.as_ref()?.estimate(at, &self.window, doubt)
    }

    /// Forgets where the source was but not how fast the oscillator runs: the source stepped or was
    /// replaced, or this machine slept.
    pub(super) fn restart(&mut self) {
        self.keep(0);
        self.known_base = None;
        self.suspects.clear();
    }

    /// See [`Estimator::doubt`](super::Estimator::doubt). What is measured next is taken as it is.
    pub(super) fn doubt(&mut self, since: Oscillator, by: f64) {
        self.misreading.add(since, by);
    }

    /// The measurements held, oldest first, to be [added](Self::add) to another estimator.
    pub(super) fn measurements(&self) -> impl Iterator<Item = Measurement> {
        self.window.all().iter().map(Point::measurement)
    }

    /// Every offset measured so far was too small by this much, as it turns out.
    pub(super) fn shift(&mut self, by: Span) {
        self.window.shift(by);
        self.suspects.shift(by);
        if let Some(findings) = &mut self.findings {
            findings.shift(by);
        }
    }

    /// Measurements held.
    pub(super) fn len(&self) -> usize {
        self.window.len()
    }

    /// What was learnt so far, or `None` before the first measurement.
    pub(super) fn statistics(&self) -> Option<Statistics> {
        let Findings { fit, noise, .. } = self.findings.as_ref()?;
        Some(Statistics {
            held: self.window.len(),
            used: fit.samples,
            span: -self.window.latest(fit.samples).first()?.t,
            memory: -self.window.latest(fit.samples).first()?.t,
            runs: fit.runs(&self.window),
            delay_floor: self.delay_floor(),
            typical_excess: noise.typical_excess(),
            noise: noise.base().sqrt(),
            residual_sd: fit.residual_variance.sqrt(),
            asymmetry: self.asymmetry.share(),
            wander: self.wander.mean().sqrt(),
        })
    }

    /// Learns from how far a measurement missed its prediction.
    fn learn_wander(&mut self, findings: &Findings, point: &Point) {
        if self.len() < LESSON {
            return;
        }
        let (since, line) = (findings.since(point.at), &findings.fit.line);
        let noise = findings.noise.variance(point) + line.noise_variance(since);
        self.wander.learn(point.error, noise, line.wander_gain(since));
    }

    /// Puts a measurement into the window and fits the line anew.
    fn accept(&mut self, point: Point) {
        self.window.push(point);
        self.measure_queues();
        let typical_excess = self.window.typical_excess();
        self.asymmetry.learn(self.window.all(), typical_excess);
        let share = self.asymmetry.share();
        self.window.correct(share);
        let noise = Noise::learn(self.window.all_mut(), typical_excess, self.known_base, share);
        let (prior, wander) = (self.prior.at(point.at), self.wander.mean());
        self.findings = Fit::best(&self.window, self.settings.min_samples, prior, wander)
            .map(|fit| Findings::new(fit, noise, wander, &point, &self.window));
    }

    /// Finds out how long each measurement in the window waited in queues.
    fn measure_queues(&mut self) {
        if let Some(floor) = self.known_floor() {
            route::measure_from(self.window.all_mut(), floor);
            return;
        }
        route::assign(self.window.all_mut());
        if let Some(count) = route::one_way_longer(self.window.all()) {
            self.keep(count);
            route::assign(self.window.all_mut());
        }
    }

    /// The smallest delay (s), if the operator has said it.
    fn known_floor(&self) -> Option<f64> {
        Some(self.settings.min_delay).filter(|floor| *floor > 0.0)
    }

    /// The smallest delay (s) on the route of the newest measurement.
    fn delay_floor(&self) -> f64 {
        self.known_floor().unwrap_or_else(|| route::newest_floor(self.window.all()))
    }

    /// Follows what several suspects in a row turned out to be. Returns the size of a step (s).
    fn follow(&mut self, change: Change) -> Option<f64> {
        let suspects = std::mem::take(&mut self.suspects);
        let evident = self.len() >= EVIDENCE;
        self.keep(0);
        let stepped = match change {
            // What they contradict was no line yet.
            Change::Noise(_) if !evident => None,
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
            if self.len() >= EVIDENCE {
                let frequency = findings.frequency(0.0);
                self.prior = Prior::warm(frequency, findings.at, self.wander.mean());
            }
            self.known_base = Some(findings.noise.base());
        }
        self.window.keep(count);
    }
}
