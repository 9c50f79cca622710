//! chrony's command and monitoring protocol, version 6: what chronyc says to chronyd, over UDP port
//! 323 or a Unix datagram socket.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |  Version (6)  |  Type: 1 or 2 |           Reserved            |
//! +---------------+---------------+-------------------------------+
//! |            Command            |  Attempt, or form of reply    |
//! +-------------------------------+-------------------------------+
//! |        request: sequence, 8 bytes reserved, then its data     |
//! .        reply: status, 6 bytes reserved, sequence,             .
//! |               8 bytes reserved, then its data                 |
//! +---------------------------------------------------------------+
//! ```
//!
//! Everything is in network byte order and has a fixed layout. A request is padded to the length of
//! the longest reply to it, so that the protocol cannot amplify anything; whoever writes a reply
//! keeps that rule by asking [`Reply::emit`] for no more than [`RequestHeader::len`].
//!
//! [`Request`] and [`Answer`] are the two tables of the protocol. The requests and replies are those
//! of chrony 4.3 to 4.8; where the versions differ, both forms are here.

mod address;
mod float;
mod layout;
mod name;
mod new_source;
mod reply;
mod reports;
mod request;
mod select_options;
mod status;
#[cfg(test)]
mod tests;
mod timespec;

pub use address::Address;
pub use float::Float;
pub use layout::Reserved;
pub use name::Name;
pub use new_source::{NewSource, NewSourceKind, SourceFlags};
pub use reply::{Answer, Reply, ReplyError};
pub use reports::{
    Activity, AuthenticationData, AuthenticationMode, ClientAccess, ClientAccesses, ManualSample,
    ManualSamples, ManualTimestamp, NtpData, NtpData2, NtpFlags, NtpMeasurement, RtcReport,
    SelectData, ServerStats3, ServerStats4, Smoothing, SmoothingFlags, SourceData, SourceMode,
    SourceState, SourceStats, Tracking,
};
pub use request::{NotARequest, Request, RequestHeader};
pub use select_options::{SelectMask, SelectOptions};
pub use status::Status;
pub use timespec::Timespec;

/// The UDP port of the protocol.
pub const PORT: u16 = 323;
/// The version spoken here.
pub const VERSION: u8 = 6;
/// The longest request that is looked at: the longest data and the longest padding together.
pub const MAX_REQUEST_LEN: usize = 860;
/// Room for every reply, and for every request that is written here.
pub const MAX_LEN: usize = 520;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
/// The oldest version whose requests, and whose complaints about our version, can be understood well
/// enough to be answered.
const OLDEST_ANSWERED_VERSION: u8 = 5;
const OLDEST_COMPLAINING_VERSION: u8 = 4;
