//! What the engine asks of the system clock.

use timeball_wire::{LeapIndicator, Span};

/// An order to the kernel. After carrying it out, the caller reads the clocks and answers with
/// [`Input::ClockAdjusted`](crate::engine::Input::ClockAdjusted).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockCommand {
    /// Run at this frequency correction (s/s) from now on.
    SetFrequency(f64),
    /// Add this to the clock at once.
    Step(Span),
    /// Tell the kernel, and whoever asks it, how good the clock is.
    SetStatus(SyncStatus),
}

/// What the kernel is told of the clock's quality (`adjtimex` status, maxerror, esterror, tai).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SyncStatus {
    /// False sets `STA_UNSYNC`.
    pub synchronised: bool,
    /// Leap second to arm at the end of this UTC day: `Insert`, `Delete`, or none.
    pub leap: LeapIndicator,
    /// Bound of the clock's error.
    pub max_error: Span,
    /// Estimate of the clock's error.
    pub est_error: Span,
    /// TAI − UTC in seconds, if known.
    pub tai_offset: Option<i32>,
}
