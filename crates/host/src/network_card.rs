//! A network card that stamps datagrams itself: it is told to, and its clock is followed, so that
//! its stamps become system time.

use std::ffi::c_ulong;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use thiserror::Error;
use timeball_wire::time::Span;

use crate::os::{check, open_socket};
use crate::phc::{Converted, CrossTimestamps, Phc, PhcReading, PhcTimeline};
use crate::socket::HardwareStamp;

/// Why a network card does not stamp.
#[derive(Debug, Error)]
pub enum NetworkCardError {
    /// There is no such interface.
    #[error("there is no interface {interface}: {source}")]
    NoSuchInterface {
        /// Its name.
        interface: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The card or its driver has no clock, or does not stamp what it sends.
    #[error("interface {interface} has no timestamps in hardware")]
    NotOffered {
        /// Its name.
        interface: String,
    },
    /// It could, but the kernel does not let us.
    #[error("cannot {doing} of interface {interface}: {source}")]
    Refused {
        /// Its name.
        interface: String,
        /// What failed.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Which way a stamped datagram went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards us.
    Received,
    /// Away from us.
    Sent,
}

/// How a network card is to stamp. What it sends it always stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkCardOptions {
    /// What it stamps of what it receives.
    pub filter: ReceiveFilter,
    /// How its clock is read.
    pub cross_timestamps: CrossTimestamps,
}

/// What a network card is asked to stamp of what it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiveFilter {
    /// NTP's datagrams alone if it can, else all, else what it stamps already.
    Best,
    /// All.
    All,
    /// NTP's.
    Ntp,
    /// Those of the Precision Time Protocol.
    Ptp,
    /// None.
    None,
}

/// Which of the datagrams it receives a network card stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reception {
    /// All of NTP's.
    Stamped,
    /// At most those of the Precision Time Protocol.
    NotStamped,
}

/// A network card with a clock.
#[derive(Debug)]
pub struct NetworkCard {
    index: u32,
    megabits_per_second: Option<u32>,
    reception: Reception,
    phc: Phc,
    timeline: PhcTimeline,
}

impl NetworkCard {
    /// Has the card of `interface` stamp as `options` say, and opens its clock. Stamping that is on
    /// already and does is left as it is.
    ///
    /// # Errors
    ///
    /// See [`NetworkCardError`]. Most cards cannot; a daemon then uses the kernel's stamps.
    pub fn open(interface: &str, options: NetworkCardOptions) -> Result<Self, NetworkCardError> {
        let refused = |doing| {
            let interface = interface.to_owned();
            move |source| NetworkCardError::Refused { interface, doing, source }
        };
        let not_offered = || NetworkCardError::NotOffered { interface: interface.to_owned() };
        let socket = open_socket(libc::AF_INET, libc::SOCK_DGRAM)
            .or_else(|_| open_socket(libc::AF_INET6, libc::SOCK_DGRAM))
            .map_err(refused("ask about the timestamps"))?;
        let index = interface_index(&socket, interface).map_err(|source| {
            NetworkCardError::NoSuchInterface { interface: interface.to_owned(), source }
        })?;
        let abilities = abilities(&socket, interface).map_err(|_| not_offered())?;
        let phc_index = u32::try_from(abilities.phc_index).map_err(|_| not_offered())?;
        if !stamps_what_it_sends(&abilities) {
            return Err(not_offered());
        }
        let filter = Filter::new(options.filter, abilities.rx_filters);
        enable(&socket, interface, filter).map_err(refused("switch on the timestamps"))?;
        let phc = Phc::open(phc_index, options.cross_timestamps);
        let mut card = Self {
            index,
            megabits_per_second: speed(&socket, interface),
            reception: filter.reception(),
            phc: phc.map_err(refused("open the clock"))?,
            timeline: PhcTimeline::default(),
        };
        card.follow().map_err(refused("read the clock"))?;
        Ok(card)
    }

    /// The number of the card's clock: `/dev/ptp` and this.
    pub fn clock_number(&self) -> u32 {
        self.phc.index()
    }

    /// Which of the datagrams it receives the card stamps. What it sends it stamps in any case.
    pub fn reception(&self) -> Reception {
        self.reception
    }

