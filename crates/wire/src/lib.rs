//! NTP wire formats: bytes to types and back, and nothing else.
//!
//! No I/O, no clock and no allocation on the packet path. Every parser takes untrusted bytes and
//! answers with a value or a named error; none of them panics.
//!
//! Start at [`classify`], which sorts a datagram, or at [`Packet::parse`] where only time packets
//! can come; [`PacketWriter`] goes the other way. [`cmdmon`] is chrony's command protocol,
//! [`mode6`] that of ntpq, [`mode7`] that of ntpdc, [`nts_ke`] the key establishment of Network Time
//! Security.
#![forbid(unsafe_code)]

mod civil;
pub mod cmdmon;
pub mod extension_field;
pub mod header;
pub mod message;
pub mod mode6;
pub mod mode7;
pub mod mono_root;
pub mod nts_ke;
pub mod packet;
pub mod packet_error;
pub mod reference_id;
pub mod time;
pub mod writer;

pub use civil::ParseTimestampError;
pub use extension_field::{ExtensionField, ExtensionFields, FieldType};
pub use header::{Header, LeapIndicator, Mode};
pub use message::{ControlMessage, Garbage, Message, PrivateMessage, classify};
pub use mono_root::MonoRoot;
pub use packet::{NTP_PORT, Packet, Trailer};
pub use packet_error::PacketError;
pub use reference_id::{DisplayReferenceId, KissCode, ReferenceId};
pub use time::{Instant, NtpShort, NtpTimestamp, Oscillator, Span, Time32, Timestamp};
pub use writer::{BufferTooSmall, PacketWriter};
