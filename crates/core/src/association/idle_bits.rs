//! The bits of a timestamp that may tell nothing.
//!
//! What is below a clock's precision p is not known to whoever reads it, and many servers fill those
//! bits with noise, so that nobody can guess them (RFC 5905 §6). Such a timestamp tells in which
//! interval of length p the clock was; where in it, the noise does not say: it is p/√6 off, and the
//! middle of the interval only p/√12. Other servers know more than they claim, and their timestamps are
//! best taken as they are.
//!
//! Which of the two it is, round trips show: no clock's error is in them, so they differ from one
//! exchange to the next by queues and by what is wrong with the timestamps.

use timeball_wire::{NtpTimestamp, Span};

/// Differences without which nothing can be said.
const FEWEST: f64 = 16.0;
/// The squares of those by middles must be this share of the others', or less. Where the queues are longer
/// than the precision, they are not, and it does not matter.
const SHARE: f64 = 0.8;
/// And less than those by this much of p² for each, half of what noise makes: a middle also leaves out
/// what T2 and T3 have in common, and if a server answers at once, that is nearly all there is.
const LESS: f64 = 1.0 / 6.0;
/// How much of what was seen is kept with each exchange that follows.
const MEMORY: f64 = 0.98;
/// No difference counts for more than this many times the precision.
const MOST: f64 = 4.0;

/// What is known of a server's idle bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdleBits {
    /// log₂ of p (s), which all that follows is of.
    precision: i8,
    /// The last round trip (s): by the timestamps as they are, and by the middles.
    last: Option<[f64; 2]>,
    /// Sums of the squares of the differences (s²), fading.
    squares: [f64; 2],
    /// Of so many, fading.
    count: f64,
}

impl IdleBits {
    /// An exchange took so long here, by a clock that is better than the server's, and a server of this
    /// precision (log₂ s) says that it had it from T2 to T3.
    pub(super) fn note(&mut self, interval: Span, [t2, t3]: [NtpTimestamp; 2], precision: i8) {
        if precision != self.precision {
            *self = Self { precision, ..Self::default() };
        }
        let middles = [t2, t3].map(|stamp| middle(stamp, precision));
        let round_trips = [[t2, t3], middles].map(|[t2, t3]| (interval - t3.since(t2)).seconds());
        let Some(last) = self.last.replace(round_trips) else { return };
        let most = MOST * f64::from(precision).exp2();
        for ((sum, last), new) in self.squares.iter_mut().zip(last).zip(round_trips) {
            *sum = MEMORY * *sum + (new - last).clamp(-most, most).powi(2);
        }
        self.count = MEMORY * self.count + 1.0;
    }

    /// The best guess at what the server's clock showed.
    pub(super) fn read(&self, stamp: NtpTimestamp, precision: i8) -> NtpTimestamp {
        if self.are_noise(precision) { middle(stamp, precision) } else { stamp }
    }

    /// Standard deviation (s) of what such a guess is off, as far as it is known.
    pub(super) fn reading(&self, precision: i8) -> f64 {
        if self.are_noise(precision) { f64::from(precision).exp2() / 12f64.sqrt() } else { 0.0 }
    }

    fn are_noise(&self, precision: i8) -> bool {
        let [told, middles] = self.squares;
        let less = LESS * self.count * (2.0 * f64::from(precision)).exp2();
        precision == self.precision
            && precision < 0
            && self.count >= FEWEST
            && middles < SHARE * told
            && told - middles > less
    }
}

