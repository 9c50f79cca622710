//! The clocks that a kernel derives from one oscillator.
//!
//! Behaves as Linux does: CLOCK_REALTIME and CLOCK_MONOTONIC run at the programmed frequency, only
//! the former is stepped; CLOCK_MONOTONIC_RAW follows the oscillator alone; neither monotonic clock
//! advances while the machine is suspended; a leap second is made at the clock's own midnight.

use timeball_core::Now;
use timeball_core::discipline::{ClockCommand, SyncStatus};
use timeball_wire::{Instant, LeapIndicator, Span, Timestamp};

use crate::noise::Stream;
use crate::oscillator::Oscillator;
use crate::truth::Moment;

/// Frequencies are programmed in steps of 2⁻¹⁶ ppm (struct timex).
const FREQUENCY_UNIT: f64 = 1e-6 / 65536.0;
/// Beyond the ±500 ppm of `freq` comes `tick`, which reaches ±10 %.
const MAX_FREQUENCY: f64 = 0.1;
/// How fast the kernel's `maxerror` grows between updates (s/s).
const MAX_ERROR_GROWTH: f64 = 500e-6;
/// Where it ends, and `STA_UNSYNC` is set.
const MAX_ERROR_LIMIT: Span = Span::from_secs(16);
const DAY: i64 = 86_400_000_000_000;
const SECOND: Span = Span::from_secs(1);

/// What differs between two machines with the same oscillator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Standard deviation (s) between the reading of the raw clock and that of the others.
    pub noise: f64,
    /// Readings are multiples of this.
    pub resolution: Span,
}

impl Default for Reading {
    fn default() -> Self {
        Self { noise: 20e-9, resolution: Span::from_nanos(1) }
    }
}

/// What the kernel tells whoever asks how good the clock is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelStatus {
    /// `STA_UNSYNC` is not set.
    pub synchronised: bool,
    /// `maxerror`.
    pub max_error: Span,
    /// `esterror`.
    pub est_error: Span,
    /// `tai`.
    pub tai_offset: i32,
}

/// The oscillator's and the monotonic clock's readings at one moment, from which both run on.
#[derive(Clone, Copy, Debug)]
struct Base {
    at: Moment,
    phase: f64,
    monotonic: i64,
    /// Nanoseconds beyond `monotonic`, below one.
    fraction: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leap {
    Disarmed,
    /// The jump is due when the clock reaches `at`.
    Armed {
        at: Timestamp,
        jump: Span,
    },
    /// Done; stays so until the flag is cleared.
    Done,
}

/// The clocks of one machine. Readings must not go back in time by more than the current second.
#[derive(Clone, Debug)]
pub struct Clock {
    oscillator: Oscillator,
    noise: Stream,
    reading: Reading,
    base: Base,
    /// CLOCK_REALTIME − CLOCK_MONOTONIC.
    wall: Span,
    /// CLOCK_MONOTONIC_RAW minus true time without the oscillator's phase.
    raw: Span,
    asleep: Span,
    suspended: bool,
    frequency: i64,
    leap: Leap,
    status: KernelStatus,
    status_at: Moment,
    steps: u64,
}

impl Clock {
    /// A clock that shows `system` at the start of the simulation, `uptime` after its machine did.
    pub fn new(
        oscillator: Oscillator,
        noise: Stream,
        reading: Reading,
        system: Timestamp,
        uptime: Span,
    ) -> Self {
        Self {
            oscillator,
            noise,
            reading,
            base: Base { at: Moment::START, phase: 0.0, monotonic: uptime.nanos(), fraction: 0.0 },
            wall: Span::from_nanos(system.nanos()) - uptime,
            raw: uptime,
            asleep: Span::ZERO,
            suspended: false,
            frequency: 0,
            leap: Leap::Disarmed,
            status: KernelStatus {
                synchronised: false,
                max_error: MAX_ERROR_LIMIT,
                est_error: MAX_ERROR_LIMIT,
                tai_offset: 0,
            },
            status_at: Moment::START,
            steps: 0,
        }
    }

    /// All clocks, read together. Needs a machine that is awake.
    pub fn now(&mut self, at: Moment) -> Now {
        let noise = self.reading.noise * self.noise.normal();
        let raw = self.raw + (at - Moment::START) + Span::from_seconds(self.oscillator.phase(at));
        Now {
            monotonic: self.monotonic(at),
            system: self.system(at),
            raw: Some(Instant::from_nanos((raw + Span::from_seconds(noise)).nanos())),
            asleep: self.asleep,
            frequency: self.frequency(),
            uncertainty: Span::ZERO,
        }
    }

