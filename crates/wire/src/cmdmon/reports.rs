//! What the monitoring replies carry.

use arrayvec::ArrayVec;

use super::address::Address;
use super::float::Float;
use super::layout::{Reserved, flags, layout, numbered};
use super::select_options::SelectOptions;
use super::timespec::Timespec;
use crate::header::LeapIndicator;
use crate::reference_id::ReferenceId;

layout! {
    /// `tracking`: how the system clock is doing.
    #[derive(Copy)]
    pub struct Tracking {
        /// What the clock is synchronised to.
        pub reference_id: ReferenceId,
        /// The address of that source.
        pub address: Address,
        /// Our stratum; 0 while not synchronised.
        pub stratum: u16,
        /// Zero.
        pub reserved: Reserved<1>,
        /// Leap status.
        pub leap: LeapIndicator,
        /// The last measurement of the reference that was used.
        pub reference_time: Timespec,
        /// The time that is served minus the system clock, s; positive: the clock is slow.
        pub system_offset: Float,
        /// The offset that the last update found, s; positive: the clock was fast.
        pub last_offset: Float,
        /// Long-term average of it, s.
        pub rms_offset: Float,
        /// Frequency of the clock without correction, ppm; positive: it would be fast.
        pub frequency: Float,
        /// How far the last update's frequency was from the one in use, ppm; positive: the clock
        /// gains.
        pub residual_frequency: Float,
        /// Bound of the frequency's error, ppm.
        pub skew: Float,
        /// Total of the delays to the stratum-1 clock, s.
        pub root_delay: Float,
        /// Total of the dispersions to the stratum-1 clock, s.
        pub root_dispersion: Float,
        /// Between the last two updates, s.
        pub update_interval: Float,
    }
}

numbered! {
    /// What a source is.
    pub enum SourceMode: u16 {
        /// A server that we ask.
        Client = 0,
        /// A symmetric peer.
        Peer = 1,
        /// A reference clock.
        ReferenceClock = 2,
    }

    /// What selection made of a source.
    pub enum SourceState: u16 {
        /// The system clock follows it.
        Selected = 0,
        /// It cannot be selected.
        Nonselectable = 1,
        /// It disagrees with the majority.
        Falseticker = 2,
        /// Its offsets vary too much.
        Jittery = 3,
        /// It is combined with the selected one.
        Combined = 4,
        /// It could be selected, but is not and is not combined either.
        Selectable = 5,
    }
}