    /// Reads the card's clock. To be called before a datagram is sent, before its stamp and that
    /// of the answer are converted, and right after each change of the system clock's frequency:
    /// then the stamps lie between readings among which both clocks ran evenly.
    ///
    /// # Errors
    ///
    /// When the driver cannot.
    pub fn follow(&mut self) -> io::Result<PhcReading> {
        let reading = self.phc.read()?;
        self.timeline.add(reading);
        Ok(reading)
    }

    /// Forgets what is known of the card's clock, because the system clock was stepped.
    pub fn forget(&mut self) {
        self.timeline.clear();
    }

    /// The stamp in system time; `None` if another card made it, or its clock was not followed
    /// closely enough.
    pub fn convert(&self, stamp: &HardwareStamp, direction: Direction) -> Option<Converted> {
        if stamp.interface.is_some_and(|index| index != self.index) {
            return None;
        }
        let converted = self.timeline.to_system(stamp.nanos)?;
        let to_end = match direction {
            Direction::Received => time_of_frame(stamp.frame_length, self.megabits_per_second),
            Direction::Sent => Span::ZERO,
        };
        Some(Converted { at: converted.at + to_end, ..converted })
    }
}

/// The time a received frame takes. Cards stamp its beginning, but NTP's receive timestamp is of
/// its end; a frame that is sent is stamped at its beginning in any case. Zero if not known.
fn time_of_frame(length: Option<u32>, megabits_per_second: Option<u32>) -> Span {
    /// The check sequence, which the kernel does not count.
    const TRAILER: i64 = 4;
    match (length, megabits_per_second) {
        (Some(length), Some(speed)) if speed > 0 => {
            Span::from_nanos((i64::from(length) + TRAILER) * 8 * 1000 / i64::from(speed))
        }
        _ => Span::ZERO,
    }
}

/// What a card can do (`struct ethtool_ts_info`, linux/ethtool.h).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Abilities {
    command: u32,
    so_timestamping: u32,
    phc_index: i32,
    tx_types: u32,
    tx_reserved: [u32; 3],
    rx_filters: u32,
    rx_reserved: [u32; 3],
}

/// `struct ethtool_cmd`, linux/ethtool.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct LinkSettings {
    command: u32,
    supported: u32,
    advertising: u32,
    speed_low: u16,
    modes: [u8; 6],
    max_packets: [u32; 2],
    speed_high: u16,
    mdix: [u8; 2],
    lp_advertising: u32,
    reserved: [u32; 2],
}

const ETHTOOL_GSET: u32 = 0x01;
const ETHTOOL_GET_TS_INFO: u32 = 0x41;
const SIOCETHTOOL: c_ulong = 0x8946;
const SIOCGIFINDEX: c_ulong = 0x8933;
// `enum hwtstamp_rx_filters`, linux/net_tstamp.h.
const FILTER_NONE: u32 = 0;
const FILTER_ALL: u32 = 1;
const FILTER_PTP_V2_L4_EVENT: u32 = 6;
const FILTER_PTP_V2_EVENT: u32 = 12;
const FILTER_NTP_ALL: u32 = 15;

fn stamps_what_it_sends(abilities: &Abilities) -> bool {
    let needed = libc::SOF_TIMESTAMPING_TX_HARDWARE | libc::SOF_TIMESTAMPING_RAW_HARDWARE;
    abilities.so_timestamping & needed == needed
}

/// The driver's filter of what is stamped on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    /// This one.
    Exactly(u32),
    /// This one, or that of all.
    AtLeast(u32),
    /// Whichever it has: none is of use.
    Any,
}

