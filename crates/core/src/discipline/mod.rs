//! How to make the system clock agree with the time that was found.
//!
//! An update sets a target: a line on the oscillator's time scale that the system clock shall
//! follow. What separates the clock from it is stepped away if the [`StepPolicy`] allows, else
//! slewed away ([`slew`]): the frequency is set a little beside the line's own until the two meet.
//! Between updates, and when none come any more, the clock runs along the line and the
//! [`Reference`] says how wrong it may have become.

pub mod command;
pub mod drift;
pub mod leap;
pub mod leap_table;
pub mod reference;
pub mod slew;
pub mod smoothing;
pub mod step_policy;
mod target;

use timeball_wire::{Instant, LeapIndicator, Span, Timestamp};

pub use command::{ClockCommand, SyncStatus};
pub use drift::Drift;
pub use leap_table::LeapTable;
pub use reference::Reference;
pub use step_policy::StepPolicy;
use target::Target;

use crate::combination::Combination;
use crate::engine::{ClockError, Outbox};
use crate::estimator::Frequency;
use crate::event::Event;
use crate::now::Now;
use crate::timeline::Timeline;
use leap::LeapSecond;
use leap_table::Foreseen;

/// MAXDISP (RFC 5905 §7.2): a clock that may be this wrong (s) is not synchronised.
const MAX_BOUND: f64 = 16.0;

/// How often the kernel is told how good the clock is, when nothing else happens. It lets its bound
/// grow by 500 ppm meanwhile, so a long silence would understate the clock.
const STATUS_INTERVAL: Span = Span::from_secs(16);

/// How often the drift file is written.
const DRIFT_INTERVAL: Span = Span::from_secs(3600);

/// The first time is sooner: a machine may not live for an hour.
const FIRST_DRIFT: Span = Span::from_secs(300);

/// A frequency less certain than this (s/s) is not worth remembering.
const DRIFT_UNCERTAINTY: f64 = 20e-6;

/// A smaller step (s) the time line could not see.
const SMALLEST_STEP: f64 = 1e-4;

/// How the clock may be corrected.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Correct the clock at all; without it the engine only watches.
    pub control: bool,
    /// Step if the clock is further off than this (s), while steps are allowed.
    pub step_threshold: f64,
    /// How many updates after the start may step; `None` for all.
    pub step_limit: Option<u32>,
    /// Largest slew rate (s/s).
    pub max_slew: f64,
    /// Largest frequency correction (s/s).
    pub max_frequency: f64,
    /// Sources that are all further off than this (s), after the first updates, are an alarm and not
    /// a correction.
    pub panic_threshold: f64,
    /// Wander (s/s) assumed of the oscillator when a bound has to grow without measurements.
    pub wander: f64,
    /// What is known of leap seconds, past and to come.
    pub leap_table: Option<LeapTable>,
    /// How a leap second is made.
    pub leap_mode: LeapMode,
    /// How long a slew may take, against the time between two updates: the larger, the calmer the
    /// frequency. `None` lets the discipline choose.
    pub correction_time_ratio: Option<f64>,
    /// A frequency less certain than this (s/s) is not used.
    pub max_update_skew: f64,
    /// Offsets that are ignored at first, and end the program at last.
    pub max_change: Option<MaxChange>,
    /// Averages of the frequency to run by when there are no updates any more: shortest and longest
    /// time (log₂ s).
    pub fallback_drift: Option<(i8, i8)>,
    /// Step, rather than slew, if the first measurement is further off than this (s), whatever the
    /// other limits say. For a start phase with its own sources.
    pub initial_step: Option<f64>,
}

/// How a leap second is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapMode {
    /// By the kernel, at midnight.
    System,
    /// By a step, at midnight.
    Step,
    /// By a slew, from midnight on.
    Slew,
    /// Not at all: it is an offset like any other when the sources show it.
    Ignore,
}

/// Offsets that cannot be true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxChange {
    /// An offset larger than this (s) is ignored.
    pub threshold: f64,
    /// But for the first so many updates.
    pub start: u32,
    /// After so many ignored offsets the program ends; `None`: never.
    pub ignore: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control: true,
            step_threshold: 1.0,
            step_limit: Some(3),
            max_slew: 1000e-6,
            max_frequency: 500e-6,
            panic_threshold: 1000.0,
            wander: 1e-6,
            leap_table: None,
            leap_mode: LeapMode::System,
            correction_time_ratio: None,
            max_update_skew: 1000e-6,
            max_change: None,
            fallback_drift: None,
            initial_step: None,
        }
    }
}

