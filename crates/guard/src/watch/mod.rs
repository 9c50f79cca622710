//! `timeball watch`: is every port as it should be, and who is told when one is not?
//!
//! In the order in which a look goes:
//!
//! | file | what it is about |
//! |---|---|
//! | [`plan`] | what is watched, how often, and who is told; read from a [`file`](mod@file) |
//! | [`subject`] | a port, here or elsewhere, and what is expected of it |
//! | [`knock`] | is a port open? on real sockets |
//! | [`finding`] | from what was seen to what it means |
//! | [`standing`] | how a subject stands: nothing changes before it is confirmed |
//! | [`watcher`] | all of them: when to look at which, and what to tell; no I/O |
//! | [`alert`] | what is told |
//! | [`outbox`] | alerts on their way to somebody who may not take them at once |
//! | [`state`] | what outlives the process |
//! | [`metrics`] | the same for Prometheus |
//!
//! A look is one small request or one connection that is closed at once. Of a UDP port that is silent
//! nobody can say whether it is open or filtered, and neither does this.

pub mod alert;
pub mod file;
pub mod finding;
pub mod knock;
pub mod metrics;
pub mod outbox;
pub mod plan;
pub mod standing;
pub mod state;
pub mod subject;
pub mod watcher;

pub use alert::{Alert, Event};
pub use finding::{Condition, Observation, Seen};
pub use plan::Plan;
pub use subject::{Expectation, Port, Proof, Subject, TimeLimits};
pub use watcher::{Action, Watcher};
