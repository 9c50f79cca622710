//! The network cards that stamp datagrams by clocks of their own: followed, so that their stamps
//! become system time.
//!
//! A card is found by the first datagram that comes through its interface. Its clock is read before
//! each request is sent and after each answer has come, so that the stamps of both lie between two
//! readings; and right after each change of the system clock's frequency, so that both clocks ran
//! evenly from one reading to the next. A stamp that cannot be converted, or that does not fit what
//! the kernel noted of the same datagram, is not used.

use std::collections::BTreeMap;

use timeball_config::Timestamping;
use timeball_host::interfaces;
use timeball_host::network_card::{Direction, NetworkCard, NetworkCardError, Reception};
use timeball_host::phc::Converted;
use timeball_host::socket::{HardwareStamp, Stamp, StampSource};
use timeball_wire::{Span, Timestamp};

/// A card's stamp that may be further off gains too little over the kernel's.
const LARGEST_UNCERTAINTY: Span = Span::from_nanos(5_000);
/// How long a datagram may take between card and kernel (interrupts put off, a busy machine). More
/// means that the stamp is of another datagram, or of another card.
const LARGEST_LATENCY: Span = Span::from_millis(100);
/// How much earlier than sent, or later than received, a stamp may seem beyond its uncertainty: the
/// speed of a link, and so how long a frame takes, is known from when the card was opened.
const TOLERANCE: Span = Span::from_nanos(10_000);
/// Readings in a row that are worse than [`LARGEST_UNCERTAINTY`] before a card is given up.
const COARSE_READINGS: u32 = 8;
/// A card that was read so recently need not be read again for the next request.
const FRESH: Span = Span::from_millis(10);

/// The network cards met so far, by the index of their interface.
#[derive(Debug)]
pub(crate) struct NetworkCards {
    cards: BTreeMap<u32, Card>,
    wanted: Timestamping,
}

#[derive(Debug)]
enum Card {
    Followed(Box<Followed>),
    /// It cannot or must not stamp, which has been said.
    Useless,
}

#[derive(Debug)]
struct Followed {
    interface: String,
    card: NetworkCard,
    /// When its clock was read last, by the system clock.
    read: Option<Timestamp>,
    /// Readings since the last good one.
    coarse: u32,
}

impl NetworkCards {
    pub(crate) fn new(timestamping: Timestamping) -> Self {
        Self { cards: BTreeMap::new(), wanted: timestamping }
    }

    /// Uses cards, or does not, from now on. Those that did not work are tried again.
    pub(crate) fn configure(&mut self, timestamping: Timestamping) {
        self.wanted = timestamping;
        self.cards.retain(|_, card| match (card, timestamping) {
            (Card::Followed(_), Timestamping::Hardware) => true,
            (Card::Followed(_), Timestamping::Kernel | Timestamping::Daemon)
            | (Card::Useless, _) => false,
        });
    }

    /// True if some card may stamp what is sent now.
    pub(crate) fn any(&self) -> bool {
        self.cards.values().any(|card| matches!(card, Card::Followed(_)))
    }

    /// A datagram came through this interface: if it is the first, its card is opened.
    pub(crate) fn meet(&mut self, interface: u32) {
        match self.wanted {
            Timestamping::Hardware => {
                self.cards.entry(interface).or_insert_with(|| open(interface));
            }
            Timestamping::Kernel | Timestamping::Daemon => {}
        }
    }

    /// Reads the clocks of all cards, because a request is about to be sent.
    pub(crate) fn before_sending(&mut self, now: Timestamp) {
        for card in self.cards.values_mut() {
            if !card.was_read_at(now) {
                card.follow();
            }
        }
    }

    /// Reads the clock of one card, because stamps of its datagrams are to be converted.
    pub(crate) fn before_converting(&mut self, interface: u32) {
        if let Some(card) = self.cards.get_mut(&interface) {
            card.follow();
        }
    }

    /// Reads the clocks of all cards, because the frequency of the system clock has just changed.
    pub(crate) fn frequency_changed(&mut self) {
        self.cards.values_mut().for_each(Card::follow);
    }

