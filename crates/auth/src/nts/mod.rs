//! Network Time Security (RFC 8915): how keys are [established](ke), and what they do in NTP packets.
//!
//! [`fields`] is what both sides see in a packet, [`request`] what a client makes of it,
//! and [`response`] what a server does. A server needs no memory of its clients: they bring their keys
//! in cookies that only [`ServerKeys`] open.

mod aead;
pub mod fields;
pub mod ke;
pub mod request;
pub mod response;
mod server_keys;
mod siv;

pub use aead::{AeadAlgorithm, AeadKey, TAG_LEN};
pub use server_keys::{
    KeyMaterial, MAX_COOKIE_LEN, ServerKeys, ServerKeysError, SessionKeys, SessionSecrets,
};

/// Bytes of the longest cookie that a client keeps: a request with it has to fit into a packet that
/// nobody cuts in pieces. RFC 8915 leaves the length to the server; those in use have about 100 bytes.
pub const MAX_KEPT_COOKIE_LEN: usize = 512;

/// True for a cookie that a request can carry, and that an extension field of its length brings back
/// to the server as it was.
pub fn is_usable_cookie(cookie: &[u8]) -> bool {
    const SHORTEST: usize = 12;
    cookie.len().is_multiple_of(4) && (SHORTEST..=MAX_KEPT_COOKIE_LEN).contains(&cookie.len())
}
