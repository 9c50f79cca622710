//! How to make the system clock agree with the time that was found.
//!
//! An update sets a target: a line on the oscillator's time scale that the system clock shall
//! follow. What separates the clock from it is stepped away if the [`StepPolicy`] allows, else
//! slewed away ([`slew`]): the frequency is set a little beside the line's own until the two meet.
//! Between updates, and when none come any more, the clock runs along the line and the
//! [`Reference`] says how wrong it may have become.

mod change_guard;
pub mod command;
mod corrections;
pub mod drift;
mod fallback_drift;
mod kernel_status;
pub mod leap;
mod leap_duty;
pub mod leap_table;
pub(crate) mod local;
mod orders;
pub mod reference;
mod served;
pub mod settings;
pub mod slew;
pub mod smoothing;
pub mod step_policy;
mod target;
mod updates;

use timeball_wire::{Instant, Span};

use change_guard::{ChangeGuard, Ruling};
pub use command::{ClockCommand, SyncStatus};
pub use corrections::Corrections;
pub use drift::Drift;
use fallback_drift::FallbackDrift;
use leap_duty::LeapDuty;
pub use leap_table::LeapTable;
pub use reference::Reference;
pub use settings::{LeapMode, MaxChange, Settings};
use slew::{Haste, Limits};
use smoothing::Smoother;
pub use step_policy::StepPolicy;
use target::Target;
pub use updates::Updates;

use crate::combination::Combination;
use crate::engine::{ClockError, Outbox};
use crate::estimator::Frequency;
use crate::event::Event;
use crate::now::Now;
use crate::server::Smoothing;
use crate::timeline::Timeline;

/// MAXDISP (RFC 5905 §7.2): a clock that may be this wrong (s) is not synchronised.
const MAX_BOUND: f64 = 16.0;

/// How often the drift file is written.
const DRIFT_INTERVAL: Span = Span::from_secs(3600);

/// The first time is sooner: a machine may not live for an hour.
const FIRST_DRIFT: Span = Span::from_secs(300);

/// A frequency less certain than this (s/s) is not worth remembering.
const DRIFT_UNCERTAINTY: f64 = 20e-6;

/// What is not known of the frequency is bounded by so many standard deviations.
const SKEW: f64 = 2.0;

/// What half a standard deviation is, as a share of the whole: offsets no larger than that are slewed
/// for as long as `correction_time_ratio` says.
const HALF: f64 = 0.5;

/// The system clock's discipline.
#[derive(Clone, Debug)]
pub struct Discipline {
    settings: Settings,
    /// The kernel has refused; asking again would only fill the log.
    refused: bool,
    steps: StepPolicy,
    changes: ChangeGuard,
    /// The oscillator's frequency against true time, as well as it is known.
    frequency: Frequency,
    fallback: FallbackDrift,
    target: Option<Target>,
    reference: Option<Reference>,
    /// How much of a hurry the last update left.
    haste: Haste,
    /// What the slew in force adds to the frequency (s/s), and when it ends.
    slew_rate: f64,
    slew_end: Option<Instant>,
    leap: LeapDuty,
    smoother: Option<Smoother>,
    panicked: bool,
    /// A step has been ordered and not been carried out yet.
    stepping: bool,
    /// What was done to the time served.
    corrections: Corrections,
    last_update: Option<Instant>,
    fallback_due: Option<Instant>,
    status_due: Instant,
    drift_due: Instant,
    updates: Updates,
    /// Steps of the clock since the start.
    pub stepped: u64,
}

impl Discipline {
    /// A discipline that has not been told any time. `frequency` is what is remembered of the
    /// oscillator.
    pub fn new(now: Now, settings: Settings, frequency: Frequency) -> Self {
        Self {
            steps: StepPolicy::new(&settings),
            changes: ChangeGuard::default(),
            fallback: FallbackDrift::new(settings.fallback_drift),
            settings,
            refused: false,
            frequency,
            target: None,
            reference: None,
            haste: Haste::Pace(Span::ZERO),
            slew_rate: 0.0,
            slew_end: None,
            leap: LeapDuty::new(),
            smoother: None,
            panicked: false,
            stepping: false,
            corrections: Corrections::default(),
            last_update: None,
            fallback_due: None,
            status_due: now.monotonic,
            drift_due: now.monotonic + FIRST_DRIFT,
            updates: Updates::default(),
            stepped: 0,
        }
    }