/// The middle of the interval of 2^`precision` seconds that the timestamp is in.
fn middle(stamp: NtpTimestamp, precision: i8) -> NtpTimestamp {
    let idle_bits = (32 + i32::from(precision)).clamp(0, 31);
    let length = 1_u64 << idle_bits;
    NtpTimestamp::from_bits((stamp.to_bits() & !(length - 1)) | (length >> 1))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    const PRECISION: i8 = -23;
    /// 2⁻³² s in an interval of that length.
    const LENGTH: u64 = 1 << 9;

    /// Exchanges of which the error is known.
    const COUNT: u32 = 4000;

    /// A server's T2 and T3, made of the true ones by `made`; it holds a request for up to `hold`, and
    /// 20 µs and a little more pass in the network (2⁻³² s). The root mean square of what is read, off
    /// the truth (s).
    fn error(seed: u64, precision: i8, hold: u64, made: impl Fn(u64, u64) -> u64) -> f64 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bits = IdleBits::default();
        let mut squares = 0.0;
        for _ in 0..COUNT {
            let t2 = (1 << 40) + (rng.next_u64() >> 24);
            let t3 = t2 + rng.next_u64() % hold;
            let stamps = [t2, t3].map(|t| NtpTimestamp::from_bits(made(t, rng.next_u64())));
            let waited = 86_000 + (rng.next_u64() % (LENGTH / 16));
            let interval = NtpTimestamp::from_bits(t3 + waited).since(NtpTimestamp::from_bits(t2));
            bits.note(interval, stamps, precision);
            let off = bits.read(stamps[0], precision).since(NtpTimestamp::from_bits(t2));
            squares += off.seconds().powi(2);
        }
        (squares / f64::from(COUNT)).sqrt()
    }

    /// The same in intervals, for a server that takes 10 µs or so, or no time at all.
    fn share(seed: u64, made: impl Fn(u64, u64) -> u64) -> f64 {
        let hold = if seed.is_multiple_of(2) { 40_000 } else { 1 };
        error(seed, PRECISION, hold, made) / f64::from(PRECISION).exp2()
    }

    #[test]
    fn noise_is_left_out() {
        for seed in 0..8 {
            let noisy = |t: u64, random: u64| (t & !(LENGTH - 1)) | (random & (LENGTH - 1));
            let error = share(seed, noisy);
            assert!((error - (1.0f64 / 12.0).sqrt()).abs() < 0.02, "{error}");
        }
    }

    #[test]
    fn what_is_known_better_than_claimed_is_believed() {
        for seed in 8..16 {
            assert!(share(seed, |t, _| t) < 0.01);
            // A nanosecond is told in two or three of the bits.
            assert!(share(seed, |t, _| t & !3) < 0.01);
        }
    }

    /// The middle would be off by half an interval every time.
    #[test]
    fn a_clock_that_ticks_is_read_as_it_is() {
        for seed in 16..24 {
            let ticks = |t: u64, _| (t + LENGTH / 2) & !(LENGTH - 1);
            let error = share(seed, ticks);
            assert!((error - (1.0f64 / 12.0).sqrt()).abs() < 0.02, "{error}");
        }
    }

    /// T2 and T3 are in the same interval nearly always, and then one middle is as good as the other.
    #[test]
    fn a_clock_that_ticks_finer_than_it_claims_is_believed_however_fast_its_server_is() {
        // A millisecond and 60 µs.
        const TICK: u64 = 4_294_967;
        const HOLD: u64 = 257_698;
        for (seed, precision) in (24..40).zip([-6, -1, 0, 7].into_iter().cycle()) {
            let error = error(seed, precision, HOLD, |t, _| t / TICK * TICK);
            assert!(error < 0.6e-3, "2^{precision} s: {error:e} s off");
        }
    }

    #[test]
    fn what_was_learnt_of_one_precision_is_not_believed_of_another() {
        let mut rng = ChaCha8Rng::seed_from_u64(40);
        let mut bits = IdleBits::default();
        let stamp = NtpTimestamp::from_bits(1 << 40);
        for _ in 0..100 {
            let noisy =
                [0; 2].map(|_| NtpTimestamp::from_bits((1 << 40) | (rng.next_u64() % LENGTH)));
            bits.note(Span::from_nanos(20_000), noisy, PRECISION);
        }
        assert_eq!(bits.read(stamp, PRECISION).to_bits(), (1 << 40) | (LENGTH / 2));
        assert!((bits.reading(PRECISION) - 34e-9).abs() < 1e-9);
        assert_eq!((bits.read(stamp, -6), bits.reading(-6)), (stamp, 0.0));
    }

    #[test]
    fn odd_precisions_are_no_reason_to_fall_over() {
        let stamp = NtpTimestamp::from_bits(u64::MAX);
        for precision in [i8::MIN, -33, -32, -31, -1, 0, 1, i8::MAX] {
            let mut bits = IdleBits::default();
            for t2 in (0..40).map(|index| NtpTimestamp::from_bits(u64::MAX / (1 + index % 3))) {
                bits.note(Span::ZERO, [t2, stamp], precision);
                bits.read(stamp, precision);
                assert!(bits.reading(precision) < 1.0);
            }
        }
        assert_eq!(middle(stamp, -32), stamp);
        assert_eq!(middle(stamp, -31).to_bits(), u64::MAX);
        assert_eq!(middle(stamp, -30).to_bits(), u64::MAX - 1);
    }
}
