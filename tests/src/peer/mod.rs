//! Other implementations: as Debian builds them, and ntpd-rs as its authors publish it.
//!
//! None of them controls a clock: chronyd is told not to (`-x`), ntpsec's ntpd goes on without
//! the capability, and openntpd and ntpd-rs get a shim that makes them believe they succeeded.

pub mod chrony;
pub mod command_relay;
pub mod installation;
pub mod monlist;
pub mod ntpd_rs;
pub mod ntpsec;
pub mod openntpd;
