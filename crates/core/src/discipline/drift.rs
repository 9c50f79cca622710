//! What is remembered of the oscillator across restarts.

use serde::{Deserialize, Serialize};

/// The oscillator's frequency, as the drift file keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Frequency correction that the clock needs (s/s).
    pub frequency: f64,
    /// One standard deviation of it (s/s).
    pub uncertainty: f64,
}
