//! The bank: forty [`hypotheses`] about the oscillator and the path, each with a smoother of its own.
//!
//! With θ = true time − oscillator and m the base delay of one way, the two one-way delays of a
//! [`sample`] are `outbound = θ + m + e` and `inbound = −θ + m + e′`, and times in queues e, e′ are never
//! negative. Their sum does not contain θ: round trips tell how the path is, apart from how the
//! oscillator is. Their difference says where θ is, best by the packets that waited least.
//!
//! A hypothesis ([`smoothers`]) says how the oscillator moves ([`motion`]) and what shape the time in
//! queues has ([`queues`], [`local`]). Its [`state`] is a normal distribution of θ, frequency, drift
//! and base delay; each one-way delay enters it as a *site*, a normal factor with the same moments as
//! the true one (by [`truncated`]), and the sites of the newest measurements are revised when later ones
//! throw light on them. How well each hypothesis predicts is how much it counts in the [`mixture`].
//! What none of them covers are [`events`].

mod events;
mod habit;
mod hypotheses;
mod known_queues;
mod lanes;
mod local;
mod mixture;
mod motion;
mod polling;
mod queues;
mod sample;
mod smoothers;
mod state;
#[cfg(test)]
mod tests;
mod truncated;

use arrayvec::ArrayVec;
use timeball_wire::{Oscillator, Span};

use super::{
    Estimate, Frequency, Misreading, Settings, Statistics, Surprise, UNTESTED, Wish, wandered,
};
use crate::measurement::Measurement;
use events::EXPERIENCE;
use habit::Habit;
use hypotheses::{Hypotheses, MOST_EVIDENCE, MOST_OF_A_HINT};
use known_queues::KnownQueues;
use mixture::{Path, Prediction};
use motion::Motion;
use sample::{Sample, WINDOW, Window};
use state::Jump;

/// Typical time in queues, as a share of half the round trip, before anything is known.
const GUESSED_SCALE: f64 = 0.1;
/// And no more than this (s): a way of seconds is not noisier for it.
const LARGEST_GUESS: f64 = 0.05;
/// Measurements with which the phase and the frequency begin, and that nothing could predict.
const BEGINNING: usize = 2;
/// Sweeps through the window after a measurement,
const SWEEPS: usize = 2;
/// and after an event.
const EVENT_SWEEPS: usize = 5;
/// Measurements closer than this (s) are not worth as much work each…
const FAST: f64 = 4.0;
/// …and sweeps no more often than this (s), whatever comes.
const SWEEP_INTERVAL: f64 = 0.5;
/// Suspects in a row that make a change.
const CONFIRMATIONS: usize = 3;
/// After a step the offset is unknown by this many times its size.
const STEP_DOUBT: f64 = 2.0;
/// A step this many times the round trip is a new beginning.
const NEW_BEGINNING: f64 = 100.0;
/// Shortest time (s) in which a change of frequency is looked for behind an error.
const CHANGE_TIME: f64 = 16.0;
/// How much faster than at the start patience grows again after a change.
const KNOWN_PACE: f64 = 2.0;
/// Offsets are counted from another origin when they become larger than this (s).
const FAR: f64 = 100.0;
/// No clock is that fast (s/s). Larger numbers, squared a few times, would be none any more.
const ABSURD: f64 = 1e6;
/// Standard deviations from an estimate to the edge of the interval that is reported, when there are many
/// measurements.
const COVERAGE: f64 = 2.5;
/// After so many measurements it is twice as many: the noise itself is a guess then, as in Student's
/// distribution.
const FEW: f64 = 2.0;

/// What a measurement is taken for besides what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    /// How well it was predicted says which hypotheses are good.
    AsEvidence,
    /// The same, but nothing like it was ever seen: a long queue it may be, and is no reason to take the
    /// oscillator for another.
    AsHint,
    /// Something happened, or too little is known, that no hypothesis could predict it.
    ForItself,
}

