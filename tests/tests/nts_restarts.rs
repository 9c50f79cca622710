//! Sources with NTS, and what a restart of either side costs them.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::fs;

use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid, WITHIN, served};
use timeball_interop::peer::chrony::Chronyd;
use timeball_interop::peer::installation::Peer;
use timeball_interop::timeball::{Source, Timeball};
use timeball_interop::wait;

const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];

/// Requests from when both sides are there until an answer is believed: two polls, and one that may
/// have been under way.
const REQUESTS: u64 = 3;

type Start = fn(&Host, &str) -> Chronyd;

const THEIRS: Start = Chronyd::configured;
const OURS: Start = Chronyd::played_by_timeball;

/// What happens to the two of them.
#[derive(Clone, Copy, Debug)]
enum Event {
    Server,
    Client,
    ServerThenClient,
    ClientThenServer,
    /// The server comes back without the keys of its cookies.
    ServerThatForgets,
    /// The client is killed, and has no time to write anything down.
    CrashOfClient,
    ServerThatForgetsThenClient,
}

const EVENTS: [Event; 7] = [
    Event::Server,
    Event::Client,
    Event::ServerThenClient,
    Event::ClientThenServer,
    Event::ServerThatForgets,
    Event::CrashOfClient,
    Event::ServerThatForgetsThenClient,
];

/// A server, its client, and what they are started with.
struct Pair {
    hosts: [Host; 2],
    places: [Place; 2],
    start: Start,
    server: Option<Chronyd>,
    client: Option<Timeball>,
}

impl Pair {
    fn new(laboratory: &Laboratory, start: Start) -> Self {
        let hosts = ["one", "two"].map(|name| laboratory.host(name));
        let address = hosts[0].ipv4.into();
        let places = [Place::new(address, Valid::Now), Place::new(address, Valid::Now)];
        fs::copy(places[0].certificate(), places[1].certificate()).expect("copy a certificate");
        let mut pair = Self { hosts, places, start, server: None, client: None };
        pair.start_server();
        pair.start_client();
        pair
    }

    fn start_server(&mut self) {
        let place = &self.places[0];
        let configuration = format!(
            "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\nntsdumpdir {}\n",
            place.certificate().display(),
            place.key().display(),
            place.kept().display()
        );
        self.server = Some((self.start)(&self.hosts[0], &configuration));
    }

    fn start_client(&mut self) {
        let [server, client] = &self.hosts;
        let configuration = self.places[1].source(server.ipv4.into());
        self.client = Some(Timeball::start(client, &configuration));
    }

    fn stop_server(&mut self) {
        self.server = None;
    }

    fn forget(&self) {
        fs::remove_file(self.places[0].kept().join("ntskeys")).expect("remove the keys");
    }

    /// The source, once it is known.
    fn source(&self) -> Source {
        let client = self.client.as_ref().expect("a client");
        wait::until("the client answers", WITHIN, || {
            let status = client.status()?;
            status.sources.into_iter().next().ok_or_else(|| "no sources".to_owned())
        })
    }

    fn suffer(&mut self, event: Event) {
        match event {
            Event::Server => {
                self.stop_server();
                self.start_server();
            }
            Event::ServerThatForgets => {
                self.stop_server();
                self.forget();
                self.start_server();
            }
            Event::Client => {
                self.client = None;
                self.start_client();
            }
            Event::CrashOfClient => {
                self.client.as_ref().expect("a client").crash();
                self.client = None;
                self.start_client();
            }
            Event::ServerThenClient | Event::ServerThatForgetsThenClient => {
                self.client = None;
                self.stop_server();
                if matches!(event, Event::ServerThatForgetsThenClient) {
                    self.forget();
                }
                self.start_server();
                self.start_client();
            }
            Event::ClientThenServer => {
                self.stop_server();
                self.client = None;
                self.start_client();
                self.start_server();
            }
        }
    }

    /// Waits for an authentic answer after those in `before`, and returns how things then are.
    fn regain(&self, before: &Source) -> Source {
        wait::until("there is an authentic answer", WITHIN, || {
            let source = self.source();
            let log = || self.client.as_ref().map(Timeball::log).unwrap_or_default();
            if source.accepted > before.accepted {
                Ok(source)
            } else {
                Err(format!("{source:#?}\n{}", log()))
            }
        })
    }
}

#[test]
fn authentic_time_comes_back_with_whoever_was_away() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let mut pair = Pair::new(&laboratory, start);
        let mut before = pair.source();
        for event in EVENTS {
            let settled = pair.regain(&before);
            assert!(settled.nts.is_some_and(|nts| nts.cookies > 0), "{event:?}");
            pair.suffer(event);
            before = pair.source();
            let after = pair.regain(&before);
            let requests = after.sent - before.sent;
            assert!(requests <= REQUESTS, "{event:?}: {requests} requests\n{after:#?}");
            let server = pair.server.as_ref().expect("a server");
            let (sessions, authenticated) = served(&pair.hosts[0], server);
            assert!(authenticated > 0, "{event:?}");
            let keys_are_new =
                matches!(event, Event::ServerThatForgets | Event::ServerThatForgetsThenClient);
            let restarted = !matches!(event, Event::Client | Event::CrashOfClient);
            if restarted {
                assert_eq!(sessions > 0, keys_are_new, "{event:?}: {sessions} sessions");
            }
            before = pair.source();
        }
    }
}

/// What a client takes up again it has not used before, however it ended.
#[test]
fn a_killed_client_needs_no_new_keys() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let mut pair = Pair::new(&laboratory, THEIRS);
    for _ in 0..3 {
        let before = pair.source();
        pair.regain(&before);
        pair.suffer(Event::CrashOfClient);
        let before = pair.source();
        pair.regain(&before);
    }
    let server = pair.server.as_ref().expect("a server");
    assert_eq!(served(&pair.hosts[0], server).0, 1);
}
