//! The header of a private message, and its items as bytes.

use core::fmt;

use crate::header::Mode;
use crate::writer::BufferTooSmall;

/// A private message whose lengths are all right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The R bit: an answer. Answering it is how two servers once kept each other busy for ever
    /// (CVE-2009-3563).
    pub is_response: bool,
    /// The M bit: this is not the end of the answer.
    pub has_more: bool,
    /// Protocol version, 1 to 4.
    pub version: u8,
    /// The A bit: a MAC follows.
    pub is_authenticated: bool,
    /// Number of this packet in an answer, 0 to 127.
    pub sequence: u8,
    /// Whose request codes these are: [`Packet::XNTPD`] or [`Packet::XNTPD_OLD`].
    pub implementation: u8,
    /// What is asked for.
    pub request_code: RequestCode,
    /// What went wrong, 0 for nothing; four bits.
    pub error: PrivateErrorCode,
    /// How many items an answer carries, 12 bits.
    pub item_count: u16,
    /// Length of one item, bytes; 12 bits.
    pub item_size: u16,
    /// The items of an answer, or whatever a request carries.
    pub data: &'a [u8],
}

/// What a private message asks for: some of ntpd's 46 codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestCode(pub u8);

impl RequestCode {
    /// `REQ_PEER_LIST`: the peers' addresses.
    pub const PEER_LIST: Self = Self(0);
    /// `REQ_PEER_LIST_SUM`: the peers' addresses and how they stand.
    pub const PEER_LIST_SUMMARY: Self = Self(1);
    /// `REQ_SYS_INFO`: the system.
    pub const SYSTEM_INFORMATION: Self = Self(4);
    /// `REQ_GET_RESTRICT`: the access rules.
    pub const RESTRICTIONS: Self = Self(16);
    /// `REQ_MON_GETLIST`: the last clients, in the older form.
    pub const MONITOR_LIST: Self = Self(20);
    /// `REQ_MON_GETLIST_1`: the last 600 clients, six to a packet.
    pub const MONITOR_LIST_1: Self = Self(42);

    /// ntpdc's name for it, if it is one of the above.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::PEER_LIST => Some("listpeers"),
            Self::PEER_LIST_SUMMARY => Some("peers"),
            Self::SYSTEM_INFORMATION => Some("sysinfo"),
            Self::RESTRICTIONS => Some("reslist"),
            Self::MONITOR_LIST | Self::MONITOR_LIST_1 => Some("monlist"),
            Self(_) => None,
        }
    }
}

/// What a private message says went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrivateErrorCode {
    /// 0: nothing.
    None,
    /// 1: unknown implementation.
    Implementation,
    /// 2: unknown request code.
    Request,
    /// 3: malformed.
    Format,
    /// 4: there is nothing to tell.
    NoData,
    /// 7: authentication is missing or wrong.
    Authentication,
    /// Any other; four bits.
    Other(u8),
}

impl PrivateErrorCode {
    const fn from_bits(bits: u8) -> Self {
        match bits & 0x0f {
            0 => Self::None,
            1 => Self::Implementation,
            2 => Self::Request,
            3 => Self::Format,
            4 => Self::NoData,
            7 => Self::Authentication,
            other => Self::Other(other),
        }
    }

    const fn to_bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Implementation => 1,
            Self::Request => 2,
            Self::Format => 3,
            Self::NoData => 4,
            Self::Authentication => 7,
            Self::Other(bits) => bits & 0x0f,
        }
    }
}

impl fmt::Display for PrivateErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no error"),
            Self::Implementation => f.write_str("unknown implementation"),
            Self::Request => f.write_str("unknown request"),
            Self::Format => f.write_str("malformed"),
            Self::NoData => f.write_str("no data"),
            Self::Authentication => f.write_str("authentication failed"),
            Self::Other(code) => write!(f, "error {code}"),
        }
    }
}

