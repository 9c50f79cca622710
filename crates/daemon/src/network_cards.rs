//! The network cards that stamp datagrams by clocks of their own: followed, so that their stamps
//! become system time.
//!
//! Cards are opened at the start, while there is the right to. From the first datagram that comes
//! through its interface on, a card's clock is read before each request is sent and after each answer
//! has come, so that the stamps of both lie between two readings; and right after each change of the system clock's frequency, so that both clocks ran
//! evenly from one reading to the next. A stamp that cannot be converted, or that does not fit what
//! the kernel noted of the same datagram, is not used.

use std::collections::BTreeMap;

use timeball_config::{Network, Timestamping};
use timeball_host::interfaces;
use timeball_host::network_card::{
    Direction, NetworkCard, NetworkCardError, NetworkCardOptions, ReceiveFilter, Reception,
};
use timeball_host::phc::{Converted, CrossTimestamps};
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

/// The network cards of this machine that are to stamp, by the index of their interface.
#[derive(Debug)]
pub(crate) struct NetworkCards {
    cards: BTreeMap<u32, Card>,
    network: Network,
}

#[derive(Debug)]
enum Card {
    /// It is open, and nothing has come through its interface so far.
    Idle(Box<Opened>),
    Followed(Box<Opened>),
    /// It cannot or must not stamp, which has been said.
    Useless,
}

#[derive(Debug)]
struct Opened {
    interface: String,
    card: NetworkCard,
    options: NetworkCardOptions,
    compensation: Compensation,
    /// When its clock was read last, by the system clock.
    read: Option<Timestamp>,
    /// Readings since the last good one.
    coarse: u32,
}

/// The way between a card's clock and the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Compensation {
    /// What is sent leaves so much later than stamped.
    sent: Span,
    /// What is received arrived so much earlier than stamped.
    received: Span,
}

impl NetworkCards {
    /// Opens the cards that `network` wants. They stay open: later there may not be the right to.
    pub(crate) fn new(network: &Network) -> Self {
        let mut cards = Self { cards: BTreeMap::new(), network: network.clone() };
        cards.open_all();
        cards
    }

    /// Uses the cards that `network` wants from now on. Those that did not work are tried again.
    pub(crate) fn configure(&mut self, network: &Network) {
        self.network = network.clone();
        self.cards.retain(|_, card| match card {
            Card::Idle(opened) | Card::Followed(opened) => opened.configure(network),
            Card::Useless => false,
        });
        self.open_all();
    }

    fn open_all(&mut self) {
        if self.network.timestamping != Timestamping::Hardware {
            return;
        }
        let names = match interfaces::names() {
            Ok(names) => names,
            Err(error) => {
                tracing::warn!("the interfaces of this machine are unknown: {error}");
                return;
            }
        };
        for (index, interface) in &names {
            if let Some(wanted) = self.network.card(interface) {
                let named = self.network.named_cards().any(|named| named == interface);
                self.cards.entry(*index).or_insert_with(|| open(&wanted, named));
            }
        }
        for named in self.network.named_cards() {
            if !names.values().any(|interface| interface == named) {
                tracing::warn!("there is no interface {named} whose card could stamp packets");
            }
        }
        if self.cards.values().all(|card| matches!(card, Card::Useless)) {
            tracing::info!("no network card stamps packets; the kernel does");
        }
    }

    /// True if some card may stamp what is sent now.
    pub(crate) fn any(&self) -> bool {
        self.cards.values().any(|card| matches!(card, Card::Followed(_)))
    }

