//! Interleaved mode (RFC 9769 §2): an answer tells when the *previous* answer really left, as the
//! kernel or the network card has it, and not when this one is about to leave.
//!
//! What is remembered belongs to no address, so that clients behind one address do not disturb each
//! other: a client names the answer it means by the receive timestamp that was in it.

use siphasher::sip::SipHasher13;
use timeball_wire::NtpTimestamp;

use crate::engine::StampQuality;

/// When an answer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) at: NtpTimestamp,
    pub(super) quality: StampQuality,
}

/// The receive timestamps of answers, and when those answers left. A table of fixed size; where it is
/// full, the oldest pair among those that share a hash value makes room.
#[derive(Clone, Debug)]
pub(super) struct TimestampPairs {
    hasher: SipHasher13,
    sets: Vec<Set>,
}

type Set = [Option<Pair>; WAYS];

const WAYS: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Pair {
    receive: NtpTimestamp,
    /// [`UNKNOWN`](Departure::UNKNOWN) once it was told, or when two answers had the same receive
    /// timestamp.
    departure: Departure,
}

impl Departure {
    const UNKNOWN: Self = Self { at: NtpTimestamp::ZERO, quality: StampQuality::Daemon };

    fn is_known(&self) -> bool {
        !self.at.is_zero()
    }
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    /// Pairs of timestamps.
    pub pairs: usize,
    /// From the oldest to the newest (s).
    pub span: f64,
}

/// An answer leaves within this long (2⁻³² s; 2 s) of the request's arrival, or the clock was
/// stepped in between.
const LONGEST_RESIDENCE: u64 = 2 << 32;

impl TimestampPairs {
    /// Bytes per pair.
    pub(super) const SIZE: usize = size_of::<Option<Pair>>();

    /// Room for about `capacity` pairs, eight at least.
    pub(super) fn new(capacity: usize, hash_key: &[u8; 16]) -> Self {
        let sets = match (capacity / WAYS).checked_ilog2() {
            Some(log2) => 1 << log2,
            None => 1,
        };
        Self { hasher: SipHasher13::new_with_key(hash_key), sets: vec![[None; WAYS]; sets] }
    }

    /// Remembers when the answer with this receive timestamp is about to leave.
    ///
    /// Two answers with the same one cannot be told apart: neither is then.
    pub(super) fn remember(&mut self, receive: NtpTimestamp, departure: Departure) {
        let Some(set) = self.set(receive) else { return };
        if let Some(twin) = pair(set, receive) {
            twin.departure = Departure::UNKNOWN;
            return;
        }
        // Differences, for the sake of eras.
        let age =
            |pair: &Pair| receive.to_bits().wrapping_sub(pair.receive.to_bits()).cast_signed();
        let oldest = set.iter_mut().max_by_key(|entry| entry.as_ref().map_or(i64::MAX, age));
        if let Some(entry) = oldest {
            *entry = Some(Pair { receive, departure });
        }
    }

    /// Knows better when the answer with this receive timestamp left. One that cannot be true makes
    /// the answer be forgotten.
    pub(super) fn correct(&mut self, receive: NtpTimestamp, departure: Departure) {
        // The bit that tells the two apart makes a reception look later than it was.
        let earliest = receive.to_bits() & !1;
        let residence = departure.at.to_bits().wrapping_sub(earliest);
        let Some(pair) = self.set(receive).and_then(|set| pair(set, receive)) else { return };
        let known = &mut pair.departure;
        if !known.is_known() {
            return;
        }
        if residence > LONGEST_RESIDENCE {
            *known = Departure::UNKNOWN;
        } else if departure.quality >= known.quality {
            let at = if residence == 0 {
                receive.to_bits().wrapping_add(1)
            } else {
                departure.at.to_bits()
            };
            *known = Departure { at: NtpTimestamp::from_bits(at), ..departure };
        }
    }

    /// When the answer with this receive timestamp left; told once.
    pub(super) fn take(&mut self, receive: NtpTimestamp) -> Option<Departure> {
        let pair = self.set(receive).and_then(|set| pair(set, receive))?;
        let departure = std::mem::replace(&mut pair.departure, Departure::UNKNOWN);
        departure.is_known().then_some(departure)
    }

    /// Forgets everything: the clock was stepped.
    pub(super) fn forget(&mut self) {
        self.sets.fill([None; WAYS]);
    }

