//! What the kernel says about its clock discipline, decoded.

use timeball_wire::time::Span;

use super::frequency::Registers;

/// The kernel's clock discipline as `adjtimex` reports it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// The programmed frequency of the system clock relative to the hardware clock, as a fraction
    /// (1e-6 = 1 ppm); positive makes the clock faster. `tick` and `freq` together.
    pub frequency: f64,
    /// The offset that the kernel's own loop is still slewing away, because another program asked
    /// for it; `None` when the kernel reports a value outside its own range (some paravirtual
    /// clocks do for a moment).
    pub remaining_slew: Option<Span>,
    /// The status word.
    pub flags: StatusFlags,
    /// The kernel's answer: synchronised or not, leap second armed or happening.
    pub clock: KernelClockState,
    /// The largest possible error, which the kernel lets grow by 500 µs each second.
    pub max_error: Span,
    /// The estimated error.
    pub estimated_error: Span,
    /// TAI − UTC in seconds; zero on a machine where nobody ever set it.
    pub tai_offset: i32,
}

/// The status word of the kernel's discipline (`STA_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusFlags {
    /// The kernel's phase-locked loop is on: another program disciplines this clock through it.
    pub phase_locked_loop: bool,
    /// The loop follows a pulse-per-second signal in frequency or time.
    pub pulse_per_second: bool,
    /// The loop is in frequency-locked mode.
    pub frequency_locked_loop: bool,
    /// A second will be inserted at the end of this UTC day.
    pub insert_leap: bool,
    /// The last second of this UTC day will be left out.
    pub delete_leap: bool,
    /// The clock is not synchronised.
    pub unsynchronised: bool,
    /// The frequency is held.
    pub frequency_hold: bool,
    /// The clock hardware has failed.
    pub clock_error: bool,
    /// Offsets are in nanoseconds rather than microseconds.
    pub nanoseconds: bool,
}

impl StatusFlags {
    fn from_word(word: i32) -> Self {
        let has = |bits| word & bits != 0;
        Self {
            phase_locked_loop: has(libc::STA_PLL),
            pulse_per_second: has(libc::STA_PPSFREQ | libc::STA_PPSTIME),
            frequency_locked_loop: has(libc::STA_FLL),
            insert_leap: has(libc::STA_INS),
            delete_leap: has(libc::STA_DEL),
            unsynchronised: has(libc::STA_UNSYNC),
            frequency_hold: has(libc::STA_FREQHOLD),
            clock_error: has(libc::STA_CLOCKERR),
            nanoseconds: has(libc::STA_NANO),
        }
    }
}

/// The state of the kernel clock, from the answer of `adjtimex`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelClockState {
    /// Synchronised, no leap second in sight (`TIME_OK`).
    Ok,
    /// A second will be inserted at the end of the day (`TIME_INS`).
    InsertArmed,
    /// A second will be left out at the end of the day (`TIME_DEL`).
    DeleteArmed,
    /// The inserted second is happening now (`TIME_OOP`).
    InsertHappening,
    /// A leap second has happened; its flag has not been cleared yet (`TIME_WAIT`).
    LeapDone,
    /// Not synchronised (`TIME_ERROR`).
    Unsynchronised,
    /// An answer no kernel known to this program gives.
    Unknown(i32),
}

impl KernelClockState {
    fn from_code(code: i32) -> Self {
        match code {
            libc::TIME_OK => Self::Ok,
            libc::TIME_INS => Self::InsertArmed,
            libc::TIME_DEL => Self::DeleteArmed,
            libc::TIME_OOP => Self::InsertHappening,
            libc::TIME_WAIT => Self::LeapDone,
            libc::TIME_ERROR => Self::Unsynchronised,
            other => Self::Unknown(other),
        }
    }
}

/// The largest offset the kernel's loop takes, in nanoseconds (`MAXPHASE`).
const LARGEST_SLEW: i64 = 500_000_000;

