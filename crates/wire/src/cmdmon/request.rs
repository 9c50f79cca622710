//! Requests: the header, and the table of commands.

use super::address::Address;
use super::float::Float;
use super::layout::{Layout, Reader, Writer};
use super::new_source::{NewSource, SourceFlags};
use super::reply::REPLY_HEADER_LEN;
use super::reports::{
    Activity, AuthenticationData, ClientAccesses, ManualSamples, ManualTimestamp, NtpData,
    NtpData2, RtcReport, SelectData, ServerStats3, ServerStats4, Smoothing, SourceData,
    SourceStats, Tracking,
};
use super::select_options::SelectMask;
use super::status::Status;
use super::timespec::Timespec;
use super::{MAX_REQUEST_LEN, OLDEST_ANSWERED_VERSION, REQUEST, VERSION, name::Name};
use crate::reference_id::ReferenceId;
use crate::writer::BufferTooSmall;

const REQUEST_HEADER_LEN: usize = 20;

/// What every request begins with, and how long it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Version of the protocol.
    pub version: u8,
    /// The command's number.
    pub command: u16,
    /// How often this request was sent before.
    pub attempt: u16,
    /// A random number that the reply repeats.
    pub sequence: u32,
    /// Length of the whole request, bytes; no reply may be longer.
    pub len: usize,
}

/// Why a datagram is not a request, and gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotARequest {
    /// Shorter than any reply, or longer than any request.
    Length(usize),
    /// Not of the type of a request.
    Type,
}

impl RequestHeader {
    /// The header of a datagram.
    ///
    /// # Errors
    /// [`NotARequest`] for what is to be dropped without a word.
    pub fn parse(datagram: &[u8]) -> Result<Self, NotARequest> {
        let len = datagram.len();
        if !(REPLY_HEADER_LEN..=MAX_REQUEST_LEN).contains(&len) {
            return Err(NotARequest::Length(len));
        }
        let Some(&[version, kind, reserved_1, reserved_2]) = datagram.first_chunk() else {
            return Err(NotARequest::Length(len));
        };
        if kind != REQUEST || reserved_1 != 0 || reserved_2 != 0 {
            return Err(NotARequest::Type);
        }
        let mut rest = Reader(datagram.get(4..).unwrap_or_default());
        let mut fields = || {
            let command = u16::read(&mut rest)?;
            let attempt = u16::read(&mut rest)?;
            let sequence = u32::read(&mut rest)?;
            Some(Self { version, command, attempt, sequence, len })
        };
        fields().ok_or(NotARequest::Length(len))
    }

    /// The request behind this header.
    ///
    /// # Errors
    /// What is to be said to the client, or `None` when nothing is.
    pub fn request(&self, datagram: &[u8]) -> Result<Request, Option<Status>> {
        match self.version {
            VERSION => {}
            OLDEST_ANSWERED_VERSION.. => return Err(Some(Status::BadPacketVersion)),
            _ => return Err(None),
        }
        let shortest = Request::shortest_len(self.command).ok_or(Some(Status::Invalid))?;
        let data = datagram.get(REQUEST_HEADER_LEN..).unwrap_or_default();
        if datagram.len() < shortest {
            return Err(Some(Status::BadPacketLength));
        }
        Request::read(self.command, &mut Reader(data)).ok_or(Some(Status::Invalid))
    }
}

impl Request {
    /// Writes the request, padded to the longest reply to it: with a random number that the reply
    /// will repeat, and how often the request was sent before.
    ///
    /// # Errors
    /// [`BufferTooSmall`] for less than [`MAX_LEN`](super::MAX_LEN) bytes.
    pub fn emit<'b>(
        &self,
        sequence: u32,
        attempt: u16,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], BufferTooSmall> {
        let mut writer = Writer::new(buffer);
        writer.bytes(&[VERSION, REQUEST, 0, 0])?;
        self.code().write(&mut writer)?;
        attempt.write(&mut writer)?;
        sequence.write(&mut writer)?;
        writer.fill(0, 8)?;
        self.write(&mut writer)?;
        writer.pad_to(self.padded_len())?;
        writer.finish()
    }
}