/// Why a datagram is no private message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrivateError {
    /// Fewer than the eight bytes of the header.
    TooShort {
        /// Length of the datagram, bytes.
        len: usize,
    },
    /// Of another mode.
    Mode {
        /// The mode it has.
        mode: Mode,
    },
    /// Of a version that has no private messages.
    Version {
        /// The version it claims.
        version: u8,
    },
    /// An answer that claims more items than it carries.
    ItemsOverrun {
        /// Items it claims.
        count: u16,
        /// Length it claims for each, bytes.
        size: u16,
        /// Bytes behind the header.
        present: usize,
    },
}

impl<'a> Packet<'a> {
    /// Length of the header, bytes.
    pub const HEADER_LEN: usize = 8;
    /// Length of a request, header included, as ntpdc without authentication pads it.
    pub const REQUEST_LEN: usize = 48;
    /// The implementation number of ntpd since it knows of IPv6.
    pub const XNTPD: u8 = 3;
    /// The implementation number of ntpd before.
    pub const XNTPD_OLD: u8 = 2;

    /// A request without data.
    pub const fn request(version: u8, implementation: u8, request_code: RequestCode) -> Self {
        Self {
            is_response: false,
            has_more: false,
            version,
            is_authenticated: false,
            sequence: 0,
            implementation,
            request_code,
            error: PrivateErrorCode::None,
            item_count: 0,
            item_size: 0,
            data: &[],
        }
    }

    /// Reads a datagram. Only an answer's items are held against its length: what a request claims is
    /// for whoever answers it to check.
    ///
    /// # Errors
    /// The first rule that the datagram breaks, see [`PrivateError`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PrivateError> {
        let Some((&[first, second, implementation, code, e0, e1, m0, m1], data)) =
            datagram.split_first_chunk::<{ Packet::HEADER_LEN }>()
        else {
            return Err(PrivateError::TooShort { len: datagram.len() });
        };
        let mode = Mode::from_bits(first);
        if mode != Mode::Private {
            return Err(PrivateError::Mode { mode });
        }
        let version = first >> 3 & 7;
        if !(1..=4).contains(&version) {
            return Err(PrivateError::Version { version });
        }
        let item_count = u16::from_be_bytes([e0 & 0x0f, e1]);
        let item_size = u16::from_be_bytes([m0 & 0x0f, m1]);
        let is_response = first & 0x80 != 0;
        let claimed = usize::from(item_count).saturating_mul(item_size.into());
        if is_response && claimed > data.len() {
            let (count, size, present) = (item_count, item_size, data.len());
            return Err(PrivateError::ItemsOverrun { count, size, present });
        }
        Ok(Self {
            is_response,
            has_more: first & 0x40 != 0,
            version,
            is_authenticated: second & 0x80 != 0,
            sequence: second & 0x7f,
            implementation,
            request_code: RequestCode(code),
            error: PrivateErrorCode::from_bits(e0 >> 4),
            item_count,
            item_size,
            data,
        })
    }

    /// Writes the datagram, padded with zeros to `len` bytes if it is shorter.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn emit<'b>(&self, len: usize, buffer: &'b mut [u8]) -> Result<&'b [u8], BufferTooSmall> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let [count_high, count_low] = (self.item_count & 0x0fff).to_be_bytes();
        let [size_high, size_low] = (self.item_size & 0x0fff).to_be_bytes();
        let header = [
            flag(self.is_response, 0x80)
                | flag(self.has_more, 0x40)
                | (self.version & 7) << 3
                | Mode::Private.number(),
            flag(self.is_authenticated, 0x80) | self.sequence & 0x7f,
            self.implementation,
            self.request_code.0,
            self.error.to_bits() << 4 | count_high,
            count_low,
            size_high,
            size_low,
        ];
        let end = Self::HEADER_LEN.checked_add(self.data.len()).ok_or(BufferTooSmall)?;
        let len = len.max(end);
        let written = buffer.get_mut(..len).ok_or(BufferTooSmall)?;
        *written.first_chunk_mut().ok_or(BufferTooSmall)? = header;
        written.get_mut(Self::HEADER_LEN..end).ok_or(BufferTooSmall)?.copy_from_slice(self.data);
        written.get_mut(end..).ok_or(BufferTooSmall)?.fill(0);
        Ok(written)
    }

    /// The items of an answer, each as long as it says.
    pub fn items(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let size = usize::from(self.item_size);
        // A size of zero is no item at all, and `chunks_exact` would panic.
        let count = if size == 0 { 0 } else { usize::from(self.item_count) };
        self.data.chunks_exact(size.max(1)).take(count)
    }
}