layout! {
    /// `sources`: one source.
    #[derive(Copy)]
    pub struct SourceData {
        /// Its address; the reference ID of a reference clock stands in an IPv4 address.
        pub address: Address,
        /// Poll interval, log₂ seconds.
        pub poll: i16,
        /// Its stratum.
        pub stratum: u16,
        /// What selection made of it.
        pub state: SourceState,
        /// What it is.
        pub mode: SourceMode,
        /// Zero.
        pub flags: u16,
        /// Reachability, eight bits of the last polls.
        pub reachability: u16,
        /// Since the last good measurement, s; `u32::MAX`: there was none.
        pub since_sample: u32,
        /// The offset as it was measured, s; positive: the system clock is fast.
        pub measured_offset: Float,
        /// The same, less what the clock was adjusted by since, s.
        pub adjusted_offset: Float,
        /// Bound of the error of that measurement, s.
        pub error: Float,
    }

    /// `sourcestats`: what the measurements of one source amount to.
    #[derive(Copy)]
    pub struct SourceStats {
        /// Its reference ID.
        pub reference_id: ReferenceId,
        /// Its address; unspecified for a reference clock.
        pub address: Address,
        /// Measurements in use.
        pub samples: u32,
        /// Runs of residuals with the same sign.
        pub runs: u32,
        /// Between the first and the last of them, s.
        pub span: u32,
        /// Standard deviation of the measurements, s.
        pub standard_deviation: Float,
        /// Frequency of the system clock against the source, ppm; positive: the clock gains.
        pub residual_frequency: Float,
        /// Bound of its error, ppm.
        pub skew: Float,
        /// The source's offset, s; positive: the system clock is fast.
        pub offset: Float,
        /// Bound of its error, s.
        pub offset_error: Float,
    }

    /// `rtcdata`: the real-time clock.
    #[derive(Copy)]
    pub struct RtcReport {
        /// The last measurement.
        pub reference_time: Timespec,
        /// Measurements in use.
        pub samples: u16,
        /// Runs of residuals with the same sign.
        pub runs: u16,
        /// Between the first and the last of them, s.
        pub span: u32,
        /// How fast the clock is, s.
        pub fast: Float,
        /// What it gains, ppm.
        pub gain: Float,
    }

    /// `settime`: what an entered time brought.
    #[derive(Copy)]
    pub struct ManualTimestamp {
        /// How fast the clock was, s.
        pub offset: Float,
        /// By how much its frequency changed, ppm.
        pub frequency_change: Float,
        /// Its frequency now, ppm.
        pub frequency: Float,
    }

    /// One entered time.
    #[derive(Copy)]
    pub struct ManualSample {
        /// When it was entered.
        pub when: Timespec,
        /// The offset, less what the clock was adjusted by since, s.
        pub slewed_offset: Float,
        /// The offset when it was entered, s.
        pub original_offset: Float,
        /// Distance from the line through all of them, s.
        pub residual: Float,
    }

    /// `manual list`: the times that were entered.
    pub struct ManualSamples {
        /// The oldest first.
        pub samples: ArrayVec<ManualSample, 16>,
    }

    /// `activity`: how many sources are in which state.
    #[derive(Copy)]
    pub struct Activity {
        /// Asked.
        pub online: u32,
        /// Not asked.
        pub offline: u32,
        /// In a burst, online after it.
        pub burst_online: u32,
        /// In a burst, offline after it.
        pub burst_offline: u32,
        /// Names without an address.
        pub unresolved: u32,
    }

    /// `smoothing`: how the time that is served differs from the system clock.
    #[derive(Copy)]
    pub struct Smoothing {
        /// Whether it is active, and for what.
        pub flags: SmoothingFlags,
        /// Offset of the served time, s.
        pub offset: Float,
        /// Its frequency, ppm.
        pub frequency: Float,
        /// Its wander, ppm/s.
        pub wander: Float,
        /// Since the last update, s.
        pub last_update_ago: Float,
        /// Until it is gone, s.
        pub remaining_time: Float,
    }

    /// One client in the log.
    #[derive(Copy)]
    pub struct ClientAccess {
        /// Its address.
        pub address: Address,
        /// NTP requests.
        pub ntp_hits: u32,
        /// NTS key establishments.
        pub nke_hits: u32,
        /// Commands.
        pub command_hits: u32,
        /// NTP requests that the rate limit left unanswered.
        pub ntp_drops: u32,
        /// Key establishments that the rate limit refused.
        pub nke_drops: u32,
        /// Commands that the rate limit left unanswered.
        pub command_drops: u32,
        /// Mean interval of the NTP requests, log₂ seconds; 127: unknown.
        pub ntp_interval: i8,
        /// Mean interval of the key establishments, log₂ seconds; 127: unknown.
        pub nke_interval: i8,
        /// Mean interval of the commands, log₂ seconds; 127: unknown.
        pub command_interval: i8,
        /// Mean interval after a request without a reply, log₂ seconds; 127: unknown.
        pub ntp_timeout_interval: i8,
        /// Since the last NTP request, s; `u32::MAX`: never.
        pub last_ntp_hit_ago: u32,
        /// Since the last key establishment, s; `u32::MAX`: never.
        pub last_nke_hit_ago: u32,
        /// Since the last command, s; `u32::MAX`: never.
        pub last_command_hit_ago: u32,
    }

    /// `clients`: a part of the client log.
    pub struct ClientAccesses {
        /// Places in the log, used or not.
        pub indices: u32,
        /// Where to go on.
        pub next_index: u32,
        /// Those found.
        pub clients: ArrayVec<ClientAccess, 8>,
    }

    /// `serverstats` in chrony 4.2 and 4.3.
    #[derive(Copy)]
    pub struct ServerStats3 {
        /// NTP requests.
        pub ntp_hits: u32,
        /// NTS key establishments.
        pub nke_hits: u32,
        /// Commands.
        pub command_hits: u32,
        /// NTP requests that the rate limit left unanswered.
        pub ntp_drops: u32,
        /// Key establishments that the rate limit refused.
        pub nke_drops: u32,
        /// Commands that the rate limit left unanswered.
        pub command_drops: u32,
        /// Clients that the log forgot for lack of room.
        pub log_drops: u32,
        /// NTP requests that were authenticated.
        pub ntp_authenticated_hits: u32,
        /// NTP requests in interleaved mode.
        pub ntp_interleaved_hits: u32,
        /// Timestamp pairs held for the interleaved mode.
        pub ntp_timestamps: u32,
        /// Time that they span, s.
        pub ntp_span: u32,
    }

    /// `serverstats` since chrony 4.4. `u64::MAX`: not counted.
    #[derive(Copy)]
    pub struct ServerStats4 {
        /// NTP requests.
        pub ntp_hits: u64,
        /// NTS key establishments.
        pub nke_hits: u64,
        /// Commands.
        pub command_hits: u64,
        /// NTP requests that the rate limit left unanswered.
        pub ntp_drops: u64,
        /// Key establishments that the rate limit refused.
        pub nke_drops: u64,
        /// Commands that the rate limit left unanswered.
        pub command_drops: u64,
        /// Clients that the log forgot for lack of room.
        pub log_drops: u64,
        /// NTP requests that were authenticated.
        pub ntp_authenticated_hits: u64,
        /// NTP requests in interleaved mode.
        pub ntp_interleaved_hits: u64,
        /// Timestamp pairs held for the interleaved mode.
        pub ntp_timestamps: u64,
        /// Time that they span, s.
        pub ntp_span: u64,
        /// Requests stamped by the daemon.
        pub daemon_receive_timestamps: u64,
        /// Replies stamped by the daemon.
        pub daemon_transmit_timestamps: u64,
        /// Requests stamped by the kernel.
        pub kernel_receive_timestamps: u64,
        /// Replies stamped by the kernel.
        pub kernel_transmit_timestamps: u64,
        /// Requests stamped by the network card.
        pub hardware_receive_timestamps: u64,
        /// Replies stamped by the network card.
        pub hardware_transmit_timestamps: u64,
        /// Counters to come.
        pub reserved: Reserved<32, 0xff>,
    }

    /// The last valid measurement of an NTP source, and what became of its packets.
    #[derive(Copy)]
    pub struct NtpMeasurement {
        /// Whom we ask.
        pub remote_address: Address,
        /// From where.
        pub local_address: Address,
        /// UDP port of the source.
        pub remote_port: u16,
        /// Leap status of its last packet.
        pub leap: LeapIndicator,
        /// Protocol version of the packet.
        pub version: u8,
        /// Mode of the packet (RFC 5905 figure 10).
        pub mode: u8,
        /// Stratum of the source.
        pub stratum: u8,
        /// Poll interval in the packet, log₂ seconds.
        pub poll: i8,
        /// Precision of the source, log₂ seconds.
        pub precision: i8,
        /// Root delay of the source, s.
        pub root_delay: Float,
        /// Root dispersion of the source, s.
        pub root_dispersion: Float,
        /// What the source follows.
        pub reference_id: ReferenceId,
        /// When it was last set.
        pub reference_time: Timespec,
        /// Measured offset, s; positive: the system clock is slow.
        pub offset: Float,
        /// Measured round-trip delay, s.
        pub peer_delay: Float,
        /// Measured dispersion, s.
        pub peer_dispersion: Float,
        /// Between the request's arrival and the reply's departure, s.
        pub response_time: Float,
        /// Asymmetry of the jitter, −0.5 to 0.5.
        pub jitter_asymmetry: Float,
        /// Tests passed, and the ways of the exchange.
        pub flags: NtpFlags,
        /// Who stamped the request: `D`aemon, `K`ernel, `H`ardware.
        pub transmit_timestamping: u8,
        /// Who stamped the reply.
        pub receive_timestamping: u8,
        /// Requests sent.
        pub total_sent: u32,
        /// Packets received.
        pub total_received: u32,
        /// Replies that were ours and valid.
        pub total_valid: u32,
        /// Those of them that were used.
        pub total_good: u32,
    }

    /// `ntpdata` up to chrony 4.3.
    #[derive(Copy)]
    pub struct NtpData {
        /// The measurement.
        pub measurement: NtpMeasurement,
        /// Counters to come.
        pub reserved: Reserved<12, 0xff>,
    }

    /// `ntpdata` since chrony 4.4.
    #[derive(Copy)]
    pub struct NtpData2 {
        /// The measurement.
        pub measurement: NtpMeasurement,
        /// Requests stamped by the kernel.
        pub total_kernel_transmit: u32,
        /// Replies stamped by the kernel.
        pub total_kernel_receive: u32,
        /// Requests stamped by the network card.
        pub total_hardware_transmit: u32,
        /// Replies stamped by the network card.
        pub total_hardware_receive: u32,
        /// Counters to come.
        pub reserved: Reserved<16, 0xff>,
    }
}