/// The estimator of one source.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    settings: Settings,
    /// What is known of the frequency before the first measurement.
    frequency: Frequency,
    /// What was measured before the phase was lost.
    past: Option<Past>,
    /// θ is counted from here.
    origin: Span,
    /// Measurements that the window may hold.
    room: usize,
    window: Window,
    hypotheses: Hypotheses,
    /// Measurements that contradict the prediction, until it is clear what they mean.
    suspects: ArrayVec<Suspect, CONFIRMATIONS>,
    habit: Habit,
    /// Until they turn out to be others.
    known_queues: Option<KnownQueues>,
    /// Measurements since the route last changed.
    on_route: usize,
    /// When the window was last swept.
    swept: Option<Oscillator>,
    settling: Option<Settling>,
    /// Half of the round trip (s).
    half_delay: polling::Running,
    misreading: Misreading,
}

/// A time of which the hypotheses know all but the phase.
#[derive(Clone, Copy, Debug)]
struct Past {
    /// When it ended.
    until: Oscillator,
    /// Longest time (s) between two measurements in it.
    tested: f64,
}

/// Nothing has happened since, and patience grows.
#[derive(Clone, Copy, Debug)]
struct Settling {
    since: Oscillator,
    /// How fast it grows: who knows the oscillator needs less time than a beginner.
    pace: f64,
}

/// A measurement that contradicts the prediction.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    sample: Sample,
    /// By how much it misses the prediction, at least (s).
    outside: f64,
    /// By how much its offset does (s).
    error: f64,
}

impl Bank {
    /// A bank without measurements.
    pub(super) fn new(settings: Settings, frequency: Frequency) -> Self {
        Self {
            settings,
            frequency: frequency.sane(),
            past: None,
            origin: Span::ZERO,
            room: settings.max_samples.clamp(1, WINDOW),
            window: Window::default(),
            hypotheses: Hypotheses::new(),
            suspects: ArrayVec::new(),
            habit: Habit::default(),
            known_queues: KnownQueues::stated(&settings),
            on_route: 0,
            swept: None,
            settling: None,
            half_delay: polling::Running::default(),
            misreading: Misreading::default(),
        }
    }

    /// See [`Estimator::add`](super::Estimator::add).
    pub(super) fn add(&mut self, measurement: &Measurement) -> Option<Surprise> {
        let Some(known) = &mut self.known_queues else { return self.admit(measurement) };
        known.compare(measurement);
        if known.are_elsewhere() {
            // Whatever was learnt from measurements that were made wrong is wrong.
            let seen = known.seen().clone();
            self.forget(None);
            return seen.iter().map(|measurement| self.admit(measurement)).last().flatten();
        }
        let freed = known.without(measurement);
        self.admit(&freed)
    }

    /// Judges and takes in a measurement.
    fn admit(&mut self, measurement: &Measurement) -> Option<Surprise> {
        let sample = Sample::new(measurement, self.origin);
        let Some(newest) = self.window.newest() else {
            self.begin(sample);
            return None;
        };
        let last = self.suspects.last().map_or(newest.at, |suspect| suspect.sample.at);
        if sample.at <= last {
            return None;
        }
        let since = (sample.at - newest.at).seconds();
        let mut sample = sample;
        sample.motion = Motion::over(since);
        sample.jump.offset = self.misreading.seen_at(sample.at).powi(2);
        let prediction = self.predict(&sample.motion, sample.at);
        let path = self.hypotheses.path();
        sample.foreseen = prediction.offset;
        sample.foreseen_rate = prediction.frequency;
        let error = sample.offset() - prediction.offset;
        let expected = (prediction.offset_variance + self.jitter().powi(2)).sqrt();
        // What comes before says nothing of the frequency yet.
        let foreseeable = self.window.len() >= BEGINNING;
        let stepped = self.place(sample, error, &path, &prediction);
        if foreseeable && self.suspects.is_empty() {
            self.habit.add(error, new_beginning(sample.delay));
        }
        self.keep_sane(measurement);
        let samples = self.window.len();
        Some(Surprise { error, expected, samples, stepped, wish: self.wish() })
    }

