//! `timeball audit`: what does a server give away, and can it be turned against others?
//!
//! In the order in which an audit goes:
//!
//! | file | what it is about |
//! |---|---|
//! | [`target`] | whom to ask, and what needs an authorisation |
//! | [`probe`] | what is asked: each probe is one small request |
//! | [`scan`] | many hosts at a time on one socket, at a gentle rate; no I/O |
//! | `host` | one host: which probes are out, and when to give up |
//! | [`answer`] | what came back to a probe, counted and put together |
//! | [`software`] | who answers |
//! | [`judge`] | from answers to a report with findings |
//! | [`finding`] | what can be found, how bad it is, and what to do |
//! | [`report`] | the outcome as a program reads it; [`sarif`] and [`csv`] are made of it |
//! | [`tcp`] | which ports are open over TCP |
//! | [`key_establishment`] | keys for NTS: certificate, ciphers, cookies |
//! | [`mod@reference`] | servers whose time the others' is compared with |
//! | [`link`] | who answers what is sent to everybody on the local network |
//! | [`journal`] | what is finished, on disk, to go on from |
//! | [`run`] | a scan on real sockets |
//!
//! A probe asks nothing that changes the other side, and what follows from one request is bounded: the
//! only request whose answer may come in many packets without proof of the asker's address is the very
//! fault that is looked for, and it is sent from this machine's own address.

pub mod answer;
pub mod csv;
pub mod finding;
mod host;
pub mod journal;
pub mod judge;
pub mod key_establishment;
pub mod link;
pub mod probe;
pub mod reference;
pub mod report;
pub mod run;
pub mod sarif;
pub mod scan;
pub mod software;
pub mod target;
pub mod tcp;
