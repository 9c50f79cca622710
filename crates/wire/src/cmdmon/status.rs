//! What became of a request.

use super::layout::{Layout, Reader, Writer};
use crate::writer::BufferTooSmall;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What became of a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Status {
            $($(#[$doc])* $name,)*
            /// A status that a later version may know.
            Other(u16),
        }

        impl From<u16> for Status {
            fn from(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<Status> for u16 {
            fn from(status: Status) -> Self {
                match status {
                    $(Status::$name => $number,)*
                    Status::Other(other) => other,
                }
            }
        }
    };
}

statuses! {
    /// Done, or the data follow.
    Success = 0,
    /// It was tried and did not work.
    Failed = 1,
    /// Not from here: only over the Unix socket, or not at all.
    Unauthorised = 2,
    /// No such command, or an argument that means nothing.
    Invalid = 3,
    /// No source is there by this address or index.
    NoSuchSource = 4,
    /// A log-on of an older version: duplicate or stale.
    InvalidTimestamp = 5,
    /// The facility is not enabled.
    NotEnabled = 6,
    /// No network of this many bits.
    BadSubnet = 7,
    /// The answer to an access check: allowed.
    AccessAllowed = 8,
    /// The answer to an access check: denied.
    AccessDenied = 9,
    /// No command access from this host; not used any more.
    NoHostAccess = 10,
    /// The source is there already.
    SourceAlreadyKnown = 11,
    /// No room for another source.
    TooManySources = 12,
    /// No real-time clock is kept.
    NoRtc = 13,
    /// The file of the real-time clock cannot be written.
    BadRtcFile = 14,
    /// Clients are not logged.
    Inactive = 15,
    /// No manual sample has this index.
    BadSample = 16,
    /// An address of the wrong family.
    InvalidAddressFamily = 17,
    /// Another version of the protocol.
    BadPacketVersion = 18,
    /// A request that is too short for its command.
    BadPacketLength = 19,
    /// No name of a source.
    InvalidName = 21,
}

impl Layout for Status {
    const LEN: usize = 2;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        u16::read(reader).map(Self::from)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        u16::from(*self).write(writer)
    }
}