/// The system clock's discipline.
#[derive(Clone, Debug)]
pub struct Discipline {
    settings: Settings,
    /// The kernel has refused; asking again would only fill the log.
    refused: bool,
    steps: StepPolicy,
    /// The oscillator's frequency against true time, as well as it is known.
    frequency: Frequency,
    target: Option<Target>,
    reference: Option<Reference>,
    /// The frequency in force includes a slew, until then.
    slew_end: Option<Instant>,
    /// What the sources said last.
    announced: LeapIndicator,
    leap: Option<LeapSecond>,
    /// The midnight whose leap second has been made: the clock shows the second before it again.
    leap_made: Option<Timestamp>,
    /// That the table has expired has been reported.
    expiry_noted: bool,
    panicked: bool,
    /// A step has been ordered and not been carried out yet.
    stepping: bool,
    last_update: Option<Instant>,
    status_due: Instant,
    drift_due: Instant,
    /// Updates of the clock since the start.
    pub updates: u64,
    /// Steps of the clock since the start.
    pub stepped: u64,
}

impl Discipline {
    /// A discipline that has not been told any time. `frequency` is what is remembered of the
    /// oscillator.
    pub fn new(now: Now, settings: Settings, frequency: Frequency) -> Self {
        Self {
            steps: StepPolicy::new(&settings),
            settings,
            refused: false,
            frequency,
            target: None,
            reference: None,
            slew_end: None,
            announced: LeapIndicator::NoWarning,
            leap: None,
            leap_made: None,
            expiry_noted: false,
            panicked: false,
            stepping: false,
            last_update: None,
            status_due: now.monotonic,
            drift_due: now.monotonic + FIRST_DRIFT,
            updates: 0,
            stepped: 0,
        }
    }

    /// Runs the clock at the remembered frequency until the sources know better.
    pub fn start(&self, out: &mut Outbox) {
        self.command(ClockCommand::SetFrequency(self.base_frequency()), out);
    }

