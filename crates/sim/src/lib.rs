//! A simulated world around the real engine: oscillators, kernels, networks, servers and attackers,
//! in which true time is known.
//!
//! ```
//! let text = r#"
//! title = "One server"
//! duration = "10 min"
//! node = [{ name = "client", offset = "20 ms", server = [{ address = "ntp" }] }]
//! server = [{ name = "ntp" }]
//! "#;
//! let scenario = timeball_sim::Scenario::from_toml(text)?;
//! let outcome = timeball_sim::run(&scenario, scenario.seed, &mut |_progress| {})?;
//! let client = outcome.node("client").ok_or("there is one")?;
//! assert!(client.error.last.abs() < client.bound.mean);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * [`Scenario::from_toml`] reads a file; its mistakes come with line, column and caret.
//! * [`run`] runs it and reports its [`Progress`]; [`run_watched`] also shows every sample.
//! * [`Outcome`] is what came of it: statistics, log and a time series per node, all of it `serde`.
//! * [`matrix`] is many scenarios with many seeds each, and [`random`] many worlds that nobody wrote.
//!
//! Everything happens in virtual time, in one thread, and depends on the scenario and the seed
//! alone: the same two give the same outcome, bit by bit. Each thing in the world draws its luck from
//! a [`noise::Stream`] of its own.
//!
//! The engine and the server's responder are the real ones. What is simulated is what surrounds them:
//! the [`oscillator`] and the kernel's [`clock`] on it, the [`link`]s between hosts, and in [`world`]
//! the daemon's sockets, timers and resolver, scripted servers, and those who forge datagrams.
#![forbid(unsafe_code)]

pub mod clock;
pub mod link;
pub mod matrix;
pub mod noise;
pub mod oscillator;
pub mod outcome;
pub mod parallel;
pub mod random;
pub mod scenario;
mod spells;
mod statistics;
pub mod truth;
pub mod world;

pub use outcome::Outcome;
pub use scenario::{Scenario, ScenarioError};
pub use world::{Look, Progress, RunError, run, run_watched};