impl Filter {
    /// The driver's filter nearest to what is wanted. One that it does not offer it will refuse.
    fn new(wanted: ReceiveFilter, offered: u32) -> Self {
        let offered = |filter: u32| offered & (1 << filter) != 0;
        match wanted {
            ReceiveFilter::Best if offered(FILTER_NTP_ALL) => Self::AtLeast(FILTER_NTP_ALL),
            ReceiveFilter::Best if offered(FILTER_ALL) => Self::AtLeast(FILTER_ALL),
            ReceiveFilter::Best => Self::Any,
            ReceiveFilter::All => Self::Exactly(FILTER_ALL),
            ReceiveFilter::Ntp => Self::AtLeast(FILTER_NTP_ALL),
            ReceiveFilter::Ptp if offered(FILTER_PTP_V2_L4_EVENT) => {
                Self::Exactly(FILTER_PTP_V2_L4_EVENT)
            }
            ReceiveFilter::Ptp => Self::Exactly(FILTER_PTP_V2_EVENT),
            ReceiveFilter::None => Self::Exactly(FILTER_NONE),
        }
    }

    /// True if nothing need be changed of the filter that is there.
    fn is_met_by(self, present: u32) -> bool {
        match self {
            Self::Exactly(wanted) => present == wanted,
            Self::AtLeast(wanted) => [wanted, FILTER_ALL].contains(&present),
            Self::Any => true,
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::Exactly(number) | Self::AtLeast(number) => number,
            Self::Any => FILTER_NONE,
        }
    }

    fn reception(self) -> Reception {
        match self.number() {
            FILTER_ALL | FILTER_NTP_ALL => Reception::Stamped,
            _ => Reception::NotStamped,
        }
    }
}

fn stamping(filter: Filter) -> libc::hwtstamp_config {
    libc::hwtstamp_config {
        flags: 0,
        tx_type: libc::HWTSTAMP_TX_ON.cast_signed(),
        rx_filter: filter.number().cast_signed(),
    }
}

fn enable(socket: &OwnedFd, interface: &str, filter: Filter) -> io::Result<()> {
    let mut wanted = stamping(filter);
    let mut present = stamping(Filter::Any);
    let known = ask(socket, interface, libc::SIOCGHWTSTAMP, &mut present).is_ok();
    let met = filter.is_met_by(present.rx_filter.cast_unsigned());
    if known && present.tx_type == wanted.tx_type && met {
        return Ok(());
    }
    ask(socket, interface, libc::SIOCSHWTSTAMP, &mut wanted)
}

fn abilities(socket: &OwnedFd, interface: &str) -> io::Result<Abilities> {
    let mut abilities = Abilities { command: ETHTOOL_GET_TS_INFO, ..Abilities::default() };
    ask(socket, interface, SIOCETHTOOL, &mut abilities)?;
    Ok(abilities)
}

/// Megabits per second, if the link is up and its driver tells.
fn speed(socket: &OwnedFd, interface: &str) -> Option<u32> {
    let mut settings = LinkSettings { command: ETHTOOL_GSET, ..LinkSettings::default() };
    ask(socket, interface, SIOCETHTOOL, &mut settings).ok()?;
    match u32::from(settings.speed_high) << 16 | u32::from(settings.speed_low) {
        0 | 0xffff | u32::MAX => None,
        speed => Some(speed),
    }
}

/// Asks the driver of an interface to read and fill `data`, which has the type of `request`.
fn ask<T>(socket: &OwnedFd, interface: &str, request: c_ulong, data: &mut T) -> io::Result<()> {
    let mut ifreq = interface_request(interface)?;
    ifreq.ifr_ifru.ifru_data = std::ptr::from_mut(data).cast();
    // SAFETY: `ifreq` names the interface and points to `data`; the callers pair each request
    // with the structure that the kernel expects for it, and both live until the call returns.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), request as libc::Ioctl, &raw mut ifreq) })?;
    Ok(())
}