    /// Other rules from now on.
    pub fn configure(&mut self, settings: Settings, out: &mut Outbox) {
        if !settings.control {
            // The last word: a slew that nobody ends would go on for ever.
            self.end_slew(out);
        }
        if settings.step_limit != self.settings.step_limit {
            self.steps = StepPolicy::new(&settings);
        }
        if settings.leap_table != self.settings.leap_table {
            self.expiry_noted = false;
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

    /// Frequency correction (s/s) that the oscillator needs, within the limit.
    pub fn base_frequency(&self) -> f64 {
        self.frequency.value.clamp(-self.settings.max_frequency, self.settings.max_frequency)
    }

    /// What is known of the oscillator's frequency.
    pub const fn frequency(&self) -> Frequency {
        self.frequency
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

    /// The midnight of the leap second that is due today, or of the one made last.
    pub fn leap_midnight(&self) -> Option<Timestamp> {
        self.leap.map(|leap| leap.midnight).or(self.leap_made)
    }

    /// The leap warning to pass on.
    pub fn leap_indicator(&self) -> LeapIndicator {
        self.leap.as_ref().map_or(LeapIndicator::NoWarning, |leap| leap.indicator)
    }

    /// TAI − UTC (s), if a table says it and the clock is good enough to know when it changes.
    pub fn tai_offset(&self, now: Now, timeline: &Timeline) -> Option<i32> {
        let table = self.settings.leap_table.as_ref()?;
        self.is_synchronised(now, timeline).then(|| table.settled_tai_offset_at(now.system))?
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        let status = self.reference.as_ref().map(|_| self.status_due);
        let drift = self.reference.as_ref().map(|_| self.drift_due);
        [status, drift, self.slew_end].into_iter().flatten().min()
    }

    /// The sources have come to a new opinion.
    pub fn update(
        &mut self,
        now: Now,
        timeline: &Timeline,
        combination: &Combination,
        out: &mut Outbox,
    ) {
        let pace = self.last_update.map_or(Span::ZERO, |last| now.monotonic - last);
        self.last_update = Some(now.monotonic);
        self.updates += 1;
        self.frequency = combination.frequency;
        self.target = Some(Target::new(timeline, combination.offset, self.frequency.value));
        self.reference = Some(Reference::new(now, combination, self.settings.wander));
        self.announced = combination.leap;
        self.expect_leap(now, timeline, out);
        self.correct(now, timeline, pace, out);
        self.steps.updated();
    }

    /// Brings the clock towards its target: by a step, a slew, or not at all.
    fn correct(&mut self, now: Now, timeline: &Timeline, pace: Span, out: &mut Outbox) {
        let Some(offset) = self.offset(timeline).filter(|_| !self.stepping) else { return };
        let far = offset.abs() > self.settings.step_threshold;
        if far && self.steps.allowed() {
            self.panicked = false;
            self.step(offset, out);
            return;
        }
        if offset.abs() > self.settings.panic_threshold && self.controls_clock() {
            if !self.panicked {
                let bound = self.settings.panic_threshold;
                out.event(Event::Panic { offset, bound });
            }
            self.panicked = true;
            self.end_slew(out);
            return;
        }
        self.panicked = false;
        if far && self.controls_clock() && self.steps.refuse() {
            out.event(Event::StepRefused { offset });
        }
        self.slew(now, offset, pace, out);
    }

    fn step(&mut self, offset: f64, out: &mut Outbox) {
        if !self.controls_clock() {
            return;
        }
        self.slew_end = None;
        self.stepping = true;
        self.stepped += 1;
        self.command(ClockCommand::SetFrequency(self.base_frequency()), out);
        self.command(ClockCommand::Step(Span::from_seconds(offset)), out);
        out.event(Event::Stepped { by: Span::from_seconds(offset) });
    }

    /// A step that was ordered has been carried out, or refused.
    pub fn step_done(&mut self, by: Span) {
        self.stepping = false;
        if let Some(reference) = &mut self.reference {
            reference.time += by;
        }
    }

    fn slew(&mut self, now: Now, offset: f64, pace: Span, out: &mut Outbox) {
        if !self.controls_clock() {
            return;
        }
        let slew = slew::plan(offset, pace, self.settings.max_slew);
        self.slew_end = slew.map(|slew| now.monotonic + slew.duration);
        let rate = slew.map_or(0.0, |slew| slew.rate);
        self.command(ClockCommand::SetFrequency(self.base_frequency() + rate), out);
    }

    /// Something is due.
    pub fn handle_timeout(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        if self.slew_end.is_some_and(|end| end <= now.monotonic) {
            self.slew_end = None;
            if let Some(offset) = self.offset(timeline) {
                // Timers are late: what the slew went too far is taken back by the next.
                self.slew(now, offset, Span::ZERO, out);
            }
        }
        if self.reference.is_none() {
            return;
        }
        if self.status_due <= now.monotonic {
            self.tell_kernel(now, timeline, out);
        }
        if self.drift_due <= now.monotonic {
            self.drift_due = now.monotonic + DRIFT_INTERVAL;
            self.save_drift(out);
        }
    }

    fn save_drift(&self, out: &mut Outbox) {
        if self.last_update.is_some() && self.frequency.sd < DRIFT_UNCERTAINTY {
            out.save_drift(Drift {
                frequency: self.base_frequency(),
                uncertainty: self.frequency.sd,
            });
        }
    }

    /// Tells the kernel how good the clock is.
    pub fn tell_kernel(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        self.expect_leap(now, timeline, out);
        self.send_status(now, timeline, out);
    }

    fn send_status(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        self.status_due = now.monotonic + STATUS_INTERVAL;
        let bound = self.bound(now, timeline).unwrap_or(MAX_BOUND).min(MAX_BOUND);
        let estimate = self.reference.as_ref().map_or(MAX_BOUND, |reference| {
            reference.offset_sd + self.offset(timeline).unwrap_or(0.0).abs()
        });
        self.command(
            ClockCommand::SetStatus(SyncStatus {
                synchronised: self.is_synchronised(now, timeline),
                leap: self.leap_indicator(),
                max_error: Span::from_seconds(bound),
                est_error: Span::from_seconds(estimate.min(bound)),
                tai_offset: self.tai_offset(now, timeline),
            }),
            out,
        );
    }

    /// Is there a leap second at the end of the day? A clock that is not synchronised cannot know
    /// the day.
    fn expect_leap(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        if self.leap.is_some_and(|leap| leap.is_being_made(now.system)) {
            return;
        }
        let expected = if self.is_synchronised(now, timeline) {
            self.note_expiry(now, out);
            self.foresee_leap(now).filter(|leap| Some(leap.midnight) != self.leap_made)
        } else {
            None
        };
        if expected.map(|leap| leap.indicator) != self.leap.map(|leap| leap.indicator) {
            out.event(Event::LeapArmed { direction: expected.map_or(0, |leap| leap.direction()) });
            self.status_due = now.monotonic;
        }
        self.leap = expected;
    }

    fn foresee_leap(&self, now: Now) -> Option<LeapSecond> {
        let table = self.settings.leap_table.as_ref();
        match table.map_or(Foreseen::Unknown, |table| table.leap_at_end_of_day(now.system)) {
            Foreseen::Leap(leap) => Some(leap),
            Foreseen::None => None,
            Foreseen::Unknown => LeapSecond::announced(self.announced, now.system),
        }
    }

    fn note_expiry(&mut self, now: Now, out: &mut Outbox) {
        let Some(table) = &self.settings.leap_table else { return };
        if !self.expiry_noted && table.expiry() <= now.system {
            self.expiry_noted = true;
            out.event(Event::LeapTableExpired { expiry: table.expiry() });
        }
    }

    /// Was a step by `by` the leap second? Then it is over.
    pub fn is_leap_step(&mut self, now: Now, by: Span, out: &mut Outbox) -> bool {
        let Some(leap) = self.leap.take_if(|leap| leap.explains(now.system, by)) else {
            return false;
        };
        self.leap_made = Some(leap.midnight);
        self.status_due = now.monotonic;
        out.event(Event::LeapDone);
        true
    }

    /// Somebody else stepped the clock: undo it. A jump is already made, so one step more is allowed
    /// to take it back.
    pub fn jumped(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        self.steps.allow_after_jump();
        self.disturbed(now, timeline, out);
        // Until there is something to go back to, the permission waits for it.
        if self.target.is_some() {
            self.steps.jump_undone();
        }
    }

    /// Somebody else changed the clock's frequency, or more: put it back on its way.
    pub fn disturbed(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        if self.target.is_none() || self.panicked {
            // There is nothing to go back to but the frequency.
            self.start(out);
            return;
        }
        self.correct(now, timeline, Span::ZERO, out);
        self.tell_kernel(now, timeline, out);
    }

    /// The machine slept: the clock was set from a battery clock of whole seconds.
    pub fn resumed(&mut self, slept: Span) {
        self.steps.allow_after_jump();
        if let Some(reference) = &mut self.reference {
            reference.add_dispersion(1.0 + slept.seconds() * 100e-6);
        }
    }

    /// There is no time to follow: the sources contradict each other.
    pub fn desynchronise(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        if self.reference.take().is_some() {
            self.target = None;
            self.end_slew(out);
            self.tell_kernel(now, timeline, out);
        }
    }

    fn end_slew(&mut self, out: &mut Outbox) {
        if self.slew_end.take().is_some() {
            self.command(ClockCommand::SetFrequency(self.base_frequency()), out);
        }
    }

    /// An operator wants the clock right now, however far it is off.
    /// What is too small to be told from the noise of reading two clocks is slewed.
    pub fn step_now(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        let Some(offset) = self.offset(timeline).filter(|_| !self.stepping) else { return };
        self.panicked = false;
        if offset.abs() < SMALLEST_STEP {
            self.slew(now, offset, Span::ZERO, out);
        } else {
            self.step(offset, out);
        }
    }

    /// Leaves the clock as it should run without us.
    pub fn stop(&mut self, now: Now, timeline: &Timeline, out: &mut Outbox) {
        self.end_slew(out);
        if self.reference.is_some() {
            // Nobody would be there to disarm it.
            self.leap = None;
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
