//! How the clock may be corrected.

use super::LeapTable;

/// How the clock may be corrected.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Correct the clock at all; without it the engine only watches.
    pub control: bool,
    /// Step if the clock is further off than this (s), while steps are allowed.
    pub step_threshold: f64,
    /// How many updates after the start may step; `None` for all, 0 for never, not even to undo a
    /// step that somebody else has made.
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
    /// A frequency that may be wrong by more than this (s/s) is not used.
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
