//! The estimator as its users see it.

mod changes;
mod coverage;
mod start_and_holdover;
