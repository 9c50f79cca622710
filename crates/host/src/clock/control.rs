//! The only code that changes the clock. Whoever holds a [`Controller`] has asked for it.
//!
//! The kernel's own loop is not used: frequency and slews are programmed as frequency, steps as
//! steps, and the status word is written whole.

use std::io;

use thiserror::Error;
use timeball_wire::time::Span;

use super::frequency::{MAXIMUM_FREQUENCY, Registers, ticks_per_second};
use super::system_now;
use crate::os::check;

/// Why the clock cannot be controlled.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The kernel does not let this process adjust the clock.
    #[error(
        "this process may not adjust the clock: it needs CAP_SYS_TIME in the machine's own user \
         namespace; give it that capability, or run without clock control"
    )]
    NotPermitted,
    /// The kernel refused for another reason.
    #[error("the kernel refused to hand over its clock: {0}")]
    Refused(#[source] io::Error),
}

/// What the kernel should tell other programs about the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncStatus {
    /// Whether the clock is synchronised (`STA_UNSYNC` is the opposite). While it is, the kernel
    /// also copies it to the hardware clock every 11 minutes.
    pub synchronised: bool,
    /// The leap second at the end of this UTC day.
    pub leap: KernelLeap,
    /// The largest possible error. The kernel lets it grow by 500 µs each second and declares the
    /// clock unsynchronised at 16 s, so it must be renewed.
    pub max_error: Span,
    /// The estimated error.
    pub estimated_error: Span,
    /// TAI − UTC in seconds; `None` leaves the kernel's value as it is.
    pub tai_offset: Option<i32>,
}

/// The leap second that the kernel should perform at the end of this UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KernelLeap {
    /// None.
    #[default]
    None,
    /// 23:59:60 is inserted.
    Insert,
    /// 23:59:59 is left out.
    Delete,
}

/// The right to adjust the system clock.
///
/// Dropping it changes nothing: the frequency last programmed stays. A controller that is slewing
/// must program the base frequency again before it goes.
#[derive(Debug)]
pub struct Controller {
    ticks_per_second: i64,
}

impl Controller {
    pub(super) fn take() -> Result<Self, ControlError> {
        ask_permission()?;
        let controller = Self { ticks_per_second: ticks_per_second() };
        controller.end_foreign_slews().map_err(ControlError::Refused)?;
        Ok(controller)
    }

    /// The largest frequency [`Controller::set_frequency`] can program, as a fraction.
    pub fn maximum_frequency(&self) -> f64 {
        MAXIMUM_FREQUENCY
    }

    /// Makes the system clock run faster than the hardware clock by the fraction `frequency`
    /// (1e-6 = 1 ppm), at once and until further notice. Larger values are limited to
    /// [`Controller::maximum_frequency`].
    ///
    /// Answers the frequency that was programmed, which differs from the wish by up to 7.6e-12.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; the frequency is then unchanged.
    pub fn set_frequency(&mut self, frequency: f64) -> io::Result<f64> {
        let wanted = Registers::from_frequency(frequency, self.ticks_per_second);
        let mut timex = blank_timex();
        timex.modes = libc::ADJ_FREQUENCY | libc::ADJ_TICK;
        timex.tick = wanted.tick;
        timex.freq = wanted.freq;
        adjust(&mut timex)?;
        // The kernel answers what it has made of the request.
        let programmed = Registers { tick: timex.tick, freq: timex.freq };
        Ok(programmed.frequency(self.ticks_per_second))
    }

    /// Steps the system clock forward by `span` (back, if negative), at once.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; the clock is then unchanged.
    pub fn step(&mut self, span: Span) -> io::Result<()> {
        let mut timex = step_request(span);
        match adjust(&mut timex) {
            Ok(_) => Ok(()),
            // Very old kernels do not know relative steps; theirs costs the time between two calls.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => set_system_time(span),
            Err(error) => Err(error),
        }
    }

    /// Tells the kernel, and through it every program that asks, how good the clock is.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; the status is then unchanged.
    pub fn set_status(&mut self, status: &SyncStatus) -> io::Result<()> {
        adjust(&mut status_request(status)).map(|_| ())
    }

    /// Ends what another program may have left running: an offset in the kernel's loop, which the
    /// kernel goes on slewing after the loop is switched off, and an `adjtime` slew. The frequency
    /// stays. The clock counts as unsynchronised until [`Controller::set_status`] says otherwise.
    fn end_foreign_slews(&self) -> io::Result<()> {
        for mut request in end_of_slews() {
            adjust(&mut request)?;
        }
        Ok(())
    }
}

/// Asks for a tick of zero, which no kernel accepts: it answers "not permitted" to those who may
/// not adjust the clock, and "invalid" to those who may. Nothing changes either way. Only the
/// kernel knows: a capability in a user namespace is not enough, and a simulated kernel needs none.
fn ask_permission() -> Result<(), ControlError> {
    let mut impossible = blank_timex();
    impossible.modes = libc::ADJ_TICK;
    impossible.tick = 0;
    match adjust(&mut impossible) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(ControlError::NotPermitted),
        Err(error) => Err(ControlError::Refused(error)),
        Ok(_) => Err(ControlError::Refused(io::Error::other("it accepted a tick of zero length"))),
    }
}

