//! NTS key establishment: the records that client and server exchange over TLS (RFC 8915 §4).
//!
//! A message is a row of records that ends with [`Body::EndOfMessage`]. They come out of a stream, so
//! [`Record::split_from`] also says when one is not complete yet. Which of them have to be there, how
//! often, and what follows from them is not known here.

use core::fmt;

use crate::writer::BufferTooSmall;

/// The TCP port of NTS key establishment (RFC 8915 §6).
pub const NTS_KE_PORT: u16 = 4460;

/// How TLS names the protocol (ALPN, RFC 8915 §4).
pub const NTS_KE_ALPN: &[u8] = b"ntske/1";

/// The number of NTPv4 in [`Body::NextProtocol`].
pub const NTPV4: u16 = 0;

const CRITICAL: u16 = 0x8000;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Who does not know the type must not go on.
    pub critical: bool,
    /// What it says.
    pub body: Body<'a>,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Type 0: there is no more.
    EndOfMessage,
    /// Type 1: protocols to use with the keys; in an answer those that both sides know.
    NextProtocol(Numbers<'a>),
    /// Type 2: why the server does not do what it was asked for.
    Error(ErrorCode),
    /// Type 3. No warning has been defined.
    Warning(u16),
    /// Type 4: AEAD algorithms, the best first; in an answer the one to use.
    AeadAlgorithms(Numbers<'a>),
    /// Type 5: a cookie for one NTP request.
    Cookie(&'a [u8]),
    /// Type 6: the NTP server to ask, by name or address, in printable ASCII.
    Server(&'a str),
    /// Type 7: its UDP port.
    Port(u16),
    /// Type 1024: keys for AEAD_AES_128_GCM_SIV are exported with its own number, as RFC 8915 has it,
    /// and not with that of another algorithm as by some versions of chrony.
    CompliantExporter,
    /// A type that we do not know. Of no use, and if it is critical the end.
    Unknown {
        /// Which, without the critical bit.
        record_type: u16,
        /// What it says.
        body: &'a [u8],
    },
}

/// Why a server does not do what it was asked for (RFC 8915 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 0: it does not know a critical record.
    UnrecognisedCriticalRecord,
    /// 1: the request is not as it should be.
    BadRequest,
    /// 2: something went wrong on its side.
    InternalServerError,
    /// Any other.
    Other(u16),
}

impl ErrorCode {
    /// The code of this number.
    pub const fn from_u16(number: u16) -> Self {
        match number {
            0 => Self::UnrecognisedCriticalRecord,
            1 => Self::BadRequest,
            2 => Self::InternalServerError,
            other => Self::Other(other),
        }
    }

    /// Its number.
    pub const fn to_u16(self) -> u16 {
        match self {
            Self::UnrecognisedCriticalRecord => 0,
            Self::BadRequest => 1,
            Self::InternalServerError => 2,
            Self::Other(number) => number,
        }
    }
}

/// A list of numbers of 16 bits, as it is in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    /// The list in these bytes, big-endian; `None` if half a number is left.
    pub const fn new(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len().is_multiple_of(2) { Some(Self(bytes)) } else { None }
    }

    /// The numbers, in their order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.0.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
    }
}

/// What is wrong with a record. Whoever gets one gives up: what follows cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordError {
    /// A body has not the length that the type's have.
    BodyLength {
        /// Which type.
        record_type: u16,
        /// Length of the body, bytes.
        len: usize,
    },
    /// A server's name has other characters than printable ASCII.
    ServerName,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyLength { record_type, len } => {
                write!(f, "{len} bytes are no body of an NTS-KE record of type {record_type}")
            }
            Self::ServerName => f.write_str("the name of the NTP server is not printable ASCII"),
        }
    }
}

impl core::error::Error for RecordError {}

impl<'a> Record<'a> {
    /// Length of what precedes the body, bytes.
    pub const HEADER_LEN: usize = 4;

    /// A record that must be understood.
    pub const fn critical(body: Body<'a>) -> Self {
        Self { critical: true, body }
    }

    /// A record that may be passed over.
    pub const fn optional(body: Body<'a>) -> Self {
        Self { critical: false, body }
    }

