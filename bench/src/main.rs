//! NTS of Debian's chronyd and of timeball: what each does for a second of its processor's time.
#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark ends where it cannot go on")]

mod client;
mod processor;

use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid};
use timeball_interop::peer::chrony::Chronyd;
use timeball_interop::peer::installation::Peer;

use client::Client;

/// Requests to each, in parts of which the median counts.
const REQUESTS: usize = 210_000;
const SESSIONS: usize = 2_100;
const PARTS: usize = 7;

type Start = fn(&Host, &str) -> Chronyd;

const SERVERS: [(&str, Start); 2] =
    [("chronyd", Chronyd::configured), ("timeball", Chronyd::played_by_timeball)];

/// A server that runs.
struct Server {
    name: &'static str,
    host: Host,
    place: Place,
    daemon: Chronyd,
}

impl Server {
    fn start(laboratory: &Laboratory, name: &'static str, start: Start) -> Self {
        let host = laboratory.host(name);
        let place = Place::new(host.ipv4.into(), Valid::Now);
        let configuration = format!(
            "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\n",
            place.certificate().display(),
            place.key().display()
        );
        let daemon = start(&host, &configuration);
        Self { name, host, place, daemon }
    }

    /// How often a second of its processor's time is enough for `work`, which says how much was done.
    fn rate(&self, work: impl FnOnce() -> usize) -> f64 {
        let before = processor::time(self.daemon.process());
        let done = work();
        done as f64 / (processor::time(self.daemon.process()) - before)
    }
}

fn main() {
    if !need::met(&[&LABORATORY[..], &[Need::Unpacked(Peer::Chrony)]].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let asking = laboratory.host("asking");
    let servers = SERVERS.map(|(name, start)| Server::start(&laboratory, name, start));
    let clients = servers.each_ref().map(|server| Client::new(server.host.ipv4, &server.place));
    // In turn, so that what the machine does meanwhile is shared.
    let mut rates: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..PARTS {
        for (which, (server, client)) in servers.iter().zip(&clients).enumerate() {
            asking.inside(|| {
                let session = client.establish();
                let requests = || client.ask(&session, REQUESTS / PARTS);
                let sessions = || client.establish_often(SESSIONS / PARTS);
                rates[0][which].push(server.rate(requests));
                rates[1][which].push(server.rate(sessions));
            });
        }
    }
    println!(
        "{:<28}{:>14}{:>14}{:>8}",
        "per CPU-second", servers[0].name, servers[1].name, "ratio"
    );
    for (what, rates) in ["NTS requests answered", "NTS key establishments"].into_iter().zip(rates)
    {
        let [theirs, ours] = rates.map(median);
        println!("{what:<28}{theirs:>14.0}{ours:>14.0}{:>8.2}", ours / theirs);
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
