//! Timestamps of datagrams: what to ask the kernel for, and what it answered
//! (Linux `Documentation/networking/timestamping.rst`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use timeball_wire::time::Timestamp;

use super::control::Ancillary;
use super::message::{self, Envelope};
use crate::clock::system_now;
use crate::os::{open_socket, set_option};

/// When a datagram came or left, by the system clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The moment.
    pub at: Timestamp,
    /// Who looked at the clock.
    pub source: StampSource,
}

/// Who looked at the clock, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StampSource {
    /// This program, after (or before) the call: late by the time until it ran.
    Daemon,
    /// The kernel, in the network stack.
    Kernel,
    /// The network card, converted to system time.
    Hardware,
}

/// When the clock of a network card said a frame came or left: not system time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardwareStamp {
    /// Nanoseconds on the card's own clock.
    pub nanos: i64,
    /// The card's interface, if the kernel told.
    pub interface: Option<u32>,
    /// The length of the frame in bytes, if the kernel told. A received frame is stamped at its
    /// start, software stamps at its end.
    pub frame_length: Option<u32>,
}

impl HardwareStamp {
    pub(super) fn from_ancillary(ancillary: &Ancillary) -> Option<Self> {
        ancillary.hardware.map(|nanos| Self {
            nanos,
            interface: ancillary.hardware_origin.map(|origin| origin.interface),
            frame_length: ancillary.hardware_origin.map(|origin| origin.frame_length),
        })
    }
}

/// The place of a stamped datagram among all that a socket has sent with a stamp, from zero. Nobody
/// else has it, whatever became of those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SendCounter(pub u32);

/// A datagram has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmitted {
    /// Which one.
    pub counter: SendCounter,
    /// When the kernel handed it to the network card, by the system clock; `None` if this report
    /// is of the card alone.
    pub stamp: Option<Stamp>,
    /// When the network card sent it, by its own clock. It comes in a report of its own.
    pub hardware: Option<HardwareStamp>,
}

/// Who stamps the datagrams of a socket: what was asked for, or what the kernel grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stamping {
    /// This program.
    Daemon,
    /// The kernel, but only what is received.
    KernelReceive,
    /// The kernel.
    Kernel,
    /// The kernel, and the network card where it can.
    #[default]
    Hardware,
}

const RECEIVE: u32 = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
/// Reports of transmissions carry a number, and not the datagram.
const REPORT: u32 = libc::SOF_TIMESTAMPING_OPT_ID | libc::SOF_TIMESTAMPING_OPT_TSONLY;
const HARDWARE: u32 = libc::SOF_TIMESTAMPING_RX_HARDWARE
    | libc::SOF_TIMESTAMPING_RAW_HARDWARE
    | libc::SOF_TIMESTAMPING_OPT_PKTINFO
    | libc::SOF_TIMESTAMPING_OPT_TX_SWHW;

/// Which datagrams of a socket are stamped when they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransmitStamps {
    /// All of them.
    Always,
    /// Those that ask for it one by one.
    OnRequest,
}

impl Stamping {
    /// All levels below and including this one, best first.
    fn downward(self) -> impl Iterator<Item = Self> {
        [Self::Hardware, Self::Kernel, Self::KernelReceive, Self::Daemon]
            .into_iter()
            .filter(move |&level| level <= self)
    }

    /// The bits that have the kernel stamp a datagram when it leaves.
    pub(super) const fn transmit_flags(self) -> u32 {
        match self {
            Self::Daemon | Self::KernelReceive => 0,
            Self::Kernel => libc::SOF_TIMESTAMPING_TX_SOFTWARE,
            Self::Hardware => {
                libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_TX_HARDWARE
            }
        }
    }

    const fn socket_flags(self, transmit: TransmitStamps) -> u32 {
        let always = match transmit {
            TransmitStamps::Always => self.transmit_flags(),
            TransmitStamps::OnRequest => 0,
        };
        match self {
            Self::Daemon => 0,
            Self::KernelReceive => RECEIVE,
            Self::Kernel => RECEIVE | REPORT | always,
            Self::Hardware => RECEIVE | REPORT | HARDWARE | always,
        }
    }

    /// Asks the kernel for this level, or the best one below that it grants.
    pub(super) fn enable(self, socket: BorrowedFd<'_>, transmit: TransmitStamps) -> Self {
        self.downward()
            .find(|level| {
                let flags = level.socket_flags(transmit).cast_signed();
                *level == Self::Daemon
                    || set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags).is_ok()
            })
            .unwrap_or(Self::Daemon)
    }
}

/// Counts stamped datagrams along with the kernel.
#[derive(Debug, Default)]
pub(super) struct Counting {
    sent: u32,
    /// What the kernel calls the first one: zero, but simulated kernels may start elsewhere.
    first: Option<u32>,
}

impl Counting {
    /// The number of the datagram that has just been accepted for sending.
    pub(super) fn sent(&mut self) -> SendCounter {
        let counter = SendCounter(self.sent);
        self.sent = self.sent.wrapping_add(1);
        counter
    }

