//! Replies: the header, and the table of what they carry.

use core::fmt;

use super::layout::{Layout, Reader, Writer};
use super::name::Name;
use super::reports::{
    Activity, AuthenticationData, ClientAccesses, ManualSamples, ManualTimestamp, NtpData,
    NtpData2, RtcReport, SelectData, ServerStats3, ServerStats4, Smoothing, SourceData,
    SourceStats, Tracking,
};
use super::request::RequestHeader;
use super::status::Status;
use super::{OLDEST_COMPLAINING_VERSION, REPLY, VERSION};
use crate::writer::BufferTooSmall;

pub(super) const REPLY_HEADER_LEN: usize = 28;

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What became of the request.
    pub status: Status,
    /// What was asked for.
    pub answer: Answer,
}

impl From<Status> for Reply {
    fn from(status: Status) -> Self {
        Self { status, answer: Answer::None }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { status: Status::Success, answer }
    }
}

/// Why a datagram is not the reply that a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// Too short, or not the reply to this request: to be ignored.
    NotForUs,
    /// The other side speaks this version only.
    Version(u8),
    /// The reply to this request, in a form that nobody knows or with data that mean nothing.
    Malformed,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForUs => f.write_str("a reply to something else"),
            Self::Version(version) => write!(f, "the daemon speaks version {version}"),
            Self::Malformed => f.write_str("a reply that cannot be understood"),
        }
    }
}

impl core::error::Error for ReplyError {}

impl Reply {
    /// Writes the reply to the request with this header; `None` where it would be longer than the
    /// request, which is never answered with more than it sent.
    pub fn emit<'b>(&self, request: &RequestHeader, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let len = buffer.len().min(request.len);
        self.write(request, buffer.get_mut(..len)?).ok()
    }

    fn write<'b>(
        &self,
        request: &RequestHeader,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], BufferTooSmall> {
        let mut writer = Writer::new(buffer);
        writer.bytes(&[VERSION, REPLY, 0, 0])?;
        request.command.write(&mut writer)?;
        self.answer.code().write(&mut writer)?;
        self.status.write(&mut writer)?;
        writer.fill(0, 6)?;
        request.sequence.write(&mut writer)?;
        writer.fill(0, 8)?;
        self.answer.write(&mut writer)?;
        writer.finish()
    }

    /// The reply in a datagram, if it is one to the request with this command and sequence.
    ///
    /// # Errors
    /// [`ReplyError`] says whether to wait for another one.
    pub fn parse(datagram: &[u8], command: u16, sequence: u32) -> Result<Self, ReplyError> {
        let mut reader = Reader(datagram);
        let header = ReplyHeader::read(&mut reader).ok_or(ReplyError::NotForUs)?;
        let is_ours = header.kind == [REPLY, 0, 0]
            && header.command == command
            && header.sequence == sequence;
        match header.version {
            VERSION if is_ours => {}
            OLDEST_COMPLAINING_VERSION..
                if is_ours && header.status == Status::BadPacketVersion =>
            {
                return Err(ReplyError::Version(header.version));
            }
            _ => return Err(ReplyError::NotForUs),
        }
        let answer = Answer::read(header.form, &mut reader).ok_or(ReplyError::Malformed)?;
        Ok(Self { status: header.status, answer })
    }
}

struct ReplyHeader {
    version: u8,
    kind: [u8; 3],
    command: u16,
    form: u16,
    status: Status,
    sequence: u32,
}

impl ReplyHeader {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [version, kind @ ..] = reader.bytes::<4>()?;
        let command = u16::read(reader)?;
        let form = u16::read(reader)?;
        let status = Status::read(reader)?;
        reader.bytes::<6>()?;
        let sequence = u32::read(reader)?;
        reader.bytes::<8>()?;
        Some(Self { version, kind, command, form, status, sequence })
    }
}

/// A form of reply: its number, its name and its data.
macro_rules! answers {
    ($($(#[$doc:meta])* $code:literal $name:ident($type:ty),)*) => {
        /// What a reply carries.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Answer {
            /// Nothing but the status.
            None,
            $($(#[$doc])* $name($type),)*
        }

        impl Answer {
            /// The number of the form.
            pub const fn code(&self) -> u16 {
                match self {
                    Self::None => 1,
                    $(Self::$name(_) => $code,)*
                }
            }

            /// Can this answer the request with this header, which is never answered with more
            /// bytes than it has?
            pub const fn fits(&self, request: &RequestHeader) -> bool {
                let len = match self {
                    Self::None => 0,
                    $(Self::$name(_) => <$type>::LEN,)*
                };
                REPLY_HEADER_LEN + len <= request.len
            }

            fn read(code: u16, reader: &mut Reader<'_>) -> Option<Self> {
                match code {
                    1 => Some(Self::None),
                    $($code => <$type>::read(reader).map(Self::$name),)*
                    _ => None,
                }
            }

            fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
                match self {
                    Self::None => Ok(()),
                    $(Self::$name(data) => data.write(writer),)*
                }
            }
        }
    };
}

answers! {
    /// How many sources there are.
    2 SourceCount(u32),
    /// One source.
    3 SourceData(SourceData),
    /// How the system clock is doing.
    5 Tracking(Tracking),
    /// What the measurements of one source amount to.
    6 SourceStats(SourceStats),
    /// The real-time clock.
    7 RtcReport(RtcReport),
    /// How many sources are in which state.
    12 Activity(Activity),
    /// How the time that is served differs from the system clock.
    13 Smoothing(Smoothing),
    /// The last measurement of one NTP source, up to chrony 4.3.
    16 NtpData(NtpData),
    /// What an entered time brought.
    17 ManualTimestamp(ManualTimestamp),
    /// The times that were entered.
    18 ManualSamples(ManualSamples),
    /// The name of one source as it was configured.
    19 SourceName(Name),
    /// How the packets of one source are authenticated.
    20 AuthenticationData(AuthenticationData),
    /// A part of the client log.
    21 ClientAccesses(ClientAccesses),
    /// One source in selection.
    23 SelectData(SelectData),
    /// What the servers counted, in chrony 4.2 and 4.3.
    24 ServerStats3(ServerStats3),
    /// What the servers counted, since chrony 4.4.
    25 ServerStats4(ServerStats4),
    /// The last measurement of one NTP source, since chrony 4.4.
    26 NtpData2(NtpData2),
}
