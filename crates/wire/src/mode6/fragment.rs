//! One datagram of a control message (RFC 9327 §2).

use core::fmt;

use super::opcode::{ErrorCode, Opcode};
use crate::header::{LeapIndicator, Mode};
use crate::writer::BufferTooSmall;

/// One datagram of a control message, whose lengths are all right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Leap warning of the system that answers.
    pub leap: LeapIndicator,
    /// Protocol version, 1 to 4; an answer repeats the request's.
    pub version: u8,
    /// The R bit: an answer. Never to be answered again.
    pub is_response: bool,
    /// The E bit: the answer is an error, see [`Fragment::error`].
    pub is_error: bool,
    /// The M bit: this is not the end of the answer.
    pub has_more: bool,
    /// What is asked for.
    pub opcode: Opcode,
    /// Chosen by the client and repeated in every fragment of the answer.
    pub sequence: u16,
    /// Status word of the system, an association or a clock; an error in its upper byte.
    pub status: u16,
    /// The association asked about; 0 is the system itself.
    pub association: u16,
    /// Where in the whole answer these data belong, bytes.
    pub offset: u16,
    /// What is asked or answered, without padding.
    pub data: &'a [u8],
    /// What follows the padded data: key identifier and digest, or nothing.
    pub authenticator: &'a [u8],
}

/// Why a datagram is no control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FragmentError {
    /// Fewer than the twelve bytes of the header.
    TooShort {
        /// Length of the datagram, bytes.
        len: usize,
    },
    /// Of another mode.
    Mode {
        /// The mode it has.
        mode: Mode,
    },
    /// Of a version that has no control messages.
    Version {
        /// The version it claims.
        version: u8,
    },
    /// It claims more data than it carries (CVE-2019-6444).
    CountOverrun {
        /// Bytes of data it claims.
        count: u16,
        /// Bytes behind the header.
        present: usize,
    },
}

impl<'a> Fragment<'a> {
    /// Length of the header, bytes.
    pub const HEADER_LEN: usize = 12;
    /// The most data that ntpd puts into one fragment, bytes.
    pub const MAX_DATA_LEN: usize = 468;

    /// A request without data or authenticator.
    pub const fn request(version: u8, opcode: Opcode, sequence: u16, association: u16) -> Self {
        Self {
            leap: LeapIndicator::NoWarning,
            version,
            is_response: false,
            is_error: false,
            has_more: false,
            opcode,
            sequence,
            status: 0,
            association,
            offset: 0,
            data: &[],
            authenticator: &[],
        }
    }

    /// Reads a datagram. More data than ntpd would send are taken as well.
    ///
    /// # Errors
    /// The first rule that the datagram breaks, see [`FragmentError`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FragmentError> {
        let Some((header, rest)) = datagram.split_first_chunk::<{ Fragment::HEADER_LEN }>() else {
            return Err(FragmentError::TooShort { len: datagram.len() });
        };
        let [first, second, sequence @ .., s0, s1, a0, a1, o0, o1, c0, c1] = *header;
        let mode = Mode::from_bits(first);
        if mode != Mode::Control {
            return Err(FragmentError::Mode { mode });
        }
        let version = first >> 3 & 7;
        if !(1..=4).contains(&version) {
            return Err(FragmentError::Version { version });
        }
        let count = u16::from_be_bytes([c0, c1]);
        let overrun = FragmentError::CountOverrun { count, present: rest.len() };
        let (data, behind) = rest.split_at_checked(count.into()).ok_or(overrun)?;
        Ok(Self {
            leap: LeapIndicator::from_bits(first >> 6),
            version,
            is_response: second & 0x80 != 0,
            is_error: second & 0x40 != 0,
            has_more: second & 0x20 != 0,
            opcode: Opcode::from_bits(second),
            sequence: u16::from_be_bytes(sequence),
            status: u16::from_be_bytes([s0, s1]),
            association: u16::from_be_bytes([a0, a1]),
            offset: u16::from_be_bytes([o0, o1]),
            data,
            authenticator: behind.get(padding(data.len())..).unwrap_or_default(),
        })
    }

    /// Writes the datagram, its data padded to a multiple of four.
    ///
    /// # Errors
    /// [`BufferTooSmall`], also for data whose length no count can say.
    pub fn emit<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], BufferTooSmall> {
        let count = u16::try_from(self.data.len()).map_err(|_| BufferTooSmall)?;
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let first = self.leap.to_bits() << 6 | (self.version & 7) << 3 | Mode::Control.number();
        let second = flag(self.is_response, 0x80)
            | flag(self.is_error, 0x40)
            | flag(self.has_more, 0x20)
            | self.opcode.to_bits();
        let words = [self.sequence, self.status, self.association, self.offset, count];
        let padding = [0; 3];
        let parts: [&[u8]; 9] = [
            &[first, second],
            &words[0].to_be_bytes(),
            &words[1].to_be_bytes(),
            &words[2].to_be_bytes(),
            &words[3].to_be_bytes(),
            &words[4].to_be_bytes(),
            self.data,
            padding.get(..self::padding(self.data.len())).unwrap_or_default(),
            self.authenticator,
        ];
        let mut len = 0_usize;
        for part in parts {
            let end = len.checked_add(part.len()).ok_or(BufferTooSmall)?;
            buffer.get_mut(len..end).ok_or(BufferTooSmall)?.copy_from_slice(part);
            len = end;
        }
        buffer.get(..len).ok_or(BufferTooSmall)
    }

    /// What went wrong, if this is an error.
    pub const fn error(&self) -> Option<ErrorCode> {
        if self.is_error { Some(ErrorCode::from_status(self.status)) } else { None }
    }
}

