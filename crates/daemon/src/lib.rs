//! The daemon: the event loop that joins the engine and the machine.
//!
//! | file | what it is about |
//! |---|---|
//! | [`run`](run()) | from a configuration file to a running daemon, and out again |
//! | [`event_loop`] | one wait for everything; inputs to the engine, outputs carried out |
//! | `machine_clock` | the kernel's clock in the engine's words |
//! | `exchanges` | the sockets of the requests under way |
//! | `network_cards` | the clocks of cards that stamp datagrams themselves |
//! | `names` | host names to addresses |
//! | `serve` | the server's sockets, from request to answer |
//! | [`control`] | the operator's socket: protocol, daemon's end, client's end |
//! | `configuration` | where the configuration comes from |
//! | `reload` | another configuration, the same history |
//! | `leap_seconds` | where they are known from |
//! | `drift_file` | what is remembered of the oscillator |
//! | `directories` | those that the daemon makes for itself |
//! | [`logging`] | what log lines look like, and where they go |
//! | `service` | what the service manager is told |
//! | [`demo`] | servers on loopback to show the daemon to |
#![forbid(unsafe_code)]

mod configuration;
pub mod control;
pub mod demo;
mod directories;
mod drift_file;
mod error;
pub mod event_loop;
mod exchanges;
mod leap_seconds;
pub mod logging;
mod machine_clock;
mod names;
mod network_cards;
mod reload;
mod run;
mod serve;
mod service;

pub use configuration::{ConfigFile, ConfigText, Configuration, Overrides};
pub use drift_file::{DriftError, DriftFile};
pub use error::Error;
pub use event_loop::{ClockControl, EventLoop};
pub use run::{Options, run};
