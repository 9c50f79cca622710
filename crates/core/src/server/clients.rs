//! What is known of clients: who asks, how often, and how many of their requests got no answer.
//!
//! A table of fixed size. Where it is full, a new client takes the place of the one not heard of for
//! longest among those that share its hash value; as the hash is keyed, nobody chooses whom to push
//! out.

use std::net::IpAddr;

use siphasher::sip::SipHasher13;
use timeball_wire::{Instant, Span};

/// What clients can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The time.
    Ntp,
    /// Keys (NTS-KE).
    KeyExchange,
    /// Reports and commands (chronyc).
    Command,
}

/// What became of a client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It was dealt with.
    Served,
    /// It was one too many.
    Dropped,
}

/// What a client does when it gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It asks about as often as ever.
    Steady,
    /// It asks more than twice as often: silence costs more than answers do.
    Pesters,
}

/// One client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Client {
    /// Who.
    pub address: IpAddr,
    /// Its requests for the time.
    pub ntp: Activity,
    /// Its requests for keys.
    pub key_exchange: Activity,
    /// Its reports and commands.
    pub command: Activity,
}

/// What one client asked of one service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activity {
    /// Requests.
    pub hits: u32,
    /// Of those, dropped to limit the rate.
    pub drops: u32,
    /// The last one.
    pub last: Option<Instant>,
    /// Mean interval between requests, log₂ s.
    pub interval: Option<f32>,
    /// The same of requests that followed a dropped one.
    pub interval_if_dropped: Option<f32>,
}

/// The clients of one worker.
#[derive(Clone, Debug)]
pub struct Clients {
    hasher: SipHasher13,
    sets: Vec<Set>,
    /// Clients that had to make room.
    evicted: u64,
}

/// Records that share a hash value.
type Set = [Option<Record>; WAYS];

const WAYS: usize = 8;

/// A [`Client`], smaller.
#[derive(Clone, Copy, Debug)]
struct Record {
    address: IpAddr,
    services: [Uses; 3],
    /// The last request was.
    dropped: [bool; 3],
}

/// An [`Activity`], smaller.
#[derive(Clone, Copy, Debug)]
struct Uses {
    last: Instant,
    hits: u32,
    drops: u32,
    /// Not a number until there are two requests.
    interval: f32,
    interval_if_dropped: f32,
}

/// A client that has just asked for something.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    uses: &'a mut Uses,
    dropped: &'a mut bool,
}

impl Clients {
    /// Bytes per client.
    pub const SIZE: usize = size_of::<Option<Record>>();

    /// A table for about `capacity` clients, eight at least. `hash_key` must be unpredictable to
    /// clients.
    pub fn new(capacity: usize, hash_key: &[u8; 16]) -> Self {
        let sets = vec![[None; WAYS]; sets(capacity)];
        Self { hasher: SipHasher13::new_with_key(hash_key), sets, evicted: 0 }
    }

    /// Takes note of a request.
    pub fn note(&mut self, address: IpAddr, service: Service, treatment: Treatment, now: Instant) {
        if let Some(client) = self.asks(address, service, now) {
            client.was(treatment);
        }
    }

    /// Takes note of a request of which it is not known yet what becomes of it.
    pub(super) fn asks(
        &mut self,
        address: IpAddr,
        service: Service,
        now: Instant,
    ) -> Option<Asking<'_>> {
        let record = self.record(address.to_canonical())?;
        let uses = &mut record.services[service as usize];
        let dropped = &mut record.dropped[service as usize];
        uses.hear(now, *dropped);
        Some(Asking { uses, dropped })
    }

    /// Places in the table, taken or not.
    pub fn places(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// The client in one of the places.
    pub fn get(&self, place: usize) -> Option<Client> {
        let record = self.sets.get(place / WAYS)?.get(place % WAYS)?.as_ref()?;
        let [ntp, key_exchange, command] = record.services.map(|uses| uses.activity());
        Some(Client { address: record.address, ntp, key_exchange, command })
    }

    /// Every client and its place, from the place `first` on.
    pub fn iter_from(&self, first: usize) -> impl Iterator<Item = (usize, Client)> {
        (first..self.places()).filter_map(|place| Some((place, self.get(place)?)))
    }

    /// Counts the hits and drops of the client in this place from zero again.
    pub fn reset(&mut self, place: usize) {
        let record = self.sets.get_mut(place / WAYS).and_then(|set| set.get_mut(place % WAYS));
        if let Some(Some(record)) = record {
            for uses in &mut record.services {
                (uses.hits, uses.drops) = (0, 0);
            }
        }
    }

    /// Clients that had to make room for others.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The record of a client; if it has none, one that is free, or that of the client not heard of
    /// for longest.
    fn record(&mut self, address: IpAddr) -> Option<&mut Record> {
        let hash = match address {
            IpAddr::V4(v4) => self.hasher.hash(&v4.octets()),
            IpAddr::V6(v6) => self.hasher.hash(&v6.octets()),
        };
        let at = hash as usize % self.sets.len().max(1);
        let set = self.sets.get_mut(at)?;
        let known = set.iter().position(|record| record.is_some_and(|r| r.address == address));
        let way = match known {
            Some(way) => way,
            None => {
                let last_heard = |record: &Option<Record>| record.map(|record| record.last());
                let ways = set.iter().enumerate();
                let (way, record) = ways.min_by_key(|(_, record)| last_heard(record))?;
                self.evicted += u64::from(record.is_some());
                set[way] = Some(Record { address, services: [Uses::NONE; 3], dropped: [false; 3] });
                way
            }
        };
        set.get_mut(way)?.as_mut()
    }
}

