//! May the clock be stepped?

use super::Settings;

/// Counts the updates that may still step the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPolicy {
    /// Updates that may still step; `None` for all.
    left: Option<u32>,
    /// The clock has jumped and it was not us: the next correction may jump back.
    after_jump: bool,
    /// A refusal has been reported and not been lifted since.
    refused: bool,
}

impl StepPolicy {
    /// The policy at the start.
    pub const fn new(settings: &Settings) -> Self {
        Self { left: settings.step_limit, after_jump: false, refused: false }
    }

    /// The next correction may step.
    pub const fn allowed(&self) -> bool {
        self.after_jump || !matches!(self.left, Some(0))
    }

    /// An update has been made.
    pub fn updated(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.after_jump = false;
    }

    /// The clock has jumped and it was not us: the next correction may jump back.
    pub fn allow_after_jump(&mut self) {
        self.after_jump = true;
        self.refused = false;
    }

    /// What a jump allowed has been made use of, or was not needed.
    pub fn jump_undone(&mut self) {
        self.after_jump = false;
    }

    /// A step was wanted and not allowed. True the first time, when it is news.
    pub fn refuse(&mut self) -> bool {
        !std::mem::replace(&mut self.refused, true)
    }
}
