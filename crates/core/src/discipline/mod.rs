//! How to make the system clock agree with the time that was found.
pub mod command;
pub mod drift;

pub use command::{ClockCommand, SyncStatus};
pub use drift::Drift;

/// How the clock may be corrected.
#[derive(Clone, Copy, Debug, PartialEq)]
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
        }
    }
}