/// How many sets make about this capacity: a power of two, so that it is the same after a reload
/// with nearly the same limit.
fn sets(capacity: usize) -> usize {
    match (capacity / WAYS).checked_ilog2() {
        Some(log2) => 1 << log2,
        None => 1,
    }
}

impl Record {
    fn last(&self) -> Instant {
        let last = self.services.map(|uses| uses.last);
        last.into_iter().max().unwrap_or(Uses::NEVER)
    }
}

impl Uses {
    const NEVER: Instant = Instant::from_nanos(i64::MIN);
    const NONE: Self = Self {
        last: Self::NEVER,
        hits: 0,
        drops: 0,
        interval: f32::NAN,
        interval_if_dropped: f32::NAN,
    };
    /// Intervals shorter than this count as this long (s); requests in one batch have none.
    const SHORTEST: f64 = 1.0 / 65536.0;

    fn hear(&mut self, now: Instant, last_was_dropped: bool) {
        if self.last != Self::NEVER {
            // To the next power of two: how often is a matter of what the client is set to.
            let interval = (now - self.last).seconds().max(Self::SHORTEST).log2().round() as f32;
            let mean = match last_was_dropped {
                false => &mut self.interval,
                true => &mut self.interval_if_dropped,
            };
            *mean = follow(*mean, interval);
        }
        self.last = now;
        self.hits = self.hits.saturating_add(1);
    }

    fn activity(self) -> Activity {
        let known = |interval: f32| (!interval.is_nan()).then_some(interval);
        Activity {
            hits: self.hits,
            drops: self.drops,
            last: (self.last != Self::NEVER).then_some(self.last),
            interval: known(self.interval),
            interval_if_dropped: known(self.interval_if_dropped),
        }
    }
}

/// The mean with one more interval (log₂ s) in it: a client that slows down is believed at once, one
/// that hurries now and then is not yet a hurrying one.
fn follow(mean: f32, interval: f32) -> f32 {
    /// log₂ s per request.
    const HASTENING: f32 = 0.25;
    match mean {
        mean if mean.is_nan() => interval,
        mean if interval > mean => (mean + interval) / 2.0,
        mean => interval.max(mean - HASTENING),
    }
}

impl Asking<'_> {
    /// What it does when it gets no answer.
    pub(super) fn habit(&self) -> Habit {
        // Comparisons with what is not known are false.
        let pesters = self.uses.interval_if_dropped + 1.0 < self.uses.interval;
        if pesters { Habit::Pesters } else { Habit::Steady }
    }

    /// What became of the request.
    pub(super) fn was(self, treatment: Treatment) {
        *self.dropped = treatment == Treatment::Dropped;
        self.uses.drops = self.uses.drops.saturating_add(u32::from(*self.dropped));
    }
}

