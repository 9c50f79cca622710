//! The kernel clock: read as one consistent sample, described, and — by whoever asked for it —
//! controlled.

mod control;
mod frequency;
mod state;

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI64, Ordering};

use timeball_wire::time::{Instant, Span, Timestamp};

pub use self::control::{ControlError, Controller, KernelLeap, SyncStatus};
pub use self::frequency::MAXIMUM_FREQUENCY;
pub use self::state::{KernelClockState, State, StatusFlags};

use crate::os::check;

/// One moment, read from every clock this machine has.
///
/// All fields belong to the same instant within [`Reading::uncertainty`], so that differences such
/// as `system − monotonic` tell a step of the system clock from the mere passing of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The monotonic clock: slewed with the system clock, never stepped.
    pub monotonic: Instant,
    /// The system clock.
    pub system: Timestamp,
    /// The raw hardware clock, never adjusted (`CLOCK_MONOTONIC_RAW`); `None` where the kernel has
    /// none.
    pub raw: Option<Instant>,
    /// How long this machine has been suspended since it was booted (`CLOCK_BOOTTIME` −
    /// `CLOCK_MONOTONIC`); zero where the kernel cannot tell. It carries the noise of one reading.
    pub asleep: Span,
    /// How far the fields may be apart: the largest distance of any clock's reading from the
    /// instant it is said to belong to. Tens of nanoseconds where clocks are read without a system
    /// call, about a microsecond otherwise.
    pub uncertainty: Span,
}

/// The clock of this machine, for reading.
///
/// Cheap to share between threads; [`Clock::take_control`] is the only way to change anything.
#[derive(Debug)]
pub struct Clock {
    has_raw: bool,
    has_boot_time: bool,
    /// The shortest time in nanoseconds in which two readings of the monotonic clock enclosed a
    /// third one so far. It says when a new sample is good enough.
    shortest_window: AtomicI64,
}

/// How often one clock is read between two readings of the monotonic clock in search of a sample
/// that no interruption has stretched.
const TRIES: usize = 4;

impl Clock {
    /// Finds out which clocks this machine has.
    ///
    /// # Errors
    ///
    /// When the system clock or the monotonic clock cannot be read.
    pub fn open() -> io::Result<Self> {
        read_nanos(libc::CLOCK_MONOTONIC)?;
        read_nanos(libc::CLOCK_REALTIME)?;
        Ok(Self {
            has_raw: read_nanos(libc::CLOCK_MONOTONIC_RAW).is_ok(),
            has_boot_time: read_nanos(libc::CLOCK_BOOTTIME).is_ok(),
            shortest_window: AtomicI64::new(i64::MAX),
        })
    }

    /// Reads all clocks as one sample.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to read a clock that [`Clock::open`] found.
    pub fn read(&self) -> io::Result<Reading> {
        let system = self.read_enclosed(libc::CLOCK_REALTIME)?;
        let raw =
            self.has_raw.then(|| self.read_enclosed(libc::CLOCK_MONOTONIC_RAW)).transpose()?;
        let boot =
            self.has_boot_time.then(|| self.read_enclosed(libc::CLOCK_BOOTTIME)).transpose()?;
        // The clocks were read one after the other; each is carried back to the instant of the
        // first by the monotonic time between them. Over microseconds their rates are the same.
        let monotonic = system.monotonic;
        let windows = [Some(system), raw, boot].into_iter().flatten().map(|sample| sample.window);
        Ok(Reading {
            monotonic: Instant::from_nanos(monotonic),
            system: Timestamp::from_nanos(system.value),
            raw: raw.map(|raw| {
                Instant::from_nanos(raw.value.saturating_sub(raw.monotonic - monotonic))
            }),
            asleep: boot.map_or(Span::ZERO, |boot| {
                Span::from_nanos(boot.value.saturating_sub(boot.monotonic))
            }),
            uncertainty: Span::from_nanos(windows.max().unwrap_or(0).saturating_add(1) / 2),
        })
    }

