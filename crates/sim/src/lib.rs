//! A simulated world around the real engine.
#![forbid(unsafe_code)]

pub mod clock;
pub mod link;
pub mod noise;
pub mod oscillator;
pub mod scenario;
pub mod truth;
