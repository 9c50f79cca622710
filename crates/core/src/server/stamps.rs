//! The two timestamps of an answer: in order, and never the same twice.

use timeball_wire::{NtpTimestamp, Timestamp};

use super::responder::Arrival;

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

    /// The timestamps of an answer to `arrival`.
    ///
    /// A batch of answers that share one reading of the clock, or a clock that ticks slowly, gives
    /// timestamps a quarter of a nanosecond apart. A reception later than the transmission (the clock
    /// was stepped back between the two) becomes the transmission: of the two readings that one is
    /// by the clock as it is now.
    pub(super) fn stamp(&mut self, arrival: &Arrival) -> Stamped {
        let mut transmit = NtpTimestamp::from(arrival.transmit);
        let behind = self.last_transmit.to_bits().wrapping_sub(transmit.to_bits());
        if behind <= Self::STANDSTILL {
            // Zero would mean "unknown" (RFC 5905 §6).
            let next = self.last_transmit.to_bits().wrapping_add(1).max(1);
            transmit = NtpTimestamp::from_bits(next);
        }
        self.last_transmit = transmit;
        let receive = arrival.received.min(arrival.transmit).into();
        Stamped { receive, transmit }
    }
}

/// The earlier of the two: a reference timestamp later than the answer that carries it is an error
/// to every client (RFC 5905 §11.2).
pub(super) fn reference_timestamp(reference: Timestamp, arrival: &Arrival) -> NtpTimestamp {
    reference.min(arrival.transmit).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use timeball_wire::{Instant, Span};

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_123_456_789);

    fn arrival(received: Timestamp, transmit: Timestamp) -> Arrival {
        Arrival {
            received,
            transmit,
            monotonic: Instant::from_nanos(0),
            from: ([192, 0, 2, 1], 40_000).into(),
        }
    }

    #[test]
    fn readings_go_out_as_they_are() {
        let received = NOW - Span::from_nanos(25_000);
        let stamped = Stamps::default().stamp(&arrival(received, NOW));
        assert_eq!(stamped.receive, received.into());
        assert_eq!(stamped.transmit, NOW.into());
    }

    #[test]
    fn answers_with_one_reading_of_the_clock_differ_and_increase() {
        let mut stamps = Stamps::default();
        let first = stamps.stamp(&arrival(NOW, NOW)).transmit.to_bits();
        for later in 1..1000 {
            let transmit = stamps.stamp(&arrival(NOW, NOW)).transmit.to_bits();
            assert_eq!(transmit, first + later);
        }
    }

    #[test]
    fn a_step_back_is_followed_at_once() {
        let mut stamps = Stamps::default();
        stamps.stamp(&arrival(NOW, NOW));
        let stepped = NOW - Span::from_millis(1);
        assert_eq!(stamps.stamp(&arrival(stepped, stepped)).transmit, stepped.into());
    }

    #[test]
    fn a_step_back_between_reception_and_transmission_shows_no_negative_interval() {
        let stamped = Stamps::default().stamp(&arrival(NOW + Span::from_secs(3600), NOW));
        assert_eq!(stamped.receive, NOW.into());
        assert_eq!(stamped.transmit, NOW.into());
    }

    #[test]
    fn the_turn_of_an_era_is_not_sent_as_unknown() {
        // 2036-02-07T06:28:16Z.
        let era = Timestamp::from_nanos(2_085_978_496_000_000_000);
        let mut stamps = Stamps { last_transmit: NtpTimestamp::from_bits(u64::MAX) };
        for _ in 0..3 {
            let stamped = stamps.stamp(&arrival(era, era));
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
                let stamped = stamps.stamp(&arrival(received, transmit));
                let sent = stamped.transmit.unfold(NOW);
                prop_assert!(stamped.receive.unfold(NOW) <= sent);
                prop_assert_ne!(Some(stamped.transmit), last);
                last = Some(stamped.transmit);
            }
        }
    }
}
