//! Other implementations, as Debian builds them.
//!
//! None of them controls a clock: chronyd is told not to (`-x`), ntpsec's ntpd goes on without
//! the capability, and openntpd gets a shim that makes it believe it succeeded.

pub mod chrony;
pub mod command_relay;
pub mod installation;
pub mod ntpsec;
pub mod openntpd;