/// A command: its number, its name, its data, and the replies that carry data, the newest first.
macro_rules! requests {
    ($(
        $(#[$doc:meta])*
        $code:literal $name:ident
        $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? })?
        => $reply:ty $(| $older:ty)?;
    )*) => {
        /// What a client asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
        pub enum Request {
            $($(#[$doc])* $name $({ $($(#[$field_doc])* $field: $type),+ })?,)*
        }

        impl Request {
            /// The number of the command.
            pub const fn code(&self) -> u16 {
                match self {
                    $(Self::$name { .. } => $code,)*
                }
            }

            /// The name of the command with this number.
            pub const fn name_of(code: u16) -> Option<&'static str> {
                match code {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// The fewest bytes that a request with this number may have: those of its data, and of
            /// the shortest form of its reply. `None` for a number without a meaning.
            fn shortest_len(code: u16) -> Option<usize> {
                match code {
                    $($code => {
                        let data = REQUEST_HEADER_LEN $($(+ <$type>::LEN)+)?;
                        let reply = <$reply>::LEN;
                        $(let reply = reply.min(<$older>::LEN);)?
                        Some(data.max(REPLY_HEADER_LEN + reply))
                    })*
                    _ => None,
                }
            }

            fn padded_len(&self) -> usize {
                match self {
                    $(Self::$name { .. } => REPLY_HEADER_LEN + <$reply>::LEN,)*
                }
            }

            fn read(code: u16, reader: &mut Reader<'_>) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name $({ $($field: Layout::read(reader)?),+ })?),)*
                    _ => None,
                }
            }

            fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
                match self {
                    $(Self::$name $({ $($field),+ })? => {
                        $($($field.write(writer)?;)+)?
                    })*
                }
                Ok(())
            }
        }

        #[cfg(test)]
        pub(super) const CODES: &[u16] = &[$($code),*];
    };
}

