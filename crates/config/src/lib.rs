//! timeball-config
#![forbid(unsafe_code)]
