//! Harness for tests that need what is not ours: other implementations of NTP, network
//! namespaces, a packet dissector, a virtual machine.
//!
//! | module | what it gives |
//! |---|---|
//! | [`namespace`] | a laboratory: hosts in network namespaces on one switch |
//! | [`peer`] | chrony, ntpsec, openntpd and ntpd-rs as servers and as clients |
//! | [`timeball`] | the program under test, as a person would start it |
//! | [`audit`] | audits by the program under test |
//! | [`firewall`] | rules by the program under test, and files of ufw that nobody else sees |
//! | [`mod@watch`] | a watch by the program under test, and everybody whom it tells |
//! | [`chronyc`] | clients of chronyd, chrony's own and ours |
//! | [`capture`] | what was on the wire, judged by tshark |
//! | [`probe`] | one plain NTP request, to see that a server serves |
//! | [`nts`] | certificates, and how far a daemon has come with Network Time Security |
//! | [`crowd`] | very many connections that want nothing, and never end |
//! | [`guest`] | a Linux virtual machine whose clock may be set |
//! | [`need`] | what a test needs of this machine, and how it skips without |
//!
//! Two promises. The clock of the machine that runs the tests is never touched: whatever is
//! started here runs without `CAP_SYS_TIME`, so that the kernel refuses even a peer that
//! tries. And nothing stays behind: processes, namespaces and files go when their value is
//! dropped, and processes also when the test dies.

#![forbid(unsafe_code)]
// A test that cannot be set up fails by panicking: there is no caller who could do better.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used)]

pub mod audit;
pub mod capture;
pub mod chronyc;
pub mod crowd;
pub mod firewall;
pub mod guest;
pub mod namespace;
pub mod need;
pub mod nts;
pub mod peer;
pub mod probe;
pub mod process;
pub mod timeball;
pub mod wait;
pub mod watch;