    /// How much is remembered.
    pub(super) fn held(&self) -> Held {
        let receptions = || self.sets.iter().flatten().flatten().map(|p| p.receive.to_bits());
        let Some(any) = receptions().next() else { return Held::default() };
        let relative = || receptions().map(|bits| bits.wrapping_sub(any).cast_signed());
        let span = relative().max().unwrap_or(0).abs_diff(relative().min().unwrap_or(0));
        Held { pairs: receptions().count(), span: span as f64 / 2f64.powi(32) }
    }

    fn set(&mut self, receive: NtpTimestamp) -> Option<&mut Set> {
        let hash = self.hasher.hash(&receive.to_bits().to_be_bytes());
        let at = hash as usize % self.sets.len().max(1);
        self.sets.get_mut(at)
    }
}

fn pair(set: &mut Set, receive: NtpTimestamp) -> Option<&mut Pair> {
    set.iter_mut().flatten().find(|pair| pair.receive == receive)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 32;

    fn pairs(capacity: usize) -> TimestampPairs {
        TimestampPairs::new(capacity, b"a key for tests.")
    }

    fn stamp(bits: u64) -> NtpTimestamp {
        NtpTimestamp::from_bits(bits)
    }

    fn leaves(bits: u64, quality: StampQuality) -> Departure {
        Departure { at: stamp(bits), quality }
    }

    #[test]
    fn a_departure_is_told_once() {
        let mut pairs = pairs(100);
        pairs.remember(stamp(101), leaves(200, StampQuality::Daemon));
        assert_eq!(pairs.take(stamp(103)), None);
        assert_eq!(pairs.take(stamp(101)), Some(leaves(200, StampQuality::Daemon)));
        assert_eq!(pairs.take(stamp(101)), None);
    }

    #[test]
    fn the_kernels_word_counts_more_than_ours_and_less_than_the_cards() {
        let mut pairs = pairs(100);
        pairs.remember(stamp(101), leaves(200, StampQuality::Daemon));
        pairs.correct(stamp(101), leaves(220, StampQuality::Hardware));
        pairs.correct(stamp(101), leaves(210, StampQuality::Kernel));
        assert_eq!(pairs.take(stamp(101)), Some(leaves(220, StampQuality::Hardware)));
        pairs.correct(stamp(101), leaves(230, StampQuality::Hardware));
        assert_eq!(pairs.take(stamp(101)), None, "too late");
    }

    #[test]
    fn a_departure_before_its_arrival_is_not_told() {
        for impossible in [98, 101 + 3 * SECOND] {
            let mut pairs = pairs(100);
            pairs.remember(stamp(101), leaves(200, StampQuality::Daemon));
            pairs.correct(stamp(101), leaves(impossible, StampQuality::Kernel));
            assert_eq!(pairs.take(stamp(101)), None);
        }
    }

    #[test]
    fn an_answer_may_leave_at_the_moment_of_its_arrival() {
        let mut pairs = pairs(100);
        pairs.remember(stamp(101), leaves(102, StampQuality::Daemon));
        pairs.correct(stamp(101), leaves(100, StampQuality::Kernel));
        assert_eq!(pairs.take(stamp(101)), Some(leaves(102, StampQuality::Kernel)));
    }

    #[test]
    fn twins_are_not_told_apart() {
        let mut pairs = pairs(100);
        for departure in [200, 300, 400] {
            pairs.remember(stamp(101), leaves(departure, StampQuality::Daemon));
        }
        assert_eq!(pairs.take(stamp(101)), None);
    }

    #[test]
    fn the_oldest_makes_room_also_where_an_era_ends() {
        for era in [0, u64::MAX - 4 * SECOND] {
            let mut pairs = pairs(8);
            let at = |second: u64| stamp(era.wrapping_add(second * SECOND) | 1);
            for second in 0..9 {
                pairs.remember(at(second), leaves(200, StampQuality::Daemon));
            }
            assert_eq!(pairs.held(), Held { pairs: 8, span: 7.0 }, "era {era}");
            assert_eq!(pairs.take(at(0)), None);
            assert!((1..9).all(|second| pairs.take(at(second)).is_some()));
        }
    }

    #[test]
    fn a_step_of_the_clock_leaves_nothing() {
        let mut pairs = pairs(100);
        assert_eq!(pairs.held(), Held::default());
        pairs.remember(stamp(101), leaves(200, StampQuality::Daemon));
        pairs.forget();
        assert_eq!((pairs.take(stamp(101)), pairs.held()), (None, Held::default()));
    }
}
