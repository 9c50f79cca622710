//! A simulated world around the real engine.
#![forbid(unsafe_code)]

pub mod clock;
pub mod link;
pub mod noise;
pub mod oscillator;
pub mod outcome;
pub mod plot;
pub mod scenario;
mod statistics;
pub mod table;
pub mod truth;
pub mod world;

pub use outcome::Outcome;
pub use plot::plot;
pub use scenario::{Scenario, ScenarioError};
pub use table::table;
pub use world::{Look, Progress, RunError, run, run_watched};