    /// CLOCK_REALTIME. Makes a leap second whose time has come.
    pub fn system(&mut self, at: Moment) -> Timestamp {
        let monotonic = self.monotonic(at);
        let shown = |wall| Timestamp::from_nanos((monotonic + wall).nanos());
        if let Leap::Armed { at: due, jump } = self.leap
            && shown(self.wall) >= due
        {
            self.wall += jump;
            let leap_seconds = if jump.is_negative() { 1 } else { -1 };
            self.status.tai_offset += leap_seconds;
            self.leap = Leap::Done;
        }
        Timestamp::from_nanos(self.rounded(shown(self.wall).nanos()))
    }

    /// The programmed frequency (s/s).
    pub fn frequency(&self) -> f64 {
        self.frequency as f64 * FREQUENCY_UNIT
    }

    /// How fast the system clock runs against true time: error in s/s.
    pub fn frequency_error(&mut self, at: Moment) -> f64 {
        (1.0 + self.frequency()) * (1.0 + self.oscillator.frequency(at)) - 1.0
    }

    /// True time until the monotonic clock shows `deadline`, if nothing changes meanwhile.
    pub fn until(&mut self, at: Moment, deadline: Instant) -> Span {
        let left = deadline - self.monotonic(at);
        Span::from_nanos((left.nanos() as f64 / (1.0 + self.frequency_error(at))).ceil() as i64)
    }

    /// Steps of this clock by anybody, leap seconds not counted.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// What the kernel tells of the clock's quality.
    pub fn status(&self, at: Moment) -> KernelStatus {
        let growth = Span::from_seconds((at - self.status_at).seconds() * MAX_ERROR_GROWTH);
        let max_error = (self.status.max_error + growth).min(MAX_ERROR_LIMIT);
        KernelStatus {
            synchronised: self.status.synchronised && max_error < MAX_ERROR_LIMIT,
            max_error,
            ..self.status
        }
    }

    /// Carries out what the engine asks of the kernel.
    pub fn command(&mut self, at: Moment, command: ClockCommand) {
        match command {
            ClockCommand::SetFrequency(frequency) => self.set_frequency(at, frequency),
            ClockCommand::Step(by) => self.step(at, by),
            ClockCommand::SetStatus(status) => self.set_status(at, status),
        }
    }

    /// Programs a frequency (s/s), rounded and limited as the kernel does.
    pub fn set_frequency(&mut self, at: Moment, frequency: f64) {
        self.rebase(at);
        let frequency = frequency.clamp(-MAX_FREQUENCY, MAX_FREQUENCY);
        self.frequency = (frequency / FREQUENCY_UNIT).round() as i64;
    }

    /// Adds `by` to the system clock at once.
    pub fn step(&mut self, at: Moment, by: Span) {
        // A leap second that was due before the step must have happened before it.
        self.system(at);
        self.wall += by;
        self.steps += 1;
        if matches!(self.leap, Leap::Armed { .. }) {
            self.leap = Leap::Disarmed;
        }
    }

    /// Sets the system clock as `date -s` does: the kernel forgets that it was synchronised.
    pub fn set_by_hand(&mut self, at: Moment, by: Span) {
        self.step(at, by);
        self.status.synchronised = false;
        self.status.max_error = MAX_ERROR_LIMIT;
        self.status.est_error = MAX_ERROR_LIMIT;
        self.status_at = at;
    }

    /// The machine goes to sleep.
    pub fn suspend(&mut self, at: Moment) {
        self.rebase(at);
        self.suspended = true;
    }

    /// The machine wakes up; its battery clock, off by `rtc_error`, says how long it slept.
    pub fn resume(&mut self, at: Moment, rtc_error: Span) {
        if !self.suspended {
            return;
        }
        let phase = self.oscillator.phase(at);
        let slept = at - self.base.at;
        // The raw clock stood still.
        self.raw = self.raw - slept - Span::from_seconds(phase - self.base.phase);
        self.base = Base { at, phase, ..self.base };
        self.wall += slept + rtc_error;
        self.asleep += slept + rtc_error;
        self.suspended = false;
        if matches!(self.leap, Leap::Armed { .. }) {
            self.leap = Leap::Disarmed;
        }
    }

