//! The server's side: whom to answer, and what.
//!
//! The short walk of a request: [`Responder::judge`] asks [`access`] whether the client may be served,
//! the wire format whether it asks for time at all, and [`rate_limit`] whether it asks too often;
//! [`Responder::answer`] fills in the header from the published [`ServerView`]. Every request that gets
//! no answer is counted under the [`Refusal`] that refused it. What is remembered beyond one request is
//! bounded by [`ClientLog`]: who asked ([`clients`]), and when the answers left (`interleaving`).
pub mod access;
mod answer;
mod broadcast;
pub mod clients;
pub mod counters;
mod interleaving;
mod memory;
mod nts;
pub mod rate_limit;
pub mod refusal;
mod request;
pub mod responder;
mod stamps;
pub mod view;

pub use access::{Access, AccessRules, Extent};
pub use answer::MAX_ANSWER_LEN;
pub use clients::{Activity, Client, Clients, Habit, Service, Treatment};
pub use counters::{Counters, StampCounts};
pub use interleaving::Held;
pub use nts::CookieKeys;
pub use refusal::Refusal;
pub use responder::{Accepted, Arrival, Responder, Verdict};
pub use view::{LOCAL_CLOCK, SMOOTHED_TIME, ServerView};

use std::net::SocketAddr;

use ipnet::IpNet;

/// Whom to serve.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Networks to answer; empty: nobody.
    pub allow: Vec<IpNet>,
    /// Networks not to answer, though they are within an allowed one; the longest prefix wins.
    pub deny: Vec<IpNet>,
    /// Networks that are answered only if a key authenticates the request.
    pub require_key: Vec<IpNet>,
    /// Limit of requests per client.
    pub rate_limit: Option<RateLimit>,
    /// Memory for what is known of clients, and for interleaved mode (RFC 9769); `None`: there is
    /// neither.
    pub client_log: Option<ClientLog>,
    /// Where to send the time unasked.
    pub broadcasts: Vec<Broadcast>,
    /// Serve time that changes more smoothly than the clock.
    pub smoothing: Option<Smoothing>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            require_key: Vec::new(),
            rate_limit: None,
            client_log: Some(ClientLog::default()),
            broadcasts: Vec::new(),
            smoothing: None,
        }
    }
}

/// Memory for what is known of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLog {
    /// Bytes, at most.
    pub limit: usize,
}

impl Default for ClientLog {
    fn default() -> Self {
        Self { limit: 524_288 }
    }
}

/// The time, sent unasked (RFC 5905 §3, mode 5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Broadcast {
    /// Every so often (s).
    pub interval: f64,
    /// Broadcast or multicast address, and port.
    pub destination: SocketAddr,
}

/// Time that changes more smoothly than the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    /// Largest frequency offset of the served time (s/s).
    pub max_frequency: f64,
    /// Largest change of that (s/s²).
    pub max_wander: f64,
    /// Only leap seconds are smoothed.
    pub leap_only: bool,
}

/// Token bucket per client address (IPv4) or /64 network (IPv6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Sustained interval between answers (s).
    pub interval: f64,
    /// Answers that may be had at once; 0 counts as 1.
    pub burst: u32,
    /// One in this many requests over the limit is answered all the same, so that forged requests
    /// cannot silence a client; 0 answers none. Such an answer takes all that is left of the burst.
    pub leak: u32,
    /// One in this many requests over the limit is told so by a kiss-o'-death; 0 tells none.
    pub kiss: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { interval: 8.0, burst: 8, leak: 4, kiss: 4 }
    }
}
