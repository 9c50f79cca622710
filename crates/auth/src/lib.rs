//! Who sent this packet: symmetric keys (RFC 5905 §7.3, RFC 8573) and the files they live in.
//!
//! [`key_file`] reads the files of chronyd and ntpd into [`Keys`], a table that every packet is
//! looked up in: [`Keys::get`] finds a [`Key`], which [signs](Key::sign) and [verifies](Key::verify).
//! The rules of who has to use which key are not here, but with those who send and receive.
//!
//! [`nts`] has the cryptography of Network Time Security (RFC 8915): its AEADs and the cookies that make a
//! server need no memory of its clients.
//!
//! What a key needs again and again is worked out when it is made, so that a packet costs neither a
//! key schedule nor an allocation. Secrets are overwritten when they are dropped, and no `Debug`
//! shows them.
#![forbid(unsafe_code)]

pub mod algorithm;
mod digest;
pub mod hexadecimal;
pub mod key;
pub mod key_file;
pub mod keys;
pub mod nts;
mod secret;

pub use algorithm::Algorithm;
pub use digest::MacDigest;
pub use key::{Key, KeyId, Weakness};
pub use keys::Keys;