    /// A datagram came through this interface: from now on its card is followed. An interface that
    /// has come since the start is tried once.
    pub(crate) fn meet(&mut self, interface: u32) {
        match self.network.timestamping {
            Timestamping::Hardware => {
                let card =
                    self.cards.entry(interface).or_insert_with(|| find(interface, &self.network));
                card.begin_to_follow();
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
            if let Card::Followed(opened) = card {
                opened.forget();
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
        match self.cards.get(&interface) {
            Some(Card::Followed(opened)) => {
                let converted = opened.card.convert(hardware, direction);
                opened.compensation.apply(better(software, converted, direction), direction)
            }
            Some(Card::Idle(_) | Card::Useless) | None => software,
        }
    }
}

impl Compensation {
    fn of(card: &timeball_config::Card) -> Self {
        Self {
            sent: Span::from_seconds(card.transmit_compensation),
            received: Span::from_seconds(card.receive_compensation),
        }
    }

    /// When a datagram was on the network, by a stamp that may be the card's.
    fn apply(self, stamp: Stamp, direction: Direction) -> Stamp {
        match (stamp.source, direction) {
            (StampSource::Kernel | StampSource::Daemon, _) => stamp,
            (StampSource::Hardware, Direction::Sent) => Stamp { at: stamp.at + self.sent, ..stamp },
            (StampSource::Hardware, Direction::Received) => {
                Stamp { at: stamp.at - self.received, ..stamp }
            }
        }
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

/// The card of an interface that was not there when the others were opened.
fn find(index: u32, network: &Network) -> Card {
    match interfaces::name_of(index) {
        Ok(Some(interface)) => match network.card(&interface) {
            Some(wanted) => open(&wanted, network.named_cards().any(|named| *named == interface)),
            None => Card::Useless,
        },
        Ok(None) => {
            tracing::debug!("there is no interface {index} any more");
            Card::Useless
        }
        Err(error) => {
            tracing::warn!("the name of interface {index} is unknown: {error}");
            Card::Useless
        }
    }
}

/// Opens a card. That it cannot stamp is worth a word only if somebody expects it to by name.
fn open(wanted: &timeball_config::Card, named: bool) -> Card {
    match Opened::open(wanted) {
        Ok(opened) => Card::Idle(Box::new(opened)),
        Err(error @ NetworkCardError::NotOffered { .. }) if !named => {
            tracing::debug!("{error}; the kernel stamps its packets");
            Card::Useless
        }
        Err(error) => {
            tracing::warn!("{error}; the kernel stamps its packets");
            Card::Useless
        }
    }
}

impl Card {
    fn begin_to_follow(&mut self) {
        *self = match std::mem::replace(self, Self::Useless) {
            Self::Idle(mut opened) => {
                // Nobody has looked whether both clocks ran evenly since it was opened.
                opened.forget();
                Self::Followed(opened)
            }
            card @ (Self::Followed(_) | Self::Useless) => card,
        };
    }

    fn follow(&mut self) {
        let Self::Followed(opened) = self else { return };
        if let Err(reason) = opened.follow() {
            tracing::warn!("{reason}; the kernel stamps the packets of {}", opened.interface);
            *self = Self::Useless;
        }
    }

    fn was_read_at(&self, now: Timestamp) -> bool {
        match self {
            Self::Followed(opened) => opened.read.is_some_and(|read| (now - read).abs() < FRESH),
            Self::Idle(_) | Self::Useless => true,
        }
    }
}

impl Opened {
    fn open(wanted: &timeball_config::Card) -> Result<Self, NetworkCardError> {
        let interface = wanted.interface.clone();
        let options = options(wanted);
        let card = NetworkCard::open(&interface, options)?;
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
        let compensation = Compensation::of(wanted);
        Ok(Self { interface, card, options, compensation, read: None, coarse: 0 })
    }

    /// Stamps as `network` wants from now on. False if it wants no stamps by this card.
    fn configure(&mut self, network: &Network) -> bool {
        let Some(wanted) = network.card(&self.interface) else { return false };
        if options(&wanted) != self.options {
            match Self::open(&wanted) {
                Ok(opened) => *self = opened,
                Err(error) => tracing::warn!("{error}; its card stamps as it did"),
            }
        }
        self.compensation = Compensation::of(&wanted);
        true
    }

    fn forget(&mut self) {
        self.card.forget();
        self.read = None;
    }

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

fn options(wanted: &timeball_config::Card) -> NetworkCardOptions {
    use timeball_config::ReceiveFilter as Wanted;
    NetworkCardOptions {
        filter: match wanted.receive_filter {
            Wanted::Best => ReceiveFilter::Best,
            Wanted::All => ReceiveFilter::All,
            Wanted::Ntp => ReceiveFilter::Ntp,
            Wanted::Ptp => ReceiveFilter::Ptp,
            Wanted::None => ReceiveFilter::None,
        },
        cross_timestamps: if wanted.cross_timestamps {
            CrossTimestamps::Used
        } else {
            CrossTimestamps::Avoided
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loopback, on every Linux.
    const LOOPBACK: u32 = 1;

    fn network(timestamping: Timestamping, cards: &[&str]) -> Network {
        let cards = cards.iter().map(|interface| timeball_config::Card::new(*interface)).collect();
        Network { timestamping, cards, ..Network::default() }
    }

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
    fn the_way_between_card_and_network_is_compensated_for() {
        let compensation = Compensation::of(&timeball_config::Card {
            transmit_compensation: 300e-9,
            receive_compensation: 645e-9,
            ..timeball_config::Card::new("eth0")
        });
        let by_card = Stamp { source: StampSource::Hardware, ..KERNEL };
        for (direction, nanos) in [(Direction::Sent, 300), (Direction::Received, -645)] {
            let stamp = compensation.apply(by_card, direction);
            assert_eq!(stamp, Stamp { at: by_card.at + Span::from_nanos(nanos), ..by_card });
            assert_eq!(compensation.apply(KERNEL, direction), KERNEL);
        }
    }

    #[test]
    fn cards_are_opened_before_anything_comes() {
        let cards = NetworkCards::new(&network(Timestamping::Hardware, &[]));
        assert!(matches!(cards.cards.get(&LOOPBACK), Some(Card::Useless)));
        let cards = NetworkCards::new(&network(Timestamping::Hardware, &["l*"]));
        assert!(matches!(cards.cards.get(&LOOPBACK), Some(Card::Useless)));
    }

    #[test]
    fn an_interface_without_a_clock_is_tried_once() {
        let stamp = HardwareStamp { nanos: 1, interface: Some(LOOPBACK), frame_length: None };
        let mut cards = NetworkCards::new(&network(Timestamping::Hardware, &[]));
        cards.meet(LOOPBACK);
        assert!(matches!(cards.cards.get(&LOOPBACK), Some(Card::Useless)));
        assert!(!cards.any());
        cards.before_sending(KERNEL.at);
        cards.before_converting(LOOPBACK);
        assert_eq!(cards.better(KERNEL, &stamp, LOOPBACK, Direction::Received), KERNEL);
        cards.configure(&network(Timestamping::Kernel, &[]));
        assert!(cards.cards.is_empty());
    }

    #[test]
    fn nothing_is_opened_that_is_not_wanted() {
        for wanted in [
            network(Timestamping::Kernel, &[]),
            network(Timestamping::Daemon, &["lo"]),
            network(Timestamping::Hardware, &["eth*", "nowhere0"]),
        ] {
            let cards = NetworkCards::new(&wanted);
            assert!(!cards.cards.contains_key(&LOOPBACK), "{wanted:?}");
        }
    }
}