pub(crate) fn interface_index(socket: &OwnedFd, interface: &str) -> io::Result<u32> {
    let mut ifreq = interface_request(interface)?;
    // SAFETY: this request reads the name in `ifreq` and writes the index into it.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGIFINDEX as libc::Ioctl, &raw mut ifreq) })?;
    // SAFETY: the call succeeded, so the union holds the index.
    let index = unsafe { ifreq.ifr_ifru.ifru_ifindex };
    u32::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

fn interface_request(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is made of integers and pointers; all-zero bytes are a value.
    let mut ifreq: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero: the name is a C string.
    if interface.is_empty() || interface.len() >= ifreq.ifr_name.len() || interface.contains('\0') {
        let reason = format!("{interface:?} is not the name of an interface");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    for (to, from) in ifreq.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    Ok(ifreq)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: NetworkCardOptions =
        NetworkCardOptions { filter: ReceiveFilter::Best, cross_timestamps: CrossTimestamps::Used };

    #[test]
    fn the_structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<Abilities>(), 44);
        assert_eq!(size_of::<LinkSettings>(), 44);
    }

    #[test]
    fn a_card_is_of_use_if_it_stamps_what_it_sends() {
        let abilities = |so_timestamping| Abilities { so_timestamping, ..Abilities::default() };
        assert!(stamps_what_it_sends(&abilities(0x5f)));
        assert!(!stamps_what_it_sends(&abilities(0x1a)));
    }

    #[test]
    fn the_best_filter_is_chosen() {
        let best = |offered| Filter::new(ReceiveFilter::Best, offered);
        let ntp = best(1 | 1 << 1 | 1 << 15);
        assert_eq!((ntp, ntp.reception()), (Filter::AtLeast(15), Reception::Stamped));
        let all = best(1 | 1 << 1);
        assert_eq!((all, all.reception()), (Filter::AtLeast(1), Reception::Stamped));
        let none = best(1 | 1 << 12);
        assert_eq!((none, none.reception()), (Filter::Any, Reception::NotStamped));
    }

    #[test]
    fn the_filter_that_is_asked_for_is_taken_as_it_is() {
        let everything = u32::MAX;
        for (wanted, offered, number, reception) in [
            (ReceiveFilter::All, everything, 1, Reception::Stamped),
            (ReceiveFilter::Ntp, everything, 15, Reception::Stamped),
            // The driver will say that it has none.
            (ReceiveFilter::Ntp, 1, 15, Reception::Stamped),
            (ReceiveFilter::Ptp, everything, 6, Reception::NotStamped),
            (ReceiveFilter::Ptp, 1 | 1 << 12, 12, Reception::NotStamped),
            (ReceiveFilter::None, everything, 0, Reception::NotStamped),
        ] {
            let filter = Filter::new(wanted, offered);
            assert_eq!((filter.number(), filter.reception()), (number, reception), "{wanted:?}");
            assert!(filter.is_met_by(number), "{wanted:?}");
        }
    }

    #[test]
    fn a_filter_that_somebody_else_has_set_is_left_alone_if_it_does() {
        let ntp = Filter::new(ReceiveFilter::Ntp, u32::MAX);
        assert!(ntp.is_met_by(FILTER_ALL) && !ntp.is_met_by(FILTER_PTP_V2_EVENT));
        let none = Filter::new(ReceiveFilter::None, u32::MAX);
        assert!(!none.is_met_by(FILTER_ALL));
        // A card that stamps PTP alone goes on doing so for those who use it.
        assert!(Filter::new(ReceiveFilter::Best, 1 | 1 << 12).is_met_by(FILTER_PTP_V2_EVENT));
    }

    #[test]
    fn a_frame_takes_its_time() {
        // 90 bytes and the check sequence at 1 Gb/s.
        assert_eq!(time_of_frame(Some(90), Some(1000)), Span::from_nanos(752));
        assert_eq!(time_of_frame(Some(90), None), Span::ZERO);
        assert_eq!(time_of_frame(None, Some(1000)), Span::ZERO);
    }

    #[test]
    fn a_card_without_a_clock_says_so() {
        let error = NetworkCard::open("lo", OPTIONS).unwrap_err();
        assert!(matches!(error, NetworkCardError::NotOffered { .. }), "{error}");
        for name in ["nowhere0", "", "a name that is far too long"] {
            let error = NetworkCard::open(name, OPTIONS).unwrap_err();
            assert!(matches!(error, NetworkCardError::NoSuchInterface { .. }), "{error}");
        }
    }

    #[test]
    fn the_index_of_an_interface_is_found() {
        let socket = open_socket(libc::AF_INET, libc::SOCK_DGRAM).unwrap();
        assert_eq!(interface_index(&socket, "lo").unwrap(), 1);
    }
}
