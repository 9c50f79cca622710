//! A source to be added: the options of `server`, `peer` and `pool` in chrony.conf.

use super::float::Float;
use super::layout::{flags, layout, numbered};
use super::name::Name;

numbered! {
    /// What kind of source is added.
    pub enum NewSourceKind: u32 {
        /// A server.
        Server = 1,
        /// A symmetric peer.
        Peer = 2,
        /// A name with many servers behind it.
        Pool = 3,
    }
}

flags! {
    /// The options of a source that are on or off.
    pub struct SourceFlags: u32 {
        /// Asked from the start.
        const ONLINE = 0x1;
        /// Not asked any more once a request cannot be sent.
        const AUTO_OFFLINE = 0x2;
        /// Starts with a burst.
        const IBURST = 0x4;
        /// Selected before others.
        const PREFER = 0x8;
        /// Never selected.
        const NOSELECT = 0x10;
        /// Believed more than others.
        const TRUST = 0x20;
        /// Without one of these nothing is selected.
        const REQUIRE = 0x40;
        /// Interleaved mode (RFC 9769).
        const INTERLEAVED = 0x80;
        /// A burst whenever a poll brings no good sample.
        const BURST = 0x100;
        /// Network Time Security (RFC 8915).
        const NTS = 0x200;
        /// Reference ID and stratum are taken over.
        const COPY = 0x400;
        /// chrony's experimental extension field: monotonic time and more precise root values.
        const MONOTONIC_ROOT = 0x800;
        /// chrony's extension field for network corrections.
        const NETWORK_CORRECTION = 0x1000;
        /// IPv4 addresses only.
        const IPV4 = 0x2000;
        /// IPv6 addresses only.
        const IPV6 = 0x4000;
    }
}

layout! {
    /// A source to be added.
    #[derive(Copy)]
    pub struct NewSource {
        /// Server, peer or pool.
        pub kind: NewSourceKind,
        /// Name or address.
        pub name: Name,
        /// UDP port.
        pub port: u32,
        /// Shortest poll interval, log₂ seconds.
        pub min_poll: i32,
        /// Longest poll interval, log₂ seconds.
        pub max_poll: i32,
        /// The poll interval from which on a request is sent ahead, log₂ seconds.
        pub presend_min_poll: i32,
        /// The stratum is counted as at least this.
        pub min_stratum: u32,
        /// Measurements that a good poll interval keeps in use.
        pub poll_target: u32,
        /// NTP version of the requests.
        pub version: u32,
        /// Sources of a pool that are used.
        pub max_sources: u32,
        /// Measurements that are kept at least; negative: the default.
        pub min_samples: i32,
        /// Measurements that are kept at most; negative: the default.
        pub max_samples: i32,
        /// Symmetric key, or 0.
        pub key_id: u32,
        /// TCP port of the NTS key establishment.
        pub nts_port: u32,
        /// Measurements with a longer delay are not used, s.
        pub max_delay: Float,
        /// The delay may be this many times the shortest.
        pub max_delay_ratio: Float,
        /// The delay may grow by this many times the deviation of the measurements.
        pub max_delay_dev_ratio: Float,
        /// The shortest delay is taken as at least this, s; 0: as measured.
        pub min_delay: Float,
        /// Asymmetry of the jitter, −0.5 to 0.5; 1 and more: as estimated.
        pub asymmetry: Float,
        /// Added to every measured offset, s.
        pub offset: Float,
        /// What is on or off.
        pub flags: SourceFlags,
        /// Measurements of which a filter makes one; 0 and 1: none.
        pub filter_length: i32,
        /// The set of trusted certificates for NTS.
        pub certificate_set: u32,
        /// Only measurements below this quantile of the delay are used, 0 to 1; 0: no limit.
        pub max_delay_quantile: Float,
        /// Polls without a reply after which the source is not selected any more. chrony 4.3 sends 0.
        pub max_unreach: i32,
    }
}
