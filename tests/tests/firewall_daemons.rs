//! Real daemons behind the rules of `timeball firewall`, in network namespaces.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use timeball_interop::firewall::{ALL_BACKENDS, BACKENDS, TOOLS, expect_status, firewall, install};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid, reaches};
use timeball_interop::peer::chrony::{self, Chronyd, Truth};
use timeball_interop::peer::installation::Peer;

/// For daemons to find each other; machines are slow.
const WITHIN: Duration = Duration::from_secs(90);

/// What real programs do behind the rules of a role.
type Proof = fn(&Laboratory, &Host, &Host);

/// A role, given the other host, and what proves that it gets what it needs.
const PROOFS: [(&str, Proof); 6] = [
    ("client", |_, here, there| {
        let _server = Chronyd::start(there, Truth::Honest);
        measures(here, there);
    }),
    ("client --fixed-port", |_, here, there| {
        let _server = Chronyd::start(there, Truth::Honest);
        let asks =
            format!("server {} iburst minpoll 0 maxpoll 0\nacquisitionport 123\n", there.ipv4);
        reaches(here, &Chronyd::configured(here, &asks));
    }),
    ("server --allow {there}/32", |_, here, there| {
        let serves = "local stratum 1\nallow\n";
        for start in [Chronyd::configured, Chronyd::played_by_timeball] {
            let _server = start(here, serves);
            timeball_interop::probe::until_serving("the server", here, 123, 0.0, WITHIN, || {});
            measures(there, here);
        }
    }),
    ("peer {there}", |_, here, there| {
        let peers = |other: &Host| format!("peer {} minpoll 0 maxpoll 0\n", other.ipv4);
        let _there = Chronyd::configured(there, &format!("local stratum 1\n{}", peers(here)));
        reaches(here, &Chronyd::configured(here, &peers(there)));
    }),
    ("broadcast-client", |_, here, there| {
        let _talks = Chronyd::configured(there, "local stratum 1\nbroadcast 1 10.123.0.255\n");
        let hears = here.udp(std::net::Ipv4Addr::UNSPECIFIED.into(), 123);
        hears.set_read_timeout(Some(WITHIN)).expect("set a timeout");
        let mut datagram = [0; 64];
        let (_, from) = hears.recv_from(&mut datagram).expect("a broadcast comes");
        assert_eq!((from, datagram[0] & 7), (SocketAddr::new(there.address(), 123), 5));
    }),
    ("nts-server --allow {there}/32", |_, here, there| {
        let place = Place::new(here.address(), Valid::Now);
        let serves = format!(
            "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\nntsdumpdir {}\n",
            place.certificate().display(),
            place.key().display(),
            place.kept().display()
        );
        let asks = format!(
            "ntstrustedcerts {}\nserver {} nts iburst minpoll 0 maxpoll 0\n",
            place.certificate().display(),
            here.ipv4
        );
        let _server = Chronyd::played_by_timeball(here, &serves);
        reaches(there, &Chronyd::configured(there, &asks));
    }),
];
#[track_caller]
fn measures(client: &Host, server: &Host) {
    let offset = chrony::measure(client, SocketAddr::new(server.address(), 123));
    assert!(offset.abs() < 0.01, "chronyd -Q measured {offset}");
}

#[test]
fn real_daemons_get_what_they_need_behind_each_tool() {
    if !need::met(&[&LABORATORY[..], &TOOLS, &[Need::Unpacked(Peer::Chrony)]].concat()) {
        return;
    }
    for backend in ALL_BACKENDS {
        for (role, proof) in PROOFS {
            let laboratory = Laboratory::new();
            let [here, there] = ["here", "there"].map(|name| laboratory.host(name));
            let role = role.replace("{there}", &there.ipv4.to_string());
            println!("{backend}: {role}");
            install(&here, &role, backend);
            proof(&laboratory, &here, &there);
        }
    }
}

#[test]
fn a_flood_is_cut_and_a_real_client_is_not() {
    if !need::met(&[&LABORATORY[..], &TOOLS, &[Need::Unpacked(Peer::Chrony)]].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [server, client, flooder] =
        ["server", "client", "flooder"].map(|name| laboratory.host(name));
    for backend in BACKENDS {
        expect_status(&firewall(&server, &format!("server --backend {backend} --apply")), 0);
        let received = {
            let sink = server.udp(server.address(), 123);
            let socket = flooder.udp(flooder.address(), 0);
            let mut datagram = [0; 48];
            datagram[0] = 0x23;
            for _ in 0..500 {
                socket.send_to(&datagram, (server.ipv4, 123)).expect("send");
            }
            sink.set_nonblocking(true).expect("set a socket's mode");
            std::iter::from_fn(|| sink.recv(&mut datagram).ok()).count()
        };
        assert!((64..300).contains(&received), "{backend}: {received} of 500");
        let _chronyd = Chronyd::start(&server, Truth::Honest);
        let offset = chrony::measure(&client, SocketAddr::new(server.address(), 123));
        assert!(offset.abs() < 0.01, "{backend}: chronyd -Q measured {offset}");
        expect_status(&firewall(&server, &format!("client --backend {backend} --remove")), 0);
    }
}