/// The requests that end foreign slews, in order.
fn end_of_slews() -> [libc::timex; 3] {
    let mut adjtime = blank_timex();
    adjtime.modes = libc::ADJ_OFFSET_SINGLESHOT;
    // The remaining offset can only be overwritten while the loop is on …
    let mut offset = blank_timex();
    offset.modes = libc::ADJ_STATUS | libc::ADJ_NANO | libc::ADJ_OFFSET;
    offset.status = libc::STA_PLL | libc::STA_UNSYNC;
    // … which it is for no longer than this.
    let mut off = blank_timex();
    off.modes = libc::ADJ_STATUS;
    off.status = libc::STA_UNSYNC;
    [adjtime, offset, off]
}

fn step_request(span: Span) -> libc::timex {
    let mut timex = blank_timex();
    timex.modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
    // The fraction must not be negative: the seconds are rounded down.
    timex.time.tv_sec = span.nanos().div_euclid(1_000_000_000);
    timex.time.tv_usec = span.nanos().rem_euclid(1_000_000_000);
    timex
}

fn status_request(status: &SyncStatus) -> libc::timex {
    let mut timex = blank_timex();
    timex.modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
    if !status.synchronised {
        timex.status |= libc::STA_UNSYNC;
    }
    timex.status |= match status.leap {
        KernelLeap::None => 0,
        KernelLeap::Insert => libc::STA_INS,
        KernelLeap::Delete => libc::STA_DEL,
    };
    timex.maxerror = microseconds_ceil(status.max_error);
    timex.esterror = microseconds_ceil(status.estimated_error);
    if let Some(tai_offset) = status.tai_offset {
        timex.modes |= libc::ADJ_TAI;
        timex.constant = tai_offset.into();
    }
    timex
}

/// Rounds up, so that a bound stays one.
fn microseconds_ceil(span: Span) -> i64 {
    span.nanos().max(0).saturating_add(999) / 1000
}

fn set_system_time(span: Span) -> io::Result<()> {
    let target = (system_now()? + span).nanos();
    let time = libc::timespec {
        tv_sec: target.div_euclid(1_000_000_000),
        tv_nsec: target.rem_euclid(1_000_000_000),
    };
    // SAFETY: the pointer is valid for one `timespec`, which is only read.
    check(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) }).map(|_| ())
}

/// A request that asks for nothing.
pub(super) fn blank_timex() -> libc::timex {
    // SAFETY: `timex` consists of integers; all-zero bytes are a value of each.
    unsafe { std::mem::zeroed() }
}

/// Hands a request to the kernel; it answers the clock's state and fills in all fields.
pub(super) fn adjust(timex: &mut libc::timex) -> io::Result<i32> {
    // SAFETY: the pointer is valid for one `timex`, which the kernel reads and fills.
    check(unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, timex) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Requests are tested as values. No test hands one that changes anything to the kernel.

    #[test]
    fn a_step_back_has_a_positive_fraction() {
        let timex = step_request(Span::from_millis(-250));
        assert_eq!((timex.time.tv_sec, timex.time.tv_usec), (-1, 750_000_000));
        assert_eq!(timex.modes, libc::ADJ_SETOFFSET | libc::ADJ_NANO);
        let timex = step_request(Span::from_nanos(3_000_000_007));
        assert_eq!((timex.time.tv_sec, timex.time.tv_usec), (3, 7));
    }

    #[test]
    fn the_status_word_is_written_whole() {
        let status = SyncStatus {
            synchronised: true,
            leap: KernelLeap::Insert,
            max_error: Span::from_nanos(1_000_001),
            estimated_error: Span::from_nanos(999),
            tai_offset: Some(37),
        };
        let timex = status_request(&status);
        assert_eq!(timex.status, libc::STA_INS);
        assert_eq!((timex.maxerror, timex.esterror, timex.constant), (1001, 1, 37));
        assert_eq!(
            timex.modes,
            libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR | libc::ADJ_TAI
        );
    }

    #[test]
    fn an_unsynchronised_clock_says_so_and_leaves_tai_alone() {
        let status = SyncStatus {
            synchronised: false,
            leap: KernelLeap::Delete,
            max_error: Span::from_secs(-1),
            estimated_error: Span::ZERO,
            tai_offset: None,
        };
        let timex = status_request(&status);
        assert_eq!(timex.status, libc::STA_UNSYNC | libc::STA_DEL);
        assert_eq!((timex.maxerror, timex.esterror), (0, 0));
        assert_eq!(timex.modes & libc::ADJ_TAI, 0);
    }

    #[test]
    fn taking_over_leaves_the_loop_off_and_the_frequency_alone() {
        let requests = end_of_slews();
        let last = requests[2];
        assert_eq!((last.modes, last.status), (libc::ADJ_STATUS, libc::STA_UNSYNC));
        for request in requests {
            assert_eq!(request.modes & (libc::ADJ_FREQUENCY | libc::ADJ_SETOFFSET), 0);
            assert_eq!(request.offset, 0);
        }
        assert_eq!(requests[0].modes, libc::ADJ_OFFSET_SINGLESHOT);
    }
}