requests! {
    /// Ask the sources in a network again. An unspecified mask means the very address, an
    /// unspecified address all sources.
    1 Online {
        /// The network's mask.
        mask: Address,
        /// The network's address.
        address: Address,
    } => ();
    /// Ask the sources in a network no more.
    2 Offline {
        /// The network's mask.
        mask: Address,
        /// The network's address.
        address: Address,
    } => ();
    /// Make a burst of requests to the sources in a network.
    3 Burst {
        /// The network's mask.
        mask: Address,
        /// The network's address.
        address: Address,
        /// Good measurements that are wanted.
        good: i32,
        /// Requests at most.
        total: i32,
    } => ();
    /// Change a source's shortest poll interval, log₂ seconds.
    4 ModifyMinpoll {
        /// The source.
        address: Address,
        /// The new value.
        min_poll: i32,
    } => ();
    /// Change a source's longest poll interval, log₂ seconds.
    5 ModifyMaxpoll {
        /// The source.
        address: Address,
        /// The new value.
        max_poll: i32,
    } => ();
    /// Write the measurements of all sources to their files.
    6 Dump => ();
    /// Change the longest delay of a source's measurements, s.
    7 ModifyMaxdelay {
        /// The source.
        address: Address,
        /// The new value.
        max_delay: Float,
    } => ();
    /// Change how many times the shortest delay a source's measurements may have.
    8 ModifyMaxdelayratio {
        /// The source.
        address: Address,
        /// The new value.
        ratio: Float,
    } => ();
    /// Change the highest skew that a frequency may have to be used, ppm.
    9 ModifyMaxupdateskew {
        /// The new value.
        max_update_skew: Float,
    } => ();
    /// Enter the right time.
    11 Settime {
        /// What the time was when the request was made.
        time: Timespec,
    } => ManualTimestamp;
    /// Switch manual time on or off, or forget the entries.
    13 Manual {
        /// 0: off, 1: on, 2: forget.
        option: i32,
    } => ();
    /// How many sources there are.
    14 SourceCount => u32;
    /// A report of one source.
    15 SourceData {
        /// Which one, from 0.
        index: u32,
    } => SourceData;
    /// Read keys again.
    16 Rekey => ();
    /// Allow NTP clients in a network.
    17 Allow {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Allow NTP clients in a network, and in all smaller ones in it.
    18 AllowAll {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Deny NTP clients in a network.
    19 Deny {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Deny NTP clients in a network, and in all smaller ones in it.
    20 DenyAll {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Allow commands from a network.
    21 CommandAllow {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Allow commands from a network, and from all smaller ones in it.
    22 CommandAllowAll {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Deny commands from a network.
    23 CommandDeny {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Deny commands from a network, and from all smaller ones in it.
    24 CommandDenyAll {
        /// The network.
        address: Address,
        /// Its prefix length.
        bits: i32,
    } => ();
    /// Would an NTP client with this address be served?
    25 AccessCheck {
        /// The client.
        address: Address,
    } => ();
    /// Would a command from this address be answered?
    26 CommandAccessCheck {
        /// The client.
        address: Address,
    } => ();
    /// Remove a source.
    29 DeleteSource {
        /// The source.
        address: Address,
    } => ();
    /// Write the estimates of the real-time clock to its file.
    30 WriteRtc => ();
    /// Change the clock's frequency by hand.
    31 ChangeFrequency {
        /// By this much, ppm.
        frequency: Float,
    } => ();
    /// How the system clock is doing.
    33 Tracking => Tracking;
    /// What the measurements of one source amount to.
    34 SourceStats {
        /// Which one, from 0.
        index: u32,
    } => SourceStats;
    /// How the real-time clock is doing.
    35 RtcReport => RtcReport;
    /// Set the real-time clock right.
    36 TrimRtc => ();
    /// Close the log files and open them again.
    37 CycleLogs => ();
    /// The times that were entered.
    41 ManualList => ManualSamples;
    /// Forget one of them.
    42 ManualDelete {
        /// Which one, from 0.
        index: i32,
    } => ();
    /// Step the clock by what is left of the offset.
    43 MakeStep => ();
    /// How many sources are in which state.
    44 Activity => Activity;
    /// Change the stratum that a source has at least.
    45 ModifyMinstratum {
        /// The source.
        address: Address,
        /// The new value.
        min_stratum: i32,
    } => ();
    /// Change the number of measurements that a good poll interval keeps in use.
    46 ModifyPolltarget {
        /// The source.
        address: Address,
        /// The new value.
        poll_target: i32,
    } => ();
    /// Change by how many deviations the delay of a source's measurements may grow.
    47 ModifyMaxdelaydevratio {
        /// The source.
        address: Address,
        /// The new value.
        ratio: Float,
    } => ();
    /// Select anew.
    48 Reselect => ();
    /// Change how much nearer a source must be to take over, s.
    49 ReselectDistance {
        /// The new value.
        distance: Float,
    } => ();
    /// Change when the clock is stepped.
    50 ModifyMakestep {
        /// During so many updates; negative: always.
        limit: i32,
        /// From this offset on, s.
        threshold: Float,
    } => ();
    /// How the time that is served differs from the system clock.
    51 Smoothing => Smoothing;
    /// Begin to smooth the time that is served, or end it.
    52 Smoothtime {
        /// 0: end, 1: begin.
        option: i32,
    } => ();
    /// Resolve the names of sources again.
    53 Refresh => ();
    /// What the servers counted.
    54 ServerStats => ServerStats4 | ServerStats3;
    /// chrony 4.3's form of [`Request::Local`].
    56 Local2 {
        /// 0: off.
        on: i32,
        /// The stratum to serve with.
        stratum: i32,
        /// The root distance from which on it is used, s.
        distance: Float,
        /// 1: as orphan.
        orphan: i32,
    } => ();
    /// The last measurement of one NTP source.
    57 NtpData {
        /// The source.
        address: Address,
    } => NtpData2 | NtpData;
    /// End.
    62 Shutdown => ();
    /// Ask the sources that can be reached, and no others.
    63 Onoffline => ();
    /// Add a source.
    64 AddSource {
        /// Its name and options.
        source: NewSource,
    } => ();
    /// The name of one source as it was configured.
    65 SourceName {
        /// The source.
        address: Address,
    } => Name;
    /// Forget all measurements.
    66 ResetSources => ();
    /// How the packets of one source are authenticated.
    67 AuthenticationData {
        /// The source.
        address: Address,
    } => AuthenticationData;
    /// A part of the client log.
    68 ClientAccesses {
        /// Where to begin.
        first_index: u32,
        /// How many are wanted; 8 at most.
        clients: u32,
        /// Only clients with this many requests.
        min_hits: u32,
        /// Not 0: forget the counts.
        reset: u32,
    } => ClientAccesses;
    /// One source in selection.
    69 SelectData {
        /// Which one, from 0.
        index: u32,
    } => SelectData;
    /// Read the files of sources again.
    70 ReloadSources => ();
    /// Change the clock's offset by hand.
    71 ChangeOffset {
        /// By this much, s; positive: the clock is taken to be fast.
        offset: Float,
    } => ();
    /// Change how a source takes part in selection.
    72 ModifySelectOptions {
        /// The source; unspecified for a reference clock.
        address: Address,
        /// The reference clock.
        reference_id: ReferenceId,
        /// The options to change.
        mask: SelectMask,
        /// To what.
        options: SourceFlags,
    } => ();
    /// Change the correction of a source.
    73 ModifyOffset {
        /// The source; unspecified for a reference clock.
        address: Address,
        /// The reference clock.
        reference_id: ReferenceId,
        /// The new value, s.
        offset: Float,
    } => ();
    /// Serve the time of the local clock while there is no better one, or do so no more.
    74 Local {
        /// 0: off.
        on: i32,
        /// The stratum to serve with.
        stratum: i32,
        /// The root distance from which on it is used, s.
        distance: Float,
        /// 1: as orphan.
        orphan: i32,
        /// The root distance that must be reached once first, s.
        activate: Float,
        /// How long after the last synchronisation it begins, s.
        wait_synchronised: Float,
        /// How long after the start it begins without any synchronisation, s.
        wait_unsynchronised: Float,
    } => ();
}
