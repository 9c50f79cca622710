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
//! | `nts_server` | keys for clients whose requests NTS protects |
//! | `cmdmon` | chronyc's protocol |
//! | [`control`] | the operator's socket: protocol, daemon's end, client's end |
//! | `configuration` | where the configuration comes from |
//! | `records` | logs of measurements |
//! | `dump` | measurements kept over a restart |
//! | `reload` | another configuration, the same history |
//! | [`keys`] | the file of symmetric keys |
//! | `leap_seconds` | where they are known from |
//! | `memory` | when the oscillator is remembered |
//! | `drift_file` | what is remembered of the oscillator |
//! | `first_correction` | setting the clock before anything else |
//! | `process` | what the daemon does to its own process |
//! | `directories` | those that the daemon makes for itself |
//! | [`logging`] | what log lines look like, and where they go |
//! | `temperature` | the sensor, and what follows for the frequency |
//! | `service` | what the service manager is told |
//! | [`demo`] | servers on loopback to show the daemon to |
#![forbid(unsafe_code)]

mod cmdmon;
mod configuration;
pub mod control;
pub mod demo;
mod directories;
mod drift_file;
mod dump;
mod error;
pub mod event_loop;
mod exchanges;
mod exponent;
mod first_correction;
pub mod keys;
mod leap_seconds;
pub mod logging;
mod machine_clock;
mod memory;
mod names;
mod network_cards;
pub mod nts;
mod nts_server;
mod process;
mod records;
mod reference_clocks;
mod reload;
mod run;
mod serve;
mod service;
mod temperature;

pub use configuration::{Complete, ConfigFile, ConfigText, Configuration, Found, Overrides};
pub use drift_file::{DriftError, DriftFile};
pub use error::Error;
pub use event_loop::{ClockControl, EventLoop};
pub use run::{Ending, Options, Place, Task, run};
