//! One reading of this machine's clocks.

use timeball_wire::{Instant, Span, Timestamp};

/// All clocks of this machine, read once and together. Every call into the engine carries one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// The monotonic clock, the scale of all deadlines. It slews with the system clock and is never
    /// stepped, so a change of `system − monotonic` is a step or a suspend and nothing else.
    pub monotonic: Instant,
    /// The system clock.
    pub system: Timestamp,
    /// The raw hardware clock (`CLOCK_MONOTONIC_RAW`), which no adjustment reaches; absent where
    /// the system has none.
    pub raw: Option<Instant>,
    /// Total time this machine has been suspended (`CLOCK_BOOTTIME − CLOCK_MONOTONIC`).
    pub asleep: Span,
    /// The frequency correction in force (s/s): the system clock advances `1 + frequency` seconds
    /// per second of the oscillator. Read back from the kernel, whoever programmed it.
    pub frequency: f64,
    /// How far the moments may be apart at which the clocks were read. A program that is interrupted
    /// between two readings notices nothing else of it.
    pub uncertainty: Span,
}
