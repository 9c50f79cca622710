//! timeball-sim
#![forbid(unsafe_code)]