    /// The first record in `bytes`, and what follows it; `None` while it is not all there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn split_from(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, RecordError> {
        let Some((&[type_high, type_low, len_high, len_low], rest)) = bytes.split_first_chunk()
        else {
            return Ok(None);
        };
        let first = u16::from_be_bytes([type_high, type_low]);
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let Some((body, rest)) = rest.split_at_checked(len) else { return Ok(None) };
        let body = Body::parse(first & !CRITICAL, body)?;
        Ok(Some((Self { critical: first & CRITICAL != 0, body }, rest)))
    }

    /// Writes the record to the start of `buffer`, and answers how long it is.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; also for a body that no length could say the length of.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let number;
        let body: &[u8] = match &self.body {
            Body::EndOfMessage | Body::CompliantExporter => &[],
            Body::NextProtocol(numbers) | Body::AeadAlgorithms(numbers) => numbers.0,
            Body::Error(code) => {
                number = code.to_u16().to_be_bytes();
                &number
            }
            Body::Warning(value) | Body::Port(value) => {
                number = value.to_be_bytes();
                &number
            }
            Body::Cookie(cookie) => cookie,
            Body::Server(name) => name.as_bytes(),
            Body::Unknown { body, .. } => body,
        };
        let critical = if self.critical { CRITICAL } else { 0 };
        let len = u16::try_from(body.len()).map_err(|_| BufferTooSmall)?;
        let (head, rest) = buffer.split_first_chunk_mut().ok_or(BufferTooSmall)?;
        rest.get_mut(..body.len()).ok_or(BufferTooSmall)?.copy_from_slice(body);
        let [type_high, type_low] = (self.body.record_type() | critical).to_be_bytes();
        let [len_high, len_low] = len.to_be_bytes();
        *head = [type_high, type_low, len_high, len_low];
        Ok(Self::HEADER_LEN.saturating_add(body.len()))
    }
}

impl<'a> Body<'a> {
    /// The type, without the critical bit.
    pub const fn record_type(&self) -> u16 {
        match self {
            Self::EndOfMessage => 0,
            Self::NextProtocol(_) => 1,
            Self::Error(_) => 2,
            Self::Warning(_) => 3,
            Self::AeadAlgorithms(_) => 4,
            Self::Cookie(_) => 5,
            Self::Server(_) => 6,
            Self::Port(_) => 7,
            Self::CompliantExporter => 1024,
            Self::Unknown { record_type, .. } => *record_type & !CRITICAL,
        }
    }

