//! By how much the time served has been corrected.

use serde::{Deserialize, Serialize};
use timeball_wire::Span;

/// What separates the time served from monotonic time, which has the same frequency and whose phase
/// is never corrected.
///
/// A client that knows of the corrections can tell them from a change of the frequency, and follows
/// each with its next poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrections {
    /// Changes when monotonic time begins anew.
    pub epoch: u32,
    /// Time served minus monotonic time.
    pub phase: Span,
}

impl Corrections {
    /// None so far, in this epoch.
    pub const fn begin(epoch: u32) -> Self {
        Self { epoch, phase: Span::ZERO }
    }

    /// The time served was moved forward by this much (s).
    pub(super) fn moved(&mut self, by: f64) {
        self.phase += Span::from_seconds(by);
    }

    /// Nobody can tell any more how far apart the two are.
    pub(super) const fn restart(&mut self) {
        *self = Self::begin(self.epoch.wrapping_add(1));
    }
}