    /// What is believed of this moment, so long after the newest measurement.
    fn predict(&self, motion: &Motion, at: Oscillator) -> Prediction {
        let prediction = self.hypotheses.predict(motion);
        let misread = self.misreading.seen_at(at);
        Prediction { offset_variance: prediction.offset_variance + misread.powi(2), ..prediction }
    }

    /// When the next measurement would be welcome.
    fn wish(&self) -> Wish {
        let Some(newest) = self.window.newest() else { return Wish::None };
        if !self.suspects.is_empty() {
            return Wish::Soon;
        }
        let settled = self
            .settling
            .map_or(0.0, |settling| settling.pace * (newest.at - settling.since).seconds());
        match self.window.len() < polling::FEWEST {
            true => Wish::None,
            false => {
                Wish::After { interval: self.hypotheses.interval(self.half_delay.mean), settled }
            }
        }
    }

    /// Takes in a measurement for what it is. Returns the size of a step (s).
    fn place(
        &mut self,
        mut sample: Sample,
        error: f64,
        path: &Path,
        prediction: &Prediction,
    ) -> Option<f64> {
        if self.window.len() < EXPERIENCE.min(self.room) {
            if events::bad_beginning(self.window.samples(), &sample) {
                self.begin_again(sample);
                return None;
            }
            let counts = match self.window.len() < BEGINNING {
                true => Counts::ForItself,
                false => Counts::AsEvidence,
            };
            self.take(sample, counts, SWEEPS);
            return None;
        }
        if let Some(shorter) = events::shorter_route(&sample, path) {
            self.suspects.clear();
            sample.jump.base += shorter * shorter;
            self.on_route = 0;
            self.take(sample, Counts::ForItself, EVENT_SWEEPS);
            return None;
        }
        if let Some(outside) = events::contradiction(&sample, path, prediction) {
            let _ = self.suspects.try_push(Suspect { sample, outside, error });
            return if self.suspects.is_full() { self.change() } else { None };
        }
        self.suspects.clear();
        sample.limit_queues(path.base, events::longest_queue(self.window.samples(), path));
        let counts = match sample.is_unheard_of() {
            true => Counts::AsHint,
            false => Counts::AsEvidence,
        };
        self.take(sample, counts, SWEEPS);
        let samples = self.window.samples();
        let on_route = &samples[samples.len().saturating_sub(self.on_route)..];
        if let Some(longer) = events::longer_route(on_route, path) {
            self.lengthen(samples.len() - 1 - longer.since, longer.by);
            self.on_route = longer.since + 1;
        }
        None
    }

    /// The base delay became longer by this (s) with the measurement at this place in the window.
    fn lengthen(&mut self, first: usize, by: f64) {
        let newer = self.window.samples_mut().get_mut(first..).unwrap_or_default();
        newer.iter_mut().for_each(Sample::believe);
        if let Some(sample) = newer.first_mut() {
            sample.jump.base += by * by;
        }
        self.hypotheses.doubt_from(first);
        self.hypotheses.sweep(&self.window, EVENT_SWEEPS);
        self.hypotheses.weigh();
    }