    /// The system clock alone: one call, for stamping what the kernel did not stamp.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn system(&self) -> io::Result<Timestamp> {
        system_now()
    }

    /// The monotonic clock alone: one call, for deadlines.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn monotonic(&self) -> io::Result<Instant> {
        monotonic_now()
    }

    /// What the kernel's clock discipline is doing. Needs no privilege and changes nothing.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; some containers forbid even reading (`EPERM`).
    pub fn state(&self) -> io::Result<State> {
        // A zeroed request has no modes: it asks, and sets nothing.
        let mut timex = control::blank_timex();
        let code = control::adjust(&mut timex)?;
        Ok(State::from_timex(&timex, code, frequency::ticks_per_second()))
    }

    /// Asks for the right to adjust the clock, and ends whatever adjustment somebody else left
    /// running. See [`Controller`].
    ///
    /// # Errors
    ///
    /// [`ControlError::NotPermitted`] without `CAP_SYS_TIME`; a daemon then goes on without
    /// controlling the clock.
    pub fn take_control(&self) -> Result<Controller, ControlError> {
        Controller::take()
    }

    /// Reads `clock` between two readings of the monotonic clock, a few times, and keeps the
    /// tightest.
    fn read_enclosed(&self, clock: libc::clockid_t) -> io::Result<Enclosed> {
        let shortest = self.shortest_window.load(Ordering::Relaxed);
        let mut best: Option<Enclosed> = None;
        for _ in 0..TRIES {
            let before = read_nanos(libc::CLOCK_MONOTONIC)?;
            let value = read_nanos(clock)?;
            let after = read_nanos(libc::CLOCK_MONOTONIC)?;
            let sample = Enclosed::new(before, value, after);
            if best.is_none_or(|best| sample.window < best.window) {
                best = Some(sample);
            }
            // Half more than the best window ever seen: nothing interrupted this one.
            if sample.window <= shortest.saturating_add(shortest / 2) && shortest != i64::MAX {
                break;
            }
        }
        let best = best.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        self.shortest_window.fetch_min(best.window.max(1), Ordering::Relaxed);
        Ok(best)
    }
}

/// A reading of one clock, and the monotonic time it belongs to.
#[derive(Debug, Clone, Copy)]
struct Enclosed {
    /// The middle of the two monotonic readings.
    monotonic: i64,
    value: i64,
    /// The time between them. A clock that stands still or goes back makes it zero.
    window: i64,
}

impl Enclosed {
    fn new(before: i64, value: i64, after: i64) -> Self {
        let window = after.saturating_sub(before).max(0);
        Self { monotonic: before.saturating_add(window / 2), value, window }
    }
}

/// Now, on the system clock.
pub(crate) fn system_now() -> io::Result<Timestamp> {
    read_nanos(libc::CLOCK_REALTIME).map(Timestamp::from_nanos)
}

/// Now, on the monotonic clock.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn monotonic_now() -> io::Result<Instant> {
    read_nanos(libc::CLOCK_MONOTONIC).map(Instant::from_nanos)
}

fn read_nanos(clock: libc::clockid_t) -> io::Result<i64> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is valid for one `timespec`, which the kernel fills.
    check(unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so it has written the whole structure.
    Ok(nanos_of(&unsafe { time.assume_init() }))
}

/// Nanoseconds of a kernel time; saturates.
pub(crate) fn nanos_of(time: &libc::timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_belong_to_one_moment() {
        let clock = Clock::open().unwrap();
        let before = clock.monotonic().unwrap();
        let reading = clock.read().unwrap();
        let after = clock.monotonic().unwrap();
        assert!(before <= reading.monotonic && reading.monotonic <= after, "{reading:?}");
        let system = clock.system().unwrap();
        assert!(reading.system <= system, "{reading:?} {system:?}");
        assert!(reading.uncertainty > Span::ZERO);
        assert!(!reading.asleep.is_negative() || reading.asleep.abs() <= reading.uncertainty);
    }

    #[test]
    fn the_gap_between_system_and_monotonic_clock_is_as_still_as_the_uncertainty_says() {
        let clock = Clock::open().unwrap();
        let readings: Vec<_> = (0..200).map(|_| clock.read().unwrap()).collect();
        let gap = |reading: &Reading| reading.system.nanos() - reading.monotonic.nanos();
        for pair in readings.windows(2) {
            let moved = (gap(&pair[1]) - gap(&pair[0])).abs();
            let allowed = (pair[0].uncertainty + pair[1].uncertainty).nanos();
            assert!(moved <= allowed, "moved {moved} ns, allowed {allowed} ns");
        }
    }

    #[test]
    fn a_clock_that_goes_back_gives_an_empty_window() {
        let sample = Enclosed::new(100, 7, 40);
        assert_eq!((sample.monotonic, sample.window), (100, 0));
        let sample = Enclosed::new(100, 7, 140);
        assert_eq!((sample.monotonic, sample.value, sample.window), (120, 7, 40));
    }

    #[test]
    fn the_state_can_be_read_without_rights() {
        match Clock::open().unwrap().state() {
            Ok(state) => assert!(state.frequency.abs() <= MAXIMUM_FREQUENCY + 500e-6),
            Err(error) => println!("SKIPPED: this system forbids reading the clock state: {error}"),
        }
    }
}
