//! Ancillary data ⇄ types (`cmsg(3)`).
//!
//! The kernel lays it out as a list of records: length (including this header), level, type, data,
//! each record starting at a multiple of the word size.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use timeball_wire::time::Timestamp;

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
compile_error!("the layout of ancillary data is known for 64-bit Linux with glibc only");

const WORD: usize = size_of::<usize>();
const HEADER: usize = size_of::<libc::cmsghdr>();
/// `SCM_TIMESTAMPING_PKTINFO` (linux/errqueue.h).
const SCM_TIMESTAMPING_PKTINFO: i32 = 58;
/// `SO_EE_ORIGIN_TIMESTAMPING` (linux/errqueue.h).
const ORIGIN_TIMESTAMPING: u8 = 4;
/// `SO_EE_ORIGIN_LOCAL`, `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`.
const ORIGIN_LOCAL: u8 = 1;
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;
/// `SCM_TSTAMP_SND`: the datagram was handed to the network card, or left it.
const STAMP_OF_SENDING: u32 = 0;

/// What the kernel told about a datagram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ancillary {
    /// When the kernel handled it, by the system clock.
    pub(super) software: Option<Timestamp>,
    /// When the network card handled it, in nanoseconds of the card's own clock.
    pub(super) hardware: Option<i64>,
    /// Our address to answer from: the one that it was sent to, unless that is everybody's.
    pub(super) destination: Option<IpAddr>,
    /// It was sent to a broadcast or multicast address.
    pub(super) to_everybody: bool,
    /// The interface it came through.
    pub(super) interface: Option<u32>,
    /// The interface whose clock made the hardware stamp, and the length of the frame.
    pub(super) hardware_origin: Option<HardwareOrigin>,
    /// For an entry of the error queue that tells of a transmission: which one.
    pub(super) transmission: Option<u32>,
    /// For an entry of the error queue that comes from the network: the number of the error.
    pub(super) error: Option<i32>,
}

/// Which network card stamped a frame, and how long that frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HardwareOrigin {
    pub(super) interface: u32,
    pub(super) frame_length: u32,
}

impl Ancillary {
    /// Decodes what the kernel wrote. What is unknown or cut off is left out.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let mut ancillary = Self::default();
        for record in Records(bytes) {
            ancillary.take(record);
        }
        ancillary
    }

    fn take(&mut self, record: Record<'_>) {
        let data = record.data;
        match (record.level, record.kind) {
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPING) => {
                // Three times: software, unused, hardware. Zero is "none".
                self.software = kernel_time(data, 0).map(Timestamp::from_nanos);
                self.hardware = kernel_time(data, 32);
            }
            (libc::SOL_SOCKET, SCM_TIMESTAMPING_PKTINFO) => {
                if let (Some(interface), Some(frame_length)) = (u32_at(data, 0), u32_at(data, 4)) {
                    self.hardware_origin = Some(HardwareOrigin { interface, frame_length });
                }
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                self.interface = u32_at(data, 0).filter(|&index| index != 0);
                // The local address to answer from, and the destination in the datagram's header:
                // they differ if that is no address of a single host.
                let local = ipv4_at(data, 4);
                let destination = ipv4_at(data, 8).filter(|address| !address.is_unspecified());
                self.destination =
                    local.filter(|address| !address.is_unspecified()).map(IpAddr::V4);
                self.to_everybody = destination.is_some() && destination != local;
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let destination = array_at::<16>(data, 0).map(Ipv6Addr::from);
                self.to_everybody = destination.is_some_and(|address| address.is_multicast());
                self.destination = destination.filter(|_| !self.to_everybody).map(IpAddr::V6);
                self.interface = u32_at(data, 16).filter(|&index| index != 0);
            }
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                let origin = data.get(4).copied();
                let info = u32_at(data, 8);
                if origin == Some(ORIGIN_TIMESTAMPING) && info == Some(STAMP_OF_SENDING) {
                    self.transmission = u32_at(data, 12);
                }
                if matches!(origin, Some(ORIGIN_LOCAL | ORIGIN_ICMP | ORIGIN_ICMP6)) {
                    self.error = i32_at(data, 0);
                }
            }
            _ => {}
        }
    }
}