impl fmt::Display for PrivateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { len } => {
                write!(f, "{len} bytes are too few for the 8 of a private message")
            }
            Self::Mode { mode } => write!(f, "mode {}, not 7", mode.number()),
            Self::Version { version } => write!(f, "private message version {version}"),
            Self::ItemsOverrun { count, size, present } => {
                write!(f, "claims {count} items of {size} bytes where {present} are left")
            }
        }
    }
}

impl core::error::Error for PrivateError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start of the request that made so many servers famous.
    const MONLIST: [u8; 8] = [0x17, 0x00, 0x03, 0x2a, 0, 0, 0, 0];

    #[test]
    fn deconstruct_a_request() {
        let request = Packet::parse(&MONLIST).unwrap();
        assert_eq!(request, Packet::request(2, Packet::XNTPD, RequestCode::MONITOR_LIST_1));
        assert_eq!(request.request_code.name(), Some("monlist"));
        assert_eq!(request.items().count(), 0);
        let mut buffer = [0xee; 48];
        let written = request.emit(Packet::REQUEST_LEN, &mut buffer).unwrap();
        assert_eq!((&written[..8], &written[8..]), (&MONLIST[..], &[0; 40][..]));
    }

    #[test]
    fn deconstruct_an_answer() {
        let datagram = [0xd7, 0x85, 0x02, 0x14, 0x40, 2, 0x00, 3, 1, 2, 3, 4, 5, 6, 7];
        let answer = Packet::parse(&datagram).unwrap();
        assert!(answer.is_response && answer.has_more && answer.is_authenticated);
        assert_eq!((answer.version, answer.sequence, answer.implementation), (2, 5, 2));
        assert_eq!(answer.request_code, RequestCode::MONITOR_LIST);
        assert_eq!(answer.error, PrivateErrorCode::NoData);
        assert_eq!(answer.items().collect::<Vec<_>>(), [[1, 2, 3], [4, 5, 6]]);
        let mut buffer = [0xee; 15];
        assert_eq!(answer.emit(0, &mut buffer), Ok(&datagram[..]));
    }

    #[test]
    fn lengths_are_checked() {
        for len in 0..8 {
            assert_eq!(Packet::parse(&MONLIST[..len]), Err(PrivateError::TooShort { len }));
        }
        let answer = [0x97, 0, 3, 42, 0, 2, 0, 3, 1, 2, 3, 4, 5];
        let overrun = PrivateError::ItemsOverrun { count: 2, size: 3, present: 5 };
        assert_eq!(Packet::parse(&answer), Err(overrun));
        let request = [0x17, 0, 3, 42, 0x0f, 0xff, 0x0f, 0xff];
        assert_eq!(Packet::parse(&request).unwrap().items().count(), 0);
        let sizeless = [0x97, 0, 3, 42, 0x0f, 0xff, 0, 0, 1, 2];
        assert_eq!(Packet::parse(&sizeless).unwrap().items().count(), 0);
    }

    #[test]
    fn other_modes_and_versions_are_refused() {
        let error = |first| {
            let mut datagram = MONLIST;
            datagram[0] = first;
            Packet::parse(&datagram).unwrap_err()
        };
        assert_eq!(error(0x23), PrivateError::Mode { mode: Mode::Client });
        assert_eq!(error(0x07), PrivateError::Version { version: 0 });
        assert_eq!(error(0x2f), PrivateError::Version { version: 5 });
    }

    #[test]
    fn there_is_an_error_for_buffers_that_are_too_small() {
        let request = Packet::request(2, Packet::XNTPD, RequestCode::PEER_LIST);
        for len in 0..48 {
            assert_eq!(request.emit(48, &mut vec![0; len]), Err(BufferTooSmall));
        }
    }
}
