//! Poll intervals, powers of two of a second.

use std::fmt;

use serde::{Deserialize, Serialize};
use timeball_wire::Span;

/// A poll interval as its exponent: 2ⁿ seconds, n from −7 (8 ms) to 17 (36 h; RFC 5905 §7.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PollInterval(i8);

impl PollInterval {
    /// 1/128 s.
    pub const SHORTEST: Self = Self(-7);
    /// About 36 h.
    pub const LONGEST: Self = Self(17);
    /// One second: shorter is for near paths only.
    pub const SECOND: Self = Self(0);

    /// 2^`exponent` seconds, brought into the permitted range.
    pub const fn new(exponent: i8) -> Self {
        if exponent < Self::SHORTEST.0 {
            Self::SHORTEST
        } else if exponent > Self::LONGEST.0 {
            Self::LONGEST
        } else {
            Self(exponent)
        }
    }

    /// The longest one that is no longer than this many seconds, within the range.
    pub fn within(seconds: f64) -> Self {
        // A cast takes what is not a number for 0, and saturates.
        Self::new(seconds.log2().floor() as i8)
    }

    /// log₂ seconds.
    pub const fn exponent(self) -> i8 {
        self.0
    }

    /// Seconds.
    pub fn seconds(self) -> f64 {
        f64::from(self.0).exp2()
    }

    /// The interval as a span, exact.
    pub fn span(self) -> Span {
        Span::from_seconds(self.seconds())
    }

    /// The interval `steps` doublings longer (or halvings, if negative), within the range.
    pub const fn doubled(self, steps: i8) -> Self {
        Self::new(self.0.saturating_add(steps))
    }
}

impl fmt::Debug for PollInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2^{}s", self.0)
    }
}