    /// Several suspects in a row: the source's clock was stepped, or the oscillator's frequency changed
    /// at a stroke. Returns the size of a step (s).
    fn change(&mut self) -> Option<f64> {
        let suspects = std::mem::take(&mut self.suspects);
        let (first, last) = (suspects.first()?, suspects.last()?);
        let since = first.sample.motion.dt;
        let size = last.outside;
        let before = self.hypotheses.predict(&Motion::none()).frequency;
        let settling = Settling { since: last.sample.at, pace: KNOWN_PACE };
        if size > new_beginning(first.sample.delay) {
            self.restart();
            for suspect in &suspects {
                self.admit(&suspect.sample.measurement());
            }
            self.settling = Some(settling);
            return Some(last.error);
        }
        self.swept = None;
        self.settling = Some(settling);
        // They are counted from here, and the first of them may move it.
        let origin = self.origin;
        let mut previous = first.sample.at - Span::from_seconds(since);
        for (index, suspect) in suspects.iter().enumerate() {
            let mut sample = suspect.sample;
            sample.move_origin(origin, self.origin);
            sample.motion = Motion::over((sample.at - previous).seconds());
            previous = sample.at;
            sample.jump = match index {
                0 => step_or_change(STEP_DOUBT * size, since.max(CHANGE_TIME)),
                _ => Jump::default(),
            };
            self.take(sample, Counts::ForItself, EVENT_SWEEPS);
        }
        // An error that has grown from nothing since is no step.
        let by_frequency = (self.hypotheses.predict(&Motion::none()).frequency - before) * since;
        let share = by_frequency / last.error;
        (share < 0.5).then_some(last.error)
    }

    /// The first measurement, or the first since the phase was lost.
    fn begin(&mut self, sample: Sample) {
        self.origin = sample.whole_offset();
        let mut sample = sample;
        sample.see_from(self.origin);
        // The phase is what it says itself, and was never predicted.
        (sample.motion, sample.foreseen, sample.foreseen_rate) = (Motion::none(), 0.0, 0.0);
        let known = Some(self.settings.min_delay / 2.0).filter(|base| *base > 0.0);
        match self.past {
            None => {
                let scale = (GUESSED_SCALE * sample.delay / 2.0).min(LARGEST_GUESS);
                self.hypotheses.begin(self.frequency, scale);
            }
            Some(past) => {
                let gap = (sample.at - past.until).seconds();
                let frequency = UNTESTED * (gap - past.tested).max(0.0);
                self.hypotheses.pass(&Motion::over(gap), &Jump { frequency, ..Jump::default() });
            }
        }
        let (offset, delay) = (sample.offset(), sample.delay);
        self.hypotheses.lose_phase(offset, delay, known);
        self.take(sample, Counts::ForItself, SWEEPS);
    }

    /// What was measured since the phase was lost was wrong.
    fn begin_again(&mut self, sample: Sample) {
        let first = self.window.samples().first().map_or(sample.at, |first| first.at);
        let past = self.past.map(|past| Past { until: first, ..past });
        self.hypotheses.rewind();
        self.half_delay = polling::Running::default();
        self.restart();
        self.past = past;
        self.begin(sample);
    }

    fn take(&mut self, sample: Sample, counts: Counts, sweeps: usize) {
        if self.window.len() >= self.room
            && let Some(oldest) = self.window.pop_oldest()
        {
            let next = self.window.samples().first().or(Some(&sample));
            self.hypotheses.absorb(&oldest, next);
        }
        self.window.push(sample);
        self.misreading.measured(sample.at);
        self.hypotheses.observe(&sample);
        match counts {
            Counts::AsEvidence => self.hypotheses.judge(self.window.len(), MOST_EVIDENCE),
            Counts::AsHint => self.hypotheses.judge(self.window.len(), MOST_OF_A_HINT),
            Counts::ForItself => {}
        }
        self.on_route = self.on_route.saturating_add(1);
        self.settling.get_or_insert(Settling { since: sample.at, pace: 1.0 });
        self.half_delay.add(sample.believed_delay() / 2.0);
        let sweeps = self.affordable(&sample, sweeps);
        if sweeps > 0 {
            self.hypotheses.sweep(&self.window, sweeps);
            self.swept = Some(sample.at);
        }
        self.hypotheses.weigh();
        self.recentre();
    }