    /// Forgets all readings, because the system clock was stepped.
    pub(crate) fn clock_stepped(&mut self) {
        for card in self.cards.values_mut() {
            if let Card::Followed(followed) = card {
                followed.card.forget();
                followed.read = None;
            }
        }
    }

    /// The better stamp of a datagram that the card of `interface` has stamped `hardware`.
    pub(crate) fn better(
        &self,
        software: Stamp,
        hardware: &HardwareStamp,
        interface: u32,
        direction: Direction,
    ) -> Stamp {
        let converted = match self.cards.get(&interface) {
            Some(Card::Followed(followed)) => followed.card.convert(hardware, direction),
            Some(Card::Useless) | None => None,
        };
        better(software, converted, direction)
    }
}

/// The card's stamp of a datagram if it is known well enough and can be true, otherwise the one that
/// the kernel or this program made.
fn better(software: Stamp, hardware: Option<Converted>, direction: Direction) -> Stamp {
    let Some(hardware) = hardware else { return software };
    // The card is nearer to the network.
    let latency = match direction {
        Direction::Received => software.at - hardware.at,
        Direction::Sent => hardware.at - software.at,
    };
    let shortest = -(hardware.uncertainty + TOLERANCE);
    let plausible = (shortest..=LARGEST_LATENCY).contains(&latency);
    if plausible && hardware.uncertainty <= LARGEST_UNCERTAINTY {
        Stamp { at: hardware.at, source: StampSource::Hardware }
    } else {
        software
    }
}

fn open(index: u32) -> Card {
    let interface = match interfaces::name_of(index) {
        Ok(Some(name)) => name,
        Ok(None) => {
            tracing::debug!("there is no interface {index} any more");
            return Card::Useless;
        }
        Err(error) => {
            tracing::warn!("the name of interface {index} is unknown: {error}");
            return Card::Useless;
        }
    };
    match NetworkCard::open(&interface) {
        Ok(card) => {
            let number = card.clock_number();
            match card.reception() {
                Reception::Stamped => {
                    tracing::info!("{interface} stamps packets by its own clock /dev/ptp{number}");
                }
                Reception::NotStamped => tracing::info!(
                    "{interface} stamps what it sends by its own clock /dev/ptp{number}, and the \
                     kernel stamps what it receives"
                ),
            }
            Card::Followed(Box::new(Followed { interface, card, read: None, coarse: 0 }))
        }
        Err(error @ NetworkCardError::NotOffered { .. }) => {
            tracing::info!("{error}; the kernel stamps its packets");
            Card::Useless
        }
        Err(
            error @ (NetworkCardError::Refused { .. } | NetworkCardError::NoSuchInterface { .. }),
        ) => {
            tracing::warn!("{error}; the kernel stamps its packets");
            Card::Useless
        }
    }
}

impl Card {
    fn follow(&mut self) {
        let Self::Followed(followed) = self else { return };
        if let Err(reason) = followed.follow() {
            tracing::warn!("{reason}; the kernel stamps the packets of {}", followed.interface);
            *self = Self::Useless;
        }
    }

    fn was_read_at(&self, now: Timestamp) -> bool {
        match self {
            Self::Followed(followed) => {
                followed.read.is_some_and(|read| (now - read).abs() < FRESH)
            }
            Self::Useless => true,
        }
    }
}

