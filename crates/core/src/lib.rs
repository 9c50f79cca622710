//! timeball-core
#![forbid(unsafe_code)]
