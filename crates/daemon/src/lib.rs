//! timeball-daemon
#![forbid(unsafe_code)]
