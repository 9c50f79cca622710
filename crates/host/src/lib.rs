//! timeball-host

