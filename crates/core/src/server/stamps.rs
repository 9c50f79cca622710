//! The two timestamps of an answer: in order, never the same twice, and told apart by their last bit.

use timeball_wire::{NtpTimestamp, Timestamp};

/// Hands out the receive and transmit timestamps of one responder's answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamps {
    last_transmit: NtpTimestamp,
}

/// What an answer says of its own time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamped {
    pub(super) receive: NtpTimestamp,
    pub(super) transmit: NtpTimestamp,
}

impl Stamps {
    /// How far (2⁻³² s; 15 µs) the clock may seem to stand still or go back between two answers
    /// before that is a step of the clock, which the answers must follow at once.
    const STANDSTILL: u64 = 1 << 16;

    /// The timestamps of an answer to a request that was `received` then and is answered at
    /// `transmit`.
    ///
    /// A batch of answers that share one reading of the clock, or a clock that ticks slowly, gives
    /// timestamps half a nanosecond apart. A reception later than the transmission (the clock was
    /// stepped back between the two) becomes the transmission: of the two readings that one is by the
    /// clock as it is now.
    pub(super) fn stamp(&mut self, received: Timestamp, transmit: Timestamp) -> Stamped {
        let receive = NtpTimestamp::from(received.min(transmit)).to_bits() | RECEPTION;
        let mut transmit = Self::transmit(transmit).to_bits();
        if transmit == receive & !RECEPTION {
            transmit = transmit.wrapping_add(2);
        }
        let behind = self.last_transmit.to_bits().wrapping_sub(transmit);
        if behind <= Self::STANDSTILL {
            transmit = self.last_transmit.to_bits().wrapping_add(2);
        }
        // Zero would mean "unknown" (RFC 5905 §6).
        let transmit = NtpTimestamp::from_bits(transmit.max(2));
        self.last_transmit = transmit;
        Stamped { receive: NtpTimestamp::from_bits(receive), transmit }
    }

    /// A transmit timestamp of this moment.
    pub(super) fn transmit(at: Timestamp) -> NtpTimestamp {
        NtpTimestamp::from_bits(NtpTimestamp::from(at).to_bits() & !RECEPTION)
    }

    /// A client has this from us as a receive timestamp, and not as a transmit timestamp.
    pub(super) fn may_be_reception(timestamp: NtpTimestamp) -> bool {
        timestamp.to_bits() & RECEPTION != 0
    }
}

/// Set in receive timestamps and not in transmit timestamps, so that a request says which of the two
/// it names (RFC 9769 §2); a quarter of a nanosecond.
const RECEPTION: u64 = 1;

/// The earlier of the two: a reference timestamp later than the answer that carries it is an error
/// to every client (RFC 5905 §11.2).
pub(super) fn reference_timestamp(reference: Timestamp, transmit: Timestamp) -> NtpTimestamp {
    reference.min(transmit).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use timeball_wire::Span;

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_123_456_789);

    #[test]
    fn readings_go_out_as_they_are() {
        let received = NOW - Span::from_nanos(25_000);
        let stamped = Stamps::default().stamp(received, NOW);
        let apart = |stamp: NtpTimestamp, reading: Timestamp| {
            stamp.to_bits().abs_diff(NtpTimestamp::from(reading).to_bits())
        };
        assert!(apart(stamped.receive, received) <= 1 && apart(stamped.transmit, NOW) <= 1);
        assert!(Stamps::may_be_reception(stamped.receive));
        assert!(!Stamps::may_be_reception(stamped.transmit));
    }

    #[test]
    fn answers_with_one_reading_of_the_clock_differ_and_increase() {
        let mut stamps = Stamps::default();
        let first = stamps.stamp(NOW, NOW).transmit.to_bits();
        for later in 1..1000 {
            let transmit = stamps.stamp(NOW, NOW).transmit.to_bits();
            assert_eq!(transmit, first + 2 * later);
        }
    }

    #[test]
    fn a_step_back_is_followed_at_once() {
        let mut stamps = Stamps::default();
        stamps.stamp(NOW, NOW);
        let stepped = NOW - Span::from_millis(1);
        let transmit = stamps.stamp(stepped - Span::from_millis(1), stepped).transmit;
        assert_eq!(transmit, Stamps::transmit(stepped));
    }

    #[test]
    fn a_step_back_between_reception_and_transmission_shows_no_negative_interval() {
        let stamped = Stamps::default().stamp(NOW + Span::from_secs(3600), NOW);
        assert_eq!(stamped.transmit.to_bits() - stamped.receive.to_bits(), 1);
        assert!((stamped.receive.unfold(NOW) - NOW).abs() <= Span::from_nanos(1));
    }

    #[test]
    fn the_turn_of_an_era_is_not_sent_as_unknown() {
        // 2036-02-07T06:28:16Z.
        let era = Timestamp::from_nanos(2_085_978_496_000_000_000);
        let mut stamps = Stamps { last_transmit: NtpTimestamp::from_bits(u64::MAX) };
        for _ in 0..3 {
            let stamped = stamps.stamp(era, era);
            assert!(!stamped.transmit.is_zero() && !stamped.receive.is_zero());
            assert!(stamped.transmit.unfold(era) - era <= Span::from_nanos(1));
        }
    }

    proptest! {
        #[test]
        fn a_transmission_never_precedes_its_reception_nor_repeats(
            readings in prop::collection::vec((-40_000i64..40_000, -40_000i64..40_000), 1..50)
        ) {
            let mut stamps = Stamps::default();
            let mut last = None;
            for (received, transmit) in readings {
                let received = NOW + Span::from_nanos(received);
                let transmit = NOW + Span::from_nanos(transmit);
                let stamped = stamps.stamp(received, transmit);
                let sent = stamped.transmit.unfold(NOW);
                prop_assert!(stamped.receive.unfold(NOW) <= sent);
                prop_assert!(stamped.receive.to_bits() & 1 > stamped.transmit.to_bits() & 1);
                prop_assert_ne!(Some(stamped.transmit), last);
                last = Some(stamped.transmit);
            }
        }
    }
}
