//! The client's side of one server.
pub mod poll_interval;
pub mod reject;

pub use poll_interval::PollInterval;
pub use reject::Reject;

/// Polling and packet rules of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Shortest poll interval.
    pub minpoll: PollInterval,
    /// Longest poll interval.
    pub maxpoll: PollInterval,
    /// A volley of requests two seconds apart at the start and after silence.
    pub iburst: bool,
    /// More requests in one poll while none brought a good measurement.
    pub burst: bool,
    /// Protocol version to ask with, 1 to 4.
    pub version: u8,
    /// Longest round-trip delay to accept (s).
    pub max_delay: f64,
    /// How many measurements the adaptive poll interval aims to keep in the estimator's window.
    pub poll_target: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minpoll: PollInterval::new(6),
            maxpoll: PollInterval::new(10),
            iburst: true,
            burst: false,
            version: 4,
            max_delay: 3.0,
            poll_target: 8,
        }
    }
}