impl Followed {
    /// The error is why the card is of no use any more.
    fn follow(&mut self) -> Result<(), String> {
        let reading = match self.card.follow() {
            Ok(reading) => reading,
            Err(error) => return Err(format!("the clock of its card cannot be read: {error}")),
        };
        self.read = Some(reading.system);
        self.coarse = if reading.uncertainty > LARGEST_UNCERTAINTY {
            self.coarse.saturating_add(1)
        } else {
            0
        };
        if self.coarse < COARSE_READINGS {
            return Ok(());
        }
        let micros = reading.uncertainty.seconds() * 1e6;
        Err(format!("the clock of its card can only be read to ±{micros:.0} µs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: Stamp =
        Stamp { at: Timestamp::from_nanos(1_800_000_000_000_000_000), source: StampSource::Kernel };

    /// What is chosen if the card's stamp is this long (ns) after the kernel's.
    fn chosen(direction: Direction, later: i64, uncertainty: i64) -> StampSource {
        let hardware = Converted {
            at: KERNEL.at + Span::from_nanos(later),
            uncertainty: Span::from_nanos(uncertainty),
        };
        let stamp = better(KERNEL, Some(hardware), direction);
        match stamp.source {
            StampSource::Hardware => assert_eq!(stamp.at, hardware.at),
            StampSource::Kernel | StampSource::Daemon => assert_eq!(stamp, KERNEL),
        }
        stamp.source
    }

    #[test]
    fn the_card_receives_before_the_kernel_and_sends_after_it() {
        for (direction, later) in [(Direction::Received, -30_000), (Direction::Sent, 30_000)] {
            assert_eq!(chosen(direction, later, 200), StampSource::Hardware);
            assert_eq!(chosen(direction, -later, 200), StampSource::Kernel);
        }
    }

    #[test]
    fn the_wrong_order_is_believed_within_the_uncertainty() {
        for (direction, sign) in [(Direction::Received, 1), (Direction::Sent, -1)] {
            assert_eq!(chosen(direction, sign * 13_000, 3_000), StampSource::Hardware);
            assert_eq!(chosen(direction, sign * 13_001, 3_000), StampSource::Kernel);
        }
    }

    #[test]
    fn a_stamp_of_another_datagram_is_refused() {
        for (direction, sign) in [(Direction::Received, -1), (Direction::Sent, 1)] {
            assert_eq!(chosen(direction, sign * 100_000_000, 200), StampSource::Hardware);
            assert_eq!(chosen(direction, sign * 100_000_001, 200), StampSource::Kernel);
        }
    }

    #[test]
    fn a_stamp_of_a_clock_in_tai_is_refused() {
        for direction in [Direction::Received, Direction::Sent] {
            assert_eq!(chosen(direction, 37_000_000_000, 200), StampSource::Kernel);
            assert_eq!(chosen(direction, i64::MIN / 4, 200), StampSource::Kernel);
        }
    }

    #[test]
    fn a_vague_stamp_is_refused() {
        for direction in [Direction::Received, Direction::Sent] {
            assert_eq!(chosen(direction, 0, 5_000), StampSource::Hardware);
            assert_eq!(chosen(direction, 0, 5_001), StampSource::Kernel);
        }
    }

    #[test]
    fn without_a_conversion_the_kernel_is_believed() {
        for direction in [Direction::Received, Direction::Sent] {
            assert_eq!(better(KERNEL, None, direction), KERNEL);
        }
    }

    #[test]
    fn an_interface_without_a_clock_is_tried_once() {
        // Loopback, on every Linux.
        const LOOPBACK: u32 = 1;
        let stamp = HardwareStamp { nanos: 1, interface: Some(LOOPBACK), frame_length: None };
        let mut cards = NetworkCards::new(Timestamping::Hardware);
        assert!(cards.cards.is_empty());
        cards.meet(LOOPBACK);
        assert!(matches!(cards.cards.get(&LOOPBACK), Some(Card::Useless)));
        assert!(!cards.any());
        cards.before_sending(KERNEL.at);
        cards.before_converting(LOOPBACK);
        assert_eq!(cards.better(KERNEL, &stamp, LOOPBACK, Direction::Received), KERNEL);
        // A reload gives it another chance.
        cards.configure(Timestamping::Hardware);
        assert!(cards.cards.is_empty());
    }

    #[test]
    fn nothing_is_opened_that_is_not_wanted() {
        for timestamping in [Timestamping::Kernel, Timestamping::Daemon] {
            let mut cards = NetworkCards::new(timestamping);
            cards.meet(1);
            assert!(cards.cards.is_empty());
        }
    }
}