    /// A datagram was refused. Whether the kernel has counted it depends on how far it came (a
    /// firewall refuses late) and on the kernel: it is made to count from zero again, so that what is
    /// sent next is not taken for another.
    pub(super) fn refused(&mut self, socket: BorrowedFd<'_>, stamping: Stamping) {
        match stamping {
            Stamping::Daemon | Stamping::KernelReceive => return,
            Stamping::Kernel | Stamping::Hardware => {}
        }
        let flags = stamping.socket_flags(TransmitStamps::OnRequest);
        // It begins anew when numbers are switched on.
        let restarted = [flags & !libc::SOF_TIMESTAMPING_OPT_ID, flags].into_iter().all(|flags| {
            set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags.cast_signed()).is_ok()
        });
        if restarted {
            self.restart();
        }
    }

    /// The kernel calls the next one zero. Numbers that were given out stay as they are.
    fn restart(&mut self) {
        self.first = Some(0u32.wrapping_sub(self.sent));
    }

    fn reported(&mut self, number: u32) -> SendCounter {
        let first = *self.first.get_or_insert(if self.sent == 1 { number } else { 0 });
        SendCounter(number.wrapping_sub(first))
    }

    /// Takes one report from the error queue. `None` if there is none, or it tells of something
    /// else.
    pub(super) fn receive_report(
        &mut self,
        socket: BorrowedFd<'_>,
        envelope: &mut Envelope,
    ) -> io::Result<Option<Transmitted>> {
        // Kernels that return the datagram in spite of `OPT_TSONLY` may cut it.
        let mut unused = [0u8; 1];
        let written = message::receive(socket, &mut unused, envelope, libc::MSG_ERRQUEUE)?;
        let Some(written) = written else { return Ok(None) };
        let ancillary = envelope.ancillary(written);
        Ok(ancillary.transmission.map(|number| Transmitted {
            counter: self.reported(number),
            stamp: ancillary.software.map(|at| Stamp { at, source: StampSource::Kernel }),
            hardware: HardwareStamp::from_ancillary(&ancillary),
        }))
    }
}

/// Keeps the kernel stamping what it receives while no other socket asks for it.
///
/// The kernel starts to stamp when the first socket asks and stops when the last one closes, and
/// either takes effect a little later: without this, the first answer on a fresh socket often has
/// no stamp. One is enough for the whole machine.
#[derive(Debug)]
pub struct StampKeeper {
    _socket: OwnedFd,
}

impl StampKeeper {
    /// Has the kernel stamp from now on.
    ///
    /// # Errors
    ///
    /// When there is no IPv4, or the kernel does not stamp.
    pub fn open() -> io::Result<Self> {
        let socket = open_socket(libc::AF_INET, libc::SOCK_DGRAM)?;
        let flags = RECEIVE.cast_signed();
        set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags)?;
        Ok(Self { _socket: socket })
    }
}

/// The time to use for a datagram that the kernel did not stamp.
pub(super) fn daemon_time() -> io::Result<Timestamp> {
    system_now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_granted_from_the_top() {
        let below = |level: Stamping| level.downward().collect::<Vec<_>>();
        assert_eq!(below(Stamping::Daemon), [Stamping::Daemon]);
        assert_eq!(
            below(Stamping::Hardware),
            [Stamping::Hardware, Stamping::Kernel, Stamping::KernelReceive, Stamping::Daemon]
        );
    }

    #[test]
    fn transmit_stamps_on_request_leave_the_socket_without_transmit_bits() {
        let flags = Stamping::Hardware.socket_flags(TransmitStamps::OnRequest);
        assert_eq!(flags & Stamping::Hardware.transmit_flags(), 0);
        let flags = Stamping::Kernel.socket_flags(TransmitStamps::Always);
        assert_eq!(flags & Stamping::Hardware.transmit_flags(), libc::SOF_TIMESTAMPING_TX_SOFTWARE);
    }

    #[test]
    fn counting_follows_a_kernel_that_starts_at_one() {
        let mut counting = Counting::default();
        assert_eq!(counting.sent(), SendCounter(0));
        assert_eq!(counting.reported(1), SendCounter(0));
        assert_eq!(counting.sent(), SendCounter(1));
        assert_eq!(counting.reported(2), SendCounter(1));
    }

    #[test]
    fn counting_goes_on_where_the_kernel_begins_anew() {
        let mut counting = Counting::default();
        for number in 0..3 {
            assert_eq!(counting.sent(), SendCounter(number));
        }
        counting.restart();
        assert_eq!(counting.sent(), SendCounter(3));
        assert_eq!(counting.reported(0), SendCounter(3));
        assert_eq!(counting.sent(), SendCounter(4));
        assert_eq!(counting.reported(1), SendCounter(4));
        // A late report of one from before is taken for none that is on its way.
        assert_eq!(counting.reported(2), SendCounter(5));
    }

    #[test]
    fn counting_follows_a_kernel_whose_first_report_is_late() {
        let mut counting = Counting::default();
        counting.sent();
        counting.sent();
        assert_eq!(counting.reported(1), SendCounter(1));
        assert_eq!(counting.reported(0), SendCounter(0));
    }
}
