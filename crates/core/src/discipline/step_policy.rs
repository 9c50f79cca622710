//! May the clock be stepped?

use super::Settings;

/// Counts the updates that may still step the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPolicy {
    /// Updates that may still step; `None` for all.
    left: Option<u32>,
    /// A refusal has been reported and not been lifted since.
    refused: bool,
}

impl StepPolicy {
    /// The policy at the start.
    pub const fn new(settings: &Settings) -> Self {
        Self { left: settings.step_limit, refused: false }
    }

    /// The next update may step.
    pub const fn allowed(&self) -> bool {
        !matches!(self.left, Some(0))
    }

    /// An update has been made.
    pub fn updated(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    /// The clock has jumped and it was not us: the next update may jump back.
    pub fn allow_one(&mut self) {
        self.left = self.left.map(|left| left.max(1));
        self.refused = false;
    }

    /// A step was wanted and not allowed. True the first time, when it is news.
    pub fn refuse(&mut self) -> bool {
        !std::mem::replace(&mut self.refused, true)
    }
}
