//! The bank as a whole.
