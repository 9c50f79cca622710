//! The estimator as its users see it.

mod changes;
mod coverage;
mod hostile;
mod start_and_holdover;
mod world;