    /// Runs the clock at the remembered frequency until the sources know better.
    pub fn start(&mut self, timeline: &Timeline, out: &mut Outbox) {
        self.run(0.0, timeline, out);
    }

    /// Other rules from now on.
    pub fn configure(&mut self, settings: Settings, timeline: &Timeline, out: &mut Outbox) {
        if !settings.control {
            // The last word: a slew that nobody ends would go on for ever.
            self.end_slew(timeline, out);
        }
        if settings.step_limit != self.settings.step_limit {
            self.steps = StepPolicy::new(&settings);
        }
        if settings.leap_table != self.settings.leap_table {
            self.leap.table_changed();
        }
        if settings.fallback_drift != self.settings.fallback_drift {
            self.fallback = FallbackDrift::new(settings.fallback_drift);
            self.fallback_due = None;
        }
        self.settings = settings;
    }

    /// The clock is ours to correct.
    pub const fn controls_clock(&self) -> bool {
        self.settings.control && !self.refused
    }

    fn command(&self, command: ClockCommand, out: &mut Outbox) {
        if self.controls_clock() {
            out.clock(command);
        }
    }

    /// Runs the clock along the line, or beside it by `slew_rate` (s/s).
    fn run(&mut self, slew_rate: f64, timeline: &Timeline, out: &mut Outbox) {
        self.slew_rate = slew_rate;
        let frequency = timeline.kernel_frequency(self.base_frequency() + slew_rate);
        self.command(ClockCommand::SetFrequency(frequency), out);
    }

    /// Frequency correction (s/s) that the oscillator needs, within the limit.
    pub fn base_frequency(&self) -> f64 {
        self.frequency.value.clamp(-self.settings.max_frequency, self.settings.max_frequency)
    }

    /// What is known of the oscillator's frequency.
    pub const fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// What the updates since the start were like.
    pub const fn updates(&self) -> &Updates {
        &self.updates
    }

    /// True time minus system clock (s) by the last update, predicted to now.
    pub fn offset(&self, timeline: &Timeline) -> Option<f64> {
        self.target.as_ref().map(|target| target.offset(timeline))
    }

    /// What is passed on of the last update.
    pub const fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// The sources are beyond the panic bound and the clock waits for an operator.
    pub const fn panicked(&self) -> bool {
        self.panicked
    }

    /// Half-width (s) of the interval around the system clock that contains true time.
    pub fn bound(&self, now: Now, timeline: &Timeline) -> Option<f64> {
        let offset = self.offset(timeline)?;
        Some(self.reference.as_ref()?.distance(now.monotonic) + offset.abs())
    }

    /// The clock follows a source, or did so not too long ago to be of use.
    pub fn is_synchronised(&self, now: Now, timeline: &Timeline) -> bool {
        !self.panicked && self.bound(now, timeline).is_some_and(|bound| bound < MAX_BOUND)
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        let reference = self.reference.as_ref();
        let regular = reference.map(|_| self.status_due.min(self.drift_due));
        [regular, self.slew_end, self.fallback_due, self.leap.look_at()].into_iter().flatten().min()
    }

    /// The sources have come to a new opinion.
    pub fn update(
        &mut self,
        now: Now,
        timeline: &Timeline,
        combination: &Combination,
        out: &mut Outbox,
    ) {
        let change = combination.offset - self.offset(timeline).unwrap_or(0.0);
        if !self.believes(now, change, timeline, out) {
            return;
        }
        let pace = self.last_update.map_or(Span::ZERO, |last| now.monotonic - last);
        self.last_update = Some(now.monotonic);
        let before = self.frequency.value;
        if SKEW * combination.frequency.sd <= self.settings.max_update_skew {
            self.frequency = combination.frequency;
        }
        let residual = combination.frequency.value - self.frequency.value;
        self.updates.add(change, residual, pace.seconds());
        self.fallback.learn(self.frequency.value, pace.seconds());
        self.fallback_due = self.next_fallback(0.0);
        self.corrections.moved(change);
        self.target = Some(Target::new(timeline, combination.offset, self.frequency.value));
        self.reference = Some(Reference::new(now, combination, self.settings.wander));
        self.leap.announced = combination.leap;
        self.haste = match self.settings.correction_time_ratio {
            None => Haste::Pace(pace),
            Some(ratio) => Haste::Area(ratio * HALF * combination.offset_sd * pace.seconds()),
        };
        if let Some(smoother) = &mut self.smoother {
            let faster = self.frequency.value - before;
            // Estimates of few measurements are modest; what came of them tells more.
            let skew = self.frequency.sd.min(self.updates.unsteadiness());
            smoother.moved(change, faster, skew, now.monotonic);
        }
        self.expect_leap(now, timeline, out);
        self.correct(now, timeline, out);
        self.steps.updated();
    }