flags! {
    /// What smoothing does.
    pub struct SmoothingFlags: u32 {
        /// It is active.
        const ACTIVE = 0x1;
        /// It smooths leap seconds only.
        const LEAP_ONLY = 0x2;
    }

    /// The tests of RFC 5905 §9.2 and of chrony that a packet passed, and the ways of the exchange.
    ///
    /// From the highest test bit on: 1 not a duplicate, 2 an answer to us, 3 timestamps set, 5
    /// authentic, 6 synchronised, 7 within the root distance, A delay, B delay ratio, C deviation of the
    /// delay, D no loop.
    pub struct NtpFlags: u16 {
        /// All ten tests.
        const ALL_TESTS = 0x3ff;
        /// Interleaved mode.
        const INTERLEAVED = 0x4000;
        /// The packet was authenticated.
        const AUTHENTICATED = 0x8000;
    }
}

numbered! {
    /// How the packets of a source are authenticated.
    pub enum AuthenticationMode: u16 {
        /// They are not.
        None = 0,
        /// By a symmetric key.
        Symmetric = 1,
        /// By Network Time Security.
        Nts = 2,
    }
}

layout! {
    /// `authdata`: how the packets of a source are authenticated.
    #[derive(Copy)]
    pub struct AuthenticationData {
        /// By what.
        pub mode: AuthenticationMode,
        /// The algorithm's number.
        pub key_type: u16,
        /// The key's number.
        pub key_id: u32,
        /// Length of the key, bits.
        pub key_length: u16,
        /// Key establishments since the last successful one.
        pub ke_attempts: u16,
        /// Since the last successful one, s; `u32::MAX`: there was none.
        pub last_ke_ago: u32,
        /// Cookies in store.
        pub cookies: u16,
        /// Length of a cookie, bytes.
        pub cookie_length: u16,
        /// NTS negative acknowledgments since the last key establishment.
        pub naks: u16,
        /// Zero.
        pub reserved: Reserved<2>,
    }

    /// `selectdata`: one source in selection.
    #[derive(Copy)]
    pub struct SelectData {
        /// Its reference ID.
        pub reference_id: ReferenceId,
        /// Its address; unspecified for a reference clock.
        pub address: Address,
        /// Its state, as a letter or sign of chrony's.
        pub state: u8,
        /// 1: it is authenticated.
        pub authenticated: u8,
        /// Its leap status.
        pub leap: LeapIndicator,
        /// Zero.
        pub reserved: Reserved<1>,
        /// The options that are configured.
        pub configured: SelectOptions,
        /// The options in effect.
        pub effective: SelectOptions,
        /// Since the last measurement, s; `u32::MAX`: there was none.
        pub last_sample_ago: u32,
        /// Score against the selected source: above 10 it takes over.
        pub score: Float,
        /// Low end of the interval in which the true offset is expected, s; positive: the system
        /// clock is fast.
        pub low_limit: Float,
        /// High end of it, s.
        pub high_limit: Float,
    }
}
