//! Several requests in quick succession: at the start, after silence, when an operator asks, or in
//! a poll that has brought nothing yet.

use super::Settings;

/// Between the requests of a volley (s; RFC 5905 §13.2, BTIME).
pub(super) const INTERVAL: f64 = 2.0;

/// Measurements a volley at the start is after, and the requests it may spend on them.
const START: Volley = Volley { wanted: 4, left: 8, per_poll: false };

/// One measurement per poll, for at most this many requests.
const PER_POLL: Volley = Volley { wanted: 1, left: 4, per_poll: true };

/// A volley in progress, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Volley {
    /// Measurements still wanted.
    wanted: u8,
    /// Requests still to be spent.
    left: u8,
    /// A new one begins with every poll (`burst`).
    per_poll: bool,
}

impl Volley {
    /// The volley an association begins with.
    pub(super) const fn at_start(settings: &Settings) -> Self {
        match (settings.iburst, settings.burst) {
            (true, per_poll) => Self { per_poll, ..START },
            (false, true) => PER_POLL,
            (false, false) => Self { wanted: 0, left: 0, per_poll: false },
        }
    }

    /// A volley as at the start, whatever the settings say of the start.
    pub(super) const fn full(settings: &Settings) -> Self {
        Self { per_poll: settings.burst, ..START }
    }

    /// Time to the next request (s), if the volley goes on.
    pub(super) const fn interval(&self) -> Option<f64> {
        if self.wanted > 0 && self.left > 0 { Some(INTERVAL) } else { None }
    }

    /// A request leaves.
    pub(super) fn sent(&mut self) {
        if self.interval().is_none() && self.per_poll {
            *self = PER_POLL;
        }
        self.left = self.left.saturating_sub(1);
    }

    /// It brought a measurement.
    pub(super) fn measured(&mut self) {
        self.wanted = self.wanted.saturating_sub(1);
    }

    /// No more requests than the poll interval allows: the server complained.
    pub(super) fn end(&mut self) {
        *self = Self { wanted: 0, left: 0, per_poll: false };
    }
}