impl Activity {
    /// Time since the last request.
    pub fn age(&self, now: Instant) -> Option<Span> {
        self.last.map(|last| now - last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Treatment::{Dropped, Served};

    fn clients(capacity: usize) -> Clients {
        Clients::new(capacity, b"a key for tests.")
    }

    fn at(seconds: f64) -> Instant {
        Instant::from_nanos(0) + Span::from_seconds(seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(clients: &Clients, address: &str) -> Option<Client> {
        clients.iter_from(0).map(|(_, client)| client).find(|c| c.address == ip(address))
    }

    #[test]
    fn requests_are_counted_by_client_and_service() {
        let mut clients = clients(100);
        for second in 0..10 {
            let treatment = if second % 2 == 0 { Served } else { Dropped };
            clients.note(ip("192.0.2.1"), Service::Ntp, treatment, at(f64::from(second) * 8.0));
        }
        clients.note(ip("192.0.2.1"), Service::Command, Served, at(100.0));
        clients.note(ip("2001:db8::1"), Service::KeyExchange, Dropped, at(7.0));
        let one = client(&clients, "192.0.2.1").unwrap();
        assert_eq!((one.ntp.hits, one.ntp.drops, one.ntp.last), (10, 5, Some(at(72.0))));
        assert_eq!((one.ntp.interval, one.ntp.interval_if_dropped), (Some(3.0), Some(3.0)));
        assert_eq!((one.command.hits, one.command.interval), (1, None));
        assert_eq!(one.command.age(at(101.5)), Some(Span::from_millis(1500)));
        assert_eq!((one.key_exchange.hits, one.key_exchange.last), (0, None));
        let other = client(&clients, "2001:db8::1").unwrap();
        assert_eq!((other.key_exchange.hits, other.key_exchange.drops), (1, 1));
        assert_eq!(clients.iter_from(0).count(), 2);
    }

    #[test]
    fn mapped_addresses_are_the_ipv4_ones() {
        let mut clients = clients(100);
        clients.note(ip("::ffff:192.0.2.1"), Service::Ntp, Served, at(0.0));
        clients.note(ip("192.0.2.1"), Service::Ntp, Served, at(0.0));
        assert_eq!(client(&clients, "192.0.2.1").unwrap().ntp.hits, 2);
    }

    #[test]
    fn a_mean_interval_follows_the_client() {
        let mut clients = clients(100);
        for _ in 0..3 {
            clients.note(ip("192.0.2.1"), Service::Ntp, Served, at(0.0));
        }
        let interval = client(&clients, "192.0.2.1").unwrap().ntp.interval.unwrap();
        assert_eq!(interval, -16.0);
        for second in 1..60 {
            clients.note(ip("192.0.2.1"), Service::Ntp, Served, at(f64::from(second) * 64.0));
        }
        let interval = client(&clients, "192.0.2.1").unwrap().ntp.interval.unwrap();
        assert!((interval - 6.0).abs() < 0.1, "{interval}");
        // Faster, step by step.
        let mut now = 59.0 * 64.0;
        for expected in [5.75, 5.5, 5.25, 5.0] {
            now += 8.0;
            clients.note(ip("192.0.2.1"), Service::Ntp, Served, at(now));
            let interval = client(&clients, "192.0.2.1").unwrap().ntp.interval.unwrap();
            assert!((interval - expected).abs() < 0.1, "{interval}, not {expected}");
        }
    }

    #[test]
    fn who_asks_more_often_without_answers_pesters() {
        let mut clients = clients(100);
        let mut now = 0.0;
        let mut habits = Vec::new();
        for round in 0..40 {
            let treatment = if round % 2 == 0 { Served } else { Dropped };
            let asking = clients.asks(ip("192.0.2.1"), Service::Ntp, at(now)).unwrap();
            habits.push(asking.habit());
            asking.was(treatment);
            now += match (treatment, round < 20) {
                (Served, true) => 64.0,
                (Dropped, true) => 16.0,
                (Served | Dropped, false) => 64.0,
            };
        }
        assert_eq!(habits[..2], [Habit::Steady; 2], "nothing is known yet");
        assert_eq!(habits[2..21], [Habit::Pesters; 19]);
        assert_eq!(habits[30..], [Habit::Steady; 10]);
    }

    #[test]
    fn the_client_not_heard_of_for_longest_makes_room() {
        let mut clients = clients(8);
        assert_eq!(clients.places(), 8);
        for count in 0..8u8 {
            clients.note([192, 0, 2, count].into(), Service::Ntp, Served, at(f64::from(count)));
        }
        clients.note(ip("192.0.2.0"), Service::Command, Served, at(20.0));
        assert_eq!(clients.evicted(), 0);
        clients.note(ip("198.51.100.1"), Service::Ntp, Served, at(21.0));
        assert_eq!(clients.evicted(), 1);
        assert_eq!(client(&clients, "192.0.2.1"), None);
        assert!(client(&clients, "192.0.2.0").is_some() && client(&clients, "192.0.2.7").is_some());
    }

    #[test]
    fn hits_start_from_zero_again_where_told() {
        let mut clients = clients(100);
        clients.note(ip("192.0.2.1"), Service::Ntp, Dropped, at(0.0));
        clients.note(ip("192.0.2.2"), Service::Ntp, Dropped, at(0.0));
        let (place, _) = clients.iter_from(0).find(|(_, c)| c.address == ip("192.0.2.1")).unwrap();
        clients.reset(place);
        clients.reset(usize::MAX);
        let one = client(&clients, "192.0.2.1").unwrap().ntp;
        assert_eq!((one.hits, one.drops, one.last), (0, 0, Some(at(0.0))));
        assert_eq!(client(&clients, "192.0.2.2").unwrap().ntp.hits, 1);
        assert!(clients.iter_from(place + 1).all(|(later, _)| later > place));
    }

    #[test]
    fn any_capacity_makes_a_table() {
        for (capacity, places) in [(0, 8), (1, 8), (15, 8), (16, 16), (4095, 2048), (4096, 4096)] {
            assert_eq!(clients(capacity).places(), places, "{capacity}");
        }
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let mut clients = clients(8);
        for nanos in [i64::MIN, -1, 0, i64::MAX, i64::MIN, i64::MAX] {
            clients.note(ip("192.0.2.1"), Service::Ntp, Served, Instant::from_nanos(nanos));
        }
        assert_eq!(client(&clients, "192.0.2.1").unwrap().ntp.hits, 6);
    }
}