    fn parse(record_type: u16, body: &'a [u8]) -> Result<Self, RecordError> {
        let wrong_len = RecordError::BodyLength { record_type, len: body.len() };
        let numbers = || Numbers::new(body).ok_or(wrong_len);
        let number = || match body {
            [high, low] => Ok(u16::from_be_bytes([*high, *low])),
            _ => Err(wrong_len),
        };
        let empty = |meant| if body.is_empty() { Ok(meant) } else { Err(wrong_len) };
        match record_type {
            0 => empty(Self::EndOfMessage),
            1 => numbers().map(Self::NextProtocol),
            2 => number().map(ErrorCode::from_u16).map(Self::Error),
            3 => number().map(Self::Warning),
            4 => numbers().map(Self::AeadAlgorithms),
            5 if body.is_empty() => Err(wrong_len),
            5 => Ok(Self::Cookie(body)),
            6 if body.is_empty() => Err(wrong_len),
            6 => {
                let name = core::str::from_utf8(body).map_err(|_| RecordError::ServerName)?;
                match name.bytes().all(|byte| byte.is_ascii_graphic()) {
                    true => Ok(Self::Server(name)),
                    false => Err(RecordError::ServerName),
                }
            }
            7 => number().map(Self::Port),
            1024 => empty(Self::CompliantExporter),
            _ => Ok(Self::Unknown { record_type, body }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client asks that knows NTPv4 and AEAD_AES_SIV_CMAC_256.
    const REQUEST: [u8; 16] = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15, 0x80, 0, 0, 0];

    fn all(mut bytes: &[u8]) -> Vec<Record<'_>> {
        let mut records = Vec::new();
        while let Some((record, rest)) = Record::split_from(bytes).unwrap() {
            records.push(record);
            bytes = rest;
        }
        assert!(bytes.is_empty());
        records
    }

    #[test]
    fn deconstruct() {
        let records = all(&REQUEST);
        let [protocol, aead, end] = records[..] else { panic!("{records:?}") };
        assert!(protocol.critical && aead.critical && end.critical);
        let (Body::NextProtocol(protocols), Body::AeadAlgorithms(algorithms)) =
            (protocol.body, aead.body)
        else {
            panic!("{records:?}");
        };
        assert_eq!(protocols.iter().collect::<Vec<_>>(), [NTPV4]);
        assert_eq!(algorithms.iter().collect::<Vec<_>>(), [15]);
        assert_eq!(end.body, Body::EndOfMessage);
    }

    #[test]
    fn construct() {
        let mut bytes = [0xee; 64];
        let mut len = 0;
        for record in [
            Record::critical(Body::NextProtocol(Numbers::new(&[0, 0]).unwrap())),
            Record::critical(Body::AeadAlgorithms(Numbers::new(&[0, 15]).unwrap())),
            Record::critical(Body::EndOfMessage),
        ] {
            len += record.emit(&mut bytes[len..]).unwrap();
        }
        assert_eq!(bytes[..len], REQUEST);
    }

    #[test]
    fn every_type_says_what_it_is() {
        for (bytes, body) in [
            (&[0, 0, 0, 0][..], Body::EndOfMessage),
            (&[0, 1, 0, 0], Body::NextProtocol(Numbers::new(&[]).unwrap())),
            (&[0, 2, 0, 2, 0, 0], Body::Error(ErrorCode::UnrecognisedCriticalRecord)),
            (&[0, 2, 0, 2, 0, 1], Body::Error(ErrorCode::BadRequest)),
            (&[0, 2, 0, 2, 0, 2], Body::Error(ErrorCode::InternalServerError)),
            (&[0, 2, 0, 2, 1, 0], Body::Error(ErrorCode::Other(256))),
            (&[0, 3, 0, 2, 0, 9], Body::Warning(9)),
            (&[0, 5, 0, 3, 7, 8, 9], Body::Cookie(&[7, 8, 9])),
            (&[0, 6, 0, 4, b'a', b'.', b'e', b'x'], Body::Server("a.ex")),
            (&[0, 7, 0, 2, 0, 123], Body::Port(123)),
            (&[4, 0, 0, 0], Body::CompliantExporter),
            (&[0x40, 1, 0, 1, 5], Body::Unknown { record_type: 0x4001, body: &[5] }),
            (&[0, 8, 0, 0], Body::Unknown { record_type: 8, body: &[] }),
        ] {
            assert_eq!(Record::split_from(bytes), Ok(Some((Record::optional(body), &[][..]))));
            let mut critical = bytes.to_vec();
            critical[0] |= 0x80;
            let expected = Record::critical(body);
            assert_eq!(Record::split_from(&critical), Ok(Some((expected, &[][..]))));
            let mut out = vec![0; bytes.len()];
            assert_eq!(expected.emit(&mut out), Ok(bytes.len()));
            assert_eq!(out, critical);
            let (_, short) = out.split_first_mut().unwrap();
            assert_eq!(expected.emit(short), Err(BufferTooSmall));
        }
    }

    #[test]
    fn a_record_byte_by_byte_is_not_there_until_it_is() {
        for len in 0..6 {
            assert_eq!(Record::split_from(&REQUEST[..len]), Ok(None), "{len} bytes");
        }
        assert!(matches!(Record::split_from(&REQUEST[..6]), Ok(Some((_, [])))));
        // One that says it is long is waited for, and not believed before.
        assert_eq!(Record::split_from(&[0x80, 0, 0xff, 0xff, 1, 2, 3]), Ok(None));
    }

    #[test]
    fn bodies_of_the_wrong_length_and_names_of_nothing_are_errors() {
        for (record_type, len) in [
            (0, 1),
            (1, 1),
            (1, 3),
            (2, 0),
            (2, 4),
            (3, 1),
            (4, 5),
            (5, 0),
            (6, 0),
            (7, 1),
            (1024, 2),
        ] {
            let mut bytes = vec![0x41; 4 + len];
            bytes[..2].copy_from_slice(&u16::to_be_bytes(record_type));
            bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            let error = RecordError::BodyLength { record_type, len };
            assert_eq!(Record::split_from(&bytes), Err(error), "type {record_type}");
        }
        for name in [&b"a b"[..], b"a\0", b"\x1b[2J", b"\xff\xfe", "ü".as_bytes()] {
            let bytes = [&[0, 6, 0, name.len() as u8], name].concat();
            assert_eq!(Record::split_from(&bytes), Err(RecordError::ServerName), "{name:?}");
        }
    }

    #[test]
    fn a_body_longer_than_its_length_can_say_is_not_written() {
        let body = vec![1; 65_536];
        let mut out = vec![0; 70_000];
        assert_eq!(Record::optional(Body::Cookie(&body)).emit(&mut out), Err(BufferTooSmall));
        assert_eq!(Record::optional(Body::Cookie(&body[1..])).emit(&mut out), Ok(65_539));
    }
}
