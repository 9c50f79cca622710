//! The server's side: whom to answer, and what.
pub mod view;

pub use view::ServerView;

use ipnet::IpNet;

/// Whom to serve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Networks to answer; empty: nobody.
    pub allow: Vec<IpNet>,
    /// Networks not to answer, though they are within an allowed one; the longest prefix wins.
    pub deny: Vec<IpNet>,
    /// Limit of requests per client.
    pub rate_limit: Option<RateLimit>,
    /// Serve at this stratum while not synchronised; `None`: say so instead.
    pub local_stratum: Option<u8>,
}

/// Token bucket per client address (IPv4) or /64 network (IPv6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Sustained interval between answers (s).
    pub interval: f64,
    /// Answers that may be had at once.
    pub burst: u32,
    /// One in this many requests over the limit is answered all the same, so that forged requests
    /// cannot silence a client; 0 answers none.
    pub leak: u32,
    /// One in this many requests over the limit is told so by a kiss-o'-death; 0 tells none.
    pub kiss: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { interval: 8.0, burst: 8, leak: 4, kiss: 4 }
    }
}