    /// At fast polls there is less to do for each measurement.
    fn affordable(&self, sample: &Sample, sweeps: usize) -> usize {
        let since = self.swept.map_or(f64::INFINITY, |swept| (sample.at - swept).seconds());
        if sweeps > SWEEPS || self.window.len() < EXPERIENCE {
            sweeps
        } else if since < SWEEP_INTERVAL {
            0
        } else if sample.motion.dt < FAST {
            1
        } else {
            sweeps
        }
    }

    /// Keeps θ, as it is counted here, small enough for doubles.
    fn recentre(&mut self) {
        let Some(newest) = self.window.newest() else { return };
        let offset = newest.offset();
        if offset.abs() <= FAR {
            return;
        }
        let before = self.origin;
        self.origin += Span::from_seconds(offset);
        for sample in self.window.samples_mut() {
            sample.move_origin(before, self.origin);
        }
        self.hypotheses.move_origin((self.origin - before).seconds());
    }

    /// Whatever arithmetic made of numbers that no packet should have, the bank goes on.
    fn keep_sane(&mut self, measurement: &Measurement) {
        let Prediction { frequency, frequency_variance, offset_variance, .. } =
            self.hypotheses.predict(&Motion::none());
        let is_of_a_clock = frequency.abs() < ABSURD
            && frequency_variance < ABSURD.powi(2)
            && offset_variance < ABSURD.powi(4);
        if !is_of_a_clock || !self.hypotheses.is_finite() {
            let known_queues = self.known_queues.take();
            self.forget(known_queues);
            self.begin(Sample::new(measurement, Span::ZERO));
        }
    }

    /// Forgets all that was learnt from measurements, but not how the source behaves.
    fn forget(&mut self, known_queues: Option<KnownQueues>) {
        self.restart();
        self.past = None;
        self.known_queues = known_queues;
        self.half_delay = polling::Running::default();
    }

    /// See [`Estimator::estimate`](super::Estimator::estimate).
    ///
    /// root distance = m + (server's root delay)/2 + (server's root dispersion) + timestamp error +
    /// 2.5(1 + 2/n)·sd + largest suspect error (s), with n the measurements in the window
    pub(super) fn estimate(&self, at: Oscillator) -> Option<Estimate> {
        let newest = self.window.newest()?;
        let t = (at - newest.at).seconds();
        let prediction = self.predict(&Motion::over(t), at);
        // Before the newest measurement, along its line.
        let back = t.min(0.0);
        let untested = (t - self.window.longest_gap()).max(0.0);
        let variance = prediction.offset_variance
            + prediction.frequency_variance * back * back
            + wandered(UNTESTED, untested);
        let path = self.hypotheses.path();
        let doubt = self.suspects.iter().map(|suspect| suspect.error.abs()).fold(0.0, f64::max);
        let coverage = COVERAGE * (1.0 + FEW / self.window.len() as f64);
        let offset = prediction.offset + prediction.frequency * back;
        let delay = (2.0 * path.base).max(newest.dispersion).max(0.0);
        Some(Estimate {
            at,
            offset: self.origin + Span::from_seconds(offset),
            offset_sd: variance.sqrt(),
            frequency: Frequency {
                value: prediction.frequency,
                sd: (prediction.frequency_variance + UNTESTED * untested).sqrt(),
            },
            jitter: self.jitter().max(self.habit.jumps()),
            delay,
            root_delay: newest.root_delay + delay,
            root_dispersion: newest.root_dispersion
                + newest.dispersion
                + coverage * variance.sqrt()
                + doubt,
            samples: self.window.len(),
            age: at - newest.at,
        })
    }

    /// Standard deviation of single offsets (s): the geometric mean of what the hypotheses say, so that
    /// an improbable one that has gone astray does not count by the size of its error.
    fn jitter(&self) -> f64 {
        let log_variance = self.hypotheses.mean_of_queues(|shape, ways, lane| {
            let sum = ways.iter().map(|queue| queue.spread(shape, lane)).sum::<f64>();
            (sum / 4.0).max(f64::MIN_POSITIVE).ln()
        });
        (log_variance / 2.0).exp()
    }

