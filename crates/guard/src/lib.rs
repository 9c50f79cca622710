//! The port-123 toolkit: is a server usable as a weapon, did a port open that must stay closed, and
//! which firewall rules does NTP need?
//!
//! | room | what it is for |
//! |---|---|
//! | [`audit`] | ask servers what they should not answer, measure how much they do, and judge it |
//! | [`watch`] | look at ports again and again, and tell when one is not as it should be |
//! | [`firewall`] | the rules that a role in NTP needs, as each tool has them, and why |
#![forbid(unsafe_code)]

pub mod audit;
pub mod firewall;
pub mod watch;