/// How many bytes are missing to a multiple of four.
const fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}

impl fmt::Display for FragmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { len } => {
                write!(f, "{len} bytes are too few for the 12 of a control message")
            }
            Self::Mode { mode } => write!(f, "mode {}, not 6", mode.number()),
            Self::Version { version } => write!(f, "control message version {version}"),
            Self::CountOverrun { count, present } => {
                write!(f, "claims {count} bytes of data where {present} are left")
            }
        }
    }
}

impl core::error::Error for FragmentError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `ntpq -c rv` sends.
    const READ_VARIABLES: [u8; 12] = [0x16, 0x02, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn deconstruct_a_request() {
        let request = Fragment::parse(&READ_VARIABLES).unwrap();
        assert_eq!(request, Fragment::request(2, Opcode::ReadVariables, 1, 0));
        let mut buffer = [0xee; 12];
        assert_eq!(request.emit(&mut buffer), Ok(&READ_VARIABLES[..]));
    }

    #[test]
    fn deconstruct_an_answer() {
        let datagram = [
            0xd6, 0xa2, 0x12, 0x34, 0x06, 0x15, 0, 7, 0, 12, 0, 5, b'a', b'=', b'"', b'b', b'"', 0,
            0, 0, 0, 0, 0, 9,
        ];
        let answer = Fragment::parse(&datagram).unwrap();
        assert_eq!(answer.leap, LeapIndicator::Unsynchronised);
        assert!(answer.is_response && !answer.is_error && answer.has_more);
        assert_eq!((answer.version, answer.opcode), (2, Opcode::ReadVariables));
        assert_eq!((answer.sequence, answer.status), (0x1234, 0x0615));
        assert_eq!((answer.association, answer.offset), (7, 12));
        assert_eq!((answer.data, answer.authenticator), (&b"a=\"b\""[..], &[0, 0, 0, 9][..]));
        assert_eq!(answer.error(), None);
        let mut buffer = [0xee; 24];
        assert_eq!(answer.emit(&mut buffer), Ok(&datagram[..]));
    }

    #[test]
    fn lengths_are_checked() {
        for len in 0..12 {
            assert_eq!(
                Fragment::parse(&READ_VARIABLES[..len]),
                Err(FragmentError::TooShort { len })
            );
        }
        let mut datagram = READ_VARIABLES;
        datagram[11] = 1;
        let overrun = FragmentError::CountOverrun { count: 1, present: 0 };
        assert_eq!(Fragment::parse(&datagram), Err(overrun));
        datagram[10..].fill(0xff);
        let overrun = FragmentError::CountOverrun { count: 0xffff, present: 0 };
        assert_eq!(Fragment::parse(&datagram), Err(overrun));
    }

    #[test]
    fn padding_may_be_missing() {
        let mut datagram = READ_VARIABLES.to_vec();
        datagram[11] = 1;
        datagram.push(b'a');
        let fragment = Fragment::parse(&datagram).unwrap();
        assert_eq!((fragment.data, fragment.authenticator), (&b"a"[..], &[][..]));
    }

    #[test]
    fn other_modes_and_versions_are_refused() {
        let error = |first| {
            let mut datagram = READ_VARIABLES;
            datagram[0] = first;
            Fragment::parse(&datagram).unwrap_err()
        };
        assert_eq!(error(0x23), FragmentError::Mode { mode: Mode::Client });
        assert_eq!(error(0x06), FragmentError::Version { version: 0 });
        assert_eq!(error(0x2e), FragmentError::Version { version: 5 });
    }

    #[test]
    fn there_is_an_error_for_buffers_that_are_too_small() {
        let request = Fragment { data: b"nonce", ..Fragment::request(2, Opcode::ReadMru, 1, 0) };
        for len in 0..20 {
            assert_eq!(request.emit(&mut vec![0; len]), Err(BufferTooSmall));
        }
        assert_eq!(request.emit(&mut [0; 20]).unwrap().len(), 20);
        let endless = Fragment { data: &[0; 65536], ..request };
        assert_eq!(endless.emit(&mut vec![0; 70_000]), Err(BufferTooSmall));
    }

    #[test]
    fn an_error_is_in_the_upper_byte_of_the_status() {
        let mut datagram = READ_VARIABLES;
        datagram[1] = 0xc2;
        datagram[4] = 1;
        assert_eq!(Fragment::parse(&datagram).unwrap().error(), Some(ErrorCode::Permission));
    }
}