    /// See [`Estimator::restart`](super::Estimator::restart).
    pub(super) fn restart(&mut self) {
        if let Some(newest) = self.window.newest() {
            self.past = Some(Past { until: newest.at, tested: self.window.longest_gap() });
        }
        self.window.clear();
        self.suspects.clear();
        self.on_route = 0;
        self.swept = None;
        self.settling = None;
        self.hypotheses.forget_window();
    }

    /// See [`Estimator::doubt`](super::Estimator::doubt).
    pub(super) fn doubt(&mut self, since: Oscillator, by: f64) {
        self.misreading.add(since, by);
    }

    /// See [`Estimator::measurements`](super::Estimator::measurements).
    pub(super) fn measurements(&self) -> impl Iterator<Item = Measurement> {
        self.window.samples().iter().map(Sample::measurement)
    }

    /// See [`Estimator::shift`](super::Estimator::shift).
    pub(super) fn shift(&mut self, by: Span) {
        self.origin += by;
        self.window.samples_mut().iter_mut().for_each(|sample| sample.shift(by));
        self.known_queues.iter_mut().for_each(|known| known.shift(by));
        self.suspects.iter_mut().for_each(|suspect| suspect.sample.shift(by));
    }

    /// See [`Estimator::len`](super::Estimator::len).
    pub(super) fn len(&self) -> usize {
        self.window.len()
    }

    /// What left the window is not forgotten: who wants more measurements than there is room for is
    /// told of so many, at the window's pace (s).
    fn memory(&self, newest: Oscillator, span: f64) -> f64 {
        let intervals = self.window.len().saturating_sub(1).max(1) as f64;
        let wanted = self.settings.min_samples.saturating_sub(1) as f64 * span / intervals;
        let since = self.settling.map_or(0.0, |settling| (newest - settling.since).seconds());
        span.max(wanted.min(since))
    }

    /// See [`Estimator::statistics`](super::Estimator::statistics).
    pub(super) fn statistics(&self) -> Option<Statistics> {
        let (oldest, newest) = (self.window.samples().first()?, self.window.newest()?);
        let path = self.hypotheses.path();
        let runs = self.window.samples().windows(2).filter(|pair| {
            let over = |sample: &Sample| sample.offset() > sample.foreseen;
            over(&pair[0]) != over(&pair[1])
        });
        let waits = |way: usize| {
            self.hypotheses.mean_of_queues(|shape, ways, lane| ways[way].mean_wait(shape, lane))
        };
        let (outbound, inbound) = (waits(0), waits(1));
        let span = (newest.at - oldest.at).seconds();
        Some(Statistics {
            held: self.window.len(),
            used: self.window.len(),
            span,
            memory: self.memory(newest.at, span),
            runs: 1 + runs.count(),
            delay_floor: (2.0 * path.base).max(0.0),
            typical_excess: outbound + inbound,
            noise: path.blur.sqrt() / 2.0,
            residual_sd: self.jitter(),
            asymmetry: if outbound + inbound > 0.0 {
                0.5 * (outbound - inbound) / (outbound + inbound)
            } else {
                0.0
            },
            wander: self.hypotheses.mean_of_oscillators(|walk, _| walk * walk).sqrt(),
        })
    }
}

/// A step larger than this (s), on a path with this round trip (s), is a new beginning.
fn new_beginning(delay: f64) -> f64 {
    NEW_BEGINNING * delay.max(1e-3)
}

/// Either the offset was stepped by about this (s), or the frequency changed this long ago (s) and the
/// offset has moved as far since: which of the two, later measurements tell.
fn step_or_change(size: f64, since: f64) -> Jump {
    let (step, frequency) = (size * size, (size / since).powi(2));
    let moved = frequency * since * since;
    Jump { offset: step + moved, frequency, both: frequency * since, base: 0.0 }
}