    /// May the clock really be off by so much more (s) than was thought?
    fn believes(&mut self, now: Now, change: f64, timeline: &Timeline, out: &mut Outbox) -> bool {
        let Some(limit) = &self.settings.max_change else { return true };
        let (offset, limit, ruling) =
            (change, limit.threshold, self.changes.judge(limit, change, self.updates.count));
        match ruling {
            Ruling::Believe => true,
            Ruling::Ignore => {
                out.event(Event::OffsetIgnored { offset, limit });
                false
            }
            Ruling::GiveUp => {
                self.stop(now, timeline, out);
                out.event(Event::OffsetFatal { offset, limit });
                out.exit();
                false
            }
        }
    }

    /// Brings the clock towards its target: by a step, a slew, or not at all.
    fn correct(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        let Some(offset) = self.offset(timeline).filter(|_| !self.stepping) else { return };
        let far = offset.abs() > self.settings.step_threshold;
        let at_first = self.updates.count == 1
            && self.settings.initial_step.is_some_and(|threshold| offset.abs() > threshold);
        if at_first || (far && self.steps.allowed()) {
            self.panicked = false;
            self.step(now, offset, timeline, out);
            return;
        }
        if offset.abs() > self.settings.panic_threshold && self.controls_clock() {
            if !self.panicked {
                let bound = self.settings.panic_threshold;
                out.event(Event::Panic { offset, bound });
            }
            self.panicked = true;
            self.end_slew(timeline, out);
            return;
        }
        self.panicked = false;
        if far && self.controls_clock() && self.steps.refuse() {
            out.event(Event::StepRefused { offset });
        }
        self.slew(now, offset, self.haste, timeline, out);
    }

    fn step(&mut self, now: Now, offset: f64, timeline: &Timeline, out: &mut Outbox) {
        if !self.controls_clock() {
            return;
        }
        self.slew_end = None;
        self.stepping = true;
        if let Some(smoother) = &mut self.smoother {
            smoother.reset(now.monotonic);
        }
        self.run(0.0, timeline, out);
        self.command(ClockCommand::Step(Span::from_seconds(offset)), out);
    }

    /// A step that was ordered has been carried out, by this much, or refused.
    pub fn step_done(&mut self, by: Option<Span>, out: &mut Outbox) {
        self.stepping = false;
        self.corrections.restart();
        let Some(by) = by else { return };
        self.stepped += 1;
        out.event(Event::Stepped { by });
        if let Some(reference) = &mut self.reference {
            reference.time += by;
        }
    }

    fn slew(&mut self, now: Now, offset: f64, haste: Haste, timeline: &Timeline, out: &mut Outbox) {
        if !self.controls_clock() {
            return;
        }
        let goes_on = self.slew_end.is_some_and(|end| now.monotonic < end);
        let limits = Limits {
            max_rate: self.settings.max_slew,
            frequency: self.base_frequency(),
            under_way: if goes_on { self.slew_rate } else { 0.0 },
        };
        let slew = slew::plan(offset, haste, limits);
        self.slew_end = slew.map(|slew| now.monotonic + slew.duration);
        self.run(slew.map_or(0.0, |slew| slew.rate), timeline, out);
    }

    fn end_slew(&mut self, timeline: &Timeline, out: &mut Outbox) {
        if self.slew_end.take().is_some() {
            self.run(0.0, timeline, out);
        }
    }

    /// Something is due.
    pub fn handle_timeout(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        if self.slew_end.is_some_and(|end| end <= now.monotonic) {
            self.slew_end = None;
            if let Some(offset) = self.offset(timeline) {
                // Timers are late: what the slew went too far is taken back by the next.
                let haste = match self.haste {
                    Haste::Pace(_) => Haste::Pace(Span::ZERO),
                    Haste::Area(area) => Haste::Area(area),
                };
                self.slew(now, offset, haste, timeline, out);
            }
        }
        if self.fallback_due.is_some_and(|due| due <= now.monotonic) {
            self.fall_back(now, timeline, out);
        }
        if self.reference.is_none() {
            self.leap.disarm();
            return;
        }
        let look = self.leap.look_at().is_some_and(|at| at <= now.monotonic);
        if look || self.status_due <= now.monotonic {
            self.tell_kernel(now, timeline, out);
        }
        if self.drift_due <= now.monotonic {
            self.drift_due = now.monotonic + DRIFT_INTERVAL;
            self.save_drift(out);
        }
    }