    fn set_status(&mut self, at: Moment, status: SyncStatus) {
        let system = self.system(at);
        let day_end = system.nanos() - system.nanos().rem_euclid(DAY) + DAY;
        self.leap = match (status.leap, self.leap) {
            (LeapIndicator::NoWarning | LeapIndicator::Unsynchronised, _) => Leap::Disarmed,
            (_, Leap::Done) => Leap::Done,
            (LeapIndicator::Insert, _) => {
                Leap::Armed { at: Timestamp::from_nanos(day_end), jump: -SECOND }
            }
            (LeapIndicator::Delete, _) => {
                Leap::Armed { at: Timestamp::from_nanos(day_end) - SECOND, jump: SECOND }
            }
        };
        self.status = KernelStatus {
            synchronised: status.synchronised,
            max_error: status.max_error,
            est_error: status.est_error,
            tai_offset: status.tai_offset.unwrap_or(self.status.tai_offset),
        };
        self.status_at = at;
    }

    /// CLOCK_MONOTONIC.
    fn monotonic(&mut self, at: Moment) -> Instant {
        let (whole, fraction) = self.advanced(at);
        Instant::from_nanos(self.rounded(whole + fraction.floor() as i64))
    }

    /// Whole nanoseconds of the monotonic clock, and what comes on top.
    fn advanced(&mut self, at: Moment) -> (i64, f64) {
        if self.suspended {
            return (self.base.monotonic, self.base.fraction);
        }
        let elapsed = at - self.base.at;
        // Only the deviation from true time goes through floating point: nanoseconds stay exact.
        let gained = self.oscillator.phase(at) - self.base.phase;
        let deviation = gained + self.frequency() * (elapsed.seconds() + gained);
        (self.base.monotonic + elapsed.nanos(), self.base.fraction + deviation * 1e9)
    }

    fn rebase(&mut self, at: Moment) {
        let (whole, fraction) = self.advanced(at);
        let carry = fraction.floor();
        self.base = Base {
            at,
            phase: self.oscillator.phase(at),
            monotonic: whole + carry as i64,
            fraction: fraction - carry,
        };
    }