/// One record.
struct Record<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
}

/// The records of a list, up to the first that is malformed or cut off.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let bytes = self.0;
        let length = usize::from_ne_bytes(bytes.get(..WORD)?.try_into().ok()?);
        let level = i32_at(bytes, WORD)?;
        let kind = i32_at(bytes, WORD + 4)?;
        let data = bytes.get(HEADER..length)?;
        let next = length.checked_next_multiple_of(WORD)?;
        self.0 = bytes.get(next..).unwrap_or_default();
        Some(Record { level, kind, data })
    }
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn ipv4_at(bytes: &[u8], offset: usize) -> Option<Ipv4Addr> {
    array_at::<4>(bytes, offset).map(Ipv4Addr::from)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_ne_bytes)
}

fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    array_at(bytes, offset).map(i32::from_ne_bytes)
}

fn i64_at(bytes: &[u8], offset: usize) -> Option<i64> {
    array_at(bytes, offset).map(i64::from_ne_bytes)
}

/// The `timespec` at `offset` in nanoseconds, unless it is zero.
fn kernel_time(bytes: &[u8], offset: usize) -> Option<i64> {
    let (seconds, nanos) = (i64_at(bytes, offset)?, i64_at(bytes, offset + 8)?);
    if (seconds, nanos) == (0, 0) {
        return None;
    }
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Ancillary data to send along with a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct ControlBuffer {
    words: [u64; Self::WORDS],
    length: usize,
}

impl ControlBuffer {
    /// Room for a source address and a request for timestamps.
    const WORDS: usize = 10;

    pub(super) const fn new() -> Self {
        Self { words: [0; Self::WORDS], length: 0 }
    }

    /// Sends from `source` rather than the address the routing table would choose.
    #[must_use]
    pub(super) fn source(self, source: IpAddr) -> Self {
        match source {
            IpAddr::V4(address) => {
                // struct in_pktinfo: interface (any), source address, unused.
                let mut info = [0u8; 12];
                info[4..8].copy_from_slice(&address.octets());
                self.record(libc::IPPROTO_IP, libc::IP_PKTINFO, &info)
            }
            IpAddr::V6(address) => {
                // struct in6_pktinfo: source address, interface (any).
                let mut info = [0u8; 20];
                info[..16].copy_from_slice(&address.octets());
                self.record(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info)
            }
        }
    }

    /// Asks for the timestamps in `flags` (`SOF_TIMESTAMPING_TX_*`) for this datagram alone.
    #[must_use]
    pub(super) fn stamps(self, flags: u32) -> Self {
        self.record(libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &flags.to_ne_bytes())
    }

    fn record(mut self, level: i32, kind: i32, data: &[u8]) -> Self {
        let start = self.length;
        let bytes = self.bytes_mut();
        let length = HEADER + data.len();
        // Each caller above adds its record once; `WORDS` has room for all of them.
        if let Some(room) = bytes.get_mut(start..start + length.next_multiple_of(WORD)) {
            room[..WORD].copy_from_slice(&length.to_ne_bytes());
            room[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
            room[WORD + 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
            room[HEADER..length].copy_from_slice(data);
            self.length += length.next_multiple_of(WORD);
        }
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the words are as many bytes as their size says, and any bytes are words.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.words.as_mut_ptr().cast(),
                size_of::<[u64; Self::WORDS]>(),
            )
        }
    }

    /// For the kernel to read; valid for [`ControlBuffer::length`] bytes.
    pub(super) fn as_ptr(&self) -> *const libc::c_void {
        self.words.as_ptr().cast()
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(WORD), 0);
        bytes
    }

    fn times(values: [i64; 6]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_ne_bytes()).collect()
    }

    #[test]
    fn stamps_and_addresses_are_found_in_any_company() {
        let mut bytes = record(libc::SOL_SOCKET, 12345, &[1, 2, 3]);
        bytes.extend(record(libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &times([7, 5, 0, 0, 0, 0])));
        bytes.extend(record(
            libc::IPPROTO_IP,
            libc::IP_PKTINFO,
            &[2, 0, 0, 0, 127, 0, 0, 9, 127, 0, 0, 9],
        ));
        let ancillary = Ancillary::decode(&bytes);
        assert_eq!(
            ancillary,
            Ancillary {
                software: Some(Timestamp::from_nanos(7_000_000_005)),
                destination: Some("127.0.0.9".parse().unwrap()),
                interface: Some(2),
                ..Ancillary::default()
            }
        );
    }

    #[test]
    fn what_is_sent_to_everybody_says_so() {
        let over_4 = |local: [u8; 4], destination: [u8; 4]| {
            let data = [&[2, 0, 0, 0], &local[..], &destination].concat();
            let told = Ancillary::decode(&record(libc::IPPROTO_IP, libc::IP_PKTINFO, &data));
            (told.destination.map(|address| address.to_string()), told.to_everybody)
        };
        let ours = [192, 0, 2, 1];
        let local = Some("192.0.2.1".to_owned());
        assert_eq!(over_4(ours, ours), (local.clone(), false));
        for everybody in [[192, 0, 2, 255], [255; 4], [224, 0, 1, 1]] {
            assert_eq!(over_4(ours, everybody), (local.clone(), true));
            // There may be no address to answer from.
            assert_eq!(over_4([0; 4], everybody), (None, true));
        }
        // Where the destination is not told, nothing follows.
        assert_eq!(over_4(ours, [0; 4]), (local, false));

        let over_6 = |destination: &str| {
            let address: Ipv6Addr = destination.parse().unwrap();
            let data = [&address.octets()[..], &[2, 0, 0, 0]].concat();
            let told = Ancillary::decode(&record(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &data));
            (told.destination.map(|address| address.to_string()), told.to_everybody)
        };
        assert_eq!(over_6("2001:db8::1"), (Some("2001:db8::1".to_owned()), false));
        assert_eq!(over_6("ff02::101"), (None, true));
    }

    #[test]
    fn hardware_stamps_come_with_their_origin() {
        let mut bytes = record(libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &times([0, 0, 0, 0, 3, 1]));
        let origin: Vec<u8> = [4u32, 90, 0, 0].iter().flat_map(|v| v.to_ne_bytes()).collect();
        bytes.extend(record(libc::SOL_SOCKET, SCM_TIMESTAMPING_PKTINFO, &origin));
        let ancillary = Ancillary::decode(&bytes);
        assert_eq!(ancillary.software, None);
        assert_eq!(ancillary.hardware, Some(3_000_000_001));
        let origin = HardwareOrigin { interface: 4, frame_length: 90 };
        assert_eq!(ancillary.hardware_origin, Some(origin));
    }

    #[test]
    fn only_stamps_of_sending_name_a_transmission() {
        let extended = |origin: u8, info: u32| {
            let mut data = 42u32.to_ne_bytes().to_vec();
            data.extend([origin, 0, 0, 0]);
            data.extend(info.to_ne_bytes());
            data.extend(17u32.to_ne_bytes());
            Ancillary::decode(&record(libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &data)).transmission
        };
        assert_eq!(extended(ORIGIN_TIMESTAMPING, STAMP_OF_SENDING), Some(17));
        assert_eq!(extended(ORIGIN_TIMESTAMPING, 1), None);
        assert_eq!(extended(2, STAMP_OF_SENDING), None);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let source: IpAddr = "2001:db8::17".parse().unwrap();
        let mut buffer = ControlBuffer::new().source(source).stamps(3);
        let length = buffer.length();
        let bytes = buffer.bytes_mut()[..length].to_vec();
        assert_eq!(Ancillary::decode(&bytes).destination, Some(source));
        let kinds: Vec<_> = Records(&bytes).map(|record| (record.level, record.kind)).collect();
        assert_eq!(
            kinds,
            [(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), (libc::SOL_SOCKET, libc::SO_TIMESTAMPING)]
        );
        assert_eq!(length, 40 + 24);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Ancillary::decode(&bytes);
        }

        #[test]
        fn no_length_panics(length in any::<usize>(), rest in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(rest);
            let _ = Ancillary::decode(&bytes);
        }
    }
}
