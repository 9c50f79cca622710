//! NTP wire formats: bytes to types and back, and nothing else.
//!
//! No I/O, no clock and no allocation on the packet path. Every parser takes untrusted bytes and
//! answers with a value or a named error; none of them panics.
#![forbid(unsafe_code)]

pub mod header;
pub mod reference_id;
pub mod time;

pub use header::{Header, LeapIndicator, Mode};
pub use reference_id::{KissCode, ReferenceId};
pub use time::{Instant, NtpShort, NtpTimestamp, Oscillator, Span, Timestamp};
