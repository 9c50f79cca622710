//! `timeball firewall`: which firewall rules does NTP need, and why?
//!
//! | file | what it is about |
//! |---|---|
//! | [`role`] | what a host is to NTP, and the rules that follow from it |
//! | [`configured`] | the role that a configuration gives |
//! | [`rule`] | a rule that no tool owns: what it matches, what becomes of it, and why |
//! | [`nftables`], [`iptables`], [`ufw`], [`firewalld`], [`pf`] | the same rules as each tool has them |
//! | [`install`] | put them in place, take them away, compare |
//!
//! The rules govern the ports of time services and nothing else: whatever is not NTP is neither opened
//! nor closed by them. A table of nftables cannot open what another table closes; chains of iptables
//! stand before all else, so that there the first word is the last.

pub mod configured;
pub mod firewalld;
pub mod install;
pub mod iptables;
pub mod nftables;
pub mod pf;
pub mod role;
pub mod rule;
pub mod ufw;

pub use role::{Commands, Duties, Memory, Role, rules};
pub use rule::Rule;