    fn rounded(&self, nanos: i64) -> i64 {
        nanos - nanos.rem_euclid(self.reading.resolution.nanos().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oscillator;

    const MIDNIGHT: Timestamp = Timestamp::from_nanos(1_483_228_800_000_000_000);

    fn clock(frequency: f64, system: Timestamp) -> Clock {
        let settings = oscillator::Settings { frequency, ..oscillator::Settings::default() };
        Clock::new(
            Oscillator::new(settings, Stream::new(1, "oscillator")),
            Stream::new(1, "noise"),
            Reading { noise: 0.0, ..Reading::default() },
            system,
            Span::from_secs(1000),
        )
    }

    fn at(seconds: f64) -> Moment {
        Moment::from_seconds(seconds)
    }

    fn armed(leap: LeapIndicator) -> ClockCommand {
        ClockCommand::SetStatus(SyncStatus {
            synchronised: true,
            leap,
            max_error: Span::from_millis(10),
            est_error: Span::from_millis(1),
            tai_offset: Some(36),
        })
    }

    #[test]
    fn free_running_clock_gains_what_its_oscillator_gains() {
        let mut clock = clock(50e-6, MIDNIGHT);
        let now = clock.now(at(10_000.0));
        assert_eq!(now.system - MIDNIGHT, Span::from_nanos(10_000_500_000_000));
        assert_eq!(now.monotonic, Instant::from_nanos(11_000_500_000_000));
        assert_eq!(now.raw, Some(now.monotonic));
    }

    #[test]
    fn programmed_frequency_is_quantised_and_changes_nothing_backwards() {
        let mut clock = clock(0.0, MIDNIGHT);
        clock.set_frequency(at(100.0), 100.000_004e-6);
        // 100.000004 ppm lies nearest to 6 553 600 units.
        assert_eq!(clock.frequency(), 6_553_600.0 * FREQUENCY_UNIT);
        let gained = clock.now(at(1100.0)).system - MIDNIGHT - Span::from_secs(1100);
        assert!((gained - Span::from_millis(100)).abs() <= Span::from_nanos(1), "{gained:?}");
        assert_eq!(clock.now(at(1100.0)).raw, Some(Instant::from_nanos(2_100_000_000_000)));
    }

    #[test]
    fn many_adjustments_lose_no_nanoseconds() {
        let mut clock = clock(0.0, MIDNIGHT);
        for step in 0..100_000 {
            let sign = if step % 2 == 0 { 1.0 } else { -1.0 };
            clock.set_frequency(Moment::from_nanos(step * 10_000_019), sign * 137.0 * 1e-6);
        }
        let end = Moment::from_nanos(100_000 * 10_000_019);
        let error = (clock.system(end) - MIDNIGHT) - (end - Moment::START);
        assert!(error.abs() <= Span::from_nanos(2), "{error:?}");
    }

    #[test]
    fn steps_move_the_system_clock_alone() {
        let mut clock = clock(0.0, MIDNIGHT);
        clock.step(at(5.0), Span::from_millis(-250));
        let now = clock.now(at(10.0));
        assert_eq!(now.system - MIDNIGHT, Span::from_millis(9750));
        assert_eq!(now.monotonic, Instant::from_nanos(1_010_000_000_000));
        assert_eq!(clock.steps(), 1);
    }

    #[test]
    fn inserted_leap_second_repeats_the_last_second_once() {
        let mut clock = clock(0.0, MIDNIGHT - Span::from_secs(10));
        clock.command(at(1.0), armed(LeapIndicator::Insert));
        assert_eq!(clock.system(at(9.9)) - MIDNIGHT, Span::from_millis(-100));
        assert_eq!(clock.system(at(10.5)) - MIDNIGHT, Span::from_millis(-500));
        assert_eq!(clock.system(at(12.0)) - MIDNIGHT, SECOND);
        assert_eq!(clock.status(at(12.0)).tai_offset, 37);
        assert_eq!(clock.now(at(12.0)).monotonic, Instant::from_nanos(1_012_000_000_000));
        // The flag still set means nothing until it has been cleared.
        clock.command(at(13.0), armed(LeapIndicator::Insert));
        assert_eq!(clock.system(at(90_000.0)) - MIDNIGHT, Span::from_secs(89_989));
    }

    #[test]
    fn deleted_leap_second_is_left_out() {
        let mut clock = clock(0.0, MIDNIGHT - Span::from_secs(10));
        clock.command(at(1.0), armed(LeapIndicator::Delete));
        assert_eq!(clock.system(at(8.9)) - MIDNIGHT, Span::from_millis(-1100));
        assert_eq!(clock.system(at(9.0)), MIDNIGHT);
    }

    #[test]
    fn disarmed_leap_second_does_not_happen() {
        let mut clock = clock(0.0, MIDNIGHT - Span::from_secs(10));
        clock.command(at(1.0), armed(LeapIndicator::Insert));
        clock.command(at(2.0), armed(LeapIndicator::NoWarning));
        assert_eq!(clock.system(at(11.0)) - MIDNIGHT, SECOND);
    }

    #[test]
    fn suspend_stops_the_monotonic_clocks_and_the_battery_clock_goes_on() {
        let mut clock = clock(100e-6, MIDNIGHT);
        clock.suspend(at(1000.0));
        clock.resume(at(4600.0), Span::from_millis(300));
        let now = clock.now(at(4600.0));
        assert_eq!(now.monotonic, Instant::from_nanos(2_000_100_000_000));
        assert_eq!(now.raw, Some(now.monotonic));
        assert_eq!(now.asleep, Span::from_millis(3_600_300));
        assert_eq!(now.system - MIDNIGHT, Span::from_millis(4_600_400));
    }

    #[test]
    fn max_error_grows_until_the_clock_counts_as_unsynchronised() {
        let mut clock = clock(0.0, MIDNIGHT);
        clock.command(at(0.0), armed(LeapIndicator::NoWarning));
        let status = clock.status(at(1000.0));
        assert_eq!((status.synchronised, status.max_error), (true, Span::from_millis(510)));
        let status = clock.status(at(40_000.0));
        assert_eq!((status.synchronised, status.max_error), (false, MAX_ERROR_LIMIT));
    }

    #[test]
    fn until_tells_when_a_deadline_is_reached() {
        let mut clock = clock(-80e-6, MIDNIGHT);
        clock.set_frequency(at(0.0), 1000e-6);
        let deadline = Instant::from_nanos(5_000_000_000_000);
        let wait = clock.until(Moment::START, deadline);
        let reached = clock.now(Moment::START + wait).monotonic;
        assert!((reached - deadline).abs() < Span::from_nanos(3), "{:?}", reached - deadline);
    }
}
