//! How often one client is answered: a token bucket per IPv4 address or IPv6 /64.
//!
//! The buckets live in a table of fixed size. Requests with forged sources can push buckets out of
//! it, which forgives the clients pushed out; they can neither make it grow nor, as the hash is
//! keyed, choose whom to push out.

use std::net::IpAddr;

use siphasher::sip::SipHasher13;
use timeball_wire::{Instant, Span};

use super::RateLimit;
use super::clients::Habit;

/// What a client's request is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Within the limit.
    Within,
    /// Over the limit and answered all the same: the requests may not be the client's own.
    Leak,
    /// Over the limit; say so.
    Kiss,
    /// Over the limit.
    Over,
}

/// The buckets of one worker.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    interval: Span,
    /// How far ahead of now a bucket's [`Bucket::full_at`] may be for one more answer.
    tolerance: Span,
    leak: u32,
    kiss: u32,
    hasher: SipHasher13,
    /// Requests over the limit so far; makes the draws differ.
    draws: u64,
    sets: Box<[Set]>,
}

/// Buckets that share a hash value; one cache line or two.
type Set = [Bucket; WAYS];

const WAYS: usize = 8;
/// A power of two.
const SETS: usize = 8192;

/// One client's tokens, in the form of the moment when there will be `burst` of them again: every
/// answer puts it off by one interval (generic cell rate algorithm). A request that is not answered
/// leaves it alone, so that asking too often does not prolong the wait.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    client: Client,
    full_at: Instant,
}

impl Bucket {
    const UNUSED: Self = Self { client: Client(0), full_at: Instant::from_nanos(i64::MIN) };
}

/// Who shares a bucket: an IPv4 address, or an IPv6 /64 as the upper half of its addresses. They
/// cannot be confused: an upper half below 2³² belongs to the reserved network ::/32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Client(u64);

impl Client {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_bits().into()),
            IpAddr::V6(v6) => Self((v6.to_bits() >> 64) as u64),
        }
    }
}

impl RateLimiter {
    /// Clients whose buckets are remembered at once.
    pub const CAPACITY: usize = SETS * WAYS;

    /// A limiter that has seen nobody. `hash_key` must be unpredictable to clients.
    pub fn new(limit: &RateLimit, hash_key: &[u8; 16]) -> Self {
        let mut limiter = Self {
            interval: Span::ZERO,
            tolerance: Span::ZERO,
            leak: 0,
            kiss: 0,
            hasher: SipHasher13::new_with_key(hash_key),
            draws: 0,
            sets: vec![[Bucket::UNUSED; WAYS]; SETS].into_boxed_slice(),
        };
        limiter.configure(limit);
        limiter
    }

    /// Changes the limit; what clients have used up stays used up.
    pub fn configure(&mut self, limit: &RateLimit) {
        self.interval = Span::from_seconds(limit.interval.max(0.0));
        let at_once = i64::from(limit.burst.max(1));
        let tolerated = self.interval.nanos().saturating_mul(at_once.saturating_sub(1));
        self.tolerance = Span::from_nanos(tolerated);
        self.leak = limit.leak;
        self.kiss = limit.kiss;
    }

    /// Judges a request of `address` at `now`, and takes a token if it is within the limit.
    ///
    /// Of those over the limit few are answered; but most to clients that only ask the more for being
    /// left without an answer, because that makes for less traffic.
    pub fn judge(&mut self, address: IpAddr, habit: Habit, now: Instant) -> Ruling {
        let client = Client::of(address);
        let at = self.hasher.hash(&client.0.to_be_bytes()) as usize % SETS;
        let Some(set) = self.sets.get_mut(at) else { return Ruling::Over };
        let bucket = bucket_of(set, client);
        if bucket.full_at <= now + self.tolerance {
            bucket.full_at = bucket.full_at.max(now) + self.interval;
            return Ruling::Within;
        }
        // Draw lots.
        self.draws = self.draws.wrapping_add(1);
        let seed = u128::from(client.0) << 64 | u128::from(self.draws);
        let draw = self.hasher.hash(&seed.to_be_bytes());
        let one_in = |count: u32, draw: u64| (draw as u32).checked_rem(count) == Some(0);
        let leaks = match habit {
            Habit::Steady => one_in(self.leak, draw),
            Habit::Pesters => self.leak > 0 && !one_in(self.leak, draw),
        };
        if leaks {
            // It costs all that the client has saved up: leaks come on top of no other answer.
            bucket.full_at = now + self.tolerance + self.interval;
            Ruling::Leak
        } else if one_in(self.kiss, draw >> 32) {
            Ruling::Kiss
        } else {
            Ruling::Over
        }
    }
}

