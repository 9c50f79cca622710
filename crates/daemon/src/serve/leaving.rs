//! Datagrams that have left a server's socket and whose transmit timestamps have not come yet.

use std::collections::VecDeque;

use timeball_core::engine::ExchangeId;
use timeball_host::socket::{SendCounter, Stamp, Transmitted};
use timeball_wire::{NtpTimestamp, Timestamp};

/// What a transmit timestamp is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An answer in interleaved mode, by its receive timestamp.
    Answer(NtpTimestamp),
    /// The engine's request to a peer.
    Request(ExchangeId),
}

/// Datagrams on their way out of one socket, oldest first.
#[derive(Debug, Default)]
pub(super) struct Leaving(VecDeque<Departure>);

#[derive(Clone, Copy, Debug)]
struct Departure {
    counter: SendCounter,
    purpose: Purpose,
    /// The clock before it was sent.
    before: Timestamp,
}

impl Leaving {
    /// A kernel that has not reported on so many will not report on the oldest of them any more.
    const MOST: usize = 128;

    /// A datagram was sent after the clock said `before`.
    pub(super) fn sent(&mut self, counter: SendCounter, purpose: Purpose, before: Timestamp) {
        if self.0.len() >= Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(Departure { counter, purpose, before });
    }

    /// True if no report is due.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a report by the kernel is about.
    pub(super) fn reported(&mut self, transmitted: Transmitted) -> Option<(Purpose, Stamp)> {
        let stamp = transmitted.stamp?;
        let fits =
            |sent: &Departure| sent.counter == transmitted.counter && sent.before <= stamp.at;
        let counted = self.0.iter().position(fits);
        if let Some(departure) = counted.and_then(|index| self.0.remove(index)) {
            return Some((departure.purpose, stamp));
        }
        // A kernel that is simulated may not count what asks for a timestamp one by one; and it has
        // room for one report, which then is of the last datagram.
        let last = self.0.back().copied().filter(|sent| sent.before <= stamp.at)?;
        self.0.clear();
        Some((last.purpose, stamp))
    }

    /// The clock was stepped: what is reported from now on cannot be compared with `before`.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timeball_host::socket::StampSource;
    use timeball_wire::Span;

    const START: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

    fn at(micros: i64) -> Timestamp {
        START + Span::from_nanos(micros * 1000)
    }

    fn answer(number: u64) -> Purpose {
        Purpose::Answer(NtpTimestamp::from_bits(number))
    }

    fn report(counter: u32, micros: i64) -> Transmitted {
        let stamp = Some(Stamp { at: at(micros), source: StampSource::Kernel });
        Transmitted { counter: SendCounter(counter), stamp, hardware: None }
    }

    #[test]
    fn reports_find_their_datagram_in_any_order() {
        let mut leaving = Leaving::default();
        for number in 0..3 {
            leaving.sent(SendCounter(number), answer(number.into()), at(number.into()));
        }
        for number in [1, 0, 2] {
            let (purpose, stamp) = leaving.reported(report(number, 10)).unwrap();
            assert_eq!((purpose, stamp.at), (answer(number.into()), at(10)));
        }
        assert!(leaving.is_empty());
        assert_eq!(leaving.reported(report(3, 10)), None);
    }

    #[test]
    fn nothing_left_before_it_was_sent() {
        let mut leaving = Leaving::default();
        leaving.sent(SendCounter(0), answer(0), at(20));
        assert_eq!(leaving.reported(report(0, 10)), None);
        assert_eq!(leaving.reported(report(0, 30)).map(|(purpose, _)| purpose), Some(answer(0)));
    }

    #[test]
    fn a_kernel_that_does_not_count_reports_on_the_last() {
        let mut leaving = Leaving::default();
        leaving.sent(SendCounter(4), answer(4), at(0));
        leaving.sent(SendCounter(5), answer(5), at(5));
        assert_eq!(leaving.reported(report(0, 4)), None, "older than the last");
        assert_eq!(leaving.reported(report(0, 6)).map(|(purpose, _)| purpose), Some(answer(5)));
        assert!(leaving.is_empty());
    }

    #[test]
    fn reports_that_never_come_are_not_waited_for() {
        let mut leaving = Leaving::default();
        for number in 0..1000 {
            leaving.sent(SendCounter(number), answer(number.into()), at(number.into()));
        }
        assert_eq!(leaving.0.len(), Leaving::MOST);
        leaving.clear();
        assert!(leaving.is_empty());
    }
}
