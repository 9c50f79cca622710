//! Harness for tests against real peers.
