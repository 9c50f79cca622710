//! The engine: inputs in, deadline and outputs out.
pub mod input;
pub mod output;

pub use input::{Answer, ClockError, Command, Input, ResolveError, StampQuality};
pub use output::{ExchangeId, Output, ResolveId, Transmit};

use timeball_wire::Instant;

use crate::discipline::Drift;
use crate::now::Now;
use crate::report::Report;
use crate::settings::Settings;

/// An NTP client and server, without I/O.
///
/// Call [`handle`](Self::handle) with everything that happens; after each call take
/// [`poll_output`](Self::poll_output) until it is `None`, and call `handle` with
/// [`Input::Timeout`] no earlier than [`next_timeout`](Self::next_timeout). Spurious calls do no
/// harm.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// An engine at the moment `now`.
    ///
    /// `drift` is what the drift file remembers; `precision` (s) is how finely the system clock can
    /// be read; `seed` feeds the generator of the random numbers that requests and poll intervals
    /// need and must be unpredictable outside of simulations.
    pub fn new(
        _now: Now,
        _settings: Settings,
        _drift: Option<Drift>,
        _precision: f64,
        _seed: [u8; 32],
    ) -> Self {
        Self {}
    }

    /// Takes in something that happened at `now`.
    pub fn handle(&mut self, _now: Now, _input: Input<'_>) {}

    /// The next thing to do, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When [`Input::Timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Everything a person may ask, as of `now`.
    pub fn report(&self, _now: Now) -> Report {
        Report::default()
    }
}