    /// There have been no updates for so long that another frequency is better than the last one.
    fn fall_back(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        let silence = self.last_update.map_or(0.0, |last| (now.monotonic - last).seconds());
        self.fallback_due = self.next_fallback(silence);
        if let Some(frequency) = self.fallback.after(silence) {
            self.frequency.value = frequency;
            let offset = self.offset(timeline).unwrap_or(0.0);
            self.target = self.target.map(|_| Target::new(timeline, offset, frequency));
            self.run(self.slew_rate, timeline, out);
        }
    }

    fn next_fallback(&self, silence: f64) -> Option<Instant> {
        let change = self.fallback.next_change(silence)?;
        Some(self.last_update? + Span::from_seconds(change))
    }

    fn save_drift(&self, out: &mut Outbox) {
        if self.last_update.is_some() && self.frequency.sd < DRIFT_UNCERTAINTY {
            out.save_drift(Drift {
                frequency: self.base_frequency(),
                uncertainty: self.frequency.sd,
            });
        }
    }

    /// Somebody else stepped the clock by `by`: undo it. A jump is already made, so one step more is
    /// allowed to take it back.
    pub fn jumped(&mut self, now: Now, by: Span, timeline: &Timeline, out: &mut Outbox) {
        self.allow_step_back();
        self.corrections.restart();
        if self.settings.max_change.is_some_and(|limit| by.seconds().abs() > limit.threshold) {
            self.go_along(by);
        }
        if let Some(smoother) = &mut self.smoother {
            smoother.reset(now.monotonic);
        }
        self.disturbed(now, timeline, out);
        // Until there is something to go back to, the permission waits for it.
        if self.target.is_some() {
            self.steps.jump_undone();
        }
    }

    /// A step too large to be undone without being asked for: where the clock should be is only known
    /// again when the sources say so, and are believed.
    fn go_along(&mut self, by: Span) {
        if let Some(target) = &mut self.target {
            target.shift(by);
        }
        if let Some(reference) = &mut self.reference {
            reference.add_dispersion(by.seconds().abs());
        }
    }

    /// Unless nothing may ever step.
    fn allow_step_back(&mut self) {
        if self.settings.step_limit != Some(0) {
            self.steps.allow_after_jump();
        }
    }

    /// Somebody else changed the clock's frequency, or more: put it back on its way.
    pub fn disturbed(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        if self.target.is_none() || self.panicked {
            // There is nothing to go back to but the frequency.
            self.slew_end = None;
            self.start(timeline, out);
            return;
        }
        self.correct(now, timeline, out);
        self.tell_kernel(now, timeline, out);
    }

    /// The clock may show something else than is thought, by as much as this (s).
    pub fn doubt(&mut self, seconds: f64) {
        if let Some(reference) = &mut self.reference {
            reference.add_dispersion(seconds);
        }
    }

    /// The machine slept: the clock was set from a battery clock of whole seconds.
    pub fn resumed(&mut self, now: Now, slept: Span, timeline: &Timeline, out: &mut Outbox) {
        self.allow_step_back();
        self.corrections.restart();
        if let Some(reference) = &mut self.reference {
            reference.add_dispersion(1.0 + slept.seconds() * 100e-6);
            self.tell_kernel(now, timeline, out);
        }
    }

    /// There is no time to follow: the sources contradict each other.
    pub fn desynchronise(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        if self.reference.take().is_some() {
            self.target = None;
            self.corrections.restart();
            self.end_slew(timeline, out);
            self.tell_kernel(now, timeline, out);
        }
    }

    /// Leaves the clock as it should run without us.
    pub fn stop(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        self.end_slew(timeline, out);
        if self.reference.is_some() {
            // Nobody would be there to disarm it.
            self.leap.disarm();
            self.send_status(now, timeline, out);
            self.save_drift(out);
        }
    }

    /// The kernel refused a command.
    pub fn refused(&mut self, error: &ClockError, out: &mut Outbox) {
        if *error == ClockError::Permission {
            self.refused = true;
        }
        out.event(Event::ClockError { reason: error.to_string() });
    }
}

#[cfg(test)]
mod tests;