/// The client's bucket; if it has none, that one of the set which is full, or will be first.
fn bucket_of(set: &mut Set, client: Client) -> &mut Bucket {
    let mut chosen = 0;
    for (way, bucket) in set.iter().enumerate() {
        if bucket.client == client {
            return &mut set[way];
        }
        if bucket.full_at < set[chosen].full_at {
            chosen = way;
        }
    }
    set[chosen] = Bucket { client, ..Bucket::UNUSED };
    &mut set[chosen]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clients::{Clients, Service, Treatment};
    use Habit::Steady;

    const KEY: [u8; 16] = *b"a key for tests.";

    fn limiter(interval: f64, burst: u32, leak: u32, kiss: u32) -> RateLimiter {
        RateLimiter::new(&RateLimit { interval, burst, leak, kiss }, &KEY)
    }

    fn at(seconds: f64) -> Instant {
        Instant::from_nanos(0) + Span::from_seconds(seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of `count` requests at `now` are within the limit.
    fn within(limiter: &mut RateLimiter, client: IpAddr, now: Instant, count: usize) -> usize {
        (0..count).filter(|_| limiter.judge(client, Steady, now) == Ruling::Within).count()
    }

    #[test]
    fn a_burst_then_one_answer_per_interval() {
        let mut limiter = limiter(8.0, 4, 0, 0);
        let client = ip("192.0.2.1");
        assert_eq!(within(&mut limiter, client, at(0.0), 10), 4);
        assert_eq!(within(&mut limiter, client, at(7.9), 10), 0);
        assert_eq!(within(&mut limiter, client, at(8.0), 10), 1);
        assert_eq!(within(&mut limiter, client, at(24.0), 10), 2);
        assert_eq!(within(&mut limiter, client, at(1000.0), 10), 4);
    }

    #[test]
    fn requests_over_the_limit_do_not_prolong_it_unless_they_are_answered() {
        let mut limiter = limiter(8.0, 2, 0, 2);
        let client = ip("192.0.2.1");
        assert_eq!(within(&mut limiter, client, at(0.0), 2), 2);
        for hundredth in 1..800 {
            let now = at(f64::from(hundredth) / 100.0);
            assert_ne!(limiter.judge(client, Steady, now), Ruling::Within);
        }
        assert_eq!(limiter.judge(client, Steady, at(8.0)), Ruling::Within);

        limiter.configure(&RateLimit { interval: 8.0, burst: 2, leak: 1, kiss: 0 });
        assert_eq!(limiter.judge(client, Steady, at(15.0)), Ruling::Leak);
        limiter.configure(&RateLimit { interval: 8.0, burst: 2, leak: 0, kiss: 0 });
        assert_eq!(within(&mut limiter, client, at(22.9), 9), 0);
        assert_eq!(within(&mut limiter, client, at(23.0), 9), 1);
    }

    /// Ten thousand seconds of a client that asks every eight, 2 % late at most, and skips polls when
    /// it is told to; as often as chrony's own test of its limit expects it to be answered.
    #[test]
    fn a_client_that_keeps_asking_is_answered_as_often_as_by_chrony() {
        for (kiss, asked, answered, kissed) in
            [(0, 1200..1300, 180..220, 0..1), (4, 700..850, 350..450, 100..140)]
        {
            let mut limiter = limiter(64.0, 2, 16, kiss);
            let mut clients = Clients::new(8, &KEY);
            let mut counts = [0; 4];
            let (mut now, mut draw) = (0.2, 1u32);
            while now < 10_000.0 {
                let client = clients.asks(ip("192.0.2.1"), Service::Ntp, at(now)).unwrap();
                let ruling = limiter.judge(ip("192.0.2.1"), client.habit(), at(now));
                client.was(match ruling {
                    Ruling::Over => Treatment::Dropped,
                    Ruling::Within | Ruling::Leak | Ruling::Kiss => Treatment::Served,
                });
                counts[ruling as usize] += 1;
                // Numerical Recipes' generator; its upper half is random enough.
                draw = draw.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let late = f64::from(draw >> 16) / 65536.0 * 0.02;
                let polls = if ruling == Ruling::Kiss { 5.0 } else { 1.0 };
                now += 8.0 * polls * (1.0 + late);
            }
            let [within, leaked, kisses, over] = counts;
            assert!(asked.contains(&counts.iter().sum()), "{counts:?}");
            assert!(answered.contains(&(within + leaked + kisses)), "{counts:?}, kiss {kiss}");
            assert!(kissed.contains(&kisses), "{counts:?}");
            assert!(over > 0);
        }
    }

    #[test]
    fn a_burst_of_nothing_and_a_worthless_interval_still_answer() {
        let mut limiter = limiter(8.0, 0, 0, 0);
        assert_eq!(within(&mut limiter, ip("192.0.2.1"), at(0.0), 10), 1);
        for interval in [0.0, -1.0, f64::NAN] {
            let mut limiter = self::limiter(interval, 1, 0, 0);
            assert_eq!(within(&mut limiter, ip("192.0.2.1"), at(0.0), 10), 10, "{interval}");
        }
        let mut limiter = self::limiter(f64::INFINITY, u32::MAX, 0, 0);
        assert_eq!(within(&mut limiter, ip("192.0.2.1"), at(0.0), 10), 10);
    }

    #[test]
    fn leaks_and_kisses_come_as_often_as_set() {
        let mut limiter = limiter(1e6, 1, 4, 8);
        let mut counts = [0; 4];
        for _ in 0..80_000 {
            counts[limiter.judge(ip("192.0.2.1"), Steady, at(0.0)) as usize] += 1;
        }
        let [within, leaked, kissed, over] = counts;
        assert_eq!(within, 1);
        assert!((19_000..21_000).contains(&leaked), "{leaked} of 20000");
        // One in eight of those that did not leak.
        assert!((7_000..8_000).contains(&kissed), "{kissed} of 7500");
        assert_eq!(within + leaked + kissed + over, 80_000);
    }

    #[test]
    fn lots_fall_in_another_order_under_another_key() {
        let order = |key: &[u8; 16]| {
            let limit = RateLimit { interval: 1e6, burst: 1, leak: 2, kiss: 2 };
            let mut limiter = RateLimiter::new(&limit, key);
            (0..64)
                .map(|_| limiter.judge(ip("192.0.2.1"), Steady, at(0.0)) as u8)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(&KEY), order(&KEY));
        assert_ne!(order(&KEY), order(b"another key test"));
    }

    #[test]
    fn one_bucket_for_an_ipv4_address_and_for_an_ipv6_64() {
        let mut limiter = limiter(8.0, 1, 0, 0);
        let now = at(0.0);
        assert_eq!(limiter.judge(ip("192.0.2.1"), Steady, now), Ruling::Within);
        assert_eq!(limiter.judge(ip("::ffff:192.0.2.1"), Steady, now), Ruling::Over);
        assert_eq!(limiter.judge(ip("192.0.2.2"), Steady, now), Ruling::Within);
        assert_eq!(limiter.judge(ip("2001:db8::1"), Steady, now), Ruling::Within);
        assert_eq!(limiter.judge(ip("2001:db8::ffff:1:2:3"), Steady, now), Ruling::Over);
        assert_eq!(limiter.judge(ip("2001:db8:0:1::1"), Steady, now), Ruling::Within);
    }

    #[test]
    fn a_flood_of_forged_sources_forgives_but_never_fails() {
        let mut limiter = limiter(1000.0, 1, 0, 0);
        let victim = ip("192.0.2.1");
        assert_eq!(limiter.judge(victim, Steady, at(0.0)), Ruling::Within);
        let flood = RateLimiter::CAPACITY as u32 * 4;
        for source in 0..flood {
            let source = IpAddr::V4((0x0a00_0000 + source).into());
            assert_eq!(limiter.judge(source, Steady, at(1.0)), Ruling::Within);
        }
        assert_eq!(limiter.judge(victim, Steady, at(2.0)), Ruling::Within);
    }

    #[test]
    fn full_buckets_are_evicted_before_those_still_in_debt() {
        let mut limiter = limiter(10.0, 1, 0, 0);
        let debtor = ip("192.0.2.1");
        // The debtor asks every ten seconds; the others ask once each, a few at a time.
        for round in 0..64 {
            let now = at(f64::from(round) * 10.0);
            assert_eq!(limiter.judge(debtor, Steady, now), Ruling::Within);
            for other in 0..1024 {
                let source = IpAddr::V4((0x0a00_0000 + round as u32 * 1024 + other).into());
                limiter.judge(source, Steady, now);
            }
            assert_eq!(limiter.judge(debtor, Steady, now), Ruling::Over, "round {round}");
        }
    }

    #[test]
    fn another_limit_keeps_what_was_used_up() {
        let mut limiter = limiter(100.0, 1, 0, 0);
        let client = ip("192.0.2.1");
        assert_eq!(limiter.judge(client, Steady, at(0.0)), Ruling::Within);
        limiter.configure(&RateLimit { interval: 10.0, burst: 1, leak: 0, kiss: 0 });
        assert_eq!(limiter.judge(client, Steady, at(50.0)), Ruling::Over);
        assert_eq!(limiter.judge(client, Steady, at(100.0)), Ruling::Within);
        assert_eq!(limiter.judge(client, Steady, at(110.0)), Ruling::Within);
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let mut limiter = limiter(8.0, 8, 2, 2);
        for nanos in [i64::MIN, -1, 0, i64::MAX, i64::MIN, i64::MAX] {
            limiter.judge(ip("192.0.2.1"), Steady, Instant::from_nanos(nanos));
        }
    }
}