impl State {
    pub(super) fn from_timex(timex: &libc::timex, code: i32, ticks_per_second: i64) -> Self {
        let flags = StatusFlags::from_word(timex.status);
        let unit = if flags.nanoseconds { 1 } else { 1000 };
        let remaining = timex.offset.saturating_mul(unit);
        Self {
            frequency: Registers { tick: timex.tick, freq: timex.freq }.frequency(ticks_per_second),
            remaining_slew: (remaining.saturating_abs() <= LARGEST_SLEW)
                .then_some(Span::from_nanos(remaining)),
            flags,
            clock: KernelClockState::from_code(code),
            max_error: Span::from_nanos(timex.maxerror.saturating_mul(1000)),
            estimated_error: Span::from_nanos(timex.esterror.saturating_mul(1000)),
            tai_offset: timex.tai,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::control::blank_timex;
    use super::*;

    fn timex() -> libc::timex {
        let mut timex = blank_timex();
        timex.tick = 10_003;
        timex.freq = -2 * 65_536;
        timex.offset = 1500;
        timex.maxerror = 250_000;
        timex.esterror = 40;
        timex.tai = 37;
        timex
    }

    #[test]
    fn every_field_is_decoded() {
        let mut timex = timex();
        timex.status = libc::STA_PLL | libc::STA_INS | libc::STA_NANO;
        let state = State::from_timex(&timex, libc::TIME_INS, 100);
        assert!((state.frequency - 298e-6).abs() < 1e-12, "{}", state.frequency);
        assert_eq!(state.remaining_slew, Some(Span::from_nanos(1500)));
        assert_eq!(
            state.flags,
            StatusFlags {
                phase_locked_loop: true,
                insert_leap: true,
                nanoseconds: true,
                ..StatusFlags::default()
            }
        );
        assert_eq!(state.clock, KernelClockState::InsertArmed);
        assert_eq!(state.max_error, Span::from_millis(250));
        assert_eq!(state.estimated_error, Span::from_nanos(40_000));
        assert_eq!(state.tai_offset, 37);
    }

    #[test]
    fn offsets_without_the_nanosecond_flag_are_microseconds() {
        let state = State::from_timex(&timex(), libc::TIME_ERROR, 100);
        assert_eq!(state.remaining_slew, Some(Span::from_nanos(1_500_000)));
        assert_eq!(state.clock, KernelClockState::Unsynchronised);
    }

    #[test]
    fn an_impossible_offset_is_not_believed() {
        let mut timex = timex();
        timex.status = libc::STA_NANO;
        timex.offset = 1 << 32;
        assert_eq!(State::from_timex(&timex, libc::TIME_OK, 100).remaining_slew, None);
    }

    #[test]
    fn each_answer_has_its_name() {
        let names: Vec<_> = (0..7).map(KernelClockState::from_code).collect();
        assert_eq!(
            names,
            [
                KernelClockState::Ok,
                KernelClockState::InsertArmed,
                KernelClockState::DeleteArmed,
                KernelClockState::InsertHappening,
                KernelClockState::LeapDone,
                KernelClockState::Unsynchronised,
                KernelClockState::Unknown(6),
            ]
        );
    }

    proptest! {
        #[test]
        fn no_answer_of_the_kernel_panics(
            status in any::<i32>(), code in any::<i32>(), offset in any::<i64>(), tick in any::<i64>(),
            freq in any::<i64>(), error in any::<i64>(), tai in any::<i32>(),
        ) {
            let mut timex = blank_timex();
            (timex.status, timex.offset, timex.tick, timex.freq) = (status, offset, tick, freq);
            (timex.maxerror, timex.esterror, timex.tai) = (error, error, tai);
            let state = State::from_timex(&timex, code, 100);
            prop_assert!(state.frequency.is_finite());
            prop_assert_eq!(state.flags.unsynchronised, status & libc::STA_UNSYNC != 0);
        }
    }
}
