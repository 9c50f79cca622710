//! ntpd's private messages, mode 7 (RFC 9327 appendix A): what ntpdc said to ntpd.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-----+-----+-+-------------+---------------+---------------+
//! |R|M| VN  |  7  |A|  Sequence   | Implementation| Request code  |
//! +-+-+-----+-----+-+-------------+---------------+---------------+
//! |  Err  |    Number of items    |  MBZ  |     Size of an item   |
//! +-------+-----------------------+-------+-----------------------+
//! .                   items, 500 bytes at most                    .
//! +---------------------------------------------------------------+
//! ```
//!
//! Nobody sends these any more but those who look for servers that still answer, for good or for ill:
//! request code 42, `monlist`, answers eight bytes with up to 44 000 (CVE-2013-5211).

mod items;
mod packet;

pub use items::{Client, PeerEntry, Restriction, SystemInformation};
pub use packet::{Packet, PrivateError, PrivateErrorCode, RequestCode};
