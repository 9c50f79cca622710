//! NTP control messages, mode 6 (RFC 9327): what ntpq says to ntpd.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---+-----+-----+-+-+-+---------+-------------------------------+
//! |LI | VN  |  6  |R|E|M| Opcode  |           Sequence            |
//! +---+-----+-----+-+-+-+---------+-------------------------------+
//! |            Status             |        Association ID         |
//! +-------------------------------+-------------------------------+
//! |            Offset             |             Count             |
//! +-------------------------------+-------------------------------+
//! .          data, 468 bytes at most, padded to four              .
//! .          authenticator, optional                              .
//! +---------------------------------------------------------------+
//! ```
//!
//! A request is one [`Fragment`]; an answer is as many as it takes, told apart by their offsets, all
//! but the last with the bit for more. The data are a list of [`Variables`], or for the list of
//! associations pairs of identifier and [`PeerStatus`].

mod fragment;
mod opcode;
mod status;
mod variables;

pub use fragment::{Fragment, FragmentError};
pub use opcode::{ErrorCode, Opcode};
pub use status::{Association, Associations, ClockSource, PeerSelection, PeerStatus, SystemStatus};
pub use variables::{Variable, Variables};
